"""Run the project's checks and say the outcome in one JSON object on the last line: ``python -m scripts.checks lint``.

All steps of a group run even where an earlier one failed, so that one run shows everything there is to fix.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
REPORTS = Path("build") / "reports"
PRODUCT = ("ledger", "ledger_api", "issuers", "redemption", "tongdui")
TOOLS_AND_TESTS = ("--ignore", "DEP002,DEP004", "--exclude", "tests/contracts")
"""For deptry: tools and tests need not use what the product declares, and may use the extras. The contracts' tests have
an environment of their own."""
# Slow folders first, so that both processes end at about the same time. Of the pages' tests only the smoke, which skips
# itself where no Chromium is: the rest is `make test-pages`.
PYTEST_FOLDERS = ("tests/e2e", "tests/faults", "tests/integration", "tests/pages/test_smoke.py", "tests/unit")
# Three processes for two cores, for a third of the time is waiting: for a block, a process, a limit. Each runs whole
# files, so that what a module or a session sets up (a city, a PostgreSQL server) is set up once a process, and no
# file's tests run beside each other.
IN_PARALLEL = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")


# A browser and a city fill a core each.
IN_PAIRS = ("-n", "2", *IN_PARALLEL[2:])


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
        Step("types of the pages' modules", ("node", "node_modules/typescript/bin/tsc", "-p", "tsconfig.json")),
        Step("imports", (str(BIN / "lint-imports"),)),
        Step("dependencies", (str(BIN / "deptry"), *PRODUCT)),
        Step("dependencies of tools", (str(BIN / "deptry"), "scripts", "tests", *TOOLS_AND_TESTS)),
        Step("house", (str(BIN / "python"), "-m", "scripts.house")),
        Step("reference", (str(BIN / "python"), "-m", "scripts.reference", "--check")),
        artifacts,
    ]
    report = REPORTS / "python.xml"
    folders = [folder for folder in PYTEST_FOLDERS if (root / folder).exists()]
    pytest = (str(BIN / "python"), "-m", "pytest", f"--junitxml={report}")
    python = Step("python", (*pytest, *(extra or (*IN_PARALLEL, *folders))), report)
    quick = Step("quick", (*pytest, *IN_PARALLEL, "tests/unit"), report)
    report = REPORTS / "contracts.xml"
    brownie = str(root / ".venv-brownie" / "bin" / "python")
    contracts = Step("contracts", (brownie, "scripts/contract_tests.py", f"--junitxml={report}", *extra), report)
    report = REPORTS / "pages.xml"
    pages = Step("pages", (*pytest[:-1], f"--junitxml={report}", *(extra or (*IN_PAIRS, "tests/pages"))), report)
    groups = {
        "lint": lint,
        "artifacts": [artifacts],
        "python": [python],
        "contracts": [contracts],
        "test": [python, contracts],
        "quick": [quick],
        "pages": [pages],
    }
    return groups[group]


def environment() -> dict[str, str]:
    """Return this process's environment, but let Python keep what it compiled.

    The tests start some hundred processes of ours; where a machine forbids Python to write bytecode, each of them
    would compile all modules again, a second of the processor each time.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def count_tests(report: Path) -> dict[str, int]:
    """Return how many tests of a JUnit report passed, failed (errors included) and were skipped."""
    total = failed = skipped = 0
    # Written by pytest a moment ago: not a stranger's document.
    for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314
        total += int(suite.get("tests", "0"))
        failed += int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        skipped += int(suite.get("skipped", "0"))
    return {"passed": total - failed - skipped, "failed": failed, "skipped": skipped}


def run(step: Step, root: Path = ROOT, output: IO[bytes] | None = None) -> Outcome:
    """Run a step and report how it ended. Its output is passed through, or written to ``output``.

    A test run that ran no test at all has failed: a check must be able to find something.
    """
    if output is None:
        announce(step.name)
    report = root / step.report if step.report else None
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
    started = time.monotonic()
    ended = subprocess.run(
        step.command,
        cwd=root,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        check=False,
    )
    ok = ended.returncode == 0
    seconds = time.monotonic() - started
    tests = count_tests(report) if report and report.is_file() else None
    if report:
        ok = ok and tests is not None and tests["passed"] > 0
    return Outcome(step.name, ok, seconds, tests)


def run_at_once(steps: Sequence[Step], root: Path = ROOT) -> list[Outcome]:
    """Run steps beside each other; return their outcomes in the same order.

    The first step's output is passed through as it comes; each other's is shown whole when those before it have ended.
    """
    first, *others = steps
    with ThreadPoolExecutor(max_workers=len(steps)) as pool, ExitStack() as files:
        outputs = [files.enter_context(TemporaryFile()) for _ in others]
        running = [pool.submit(run, step, root, output) for step, output in zip(others, outputs, strict=True)]
        outcomes = [run(first, root)]
        for step, future, output in zip(others, running, outputs, strict=True):
            outcomes.append(future.result())
            announce(step.name)
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer)
            sys.stdout.flush()
    return outcomes


def announce(name: str) -> None:
    """Print a step's name above its output."""
    sys.stdout.flush()
    print(f"── {name}", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a group of checks; return 0 where all are well."""
    parser = argparse.ArgumentParser(prog="python -m scripts.checks", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("group", choices=["lint", "artifacts", "python", "contracts", "test", "quick", "pages"])
    args, extra = parser.parse_known_args(argv)
    if extra and args.group not in ("python", "contracts", "pages"):
        parser.error(f"{args.group} takes no further arguments")
    steps = steps_of(args.group, extra)
    started = time.monotonic()
    outcomes = run_at_once(steps) if args.group == "test" else [run(step) for step in steps]
    seconds = round(time.monotonic() - started, 1)
    ok = all(outcome.ok for outcome in outcomes)
    sys.stdout.flush()
    summary = {outcome.name: outcome.summary() for outcome in outcomes}
    print(json.dumps({"ok": ok, "check": args.group, "seconds": seconds, "steps": summary}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
