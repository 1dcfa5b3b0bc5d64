"""One seeded round of kills: what `make test-faults` repeats as often as wanted."""

from __future__ import annotations

import os

import pytest

from scripts.faults.play import Town
from scripts.faults.strikes import run

SEED = int(os.environ.get("SEED", "1"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_and_nothing_happens_twice(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    found = run(2, SEED, Town(people=80, records=60, seed=2026), heard.append)
    with capsys.disabled():
        print(f"SEED={SEED}", *heard, sep="\n  ")
    assert found.is_clean, heard
    assert sum(found.strikes.values()) > 0, "something was hit"
