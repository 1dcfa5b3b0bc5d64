"""What counts as a stall, and what the alarm says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.outbox.liveness import LivenessWatch, Stall, Waiting, judge

NOTHING = Waiting(0, 0, None, None, None, 0, None, None)
SENT = Waiting(3, 9_000_000, 7, b"\xab" * 32, 1_000, 0, None, None)
QUEUED = replace(NOTHING, queued=2, queued_id=5, queued_at=1_000)


class Steady:
    """A clock that the test moves."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_an_idle_chain_may_rest() -> None:
    assert judge(NOTHING, 9, 86_400, 0, 0, 20).stall is None


@pytest.mark.parametrize(
    ("final_age_s", "oldest_age_s", "stall"),
    [(19.9, 19.9, None), (25, 20, Stall.CHAIN_STANDS), (1, 20, Stall.NOT_INCLUDED), (25, 5, None)],
)
def test_work_stalls_on_a_chain_that_stands_and_on_one_that_makes_blocks_without_it(
    final_age_s: float, oldest_age_s: float, stall: Stall | None
) -> None:
    seen = judge(SENT, 9, final_age_s, oldest_age_s, 0, 20)
    assert seen.stall is stall
    assert (seen.alarm is None) == (stall is None)


def test_queued_messages_stall_if_nobody_signs_them() -> None:
    assert judge(QUEUED, 9, 0, 0, 19, 20).stall is None
    assert judge(QUEUED, 9, 0, 0, 20, 20).stall is Stall.NOT_SENT
    backlog = replace(SENT, queued=2, queued_id=5)
    assert judge(backlog, 9, 0, 1, 500, 20).stall is None, "a backlog behind transactions that move is no stall"


def test_the_alarm_names_the_oldest_transaction_and_says_what_to_do() -> None:
    alarm = judge(SENT, 9, 30, 25, 0, 20).alarm
    assert alarm is not None
    for part in ("block 9", "0x" + "ab" * 32, "validators"):
        assert part in alarm


def test_ages_are_counted_from_when_something_was_first_seen_and_end_when_it_changes() -> None:
    steady = Steady()
    watch = LivenessWatch(20, steady)
    assert watch.look(9, SENT).stall is None
    steady.now_s += 30
    assert watch.look(9, SENT).stall is Stall.CHAIN_STANDS
    assert watch.look(10, SENT).stall is Stall.NOT_INCLUDED
    settled = watch.look(10, replace(SENT, oldest_id=8))
    assert (settled.stall, settled.oldest_age_s) == (None, 0)


def test_queued_messages_begin_to_age_when_the_last_transaction_has_ended() -> None:
    steady = Steady()
    watch = LivenessWatch(20, steady)
    watch.look(9, replace(SENT, queued=2, queued_id=5))
    steady.now_s += 15
    watch.look(10, QUEUED)
    steady.now_s += 15
    assert watch.look(11, QUEUED).stall is None
    steady.now_s += 5
    assert watch.look(11, QUEUED).stall is Stall.NOT_SENT
