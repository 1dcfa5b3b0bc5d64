"""Compile the contracts and keep ``contracts/artifacts`` equal to their sources.

``python -m scripts.compile`` writes one JSON file for each deployable contract; ``--check`` rebuilds and compares, and
exits 1 where a committed artifact differs from its source; ``--abi`` only checks types, in a second or two.

The result is a pure function of the sources, the settings below and the compiler's version: every source is handed to
the compiler by its repository-relative name, each contract is compiled alone with just what it imports (the code that
solc generates through its intermediate representation may depend on what else is compiled beside it), and anything
that changes with unrelated edits (AST identifiers) is left out. Native solc and solc-js give the same bytes; the
compiler's documentation promises it for equal input:
https://docs.soliditylang.org/en/v0.8.30/using-the-compiler.html#compiler-input-and-output-json-description
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import posixpath
import re
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import solcx
from solcx.exceptions import SolcError
from solcx.install import get_executable
from solcx.wrapper import get_version_str_from_solc_binary

from ledger.errors import TongduiError

ROOT = Path(__file__).resolve().parent.parent
SHIM = Path(__file__).resolve().parent / "solc_shim.js"
SOLC_VERSION = "0.8.30"

#: london: the newest rules that every permissioned engine runs. A bytecode hash of the metadata would change the
#: contracts' code with each comment, so there is none; the compiler's version stays in. 800 runs: the most at which the
#: ledger stays well below 24,576 bytes.
SETTINGS: dict[str, Any] = {
    "evmVersion": "london",
    "viaIR": True,
    "optimizer": {"enabled": True, "runs": 800},
    "metadata": {"bytecodeHash": "none"},
}
#: Contracts of OpenZeppelin that are deployed as they are.
LIBRARY_CONTRACTS = ("@openzeppelin/contracts/access/manager/AccessManager.sol",)

_IMPORT = re.compile(r"""^\s*import\b[^"';]*["']([^"']+)["']""", re.MULTILINE)
_CONTRACT = re.compile(r"^contract\s+(\w+)", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_AST_ID = re.compile(r"(t_(?:struct|contract|enum|userDefinedValueType)\([^()]*\))\d+")


class CompileError(TongduiError):
    """The contracts do not compile, or an import leads nowhere; the message is the compiler's."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One source file to compile, with the sources of everything that it imports."""

    name: str
    contracts: tuple[str, ...]
    sources: Mapping[str, str]

    def standard_input(self, *, abi_only: bool = False) -> dict[str, Any]:
        """Return the compiler's standard JSON input that asks for this file's contracts alone."""
        wanted = ["abi"] if abi_only or not self.contracts else list(_OUTPUTS)
        settings = SETTINGS | {"outputSelection": {self.name: {"*": wanted}}}
        return {
            "language": "Solidity",
            "sources": {name: {"content": text} for name, text in sorted(self.sources.items())},
            "settings": settings,
        }

    def source_hash(self) -> str:
        """Return the SHA-256 of the compiler's input: sources and settings."""
        return hashlib.sha256(_canonical(self.standard_input())).hexdigest()


_OUTPUTS = (
    "abi",
    "evm.bytecode.object",
    "evm.bytecode.linkReferences",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
    "evm.methodIdentifiers",
    "storageLayout",
)


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def imports_of(name: str, text: str) -> list[str]:
    """Return the names of the source units that a file imports; relative paths are resolved against its own name."""
    found = []
    for path in _IMPORT.findall(_COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)):
        relative = path.startswith(("./", "../"))
        found.append(posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if relative else path)
    return found


def read_source(root: Path, name: str, importer: str) -> str:
    """Return the text of a source unit: from the project, else from node_modules.

    Raises:
        CompileError: the file is in neither.
    """
    for base in (root, root / "node_modules", ROOT / "node_modules"):
        path = base / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise CompileError(f'{importer} imports "{name}", which is neither in {root} nor in its node_modules')


def closure(root: Path, name: str) -> dict[str, str]:
    """Return the sources of a file and of all that it imports, by name."""
    sources: dict[str, str] = {}
    waiting = [(name, name)]
    while waiting:
        unit, importer = waiting.pop()
        if unit not in sources:
            sources[unit] = read_source(root, unit, importer)
            waiting += [(target, unit) for target in imports_of(unit, sources[unit])]
    return sources


