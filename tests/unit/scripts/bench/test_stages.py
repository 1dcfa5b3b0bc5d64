"""A stage counts its own time, not that of a stage inside it."""

from __future__ import annotations

import pytest

from scripts.bench.stages import Stages


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Work:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def outer(self) -> str:
        self.clock.now += 1
        self.inner()
        self.clock.now += 2
        return "done"

    def inner(self) -> None:
        self.clock.now += 10


def watched() -> tuple[Stages, Work]:
    clock = Clock()
    stages, work = Stages(clock), Work(clock)
    stages.watch(work, "outer", "out")
    stages.watch(work, "inner", "in")
    return stages, work


def test_nested_stages_do_not_count_twice() -> None:
    stages, work = watched()
    assert work.outer() == "done"
    work.inner()
    assert stages.rounded() == {"in": 20.0, "out": 3.0}
    assert next(iter(stages.rounded())) == "in"


def test_a_failure_is_counted_too_and_passed_on() -> None:
    stages, work = watched()

    def fail() -> None:
        work.inner()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        stages.timed("out", fail)
    assert stages.seconds == {"in": 10.0, "out": 0.0}


def test_another_process_adds_and_the_warm_up_is_forgotten() -> None:
    stages, work = watched()
    work.outer()
    stages.reset()
    stages.add({"in": 1.5})
    assert stages.seconds == {"in": 1.5}
