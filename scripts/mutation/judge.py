"""Have the contracts' tests run against given code, in a process with Brownie that is started once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ledger.errors import ConfigurationError
from scripts.contract_tests import find_anvil, prepare_build, prepare_home
from scripts.mutation.compiler import Code

_PLUGIN = "brownie_side"
#: What looks at the committed artifacts cannot see a mutant.
_NOT_ASKED = ("tests/contracts/test_sizes.py",)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the tests took some code. ``outcome``: passed, failed, setup (a test failed before it had begun),
    timeout, or broken where not even a test could run."""

    outcome: str
    by: str | None
    why: str
    tests: int


@dataclass(frozen=True, slots=True)
class Trace:
    """How long each test took, in seconds, and which program counters of which contract it ran.

    "city" is the test of that name that stands for the deployment that all have in common, and "new X" the code that
    makes contract X.
    """

    seconds: Mapping[str, float]
    places: Mapping[str, Mapping[str, Sequence[int]]]
    failed: Sequence[str]


class Judge:
    """A pytest process under Brownie, which forks for each job.

    With ``prepare`` it deploys the city once, from the code it is given there, and exchanges contracts' code in it;
    without, each job deploys a city of its own.
    """

    def __init__(self, root: Path) -> None:
        anvil = find_anvil(root)
        brownie = root / ".venv-brownie" / "bin"
        if anvil is None or not (brownie / "python").exists():
            raise ConfigurationError("no Brownie or no anvil here: run `make setup-dev`")
        build = prepare_build(root)
        self._home = Path(tempfile.mkdtemp(prefix="home-", dir=build))
        prepare_home(self._home / "user")
        self._log = (self._home / "judge.log").open("w", encoding="utf-8")
        jobs, self_jobs = os.pipe()
        self_answers, answers = os.pipe()
        path = [str(anvil.parent), str(brownie), os.environ.get("PATH", os.defpath), str(root / ".venv" / "bin")]
        environment = os.environ | {
            "HOME": str(self._home / "user"),
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": str(Path(__file__).resolve().parent),
            "TONGDUI_MUTATION_PIPES": f"{jobs},{answers}",
        }
        command = [str(brownie / "python"), "-m", "pytest", "tests/contracts", "-c", "tests/contracts/pytest.ini"]
        self._process = subprocess.Popen(
            [*command, "-p", _PLUGIN, "--capture=sys", f"--rootdir={root}"],
            cwd=root,
            env=environment,
            pass_fds=(jobs, answers),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        os.close(jobs)
        os.close(answers)
        self._jobs = os.fdopen(self_jobs, "w", encoding="utf-8")
        self._answers = os.fdopen(self_answers, encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process and forget its home."""
        with contextlib.suppress(BrokenPipeError):
            self._jobs.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._log.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def _ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        line = ""
        # A process that has ended closes its pipes, which shows when writing or when reading.
        with contextlib.suppress(BrokenPipeError):
            self._jobs.write(json.dumps(job) + "\n")
            self._jobs.flush()
            line = self._answers.readline()
        if not line:
            said = Path(self._log.name).read_text(encoding="utf-8")[-2_000:]
            raise ConfigurationError(f"the tests' process ended with status {self._process.wait()}:\n{said}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def tests(self) -> list[str]:
        """Return the ids of the tests that a mutant is shown to."""
        return [test for test in self._ask({"do": "collect"})["tests"] if not test.startswith(_NOT_ASKED)]

    def prepare(self, code: Mapping[str, Code], test: str) -> dict[str, str]:
        """Deploy the city by running a test; return the deployed code of its contracts."""
        runtime: dict[str, str] = self._ask({"do": "prepare", "code": _creations(code), "test": test})["runtime"]
        return runtime

    def judge(
        self, code: Mapping[str, Code], runtime: Mapping[str, str], tests: Sequence[str], limits: Sequence[float]
    ) -> Verdict:
        """Run tests in this order against a city with this code, until one fails or takes longer than its limit.

        ``runtime`` is the code as deployed, for a judge that is prepared.
        """
        job = {"do": "judge", "code": _creations(code), "runtime": dict(runtime)}
        answer = self._ask(job | {"tests": list(tests), "limits": list(limits)})
        return Verdict(answer["outcome"], answer["by"], answer["why"], answer["tests"])

    def trace(self, code: Mapping[str, Code], tests: Sequence[str], limit_s: float) -> Trace:
        """Run all these tests and note what each runs.

        Raises:
            ConfigurationError: one took longer than ``limit_s``.
        """
        job = {"do": "cover", "code": _creations(code), "tests": list(tests), "limits": [limit_s] * len(tests)}
        answer = self._ask(job)
        if "places" not in answer:
            raise ConfigurationError(f"tracing the tests ended with: {answer}")
        return Trace(answer["seconds"], answer["places"], answer["failed"])


def _creations(code: Mapping[str, Code]) -> dict[str, str]:
    return {name: one.creation for name, one in code.items()}
