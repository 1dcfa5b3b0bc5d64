"""A city keeps its own time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.clock import ManualClock, SystemClock
from ledger.errors import ConfigurationError
from tongdui.clock import ShiftedClock, clock_of, let_time_run

REAL = datetime(2030, 1, 1, tzinfo=UTC)
STORY = datetime(2026, 9, 15, 1, tzinfo=UTC)


def test_an_ordinary_city_lives_now(tmp_path: Path) -> None:
    assert isinstance(clock_of(tmp_path), SystemClock)


def test_a_simulated_city_lives_on_from_where_its_story_ended(tmp_path: Path) -> None:
    base = ManualClock(REAL)
    let_time_run(tmp_path, STORY, base)
    found = clock_of(tmp_path)
    assert isinstance(found, ShiftedClock)
    clock = ShiftedClock(found.offset_s, base)
    assert clock.now() == STORY
    base.set(REAL + timedelta(hours=2))
    assert clock.now() == STORY + timedelta(hours=2)
    assert clock.timestamp() == int((STORY + timedelta(hours=2)).timestamp())


def test_time_that_runs_is_not_turned_back(tmp_path: Path) -> None:
    let_time_run(tmp_path, STORY, ManualClock(REAL))
    before = (tmp_path / "clock.json").read_bytes()
    let_time_run(tmp_path, STORY, ManualClock(REAL + timedelta(days=3)))
    assert (tmp_path / "clock.json").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{}", b'{"offset_s": "soon"}', b"[1]"])
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"clock\.json"):
        clock_of(tmp_path)
