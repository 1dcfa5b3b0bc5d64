"""Reads the vectors shared with the Solidity tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "vectors"


def load(name: str) -> Any:
    """Return the content of tests/vectors/<name>."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def unhex(text: str) -> bytes:
    """Return the bytes of a 0x string."""
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])
