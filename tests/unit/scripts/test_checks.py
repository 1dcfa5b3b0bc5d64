"""The check runner: which steps a group has, and what it reads from a test report."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from scripts import checks

ROOT = Path(__file__).resolve().parents[3]


def test_lint_has_every_check() -> None:
    names = [step.name for step in checks.steps_of("lint", [])]
    types = ["types", "types of the pages' modules"]
    dependencies = ["dependencies", "dependencies of tools"]
    assert names == ["style", "form", "solidity", *types, "imports", *dependencies, "house", "reference", "artifacts"]


def test_the_test_group_runs_both_environments(tmp_path: Path) -> None:
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    python, contracts = checks.steps_of("test", [], tmp_path)
    assert python.command[-1] == "tests/unit"  # folders that do not exist are not asked for
    assert contracts.command[:2] == (str(tmp_path / ".venv-brownie/bin/python"), "scripts/contract_tests.py")


def test_further_arguments_replace_the_folders() -> None:
    (python,) = checks.steps_of("python", ["tests/unit/scripts", "-x"])
    assert python.command[-2:] == ("tests/unit/scripts", "-x")


def test_two_processes_share_the_files_of_a_whole_run_and_one_runs_what_is_asked_for() -> None:
    for group in ("python", "test", "quick"):
        assert "loadfile" in checks.steps_of(group, [])[0].command
    assert "-n" not in checks.steps_of("python", ["tests/unit/scripts"])[0].command


def test_the_quick_group_runs_the_unit_tests() -> None:
    (quick,) = checks.steps_of("quick", [])
    assert [argument for argument in quick.command if argument.startswith("tests/")] == ["tests/unit"]


def python_step(name: str, code: str) -> checks.Step:
    return checks.Step(name, (sys.executable, "-c", code))


def test_steps_at_once_run_beside_each_other_and_show_their_output_apart(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each step waits for the other to begin: one after the other, neither would end."""
    meet = """
import pathlib, sys, time
name, other = {0!r}, {1!r}
print(name, "begins", flush=True)
pathlib.Path(name).touch()
for _ in range(3000):
    if pathlib.Path(other).exists():
        break
    time.sleep(0.01)
else:
    sys.exit(2)
print(name, "ends")
print(name, "complains", file=sys.stderr)
"""
    steps = [python_step("a", meet.format("a", "b")), python_step("b", meet.format("b", "a"))]
    outcomes = checks.run_at_once(steps, tmp_path)
    assert [(outcome.name, outcome.ok) for outcome in outcomes] == [("a", True), ("b", True)]
    shown = capfd.readouterr()
    assert shown.out.splitlines() == ["a begins", "a ends", "b begins", "b ends", "b complains"]
    assert shown.err.splitlines() == ["── a", "a complains", "── b"]


def test_a_step_that_fails_beside_another_is_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    steps = [python_step("a", "pass"), python_step("b", "raise SystemExit('broken')")]
    assert [outcome.ok for outcome in checks.run_at_once(steps, tmp_path)] == [True, False]
    assert "broken" in capfd.readouterr().out


def test_steps_may_keep_what_python_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each of the hundred processes that the tests start would compile the whole program again."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    command = (sys.executable, "-c", "import sys; sys.exit(sys.dont_write_bytecode)")
    assert checks.run(checks.Step("one", command), tmp_path).ok


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
