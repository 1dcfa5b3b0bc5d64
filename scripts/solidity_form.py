"""The contracts' form, by ``forge fmt``: ``python -m scripts.solidity_form`` writes it, ``--check`` shows differences.

Forge is used for this alone; foundry.toml has the settings. It is a developer's package of npm with a native binary for
each platform (`make setup-dev`). White space and line breaks change neither a contract's code nor its mutants, but they
change the ``sourceHash`` of artifacts: run `make compile` after a change.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ledger.errors import ConfigurationError, TongduiError

ROOT = Path(__file__).resolve().parent.parent
FORGE_VERSION = "1.7.1"
"""What package.json pins: another version may write another form."""


def find_forge(root: Path = ROOT) -> Path:
    """Return the native forge that npm has installed, or one on the PATH.

    Raises ConfigurationError where there is none of the pinned version.
    """
    installed = sorted((root / "node_modules" / "@foundry-rs").glob("forge-*/bin/forge*"))
    on_path = shutil.which("forge")
    for path in [*installed, *([Path(on_path)] if on_path else [])]:
        found = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        if re.search(rf"\b{re.escape(FORGE_VERSION)}\b", found):
            return path
    raise ConfigurationError(f"there is no forge {FORGE_VERSION}: run make setup-dev, or put one on the PATH")


def form(root: Path, *, check: bool) -> bool:
    """Put the contracts into their form, or with ``check`` print the differences; return whether there were none."""
    command = [str(find_forge()), "fmt", "--root", str(root), *(["--check"] if check else []), "contracts"]
    return subprocess.run(command, cwd=root, check=False).returncode == 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.solidity_form", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a contract has another form")
    check = parser.parse_args(argv).check
    try:
        ok = form(ROOT, check=check)
    except TongduiError as error:
        print(error, file=sys.stderr)
        return 1
    if not ok and check:
        print("Accept the form above: make format, then make compile", file=sys.stderr)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
