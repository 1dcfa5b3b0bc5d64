"""The benchmark measures what it says, and its last line is for machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.bench import postgres
from scripts.bench.issue import Sizes, bench_issue
from scripts.bench.worker import peak_rss_mib

KEYS = {
    "records",
    "records_per_s",
    "naive_per_s",
    "ratio",
    "peak_rss_mib",
    "database",
    "limiting_stage",
    "stages",
}


@pytest.mark.slow
@pytest.mark.parametrize(("database", "workers"), [("sqlite", 0), ("sqlite", 2), ("postgresql", 2)])
def test_every_record_is_accounted_for(database: str, workers: int, tmp_path: Path) -> None:
    if database == "postgresql" and postgres.programs() is None:
        pytest.skip("no PostgreSQL server programs on this machine")
    heard: list[str] = []
    naive_s = 1.0 if workers == 0 else 0.0
    # The tests' own process plays the gateway here, and by now it holds what all the tests before have left in it.
    own_mib = peak_rss_mib()
    found = bench_issue(Sizes(1_500, 300, database, naive_s, workers=workers), tmp_path, heard.append)
    assert found.keys() >= KEYS
    assert found["records"] == 1_500
    assert found["grants"] > 0.97 * 1_500
    assert found["limiting_stage"] in found["stages"]
    assert found["stages"].keys() >= {"read, map, validate, seal", "dedupe, rate, screen, grant", "batch", "project"}
    assert 50 < found["peak_rss_mib"] < own_mib + 1_024
    assert (found["ratio"] is None) == (naive_s == 0)
    if naive_s:
        assert found["naive_per_s"] > 1
    assert any("take in 1500 records" in line for line in heard)
