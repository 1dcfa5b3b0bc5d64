"""Compile the contracts, whole or with one file changed, as fast as solc-js can.

Mutants are judged by what they do, not by what they cost, so they are compiled without the optimizer: by the old
code generator, which takes a tenth of the time, and through the intermediate representation only where that one finds
the stack too deep. Both follow the same language; whether the tests pass on the unchanged contracts compiled this way
is looked at before any mutant is judged.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ledger.errors import ConfigurationError
from scripts.compile import SETTINGS, Unit, find_units

_SERVER = Path(__file__).resolve().parent / "solc_server.js"
_COMMON: dict[str, Any] = {"evmVersion": SETTINGS["evmVersion"], "metadata": {"appendCBOR": False}}
_PLAIN: dict[str, Any] = _COMMON | {"optimizer": {"enabled": False}}
#: No optimization step at all (":" is the empty sequence), but variables may live in memory: so the stack suffices.
_DEEP: dict[str, Any] = _COMMON | {
    "viaIR": True,
    "optimizer": {
        "enabled": True,
        "runs": 1,
        "details": {
            "peephole": False,
            "inliner": False,
            "jumpdestRemover": False,
            "orderLiterals": False,
            "deduplicate": False,
            "cse": False,
            "constantOptimizer": False,
            "yul": True,
            "yulDetails": {"stackAllocation": True, "optimizerSteps": ":"},
        },
    },
}
#: Neither deployed nor tested through Brownie: what only the gas figures compare with.
_NOT_TESTED = frozenset({"OpenZeppelinPoints", "AccessManager"})

#: All libraries here are internal. Without optimization their addresses are still pushed, and thrown away.
_LIBRARY = re.compile(r"__\$[0-9a-f]{34}\$__")


class Stillborn(Exception):
    """The changed source does not compile, so it is no mutant; the message is the compiler's."""


