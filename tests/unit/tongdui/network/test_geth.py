"""geth's files: the traps that were met are avoided."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import orjson
import pytest

from tests.unit.tongdui.network.trial import member, plan
from tongdui.network import geth
from tongdui.network.errors import NodeProgramMissing

PLAN = plan(4)


def test_the_genesis_block_names_the_signers_in_ascending_order_and_is_before_london() -> None:
    document = orjson.loads(geth.genesis(PLAN))
    extra = bytes.fromhex(document["extraData"][2:])
    assert extra[32:-65] == b"".join(bytes.fromhex(account[2:]) for account in PLAN.accounts)
    assert len(extra) == 32 + 4 * 20 + 65
    assert "londonBlock" not in document["config"]
    assert document["config"]["berlinBlock"] == 0
    assert int(document["gasLimit"], 16) == PLAN.gas_limit


def test_peers_are_dialled_by_name_on_an_own_port() -> None:
    document = tomllib.loads(geth.configuration(PLAN, PLAN.members[0]))["Node"]["P2P"]
    assert document["ListenAddr"] == f"127.0.0.1:{PLAN.members[0].ports.p2p}"
    assert document["StaticNodes"] == [one.enode for one in PLAN.members[1:]]
    assert document["NoDiscovery"] is True


def test_every_node_has_an_engine_port_of_its_own() -> None:
    for one in PLAN.members:
        words = geth.arguments(PLAN, one, "geth", "/here")
        assert words[words.index("--authrpc.port") + 1] == str(one.ports.engine_api)


def test_a_node_that_only_answers_seals_nothing() -> None:
    assert "--mine" in geth.arguments(PLAN, member(1), "geth", "/here")
    assert "--mine" not in geth.arguments(PLAN, member(9, seals=False), "geth", "/here")


def test_the_price_is_set_by_call_and_not_on_the_command_line() -> None:
    assert "--miner.gasprice" not in geth.arguments(PLAN, member(1), "geth", "/here")
    assert 'miner.setGasPrice("0x0")' in geth.start_script(PLAN, member(1))


def test_the_start_script_is_a_shell_script(tmp_path: Path) -> None:
    path = tmp_path / "start.sh"
    path.write_text(geth.start_script(PLAN, member(1)), encoding="utf-8")
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0


def test_a_program_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGDUI_GETH", "/nowhere/geth")
    with pytest.raises(NodeProgramMissing, match="/nowhere/geth"):
        geth.find_binary()