def find_units(root: Path) -> list[Unit]:
    """Return a unit for each file with a deployable contract, and for each file that no such unit contains."""
    names = sorted(path.relative_to(root).as_posix() for path in (root / "contracts").rglob("*.sol"))
    units = []
    for name in [*names, *LIBRARY_CONTRACTS]:
        sources = closure(root, name)
        contracts = tuple(_CONTRACT.findall(_COMMENT.sub("", sources[name])))
        units.append(Unit(name=name, contracts=contracts, sources=sources))
    covered = {name for unit in units if unit.contracts for name in unit.sources}
    return [unit for unit in units if unit.contracts or unit.name not in covered]


def find_solc() -> Path:
    """Return a native solc of the pinned version, or the stand-in over npm's solc-js.

    Looked for in order: ``solc`` on the PATH, then what py-solc-x has installed.
    """
    candidates = [Path(found)] if (found := shutil.which("solc")) else []
    if solcx.get_solcx_install_folder().is_dir():
        candidates += [get_executable(version) for version in solcx.get_installed_solc_versions()]
    for path in candidates:
        try:
            if get_version_str_from_solc_binary(path).startswith(SOLC_VERSION + "+"):
                return path
        except (OSError, SolcError, ValueError):
            continue  # Not a compiler that runs here: the next one, or the stand-in, will do.
    if shutil.which("node") is None:  # `make setup` installs Node into the environment where the system has none.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return SHIM


def compile_unit(unit: Unit, solc: Path, cache: Path | None, *, abi_only: bool = False) -> dict[str, Any]:
    """Compile a unit, or take the result of an equal input from ``cache``.

    Raises:
        CompileError: with the compiler's own messages.
    """
    request = unit.standard_input(abi_only=abi_only)
    key = hashlib.sha256(SOLC_VERSION.encode() + _canonical(request)).hexdigest()
    stored = cache / f"{key}.json" if cache else None
    if stored and stored.is_file():
        result: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
        return result
    try:
        result = solcx.compile_standard(request, solc_binary=solc)
    except SolcError as error:
        reports = getattr(error, "error_dict", None) or []
        messages = [item["formattedMessage"].rstrip() for item in reports if item["severity"] == "error"]
        raise CompileError("\n".join(messages) or f"{unit.name}: {error.message}") from error
    if stored:
        stored.parent.mkdir(parents=True, exist_ok=True)
        partial = stored.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(json.dumps(result), encoding="utf-8")
        partial.replace(stored)
    return result


