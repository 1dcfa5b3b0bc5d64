"""The benchmark measures what it says, and its last line is for machines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench import postgres

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
ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.parametrize(("database", "workers"), [("sqlite", 0), ("sqlite", 2), ("postgresql", 2)])
def test_every_record_is_accounted_for(database: str, workers: int, tmp_path: Path) -> None:
    """In a process of its own: within the tests' own, the memory of all earlier tests would count as the gateway's."""
    if database == "postgresql" and postgres.programs() is None:
        pytest.skip("no PostgreSQL server programs on this machine")
    naive_s = 1 if workers == 0 else 0
    sizes = {"records": 1_500, "residents": 300, "database": database, "naive-seconds": naive_s, "workers": workers}
    options = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "scripts", "bench", "issue", "--json", "--folder", str(tmp_path), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() >= KEYS
    assert found["records"] == 1_500
    assert found["grants"] > 0.97 * 1_500
    assert found["limiting_stage"] in found["stages"]
    assert found["stages"].keys() >= {"read, map, validate, seal", "dedupe, rate, screen, grant, batch", "project"}
    assert 50 < found["peak_rss_mib"] < 1_024
    assert (found["ratio"] is None) == (naive_s == 0)
    if naive_s:
        assert found["naive_per_s"] > 1
    assert "take in 1500 records" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_order_is_paid_once_and_each_way_has_its_figures(database: str, tmp_path: Path) -> None:
    if database == "postgresql" and postgres.programs() is None:
        pytest.skip("no PostgreSQL server programs on this machine")
    sizes = {"wallets": 40, "orders": 100, "read-seconds": 1, "database": database, "before": 30, "connections": 8}
    sizes |= {"residents": 500, "history": 3_001, "processes": 2} | (
        {"naive-seconds": 2} if database == "sqlite" else {}
    )
    options = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "scripts", "bench", "redeem", "--json", "--folder", str(tmp_path), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=560, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["lost"], found["duplicated"], found["database"]) == (0, 0, database)
    rates = ["orders_per_s", "reads_per_s", "before_orders_per_s", "before_reads_per_s"]
    assert all(found[one] > 0 for one in rates)
    assert (found.get("naive_orders_per_s", 0) > 0) == (database == "sqlite")
    assert found["final_p50_s"] <= found["final_p99_s"]
    assert found["reads_p99_ms"] > 0


@pytest.mark.slow
def test_a_wallets_page_is_opened_by_whom_it_belongs_to(tmp_path: Path) -> None:
    options = ["--wallets", "10", "--per-s", "5", "--seconds", "2", "--folder", str(tmp_path)]
    command = [sys.executable, "-m", "scripts", "bench", "pages", "--json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["pages"] == 10
    assert found["bytes_a_page"] > 2_000
    assert 0 < found["p50_ms"] <= found["p95_ms"]
