"""The check runner: which steps a group has, and what it reads from a test report."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from scripts import checks

ROOT = Path(__file__).resolve().parents[3]


def test_lint_has_every_check() -> None:
    names = [step.name for step in checks.steps_of("lint", [])]
    dependencies = ["dependencies", "dependencies of tools"]
    assert names == ["style", "form", "solidity", "types", "imports", *dependencies, "house", "reference", "artifacts"]


def test_the_test_group_runs_both_environments(tmp_path: Path) -> None:
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    python, contracts = checks.steps_of("test", [], tmp_path)
    assert python.command[-1] == "tests/unit"  # folders that do not exist are not asked for
    assert contracts.command[:2] == (str(tmp_path / ".venv-brownie/bin/python"), "scripts/contract_tests.py")


def test_further_arguments_replace_the_folders() -> None:
    (python,) = checks.steps_of("python", ["tests/unit/scripts", "-x"])
    assert python.command[-2:] == ("tests/unit/scripts", "-x")


def test_errors_of_a_report_count_as_failures(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>')
    assert checks.count_tests(report) == {"passed": 3, "failed": 3, "skipped": 3}


def test_further_arguments_to_lint_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        checks.main(["lint", "-x"])
    assert "takes no further arguments" in capsys.readouterr().err


def test_every_hook_before_a_commit_is_a_step_of_lint() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = {hook["id"]: hook for repository in config["repos"] for hook in repository["hooks"]}
    steps = {step.name: step for step in checks.steps_of("lint", [])}
    assert {repository["repo"] for repository in config["repos"]} == {"local"}  # nothing is fetched
    for name, hook in hooks.items():
        words = [word for word in hook["entry"].split() if not word.startswith("-")]
        program, *rest = steps[name].command
        assert words == [f".venv/bin/{Path(program).name}", *(word for word in rest if word[0] not in ".-")]
