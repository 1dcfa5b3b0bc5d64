"""Take one mutant after another, compile it, show it to the tests, and report the outcome of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import ConfigurationError
from scripts.mutation.compiler import (
    Code,
    Project,
    SolcServer,
    Stillborn,
    compile_contracts,
    fingerprint,
    is_same_when_optimized,
)
from scripts.mutation.coverage import CITY, Coverage
from scripts.mutation.finder import Mutant
from scripts.mutation.judge import Judge, Verdict
from scripts.mutation.order import Order
from scripts.mutation.results import Result, result_of

#: No test may take longer: twenty times what it took, and a minute for a busy machine. The block's gas limit bounds
#: every loop of a contract, so hardly any mutant comes to this.
_LIMIT_TIMES, _LIMIT_EXTRA_S = 20, 60
#: Failures that may be the machine's and not the mutant's are looked at a second time.
_DOUBTFUL = ("ConnectionError", "ReadTimeout", "ConnectTimeout", "does not answer", "transaction not found")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What all workers share: the project, its code, its tests and, if it was measured, which test runs what."""

    root: Path
    project: Project
    base: Mapping[str, Code]
    tests: Sequence[str]
    left_out: Sequence[str]
    seconds: Mapping[str, float]
    coverage: Coverage | None
    order: Order


class Examiner:
    """One worker's compiler and judges: one that exchanges code in a city that stands, one that deploys anew."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._known = knowledge
        self._solc = SolcServer()
        self._standing: Judge | None = None
        self._deployed: dict[str, str] = {}
        self._deploying: Judge | None = None

    def close(self) -> None:
        """End the worker's processes."""
        self._solc.close()
        self._end_judges()

    def _end_judges(self) -> None:
        for judge in (self._standing, self._deploying):
            if judge is not None:
                judge.close()
        self._standing = self._deploying = None

    def examine(self, mutant: Mutant) -> Result:
        """Return the outcome of a mutant."""
        project = self._known.project
        contracts = project.reached_by(mutant.file)
        changed = {mutant.file: mutant.apply(project.sources[mutant.file])}
        try:
            code = compile_contracts(project, self._solc, contracts, changed)
        except Stillborn:
            return result_of(mutant, "stillborn")
        mark = fingerprint(code)
        if mark == fingerprint({name: self._known.base[name] for name in contracts}):
            return result_of(mutant, "same", code=mark)
        verdict = self._judge(mutant, code)
        outcome = {"passed": "survived", "failed": "killed", "broken": "setup"}.get(verdict.outcome, verdict.outcome)
        artifacts = self._known.root / "contracts" / "artifacts"
        if outcome == "survived" and is_same_when_optimized(project, self._solc, contracts, changed, artifacts):
            outcome = "same"
        return result_of(mutant, outcome, by=verdict.by or "", why=verdict.why, tests=verdict.tests, code=mark)

    def _judge(self, mutant: Mutant, code: Mapping[str, Code]) -> Verdict:
        coverage = self._known.coverage
        found = coverage.tests_of(mutant) if coverage else {*self._known.tests, CITY}
        tests = self._known.order.arrange(mutant, found - {CITY})
        if not tests and CITY not in found:
            return Verdict("passed", None, "no test runs it", 0)
        tests = tests or list(self._known.tests[:1])
        limits = [_LIMIT_EXTRA_S + _LIMIT_TIMES * self._known.seconds.get(test, 1.0) for test in tests]
        anew = CITY in found
        verdict = self._attempt(code, tests, limits, anew=anew)
        if verdict.outcome in ("timeout", "broken") or any(word in verdict.why for word in _DOUBTFUL):
            self._end_judges()
            verdict = self._attempt(code, tests, limits, anew=anew)
            self._end_judges()
        return verdict

    def _attempt(
        self, code: Mapping[str, Code], tests: Sequence[str], limits: Sequence[float], *, anew: bool
    ) -> Verdict:
        """``anew``: deploy a city from this code, for the change is in what a deployment runs."""
        runtime = None if anew else self._runtime(code)
        if runtime is None:
            self._deploying = self._deploying or Judge(self._known.root)
            everything = {**self._known.base, **code}
            return self._deploying.judge(everything, {}, tests, limits)
        if self._standing is None:
            raise ConfigurationError("no city stands")
        return self._standing.judge(code, runtime, tests, limits)

    def _runtime(self, code: Mapping[str, Code]) -> dict[str, str] | None:
        """Return the code as the standing city's contracts would have it; None if that cannot be told."""
        if self._standing is None:
            self._standing = Judge(self._known.root)
            self._deployed = self._standing.prepare(self._known.base, self._known.tests[0])
            for name, base in self._known.base.items():
                deployed = self._deployed.get(name)
                if deployed is not None and base.with_immutables_of(base, deployed) != deployed:
                    raise ConfigurationError(f"{name}: what was deployed is not what was compiled")
        runtime = {}
        # The whole city's code, so that what the last mutant changed is as it was.
        for name, deployed in self._deployed.items():
            if name not in code:
                continue
            one = code[name].with_immutables_of(self._known.base[name], deployed)
            if one is None:
                return None
            runtime[name] = one
        return runtime
