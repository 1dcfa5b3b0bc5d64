"""Where each deployed contract keeps what, as the compiler says: proofs and the audit read storage by it.

``python -m scripts.storage_layout`` writes ``tests/vectors/storage_layout.json``; ``--check`` exits 1 where the sources
have moved away from it. Nothing is ever upgraded, so the layout of a deployed contract cannot change; what changes here
before a deployment changes every proof made after it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import solcx

from scripts import compile as contracts

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = ROOT / "tests" / "vectors" / "storage_layout.json"
#: All that a city deploys. Their base contracts' variables are among theirs.
DEPLOYED = ("AccessManager", "ClearingBook", "Council", "Exchange", "PointsLedger", "Redemption", "Succession")


def layouts(root: Path = ROOT) -> dict[str, Any]:
    """Return each deployed contract's variables in the order of their slots, and the members of every struct in them.

    Raises:
        CompileError: the sources do not compile, or a contract is missing.
    """
    units = [unit for unit in contracts.find_units(root) if set(unit.contracts) & set(DEPLOYED)]
    places = {name: unit.name for unit in units for name in unit.contracts if name in DEPLOYED}
    if missing := set(DEPLOYED) - set(places):
        raise contracts.CompileError(f"no source has {', '.join(sorted(missing))}")
    answer = solcx.compile_standard(_request(units, places), solc_binary=contracts.find_solc())
    return {
        name: _readable(answer["contracts"][source][name]["storageLayout"]) for name, source in sorted(places.items())
    }


def _request(units: Sequence[contracts.Unit], places: Mapping[str, str]) -> dict[str, Any]:
    """Return a question for layouts alone, for which the compiler need not generate code."""
    sources = {name: text for unit in units for name, text in unit.sources.items()}
    wanted: dict[str, dict[str, list[str]]] = {}
    for contract, source in places.items():
        wanted.setdefault(source, {})[contract] = ["storageLayout"]
    return {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sorted(sources.items())},
        "settings": contracts.SETTINGS | {"outputSelection": wanted},
    }


def _readable(layout: Mapping[str, Any]) -> dict[str, Any]:
    types = layout["types"] or {}
    structs: dict[str, Any] = {}
    variables = [_place(entry, types, structs) for entry in layout["storage"]]
    return {"variables": variables, "structs": dict(sorted(structs.items()))}


def _place(entry: Mapping[str, Any], types: Mapping[str, Any], structs: dict[str, Any]) -> dict[str, Any]:
    """Return where a variable or member lies; a mapping's or an array's slot is that of its seed."""
    kind = types[entry["type"]]
    _collect(entry["type"], types, structs)
    return {
        "name": entry["label"],
        "slot": int(entry["slot"]),
        "offset": entry["offset"],
        "bytes": int(kind["numberOfBytes"]),
        "type": kind["label"],
    }


def _collect(name: str, types: Mapping[str, Any], structs: dict[str, Any]) -> None:
    """Note the members of the structs of which a type is made."""
    kind = types[name]
    for part in ("key", "value", "base"):
        if part in kind:
            _collect(kind[part], types, structs)
    if "members" in kind and kind["label"] not in structs:
        structs[kind["label"]] = None
        structs[kind["label"]] = [_place(member, types, structs) for member in kind["members"]]


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check the committed layout; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.storage_layout", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args(argv)
    text = json.dumps(layouts(), indent=1) + "\n"
    if not arguments.check:
        COMMITTED.write_text(text, encoding="utf-8")
    elif COMMITTED.read_text(encoding="utf-8") != text:
        print("storage has another layout than tests/vectors/storage_layout.json says", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