class SolcServer:
    """A process with solc-js in it, which compiles one input after another."""

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None:
            raise ConfigurationError("no node on the PATH: run `make setup`")
        self._process = subprocess.Popen(
            [node, str(_SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def compile(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the compiler's answer to a standard JSON input, errors included."""
        if self._process.stdin is None or self._process.stdout is None:
            raise ConfigurationError("the compiler's process has no pipes")
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise ConfigurationError(f"the compiler's process ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def errors_of(answer: Mapping[str, Any]) -> list[str]:
    """Return the messages of the errors (not warnings) in a compiler's answer."""
    return [item["formattedMessage"] for item in answer.get("errors", []) if item["severity"] == "error"]


@dataclass(frozen=True, slots=True)
class Code:
    """One contract's code, in hexadecimal digits, and where in the sources its instructions come from."""

    creation: str
    runtime: str
    creation_map: str
    """Solidity's source map of the code that makes the contract, and, next, of its own."""
    runtime_map: str
    files: Mapping[int, str]
    """The source files by the numbers that the source maps give them."""
    immutables: tuple[tuple[tuple[int, int], ...], ...]
    """For each immutable, in the order of declaration, the (start, length) of each place in the runtime code that holds
    its value; there the code as compiled has zeros."""

    def with_immutables_of(self, made: Code, runtime: str) -> str | None:
        """Return the runtime code with the values that ``runtime``, which is ``made`` as deployed, has in it.

        None if that cannot be told, because an immutable is used in only one of them.
        """
        if len(self.immutables) != len(made.immutables):
            return None
        code, deployed = bytearray.fromhex(self.runtime), bytes.fromhex(runtime.removeprefix("0x"))
        for here, there in zip(self.immutables, made.immutables, strict=True):
            start, length = there[0]
            for place, size in here:
                code[place : place + size] = deployed[start : start + length]
        return "0x" + code.hex()


@dataclass(frozen=True, slots=True)
class Project:
    """The sources, by name, and the units that have a contract which tests deploy."""

    sources: Mapping[str, str]
    units: Mapping[str, Unit]
    deep: frozenset[str]

    def reached_by(self, name: str) -> list[str]:
        """Return the contracts that contain code of a source file."""
        return sorted(contract for contract, unit in self.units.items() if name in unit.sources)


def load_project(root: Path, solc: SolcServer) -> Project:
    """Read the contracts under ``root`` and find out which of them need the intermediate representation."""
    units = {contract: unit for unit in find_units(root) for contract in unit.contracts if contract not in _NOT_TESTED}
    sources = {name: text for unit in units.values() for name, text in unit.sources.items()}
    deep = set()
    for contract, unit in units.items():
        problems = errors_of(solc.compile(_request(unit.sources, {contract: unit}, _PLAIN)))
        if any("Stack too deep" in problem for problem in problems):
            deep.add(contract)
        elif problems:
            raise ConfigurationError(f"{unit.name} does not compile: {problems[0]}")
    return Project(sources=sources, units=units, deep=frozenset(deep))


def compile_contracts(
    project: Project,
    solc: SolcServer,
    contracts: Iterable[str],
    changed: Mapping[str, str] | None = None,
    *,
    maps: bool = False,
) -> dict[str, Code]:
    """Return the code of some contracts, with the text of some files replaced by ``changed``; with ``maps``, where
    each instruction comes from as well.

    Raises:
        Stillborn: they do not compile.
    """
    wanted = {contract: project.units[contract] for contract in contracts}
    # Together where one compilation may serve many; alone where code may depend on what else is compiled beside it.
    groups = [({c: u for c, u in wanted.items() if c not in project.deep}, _PLAIN)]
    groups += [({contract: wanted[contract]}, _DEEP) for contract in sorted(project.deep & set(wanted))]
    found: dict[str, Code] = {}
    for group, settings in groups:
        if not group:
            continue
        names = {name for unit in group.values() for name in unit.sources}
        sources = {name: (changed or {}).get(name, project.sources[name]) for name in names}
        answer = solc.compile(_request(sources, group, settings, maps=maps))
        if problems := errors_of(answer):
            raise Stillborn(problems[0])
        for contract, unit in group.items():
            found[contract] = _code(answer, unit.name, contract)
    return found


def is_same_when_optimized(
    project: Project, solc: SolcServer, contracts: Iterable[str], changed: Mapping[str, str], artifacts: Path
) -> bool:
    """Return whether the project's own settings compile the changed files to the very bytes of the committed artifacts.

    True proves that nothing about the contracts changed; False proves nothing.
    """
    # The smallest first: most mutants differ in every contract, and one difference is enough.
    for contract in sorted(contracts, key=lambda name: len(project.units[name].sources)):
        unit = project.units[contract]
        sources = {name: changed.get(name, project.sources[name]) for name in unit.sources}
        answer = solc.compile(_request(sources, {contract: unit}, SETTINGS))
        if problems := errors_of(answer):
            raise Stillborn(problems[0])
        code = _code(answer, unit.name, contract)
        original = json.loads((artifacts / f"{contract}.json").read_text(encoding="utf-8"))
        if original["bytecode"] != "0x" + code.creation or original["deployedBytecode"] != "0x" + code.runtime:
            return False
    return True


def fingerprint(codes: Mapping[str, Code]) -> str:
    """Return a digest of what the contracts are compiled to."""
    text = json.dumps({name: code.creation for name, code in sorted(codes.items())})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _request(
    sources: Mapping[str, str], units: Mapping[str, Unit], settings: Mapping[str, Any], *, maps: bool = False
) -> dict[str, Any]:
    outputs = ["evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"]
    if maps:
        outputs += ["evm.bytecode.sourceMap", "evm.deployedBytecode.sourceMap"]
    wanted = {unit.name: {contract: outputs} for contract, unit in sorted(units.items())}
    return {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sorted(sources.items())},
        "settings": {**settings, "outputSelection": wanted},
    }


def _code(answer: Mapping[str, Any], file: str, contract: str) -> Code:
    evm = answer["contracts"][file][contract]["evm"]
    immutables = evm["deployedBytecode"].get("immutableReferences") or {}
    return Code(
        creation=_LIBRARY.sub("0" * 40, evm["bytecode"]["object"]),
        runtime=_LIBRARY.sub("0" * 40, evm["deployedBytecode"]["object"]),
        creation_map=evm["bytecode"].get("sourceMap", ""),
        runtime_map=evm["deployedBytecode"].get("sourceMap", ""),
        files={source["id"]: name for name, source in answer["sources"].items()},
        immutables=tuple(
            tuple((place["start"], place["length"]) for place in immutables[key]) for key in sorted(immutables, key=int)
        ),
    )
