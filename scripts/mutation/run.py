"""The run over many mutants: two workers by default, each result kept as it comes."""

from __future__ import annotations

import hashlib
import json
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from ledger.errors import ConfigurationError
from scripts.mutation.compiler import Code, SolcServer, compile_contracts, fingerprint, load_project
from scripts.mutation.coverage import coverage_of
from scripts.mutation.examine import Examiner, Knowledge
from scripts.mutation.finder import Mutant, find_mutants
from scripts.mutation.judge import Judge, Trace
from scripts.mutation.order import Order
from scripts.mutation.results import Result, Results

#: The random lives are left out: they take long, and what they find changes with their seed. So the score says what
#: the tests with a name find, and is a lower bound.
_RANDOM = "tests/contracts/test_state_machine.py"
_ARTIFACTS = "tests/contracts/test_sizes.py"
_LEFT_OUT = (_RANDOM, _ARTIFACTS)
#: Tests that bound gas fail on the unchanged contracts if these are not optimized. They are left out, and named; more
#: than so many, and something else is wrong.
_FAILING_MAX = 5
_TRACE_LIMIT_S = 600.0


def ranked(mutants: Iterable[Mutant], seed: int) -> list[Mutant]:
    """Return the mutants in an order that only their keys and the seed decide: every beginning is a random sample."""
    return sorted(mutants, key=lambda mutant: hashlib.sha256(f"{seed}:{mutant.key}".encode()).digest())


def learn_project(root: Path, results: Results, workers: int, *, measure: bool) -> tuple[Knowledge, list[Mutant]]:
    """Compile the contracts, find the mutants, and with ``measure`` find out which test runs what.

    Raises:
        ConfigurationError: the tests fail on the contracts as they are.
    """
    with SolcServer() as solc:
        project = load_project(root, solc)
        base = compile_contracts(project, solc, project.units, maps=measure)
        mutants = find_mutants(project.sources, solc)
    with Judge(root) as judge:
        tests = [test for test in judge.tests() if not test.startswith(_LEFT_OUT)]
    traces = _traces(root, base, tests, workers) if measure else []
    failing = sorted(test for trace in traces for test in trace.failed)
    if len(failing) > _FAILING_MAX:
        raise ConfigurationError(f"the contracts as they are fail {', '.join(failing)}: mend that first")
    tests = [test for test in tests if test not in failing]
    coverage = coverage_of(traces, base, failing) if measure else None
    seconds = {test: taken for trace in traces for test, taken in trace.seconds.items()}
    known = Knowledge(root, project, base, tests, failing, seconds, coverage, Order(seconds, results.all()))
    return known, mutants


def _traces(root: Path, base: Mapping[str, Code], tests: Sequence[str], workers: int) -> list[Trace]:
    """Return the trace of each file of tests; what neither code nor tests have changed is taken from the disk."""
    folder = root / "build" / "mutation"
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted({test.split("::")[0] for test in tests})
    stored = {file: folder / f"trace-{_mark(root, base, file)}.json" for file in files}
    of_file = {file: [test for test in tests if test.split("::")[0] == file] for file in files}
    missing = [file for file in files if not stored[file].is_file()]
    # The longest first, so that the workers end together.
    missing.sort(key=lambda file: -len(of_file[file]))

    def measure(part: Sequence[str]) -> None:
        if not part:
            return
        with Judge(root) as judge:
            for file in part:
                trace = judge.trace(base, of_file[file], _TRACE_LIMIT_S)
                stored[file].write_text(json.dumps(asdict(trace)), encoding="utf-8")

    with ThreadPoolExecutor(max_workers=workers) as pool:
        parts = [pool.submit(measure, missing[number::workers]) for number in range(workers)]
        for part in as_completed(parts):
            part.result()
    return [Trace(**json.loads(stored[file].read_text(encoding="utf-8"))) for file in files]


def _mark(root: Path, base: Mapping[str, Code], file: str) -> str:
    """Return a digest of the contracts' code, a file of tests and what such files share."""
    digest = hashlib.sha256(fingerprint(base).encode())
    folder = root / "tests" / "contracts"
    text = (root / file).read_bytes()
    shared = [path for path in folder.rglob("*.py") if not path.name.startswith("test_")]
    lives = folder / "lives"
    for path in sorted(path for path in shared if b"lives" in text or lives not in path.parents):
        digest.update(path.read_bytes())
    digest.update(text)
    return digest.hexdigest()[:16]


def run(
    known: Knowledge,
    mutants: Sequence[Mutant],
    workers: int,
    keep: Callable[[Mutant, Result], bool],
) -> None:
    """Examine the mutants in their order; ``keep`` is told each result and returns whether to go on.

    Raises:
        Exception: what went wrong in a worker; the results so far are kept.
    """
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in mutants:
        waiting.put(mutant)
    ends = threading.Event()
    problems: list[Exception] = []

    def work() -> None:
        examiner = Examiner(known)
        try:
            while not ends.is_set():
                mutant = waiting.get_nowait()
                result = examiner.examine(mutant)
                known.order.learn(result)
                if not keep(mutant, result):
                    ends.set()
        except queue.Empty:
            pass
        except Exception as problem:  # noqa: BLE001 (raised again in the main thread)
            problems.append(problem)
            ends.set()
        finally:
            examiner.close()

    threads = [threading.Thread(target=work, name=f"mutation-{number}") for number in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        ends.set()
        for thread in threads:
            thread.join()
        raise
    if problems:
        raise problems[0]
