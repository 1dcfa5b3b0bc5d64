"""The checker's bundle judges every shared vector as Python's verifier does: verdict, seal, and where it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]
VERIFY = ROOT / "tests" / "vectors" / "verify"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle as its sources make it now, not as setup left it."""
    made = tmp_path_factory.mktemp("bundle") / "checker.mjs"
    subprocess.run(["node", "scripts/bundle_checker.mjs", str(made)], cwd=ROOT, check=True, timeout=60)
    return made


def judged(bundle: Path, vectors: Path) -> list[dict[str, Any]]:
    script = Path(__file__).with_name("vectors.mjs")
    command = ["node", str(script), str(bundle), str(vectors), str(VERIFY / "deployment.json")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_every_vector_is_judged_as_python_judges_it(bundle: Path) -> None:
    wanted = json.loads((VERIFY / "vectors.json").read_text(encoding="utf-8"))["vectors"]
    found = judged(bundle, VERIFY / "vectors.json")
    assert len(wanted) > 80
    keys = ("name", "ok", "seal", "refused_at")
    assert [{key: one[key] for key in keys} for one in found] == [{key: one[key] for key in keys} for one in wanted]


def test_a_refusal_names_the_step_that_fails(bundle: Path) -> None:
    steps = {one["name"]: one["step"] for one in judged(bundle, VERIFY / "vectors.json")}
    assert steps["payment: another format"] == "format"
    assert steps["payment: a time that the header does not have"] == "header"
    assert steps["payment: another value"] == "path"
    assert steps["refund: another salt"] == "installation"
    assert steps["payment, QBFT, 2 of 4: too few"] == "seals"


def test_the_bundle_that_setup_made_is_that_of_the_sources(bundle: Path) -> None:
    made = ROOT / "ledger_api" / "pages" / "checker" / "assets" / "checker.js"
    assert shutil.which("node")
    assert made.read_bytes() == bundle.read_bytes(), "run make setup"