def artifact(unit: Unit, contract: str, output: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of one contract's compilation.

    Raises:
        CompileError: the contract needs linking to a deployed library, which no deployment here provides for.
    """
    compiled = output["contracts"][unit.name][contract]
    evm = compiled["evm"]
    if evm["bytecode"].get("linkReferences"):
        raise CompileError(f"{unit.name}: {contract} calls a public library function; libraries here are internal")
    immutables = evm["deployedBytecode"].get("immutableReferences") or {}
    return {
        "contractName": contract,
        "sourceName": unit.name,
        "compiler": {"version": SOLC_VERSION, "settings": SETTINGS},
        "sourceHash": unit.source_hash(),
        "abi": compiled["abi"],
        "methodIdentifiers": evm.get("methodIdentifiers") or {},
        "storageLayout": [
            {
                "label": slot["label"],
                "slot": slot["slot"],
                "offset": slot["offset"],
                "type": _AST_ID.sub(r"\1", slot["type"]),
            }
            for slot in compiled.get("storageLayout", {}).get("storage", [])
        ],
        # The compiler keys these by AST identifier, which changes with unrelated edits; the places are what counts.
        "immutableReferences": sorted(
            (place for places in immutables.values() for place in places), key=lambda place: int(place["start"])
        ),
        "bytecode": "0x" + evm["bytecode"]["object"],
        "deployedBytecode": "0x" + evm["deployedBytecode"]["object"],
    }


def warnings_of(output: Mapping[str, Any]) -> list[str]:
    """Return the compiler's warnings about the project's own sources."""
    return [
        item["formattedMessage"].rstrip()
        for item in output.get("errors", [])
        if item["severity"] == "warning"
        and not (item.get("sourceLocation") or {}).get("file", "").startswith("@openzeppelin/")
    ]


@dataclass(frozen=True, slots=True)
class Build:
    """The artifacts' file contents by contract name, and the compiler's warnings."""

    artifacts: Mapping[str, str]
    warnings: tuple[str, ...]


def build(units: Sequence[Unit], solc: Path, cache: Path | None, *, abi_only: bool = False, jobs: int = 2) -> Build:
    """Compile all units.

    Raises:
        CompileError: something does not compile, or two contracts share a name.
    """
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        outputs = list(pool.map(lambda unit: compile_unit(unit, solc, cache, abi_only=abi_only), units))
    artifacts: dict[str, str] = {}
    warnings: dict[str, None] = {}
    for unit, output in zip(units, outputs, strict=True):
        warnings.update(dict.fromkeys(warnings_of(output)))
        for contract in () if abi_only else unit.contracts:
            if contract in artifacts:
                raise CompileError(f"{unit.name}: there is another contract named {contract}")
            artifacts[contract] = json.dumps(artifact(unit, contract, output), indent=1, sort_keys=True) + "\n"
    return Build(artifacts=artifacts, warnings=tuple(warnings))


def drift(folder: Path, artifacts: Mapping[str, str], *, whole: bool) -> list[str]:
    """Return, one line each, where the committed artifacts differ from ``artifacts``.

    ``whole`` says that ``artifacts`` is the full set, so that any other file in the folder is a leftover.
    """
    found = []
    for name, text in sorted(artifacts.items()):
        path = folder / f"{name}.json"
        if not path.is_file():
            found.append(f"{name}: no artifact is committed")
        elif path.read_text(encoding="utf-8") != text:
            found.append(f"{name}: the committed artifact is not what its source compiles to")
    if whole and folder.is_dir():
        found += [
            f"{p.stem}: an artifact without a source" for p in sorted(folder.glob("*.json")) if p.stem not in artifacts
        ]
    return found


def write(folder: Path, artifacts: Mapping[str, str], *, whole: bool) -> list[str]:
    """Make the folder equal to ``artifacts``; return the names that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = [line.split(":")[0] for line in drift(folder, artifacts, whole=whole)]
    for name in changed:
        path = folder / f"{name}.json"
        if name in artifacts:
            path.write_text(artifacts[name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def _select(units: Iterable[Unit], names: Sequence[str]) -> list[Unit]:
    chosen = [unit for unit in units if not names or set(unit.contracts) & set(names)]
    missing = set(names) - {contract for unit in chosen for contract in unit.contracts}
    if missing:
        raise CompileError(f"no contract named {', '.join(sorted(missing))} in contracts/")
    return chosen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.compile", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="CONTRACT", help="only these contracts (default: all)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift or on a compiler warning")
    mode.add_argument("--abi", action="store_true", help="check types only: no code is generated, nothing is written")
    parser.add_argument("--no-cache", action="store_true", help="compile even what was compiled before")
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="the project with the contracts folder (default: this one)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    args = _parser().parse_args(argv)
    root: Path = args.root.resolve()
    folder = root / "contracts" / "artifacts"
    started = time.monotonic()
    try:
        units = _select(find_units(root), args.names)
        cache = None if args.no_cache else root / "build" / "solc"
        built = build(units, find_solc(), cache, abi_only=args.abi)
    except CompileError as error:
        print(error, file=sys.stderr)
        return 1
    for warning in built.warnings:
        print(warning, file=sys.stderr)
    seconds = time.monotonic() - started
    if args.abi:
        print(f"{len(units)} source units have sound types ({seconds:.1f} s)", file=sys.stderr)
        return 0
    if args.check:
        found = drift(folder, built.artifacts, whole=not args.names)
        for line in found:
            print(line, file=sys.stderr)
        verdict = "differ from" if found else "match"
        print(f"{len(built.artifacts)} artifacts {verdict} their sources ({seconds:.1f} s)", file=sys.stderr)
        return 1 if found or built.warnings else 0
    changed = write(folder, built.artifacts, whole=not args.names)
    print(f"{len(built.artifacts)} contracts compiled, {len(changed)} changed ({seconds:.1f} s)", file=sys.stderr)
    for name in changed:
        if name in built.artifacts:
            size = len(json.loads(built.artifacts[name])["deployedBytecode"]) // 2 - 1
            print(f"  {name}: {size:,} bytes deployed", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
