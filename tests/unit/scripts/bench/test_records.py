"""The benchmark's files are the same for the same seed, and say what must become of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from issuers.rules.refusals import Fault
from issuers.sources.mapping import FOLDER, Mapping
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import read_file
from issuers.sources.readers.rows import Row
from scripts.bench.records import SHARES, SourceFile, write_files
from scripts.bench.worker import mapping_of

NOW = int(datetime(2026, 9, 1, 1, tzinfo=UTC).timestamp())


def written(folder: Path, seed: int = 1, **changes: int) -> list[SourceFile]:
    return write_files(folder, seed, 2_000, 300, tag="T", **changes)


def mapped(file: SourceFile) -> Mapping:
    names = {"environmental": "environmental-jsonl", "volunteer": "volunteer-csv", "traffic": "traffic-csv"}
    return mapping_of(file) or Mapping.load(FOLDER / f"{names[file.programme]}.yaml")


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    assert [one.path.read_bytes() for one in first] == [one.path.read_bytes() for one in second]
    other = written(tmp_path / "c", seed=2)
    assert all(one.path.read_bytes() != two.path.read_bytes() for one, two in zip(first, other, strict=True))


def test_every_programme_has_its_share(tmp_path: Path) -> None:
    assert {one.programme: one.rows for one in written(tmp_path)} == {
        name: 20 * share for name, share in SHARES.items()
    }


def test_rows_that_must_be_refused_are_those_that_the_mapping_refuses_or_that_come_twice(tmp_path: Path) -> None:
    for file in written(tmp_path):
        mapping = mapped(file)
        normaliser = Normaliser(mapping)
        outcomes: Counter[str] = Counter()
        seen: set[str] = set()
        for item in read_file(file.path, mapping):
            deed = normaliser.deed(item, NOW) if isinstance(item, Row) else item
            if isinstance(deed, Fault) or deed.record_id in seen:
                outcomes["refused"] += 1
                continue
            seen.add(deed.record_id)
            outcomes["good"] += 1
        unknown = file.expected["refused"] - outcomes["refused"]
        # An unknown kind of recycling is refused by the rulebook only; all others by their mapping.
        assert 0 <= unknown <= (20 if file.programme == "environmental" else 0)
        assert outcomes.total() == file.rows == file.expected.total()
        assert file.expected["refused"] > 0
        assert file.expected["accepted"] > 0.97 * file.rows


def test_later_days_meet_no_daily_cap_of_earlier_ones(tmp_path: Path) -> None:
    (early, *_), (late, *_) = written(tmp_path / "a"), written(tmp_path / "b", first_day=100)
    assert b'"started_at":"2026-04-0' in early.path.read_bytes()
    assert b'"started_at":"2026-04-0' not in late.path.read_bytes()
