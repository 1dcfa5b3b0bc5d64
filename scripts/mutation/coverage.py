"""Which tests run which part of which source file, so that a mutant is shown only to tests that can notice it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scripts.mutation.compiler import Code
from scripts.mutation.finder import Mutant
from scripts.mutation.judge import Trace

_PUSH1, _PUSH32 = 0x60, 0x7F
_SESSION = ""
"""Pytest's id of a session, under which a session's fixture is traced."""
CITY = "city"
"""What stands, among the tests, for the deployment that all have in common."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """For each file, the (start, length) ranges of source that have code, each with the tests that ran it."""

    ran: Mapping[str, Mapping[tuple[int, int], frozenset[str]]]

    def tests_of(self, mutant: Mutant) -> set[str]:
        """Return the tests that can notice a mutant: those that ran anything within one of its places."""
        found: set[str] = set()
        for file, start, length in mutant.reach:
            for (place, size), tests in self.ran.get(file, {}).items():
                if start <= place and place + size <= start + length:
                    found |= tests
        return found


def coverage_of(traces: Sequence[Trace], codes: Mapping[str, Code], left_out: Collection[str] = ()) -> Coverage:
    """Turn program counters into ranges of source, without some tests."""
    runtime = {name: _ranges(code.runtime, code.runtime_map, code.files) for name, code in codes.items()}
    creation = {f"new {name}": _ranges(code.creation, code.creation_map, code.files) for name, code in codes.items()}
    at = runtime | creation
    ran: dict[str, dict[tuple[int, int], set[str]]] = {}
    for trace in traces:
        everyone = frozenset(test for test in trace.places if test not in (CITY, _SESSION))
        for test, contracts in trace.places.items():
            if test in left_out:
                continue
            # What a fixture of the session set up, any test of the file may use.
            tests = everyone.difference(left_out) if test == _SESSION else {test}
            for contract, counters in contracts.items():
                for counter in counters:
                    if (place := at[contract].get(counter)) is not None:
                        file, start, length = place
                        ran.setdefault(file, {}).setdefault((start, length), set()).update(tests)
    return Coverage(
        {file: {place: frozenset(tests) for place, tests in places.items()} for file, places in ran.items()}
    )


def _ranges(code: str, source_map: str, files: Mapping[int, str]) -> dict[int, tuple[str, int, int]]:
    """Return (file, start, length) by program counter."""
    found = {}
    for counter, (start, length, number) in zip(_counters(bytes.fromhex(code)), _entries(source_map), strict=False):
        if number in files:
            found[counter] = (files[number], start, length)
    return found


def _counters(code: bytes) -> Iterator[int]:
    counter = 0
    while counter < len(code):
        yield counter
        instruction = code[counter]
        counter += 1 + (instruction - _PUSH1 + 1 if _PUSH1 <= instruction <= _PUSH32 else 0)


def _entries(source_map: str) -> Iterator[tuple[int, int, int]]:
    """Unfold Solidity's source map, where an empty field repeats the one before.

    https://docs.soliditylang.org/en/v0.8.30/internals/source_mappings.html
    """
    fields = ["0", "0", "-1"]
    for entry in source_map.split(";"):
        for i, field in enumerate(entry.split(":")[:3]):
            fields[i] = field or fields[i]
        yield int(fields[0]), int(fields[1]), int(fields[2])
