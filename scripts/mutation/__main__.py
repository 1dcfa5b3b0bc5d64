"""``python -m scripts.mutation``: put small faults into the contracts and see whether the tests notice.

Results are kept in contracts/mutation/results.jsonl, so a run that was ended goes on where it was. The last line is one
JSON object. Exit code 1: a mutant survived that is not on the list of equivalents (with ``--sample``), or the score is
below the one wanted.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ledger.errors import TongduiError
from scripts.mutation.equivalents import Equivalent, read_equivalents, stale
from scripts.mutation.examine import Knowledge
from scripts.mutation.finder import Mutant
from scripts.mutation.judge import Judge
from scripts.mutation.report import Choice, Score, page, score_of
from scripts.mutation.results import COUNTED, Result, Results
from scripts.mutation.run import learn_project, ranked, run
from tongdui.cli.console import failure

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "contracts" / "mutation" / "results.jsonl"
EQUIVALENTS = ROOT / "contracts" / "mutation" / "equivalents.yaml"
PAGE = ROOT / "contracts" / "MUTATION.md"
SCORE_WANTED = 95.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.mutation", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--limit", type=int, default=400, help="mutants of the full run (default: %(default)s; 0: all)")
    parser.add_argument("--choice", type=int, default=1, help="seed that chooses those of the full run")
    parser.add_argument("--sample", type=int, default=0, help="judge only so many of them, anew; write nothing")
    parser.add_argument("--seed", type=int, default=7, help="seed that chooses the sample")
    parser.add_argument("--only", default="", help="only mutants whose file or function this regular expression finds")
    parser.add_argument("--again", action="store_true", help="examine survivors again: tests have been added")
    parser.add_argument("--workers", type=int, default=2)
    return parser


class _Watch:
    """Shows progress with the time left, and reports each survivor."""

    def __init__(self, total: int, equivalents: Mapping[str, Equivalent]) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(
            *columns, TimeRemainingColumn(), console=self.console, disable=not self.console.is_terminal
        )
        self._task = self.progress.add_task("mutants", total=total)
        self._equivalents = equivalents
        self._done, self._total = 0, total

    def tell(self, result: Result) -> None:
        """Note a result."""
        self._done += 1
        self.progress.advance(self._task)
        if result.outcome == "survived" and result.key not in self._equivalents:
            said = f"survived {result.key}: {result.file}:{result.line} {result.function}: "
            self.console.print(f"{said}{result.original} → {result.mutated}", markup=False)
        if self.progress.disable and self._done % 25 == 0:
            self.console.print(f"{self._done} of {self._total} mutants", markup=False)


def full(args: argparse.Namespace) -> int:
    """Examine what is not known yet, write the page, and judge the score."""
    began = time.monotonic()
    results = Results(RESULTS)
    equivalents = read_equivalents(EQUIVALENTS)
    known, mutants = learn_project(ROOT, results, args.workers, measure=True)
    chosen = ranked(mutants, args.choice)[: args.limit or None]
    waiting = [mutant for mutant in chosen if re.search(args.only, f"{mutant.file} {mutant.function}")]
    waiting = [mutant for mutant in waiting if _is_open(results.get(mutant), equivalents, again=args.again)]
    watch = _Watch(len(waiting), equivalents)

    def keep(_mutant: Mutant, result: Result) -> bool:
        results.add(result)
        watch.tell(result)
        return True

    with watch.progress:
        run(known, waiting, args.workers, keep)
    results.tidy(mutant.id for mutant in chosen)
    false_alarm = bool(waiting) and _fails_unchanged(known, results.all())
    outdated = stale(equivalents.values(), mutants)
    for line in outdated:
        print(f"{EQUIVALENTS.name}: {line}", file=sys.stderr)
    PAGE.write_text(
        page(results.all(), equivalents, Choice(len(mutants), len(chosen), args.choice, known.left_out)),
        encoding="utf-8",
    )
    score = score_of(results.all(), equivalents)
    _say(score, began)
    return 1 if outdated or false_alarm or score.score < SCORE_WANTED else 0


def _is_open(result: Result | None, equivalents: Mapping[str, Equivalent], *, again: bool) -> bool:
    if result is None:
        return True
    return again and result.outcome == "survived" and result.key not in equivalents


def sample(args: argparse.Namespace) -> int:
    """Judge a few of the chosen mutants anew; all must be killed or be on the list."""
    began = time.monotonic()
    wanted: int = args.sample
    earlier = Results(RESULTS)
    equivalents = read_equivalents(EQUIVALENTS)
    known, mutants = learn_project(ROOT, earlier, args.workers, measure=False)
    chosen = ranked(ranked(mutants, args.choice)[: args.limit or None], args.seed)
    waiting = [mutant for mutant in chosen if re.search(args.only, f"{mutant.file} {mutant.function}")]
    watch = _Watch(wanted, equivalents)
    judged: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(folder) / "sample.jsonl")

        def keep(_mutant: Mutant, result: Result) -> bool:
            results.add(result)
            if result.outcome in COUNTED and len(judged) < wanted:
                judged.append(result)
                watch.tell(result)
            return len(judged) < wanted

        with watch.progress:
            run(known, [mutant for mutant in waiting if mutant.key not in equivalents], args.workers, keep)
    false_alarm = _fails_unchanged(known, judged)
    outdated = stale(equivalents.values(), mutants)
    for line in outdated:
        print(f"{EQUIVALENTS.name}: {line}", file=sys.stderr)
    score = score_of(judged, equivalents)
    _say(score, began)
    return 1 if outdated or score.survived or false_alarm else 0


def _fails_unchanged(known: Knowledge, judged: Sequence[Result]) -> bool:
    """Return whether a test that killed fails on the contracts as they are, and so has shown nothing."""
    killers = sorted({f"tests/contracts/{result.by}" for result in judged if result.by})
    if not killers:
        return False
    with Judge(ROOT) as judge:
        verdict = judge.judge(known.base, {}, killers, [600.0] * len(killers))
    failed = verdict.outcome != "passed"
    if failed:
        print(f"{verdict.by} fails on the contracts as they are: {verdict.why}", file=sys.stderr)
    return failed


def _say(score: Score, began: float) -> None:
    print(
        json.dumps(
            {
                "mutants": score.mutants,
                "killed": score.killed,
                "survived": score.survived,
                "equivalent": score.equivalent,
                "timeout": score.timeout,
                "setup": score.setup,
                "score": score.score,
                "score_of_all": score.score_of_all,
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    args = _parser().parse_args(argv)
    try:
        return sample(args) if args.sample else full(args)
    except TongduiError as error:
        return int(failure(error, as_json=True))
    except KeyboardInterrupt:
        print("ended; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
