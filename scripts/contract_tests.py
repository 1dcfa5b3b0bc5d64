"""Run Brownie on tests/contracts: ``.venv-brownie/bin/python scripts/contract_tests.py [pytest's arguments]``.

Brownie wants a home of its own, a compiler in it, a network description and an Anvil on a known port; and where
something else already listens on that port, it uses that instead. So each run gets a fresh home under ``build``, in it
the compiler (a native solc, else our stand-in) under the name that py-solc-x looks for, and a port that is free now.
Only the standard library is used: this runs in Brownie's environment, where nothing of ours is installed.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOLC_VERSION = "0.8.30"
#: A batch of 500 grants to new holders costs 12.6 million gas; a block takes one with room to spare.
BLOCK_GAS_LIMIT = 60_000_000


def find_anvil(root: Path) -> Path | None:
    """Return the native Anvil of the environment, of node_modules or of the PATH, in this order."""
    if named := os.environ.get("TONGDUI_ANVIL"):
        return Path(named)
    installed = sorted(root.glob("node_modules/@foundry-rs/anvil-*/bin/anvil"))
    if installed:
        return installed[0]
    found = shutil.which("anvil")
    return Path(found) if found else None


def find_solc() -> Path:
    """Return a native solc of the pinned version from the PATH, else our stand-in over npm's solc-js."""
    found = shutil.which("solc")
    if found:
        answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        if f"Version: {SOLC_VERSION}+" in answer:
            return Path(found)
    return ROOT / "scripts" / "solc_shim.js"


def free_port() -> int:
    """Return a loopback port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def network_config(port: int) -> str:
    """Return Brownie's network description (JSON is YAML): one Anvil with the rules of the contracts' target."""
    development = {
        "name": "Anvil",
        "id": "development",
        "cmd": "anvil --hardfork london --order fifo",
        "host": "http://127.0.0.1",
        "timeout": 120,
        "cmd_settings": {"port": port, "gas_limit": BLOCK_GAS_LIMIT, "accounts": 10, "base_fee": 0, "gas_price": 0},
    }
    return json.dumps({"live": [], "development": [development]}, indent=1)


def prepare_home(home: Path) -> None:
    """Fill a new home folder with what Brownie and py-solc-x look for there."""
    (home / ".brownie").mkdir(parents=True)
    (home / ".brownie" / "network-config.yaml").write_text(network_config(free_port()), encoding="utf-8")
    (home / ".solcx").mkdir()
    (home / ".solcx" / f"solc-v{SOLC_VERSION}").symlink_to(find_solc())


def prepare_build(root: Path) -> Path:
    """Make the folders that Brownie wants below ``root`` and return the one that holds them.

    What an earlier checkout compiled from a file that is gone since then goes too: Brownie looks for the sources of
    all that it once compiled and does not begin without them.
    """
    build = root / "build" / "brownie"
    for folder in ("contracts", "interfaces", "deployments", "sources", "scripts"):
        (build / folder).mkdir(parents=True, exist_ok=True)
    for compiled in (build / "contracts").glob("*.json"):
        document = json.loads(compiled.read_text(encoding="utf-8"))
        sources = [document["sourcePath"], *document.get("allSourcePaths", {}).values()]
        if not all((root / source).exists() for source in sources if source.startswith("contracts/")):
            compiled.unlink()
    return build


def main(arguments: Sequence[str]) -> int:
    """Run ``brownie test`` with the given pytest arguments; return its exit code."""
    anvil = find_anvil(ROOT)
    if anvil is None or not anvil.is_file():
        print("no anvil: run `make setup`, or set TONGDUI_ANVIL to the native binary", file=sys.stderr)
        return 2
    build = prepare_build(ROOT)
    # Brownie adds its whole tests folder unless a path comes first.
    paths = [argument for argument in arguments if argument.startswith("tests/")]
    options = [argument for argument in arguments if argument not in paths]
    with tempfile.TemporaryDirectory(prefix="home-", dir=build) as home:
        prepare_home(Path(home))
        bin_folder = Path(sys.executable).parent
        # Node may come from either environment where the system has none.
        path = [str(anvil.parent), str(bin_folder), os.environ.get("PATH", os.defpath), str(ROOT / ".venv" / "bin")]
        environment = os.environ | {"HOME": home, "PATH": os.pathsep.join(path), "PYTHONPATH": ""}
        command = [str(bin_folder / "brownie"), "test", *(paths or ["tests/contracts"]), *options]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
