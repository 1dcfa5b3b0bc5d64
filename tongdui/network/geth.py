"""What go-ethereum 1.13.15 starts from, for a Clique network: genesis, configuration, command line.

The last version that makes Clique blocks by itself: 1.14 dropped it. Not for production: Clique has no finality, and
this version gets no more corrections.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import orjson

from tongdui.network.errors import NodeProgramMissing
from tongdui.network.keys import KEYS, NODE_KEY, PASSWORD, SEALING_KEYS
from tongdui.network.plan import Member, NetworkPlan

BINARY_VARIABLE = "TONGDUI_GETH"
GENESIS = "genesis.json"
CONFIG = "config.toml"
START = "start.sh"
DATA = "data"
APIS = "eth,net,web3,txpool,clique,admin,miner,debug"

_EPOCH = 30_000
_VANITY = bytes(32)
_SEAL = bytes(65)


def find_binary() -> Path:
    """Return the geth program: from TONGDUI_GETH, what `make engine` built, or the PATH. Raises NodeProgramMissing."""
    named = os.environ.get(BINARY_VARIABLE)
    built = [root / ".engine" / "bin" / "geth" for root in (Path(__file__).resolve().parents[2], Path.cwd())]
    places = [Path(named)] if named else [*dict.fromkeys(built)]
    for place in places:
        if place.is_file():
            return place
    on_path = None if named else shutil.which("geth")
    if on_path is None:
        raise NodeProgramMissing(places)
    return Path(on_path)


def genesis(plan: NetworkPlan) -> bytes:
    """Return genesis.json: every node's must be the same, byte for byte.

    Berlin, not London: a base fee would make transactions without a gas price impossible. The gas limit is right from
    the first block, for it drifts by 1/1024 a block at most.
    """
    signers = b"".join(bytes.fromhex(account[2:]) for account in plan.accounts)
    forks = ("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul")
    document: dict[str, Any] = {
        "config": {
            "chainId": plan.chain_id,
            **{f"{fork}Block": 0 for fork in (*forks, "muirGlacier", "berlin")},
            "clique": {"period": plan.period_s, "epoch": _EPOCH},
        },
        "timestamp": hex(plan.timestamp),
        "gasLimit": hex(plan.gas_limit),
        "difficulty": "0x1",
        "extraData": "0x" + (_VANITY + signers + _SEAL).hex(),
        "alloc": {},
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def configuration(plan: NetworkPlan, member: Member) -> str:
    """Return config.toml: peers are dialled by name and nobody else is looked for.

    ListenAddr has no option on the command line that takes an address.
    """
    peers = ", ".join(f'"{one.enode}"' for one in plan.members if one is not member)
    listen = member.host if member.host.startswith("127.") else ""
    return (
        "[Node.P2P]\n"
        f'ListenAddr = "{listen}:{member.ports.p2p}"\n'
        "NoDiscovery = true\n"
        f"StaticNodes = [{peers}]\n"
        f"TrustedNodes = [{peers}]\n"
    )


def init_arguments(binary: str, folder: str) -> list[str]:
    """Return the command line that lays down the genesis block."""
    return [binary, "init", "--datadir", f"{folder}/{DATA}", "--state.scheme", "hash", f"{folder}/{GENESIS}"]


def arguments(plan: NetworkPlan, member: Member, binary: str, folder: str) -> list[str]:
    """Return the command line that runs a node from its folder."""
    sealing = [] if member.account is None else _sealing(member, folder)
    return [
        binary,
        *("--config", f"{folder}/{CONFIG}", "--datadir", f"{folder}/{DATA}"),
        *("--networkid", str(plan.chain_id), "--nodekey", f"{folder}/{KEYS}/{NODE_KEY}"),
        # A node that was killed goes on from its last block: without the archive it would go back to the last state
        # that it wrote, and a signer that went back seals the same heights anew.
        *("--syncmode", "full", "--gcmode", "archive", "--state.scheme", "hash", "--cache", "128"),
        *("--nodiscover", "--nat", "none", "--ipcdisable", "--verbosity", "3"),
        *("--http", "--http.addr", "127.0.0.1", "--http.port", str(member.ports.rpc), "--http.api", APIS),
        *("--rpc.batch-response-max-size", str(256 * 1024 * 1024)),
        # Opened in any case, at the same port on every node of a machine unless it is said.
        *("--authrpc.addr", "127.0.0.1", "--authrpc.port", str(member.ports.engine_api)),
        *("--miner.gaslimit", str(plan.gas_limit)),
        # A few relayers send everything: 16 transactions an account would be too few.
        *("--txpool.accountslots", "4096", "--txpool.globalslots", "16384"),
        *("--txpool.accountqueue", "4096", "--txpool.globalqueue", "16384"),
        *sealing,
    ]


def _sealing(member: Member, folder: str) -> list[str]:
    account = str(member.account)
    return [
        *("--mine", "--miner.etherbase", account, "--unlock", account, "--allow-insecure-unlock"),
        *("--keystore", f"{folder}/{KEYS}/{SEALING_KEYS}", "--password", f"{folder}/{KEYS}/{PASSWORD}"),
    ]


def start_script(plan: NetworkPlan, member: Member) -> str:
    """Return start.sh: what `tongdui network up` does for one node, for an agency's own machine.

    This geth turns a gas price of 0 on its command line into 1 gwei without a word, and then drops our transactions
    without another. So the price is set once it answers, at each start.
    """
    run = " \\\n  ".join(_quoted(arguments(plan, member, "$geth", "$here")))
    init = " ".join(_quoted(init_arguments("$geth", "$here")))
    return f"""#!/bin/sh
# Starts node {member.name}. It needs geth 1.13.15 (`make engine`): TONGDUI_GETH, or geth on the PATH.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
geth=${{TONGDUI_GETH:-geth}}
[ -d "$here/{DATA}/geth/chaindata" ] || {init}
{run} &
node=$!
trap 'kill -TERM "$node"' TERM INT
until "$geth" attach --exec 'miner.setGasPrice("0x0")' "http://127.0.0.1:{member.ports.rpc}" >/dev/null 2>&1; do
  kill -0 "$node" 2>/dev/null || exit 1
  sleep 1
done
wait "$node"
"""


def _quoted(words: list[str]) -> list[str]:
    return [f'"{word}"' if "$" in word else word for word in words]
