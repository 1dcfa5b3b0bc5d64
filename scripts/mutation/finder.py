"""Find the mutants: every change that some operator makes at some node of the contracts' syntax trees."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ledger.errors import ConfigurationError
from scripts.mutation.compiler import SolcServer, errors_of
from scripts.mutation.operators import Change, Node, Source, changes_at

#: Mocks are tools of the tests, and interfaces hold no code.
_LEFT_OUT = ("contracts/mocks/", "contracts/interfaces/")
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|/\*.*?\*/|//[^\n]*', re.DOTALL)
_STATEMENTS = frozenset(
    {
        "ExpressionStatement",
        "EmitStatement",
        "RevertStatement",
        "Return",
        "VariableDeclarationStatement",
        "Continue",
        "Break",
        "InlineAssembly",
    }
)

Range = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file.

    ``key`` names the change wherever it moves in its file; ``id`` also says what the rest of the file does, so that a
    result is never taken for that of other code. Comments count for neither. ``reach`` names the places, as (file,
    start, length) in bytes, of which an execution has to pass at least one for the change to have an effect.
    """

    id: str
    key: str
    file: str
    function: str
    line: int
    operator: str
    original: str
    mutated: str
    start: int
    length: int
    text: str
    reach: frozenset[Range]

    def apply(self, source: str) -> str:
        """Return the file's text with the change in it."""
        data = source.encode()
        return (data[: self.start] + self.text.encode() + data[self.start + self.length :]).decode()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk through a tree is: within which contract, function, and constant (by its node's number), and what
    runs whenever this does."""

    file: str
    contract: str = ""
    function: str = ""
    constant: int = 0
    runs: Range | None = None


def is_mutated(name: str) -> bool:
    """Return whether a source file is ours and deployed."""
    return name.startswith("contracts/") and not name.startswith(_LEFT_OUT)


def find_mutants(sources: Mapping[str, str], solc: SolcServer) -> list[Mutant]:
    """Return all mutants of the files that are mutated, in the order of files and places.

    Raises:
        ConfigurationError: the sources do not compile.
    """
    answer = solc.compile(
        {
            "language": "Solidity",
            "sources": {name: {"content": text} for name, text in sorted(sources.items())},
            "settings": {"outputSelection": {"*": {"": ["ast"]}}},
        }
    )
    if problems := errors_of(answer):
        raise ConfigurationError(f"the contracts do not compile: {problems[0]}")
    trees = {name: answer["sources"][name]["ast"] for name in sorted(sources)}
    enums = {
        node["id"]: node for tree in trees.values() for node in _nodes(tree) if node["nodeType"] == "EnumDefinition"
    }
    walks = {name: list(_walk(tree, Source(sources[name].encode()), _Place(name))) for name, tree in trees.items()}
    uses = _uses_of_constants(walks)
    found = []
    for name, walk in walks.items():
        if is_mutated(name):
            found += _mutants_of(name, sources[name], walk, enums, uses)
    return found


def without_comments(text: str) -> str:
    """Return Solidity without comments and with every run of white space as one space."""
    return " ".join(_COMMENT.sub(lambda match: match[1] or " ", text).split())


def _mutants_of(
    name: str,
    text: str,
    walk: list[tuple[Node, _Place]],
    enums: Mapping[int, Node],
    uses: Mapping[int, frozenset[Range]],
) -> list[Mutant]:
    source = Source(text.encode())
    content = hashlib.sha256(without_comments(text).encode()).hexdigest()
    seen: set[tuple[int, int, str]] = set()
    times: Counter[tuple[str, ...]] = Counter()
    mutants = []
    for node, place in walk:
        for change in changes_at(_with_members(node, enums), source):
            where = (change.start, change.length, change.text)
            if where in seen:
                continue
            seen.add(where)
            original, mutated = _shown(change, source)
            said = (name, place.function or place.contract, change.operator, original, mutated)
            times[said] += 1
            key = _digest(*said, str(times[said]))
            mutants.append(
                Mutant(
                    id=_digest(key, content),
                    key=key,
                    file=name,
                    function=place.function or place.contract,
                    line=source.data.count(b"\n", 0, change.start) + 1,
                    operator=change.operator,
                    original=original,
                    mutated=mutated,
                    start=change.start,
                    length=change.length,
                    text=change.text,
                    reach=frozenset({place.runs}) if place.runs else uses.get(place.constant, frozenset()),
                )
            )
    return mutants


def _walk(node: Node, source: Source, place: _Place) -> Iterator[tuple[Node, _Place]]:
    kind = node["nodeType"]
    here = (place.file, *source.range_of(node))
    if kind == "ContractDefinition":
        place = replace(place, contract=node["name"])
    elif kind in ("FunctionDefinition", "ModifierDefinition"):
        name = node["name"] or node["kind"]
        place = replace(place, function=f"{place.contract}.{name}" if place.contract else name, runs=here)
    elif kind == "VariableDeclaration" and node.get("constant"):
        place = replace(place, constant=node["id"])
    elif kind in _STATEMENTS:
        place = replace(place, runs=here)
    elif kind in ("IfStatement", "ForStatement", "WhileStatement") and node.get("condition"):
        # Its condition is what runs whenever the statement does; its branches have statements of their own.
        place = replace(place, runs=(place.file, *source.range_of(node["condition"])))
    yield node, place
    for child in _children(node):
        yield from _walk(child, source, place)


def _uses_of_constants(walks: Mapping[str, list[tuple[Node, _Place]]]) -> dict[int, frozenset[Range]]:
    """Return what runs where a constant is used, by the constant's number: directly, or through other constants."""
    runs: dict[int, set[Range]] = {}
    constants: dict[int, set[int]] = {}
    for walk in walks.values():
        for node, place in walk:
            for used in _references(node):
                if place.runs:
                    runs.setdefault(used, set()).add(place.runs)
                elif place.constant:
                    constants.setdefault(used, set()).add(place.constant)
    found: dict[int, frozenset[Range]] = {}
    for constant in {*runs, *constants}:
        every, waiting = set[int](), [constant]
        while waiting:
            one = waiting.pop()
            if one not in every:
                every.add(one)
                waiting += constants.get(one, ())
        found[constant] = frozenset(place for one in every for place in runs.get(one, ()))
    return found


def _references(node: Node) -> list[int]:
    if node["nodeType"] == "InlineAssembly":
        return [reference["declaration"] for reference in node.get("externalReferences", [])]
    declared = node.get("referencedDeclaration")
    return [declared] if node["nodeType"] in ("Identifier", "MemberAccess") and declared else []


def _children(node: Node) -> Iterator[Node]:
    for value in node.values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and "nodeType" in one:
                yield one


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in _children(node):
        yield from _nodes(child)


def _with_members(node: Node, enums: Mapping[int, Node]) -> Node:
    if node["nodeType"] != "MemberAccess":
        return node
    declared: Any = enums.get(node["expression"].get("referencedDeclaration", -1))
    return {**node, "enumMembers": [member["name"] for member in declared["members"]]} if declared else node


def _shown(change: Change, source: Source) -> tuple[str, str]:
    """Return the readable range before and after the change, each on one line."""
    start, length = change.shown
    data = source.data
    before = data[start : start + length].decode()
    after = data[start : change.start] + change.text.encode() + data[change.start + change.length : start + length]
    return without_comments(before), without_comments(after.decode()) or "(nothing)"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:12]
