"""The shared vectors are what their generator makes, and that has its answers from others: npm's trees among them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

VECTORS = Path(__file__).resolve().parents[1] / "vectors"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vectors_generate", VECTORS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_vectors_are_the_generator_s(generator: ModuleType) -> None:
    made = generator.vectors()
    held_by_the_compiler = {"storage_layout.json"}
    assert {path.name for path in VECTORS.glob("*.json")} - held_by_the_compiler == set(made)
    for name, content in made.items():
        committed = json.loads((VECTORS / name).read_text(encoding="utf-8"))
        assert committed == json.loads(json.dumps(content)), f"{name}: run python tests/vectors/generate.py"
