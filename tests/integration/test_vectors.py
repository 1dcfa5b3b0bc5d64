"""The shared vectors are what their generator makes, and that has its answers from others: npm's trees among them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.vectors.generate import vectors

VECTORS = Path(__file__).resolve().parents[1] / "vectors"


def test_the_committed_vectors_are_the_generator_s() -> None:
    made = vectors()
    held_by_the_compiler = {"storage_layout.json"}
    assert {path.name for path in VECTORS.glob("*.json")} - held_by_the_compiler == set(made)
    for name, content in made.items():
        committed = json.loads((VECTORS / name).read_text(encoding="utf-8"))
        assert committed == json.loads(json.dumps(content)), f"{name}: run python -m tests.vectors.generate"
