"""What is known of each mutant, one JSON object a line, so that a run goes on where an earlier one ended."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ledger.errors import ConfigurationError
from scripts.mutation.finder import Mutant

KILLED = ("killed", "setup", "timeout")
"""Outcomes that count as killed: a test failed, no test could begin, or one did not end."""
COUNTED = (*KILLED, "survived")
"""Outcomes of real mutants. The others: "same" (compiled to the very bytes of the original) and "stillborn" (does not
compile)."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a mutant, and what it was. ``code`` is a digest of what it compiles to: two mutants with the same
    one are one."""

    id: str
    key: str
    file: str
    function: str
    line: int
    operator: str
    original: str
    mutated: str
    outcome: str
    by: str
    why: str
    tests: int
    code: str


def result_of(mutant: Mutant, outcome: str, *, by: str = "", why: str = "", tests: int = 0, code: str = "") -> Result:
    """Return a mutant's result."""
    return Result(
        id=mutant.id,
        key=mutant.key,
        file=mutant.file,
        function=mutant.function,
        line=mutant.line,
        operator=mutant.operator,
        original=mutant.original,
        mutated=mutant.mutated,
        outcome=outcome,
        by=by.removeprefix("tests/contracts/"),
        why=why,
        tests=tests,
        code=code,
    )


class Results:
    """The results in a file. Several threads may add to them; a later result of a mutant replaces an earlier one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._by_id: dict[str, Result] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for number, line in enumerate(lines, 1):
            try:
                result = Result(**json.loads(line))
            except (ValueError, TypeError) as error:
                if number == len(lines):  # The last run was ended while it wrote this.
                    self.tidy(self._by_id)
                    break
                raise ConfigurationError(f"{path}, line {number} is no result ({error}); remove the line") from error
            self._by_id[result.id] = result

    def get(self, mutant: Mutant) -> Result | None:
        """Return what is known of exactly this mutant in exactly this code."""
        return self._by_id.get(mutant.id)

    def all(self) -> list[Result]:
        """Return all results."""
        return list(self._by_id.values())

    def add(self, result: Result) -> None:
        """Keep a result, on disk before this returns."""
        with self._lock:
            self._by_id[result.id] = result
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_line(result))

    def tidy(self, keep: Iterable[str]) -> None:
        """Write the file anew: only the results of these mutants, by file and line."""
        with self._lock:
            wanted = set(keep)
            self._by_id = {name: result for name, result in self._by_id.items() if name in wanted}
            ordered = sorted(self._by_id.values(), key=lambda r: (r.file, r.line, r.operator, r.key))
            partial = self._path.with_suffix(".tmp")
            partial.write_text("".join(_line(result) for result in ordered), encoding="utf-8")
            partial.replace(self._path)


def _line(result: Result) -> str:
    return json.dumps(asdict(result), ensure_ascii=False, separators=(",", ":")) + "\n"
