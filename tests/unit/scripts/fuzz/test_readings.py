"""The grammar's files: whole ones are read to their deeds, and a reader that misreads is found."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from issuers.sources.readers import read_file
from scripts.fuzz import readings
from scripts.fuzz.readings import GRAMMARS, Misread, deeds_of, judge
from scripts.fuzz.targets import LIMITS, NOW, mapping_of


@pytest.mark.parametrize("form", GRAMMARS)
@pytest.mark.filterwarnings("ignore")
def test_mutations_never_make_other_deeds(form: str) -> None:
    """`make fuzz` goes on where this ends."""
    for number in range(60):
        judge(GRAMMARS[form](random.Random(f"{form} {number}")), mapping_of(form), LIMITS, NOW)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.filterwarnings("ignore")
def test_a_reader_that_misreads_is_found(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes a digit away, and one that loses its last row in silence."""

    def changed(path: Path, mapping: object, limits: object) -> Iterable[object]:
        for item in read_file(path, mapping, limits):  # type: ignore[arg-type]
            values = getattr(item, "values", None)
            yield item._replace(values=("X" + (values[0] or ""), *values[1:])) if isinstance(values, tuple) else item  # type: ignore[call-arg]

    def shortened(path: Path, mapping: object, limits: object) -> Iterable[object]:
        yield from list(read_file(path, mapping, limits))[:-1]  # type: ignore[arg-type]

    for broken in (changed, shortened):
        monkeypatch.setattr(readings, "read_file", broken)
        with pytest.raises(Misread):
            _judge_many(form)


def _judge_many(form: str) -> None:
    for number in range(60):
        judge(GRAMMARS[form](random.Random(number)), mapping_of(form), LIMITS, NOW)


def test_the_oracles_deeds_are_reckoned_apart() -> None:
    record = {"id": "r1", "who": "p1", "what": "work", "when": "2026-08-01 09:00", "amount": "2.5"}
    assert list(deeds_of([record, {**record, "who": ""}, {**record, "amount": "x"}])) == [
        ("r1", "p1", 1785546000, 9 * 10**9)
    ]
