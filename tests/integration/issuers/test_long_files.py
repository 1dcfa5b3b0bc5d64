"""The intake of a long file takes the memory of a short one: the reading process's peak, as the system counts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SHORT, LONG = 5_000, 50_000
ROWS = int(os.environ.get("ROWS", str(LONG)))
GROWTH_MAX_MIB = 24
"""Allocators keep some slack; a reader that kept its rows would take a hundred MiB more."""


def peak_mib(folder: Path, form: str, rows: int) -> float:
    """Read a file of so many rows in a process of its own, from generator to deed, and return its peak."""
    command = [sys.executable, "-m", "tests.integration.issuers.long_file", str(folder), form, str(rows)]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=1_200)
    found = json.loads(done.stdout)
    assert found["rows"] == rows
    return float(found["peak_mib"])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "csv.gz", "json", "jsonl", "jsonl.gz", "xml", "xlsx"])
def test_ten_times_the_rows_take_the_same_memory(form: str, tmp_path: Path) -> None:
    short, long = peak_mib(tmp_path, form, SHORT), peak_mib(tmp_path, form, ROWS)
    print(f"{form}: {short:.0f} MiB for {SHORT:,} rows, {long:.0f} MiB for {ROWS:,}")
    assert long - short < GROWTH_MAX_MIB
