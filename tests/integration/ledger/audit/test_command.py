"""``tongdui audit`` and ``tongdui verify``: what they say, and with which exit code they leave."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ledger.deployment.file import Deployment
from ledger.proofs.receipt import build_grant_receipt
from tests.integration.ledger.audit.lab import Lab, key
from tests.integration.ledger.audit.life import VOLUNTEER
from tongdui.cli.console import ExitCode
from tongdui.cli.main import app


def run(*arguments: object) -> tuple[int, dict[str, Any], str]:
    """Return (exit code, the last line's object, all that was said)."""
    ended = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    return ended.exit_code, json.loads(ended.stdout.strip().splitlines()[-1]), ended.stdout


@pytest.fixture
def city_file(lab: Lab, tmp_path: Path) -> Path:
    """The published deployment file."""
    path = tmp_path / "deployment.json"
    lab.deployment.write(path)
    return path


def test_an_honest_chain_with_all_its_evidence_passes(lab: Lab, leaves: Path, city_file: Path) -> None:
    code, found, _ = run("audit", "--rpc", lab.url, "--deployment", city_file, "--leaves", leaves)
    assert (code, found["ok"], found["verdict"], found["skipped"]) == (ExitCode.OK, True, "PASS", [])


def test_without_evidence_the_audit_is_incomplete_and_says_so_in_words(lab: Lab, city_file: Path) -> None:
    code, found, _ = run("audit", "--rpc", lab.url, "--deployment", city_file)
    assert (code, found["ok"], found["verdict"]) == (ExitCode.INCOMPLETE, False, "INCOMPLETE")
    assert found["skipped"] == [f"evidence of {len(lab.batches)} batches: no leaf files were given"]
    said = CliRunner().invoke(app, ["audit", "--rpc", lab.url, "--deployment", str(city_file)]).stdout
    assert "INCOMPLETE" in said
    assert "not checked: evidence of" in " ".join(said.split())


def test_a_contradiction_fails(lab: Lab, leaves: Path, tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    first = replace(lab.deployment.merchants[0], key=key("stranger").address)
    forged: Deployment = replace(lab.deployment, merchants=(first, *lab.deployment.merchants[1:]))
    forged.write(path)
    code, found, _ = run("audit", "--rpc", lab.url, "--deployment", path, "--leaves", leaves)
    assert (code, found["verdict"]) == (ExitCode.NO, "FAIL")
    assert found["contradiction"]["what"] == f"key of merchant {first.slug}"


def test_a_block_that_is_known_and_not_there_fails(lab: Lab, leaves: Path, city_file: Path) -> None:
    known = "0x" + "12" * 32
    command = ("audit", "--rpc", lab.url, "--deployment", city_file, "--leaves", leaves, "--known-block", known)
    code, found, _ = run(*command)
    assert (code, found["contradiction"]["what"]) == (ExitCode.NO, "block that is known")


def test_a_grant_s_receipt_holds_and_another_amount_does_not(lab: Lab, city_file: Path, tmp_path: Path) -> None:
    batch, path = lab.batches[VOLUNTEER, 1], tmp_path / "receipt.json"
    receipt = build_grant_receipt(lab.engine.rpc, lab.deployment, batch.signed, batch.leaves[2], batch.tree.proof(2))
    path.write_text(json.dumps(receipt), encoding="utf-8")
    code, found, _ = run("verify", path, "--deployment", city_file)
    assert (code, found["kind"]) == (ExitCode.OK, "grant")
    receipt["grant"]["leaf"]["amount"] = "999999"
    path.write_text(json.dumps(receipt), encoding="utf-8")
    code, found, _ = run("verify", path, "--deployment", city_file)
    assert (code, found["ok"]) == (ExitCode.NO, False)
