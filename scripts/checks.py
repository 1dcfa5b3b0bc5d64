"""Run the project's checks and say the outcome in one JSON object on the last line: ``python -m scripts.checks lint``.

All steps of a group run even where an earlier one failed, so that one run shows everything there is to fix.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
REPORTS = Path("build") / "reports"
PRODUCT = ("ledger", "ledger_api", "issuers", "redemption", "tongdui")
TOOLS_AND_TESTS = ("--ignore", "DEP002,DEP004", "--exclude", "tests/contracts")
"""For deptry: tools and tests need not use what the product declares, and may use the extras. The contracts' tests have
an environment of their own."""
PYTEST_FOLDERS = ("tests/unit", "tests/integration", "tests/e2e", "tests/faults")


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a group. ``report`` names the JUnit file that it writes, if it runs tests."""

    name: str
    command: tuple[str, ...]
    report: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended; ``tests`` counts by result where the step ran tests."""

    name: str
    ok: bool
    seconds: float
    tests: dict[str, int] | None = None

    def summary(self) -> dict[str, Any]:
        """Return the step's part of the JSON object."""
        return {"ok": self.ok, "seconds": round(self.seconds, 1)} | (self.tests or {})


def steps_of(group: str, extra: Sequence[str], root: Path = ROOT) -> list[Step]:
    """Return the steps of a group; ``extra`` are further arguments for its test runner."""
    artifacts = Step("artifacts", (str(BIN / "python"), "-m", "scripts.compile", "--check"))
    lint = [
        Step("style", (str(BIN / "ruff"), "check", ".")),
        Step("form", (str(BIN / "ruff"), "format", "--check", ".")),
        Step("solidity", (str(BIN / "python"), "-m", "scripts.solidity_form", "--check")),
        Step("types", (str(BIN / "mypy"),)),
        Step("imports", (str(BIN / "lint-imports"),)),
        Step("dependencies", (str(BIN / "deptry"), *PRODUCT)),
        Step("dependencies of tools", (str(BIN / "deptry"), "scripts", "tests", *TOOLS_AND_TESTS)),
        Step("house", (str(BIN / "python"), "-m", "scripts.house")),
        Step("reference", (str(BIN / "python"), "-m", "scripts.reference", "--check")),
        artifacts,
    ]
    report = REPORTS / "python.xml"
    folders = [folder for folder in PYTEST_FOLDERS if (root / folder).is_dir()]
    python = Step("python", (str(BIN / "python"), "-m", "pytest", f"--junitxml={report}", *(extra or folders)), report)
    report = REPORTS / "contracts.xml"
    brownie = str(root / ".venv-brownie" / "bin" / "python")
    contracts = Step("contracts", (brownie, "scripts/contract_tests.py", f"--junitxml={report}", *extra), report)
    groups = {
        "lint": lint,
        "artifacts": [artifacts],
        "python": [python],
        "contracts": [contracts],
        "test": [python, contracts],
    }
    return groups[group]


def count_tests(report: Path) -> dict[str, int]:
    """Return how many tests of a JUnit report passed, failed (errors included) and were skipped."""
    total = failed = skipped = 0
    # Written by pytest a moment ago: not a stranger's document.
    for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314
        total += int(suite.get("tests", "0"))
        failed += int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        skipped += int(suite.get("skipped", "0"))
    return {"passed": total - failed - skipped, "failed": failed, "skipped": skipped}


def run(step: Step, root: Path = ROOT) -> Outcome:
    """Run a step with its output passed through, and say how it ended.

    A test run that ran no test at all has failed: a check must be able to find something.
    """
    print(f"── {step.name}", file=sys.stderr, flush=True)
    report = root / step.report if step.report else None
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
    started = time.monotonic()
    ok = subprocess.run(step.command, cwd=root, stdin=subprocess.DEVNULL, check=False).returncode == 0
    seconds = time.monotonic() - started
    tests = count_tests(report) if report and report.is_file() else None
    if report:
        ok = ok and tests is not None and tests["passed"] > 0
    return Outcome(step.name, ok, seconds, tests)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a group of checks; return 0 where all are well."""
    parser = argparse.ArgumentParser(prog="python -m scripts.checks", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("group", choices=["lint", "artifacts", "python", "contracts", "test"])
    args, extra = parser.parse_known_args(argv)
    if extra and args.group not in ("python", "contracts"):
        parser.error(f"{args.group} takes no further arguments")
    outcomes = [run(step) for step in steps_of(args.group, extra)]
    ok = all(outcome.ok for outcome in outcomes)
    sys.stdout.flush()
    steps = {outcome.name: outcome.summary() for outcome in outcomes}
    seconds = round(sum(outcome.seconds for outcome in outcomes), 1)
    print(json.dumps({"ok": ok, "check": args.group, "seconds": seconds, "steps": steps}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
