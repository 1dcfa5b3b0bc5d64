"""The committed vectors are what their generator, run with the outside implementations, writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def test_committed_vectors_match_the_outside_implementations() -> None:
    """eth_account, npm @openzeppelin/merkle-tree, rfc8785 and datetime still give the same answers."""
    command = [sys.executable, "-m", "tests.vectors.generate", "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
