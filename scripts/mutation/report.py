"""The outcome of a run, as figures and as the page contracts/MUTATION.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scripts.mutation.equivalents import Equivalent
from scripts.mutation.results import COUNTED, KILLED, Result


@dataclass(frozen=True, slots=True)
class Score:
    """How many mutants there were of each kind.

    ``mutants`` counts each code once. ``equivalent`` survived and stands on the reviewed list; ``survived`` does not.
    ``proved`` compiled to the original's bytes and is no mutant. ``killed`` counts all kinds of kill; of these, in
    ``setup`` no test could begin and in ``timeout`` one did not end.
    """

    mutants: int
    killed: int
    survived: int
    equivalent: int
    timeout: int
    setup: int
    proved: int
    stillborn: int

    @property
    def score(self) -> float:
        """Killed, of those that are not known to be equivalent, in percent."""
        return _percent(self.killed, self.killed + self.survived)

    @property
    def score_of_all(self) -> float:
        """Killed, of all, as though no listed mutant were equivalent, in percent."""
        return _percent(self.killed, self.mutants)


def _percent(part: int, whole: int) -> float:
    # Downwards, so that 94.999 is not 95.
    return (10_000 * part // whole) / 100 if whole else 100.0


def distinct(results: Iterable[Result]) -> list[Result]:
    """Return the results of real mutants, of those with the same code the first."""
    seen: set[tuple[str, str]] = set()
    found = []
    for result in sorted(results, key=lambda r: (r.file, r.line, r.key)):
        if result.outcome in COUNTED and (result.file, result.code) not in seen:
            seen.add((result.file, result.code))
            found.append(result)
    return found


def score_of(results: Sequence[Result], equivalents: Mapping[str, Equivalent]) -> Score:
    """Count the outcomes. A survivor is listed if any mutant with its code is."""
    listed = {(result.file, result.code) for result in results if result.key in equivalents}
    counted = distinct(results)
    killed = [result for result in counted if result.outcome in KILLED]
    alive = [result for result in counted if result.outcome not in KILLED]
    equivalent = [result for result in alive if (result.file, result.code) in listed]
    return Score(
        mutants=len(counted),
        killed=len(killed),
        survived=len(alive) - len(equivalent),
        equivalent=len(equivalent),
        timeout=sum(result.outcome == "timeout" for result in killed),
        setup=sum(result.outcome == "setup" for result in killed),
        proved=sum(result.outcome == "same" for result in results),
        stillborn=sum(result.outcome == "stillborn" for result in results),
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """How many mutants there are, how many of them are chosen and by which seed, and the tests that cannot judge."""

    found: int
    chosen: int
    seed: int
    left_out: Sequence[str]


def page(results: Sequence[Result], equivalents: Mapping[str, Equivalent], choice: Choice) -> str:
    """Return the text of contracts/MUTATION.md."""
    found, chosen, seed = choice.found, choice.chosen, choice.seed
    total = score_of(results, equivalents)
    examined = len(results)
    whole = "All are chosen;" if chosen >= found else f"Of these a random {chosen:,} (seed {seed}) are chosen;"
    lines = [
        "# Mutation check of the contracts",
        "",
        "Small faults are put into the contracts one at a time; the tests must notice. `make mutate` makes this page",
        "and goes on where it was ended; `make mutate-sample` judges a few mutants anew. How it is done, and",
        "why so: [ADR 8](../docs/adr/0008-mutation-check.md).",
        "",
        f"The operators find {found:,} mutants in the contracts that are deployed (no mocks, no interfaces, never in a",
        f"comment). {whole} {examined:,} were examined. {total.stillborn} of them do not compile and {total.proved}",
        "compile to the very bytes of the original; those with the same code are counted once. That leaves",
        "",
        f"**{total.mutants:,} mutants, {total.killed:,} killed: {total.score_of_all:.2f} %**, or {total.score:.2f} %",
        f"without the {total.equivalent} that the list below argues to be equivalent. In {total.setup} the fault kept",
        f"a test from even beginning, and in {total.timeout} a test did not end; both count as killed.",
        "",
        "The random lives (`test_state_machine.py`) do not judge, so this is a lower bound. Nor do tests that hold",
        "only of optimized code, such as bounds of gas:",
        f"{', '.join(test.split('::')[-1] for test in choice.left_out) or 'there is none'}.",
        "",
        "| file | mutants | killed | equivalent | survived | killed of the rest |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for file in sorted({result.file for result in results}):
        one = score_of([result for result in results if result.file == file], equivalents)
        lines.append(
            f"| {file.removeprefix('contracts/')} | {one.mutants} | {one.killed} | {one.equivalent} | {one.survived} "
            f"| {one.score:.1f} % |"
        )
    alive = [result for result in distinct(results) if result.outcome == "survived"]
    lines += ["", "## Survivors that are equivalent", ""]
    listed = [result for result in alive if result.key in equivalents]
    lines += [_entry(result, equivalents[result.key].reason) for result in listed] or ["None."]
    lines += ["", "## Survivors that are not", ""]
    lines += [_entry(result, "") for result in alive if result.key not in equivalents] or ["None."]
    return "\n".join(lines) + "\n"


def _entry(result: Result, reason: str) -> str:
    place = f"`{result.function}`, {result.file.rsplit('/', 1)[-1]}:{result.line}"
    said = f"- {place}: `{result.original}` → `{result.mutated}`"
    return f"{said}. {reason.strip()}" if reason else said
