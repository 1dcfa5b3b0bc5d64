from __future__ import annotations

import os

from ledger_api.http.middleware import RateLimiter
from ledger_api.http.shared_limit import SharedRateLimiter, shared_memory


def test_it_counts_as_the_limit_of_one_process_does() -> None:
    now = [1_000.0]
    shared, alone = SharedRateLimiter(6, shared_memory(), lambda: now[0]), RateLimiter(6, lambda: now[0])
    for step_s in (0, 0, 0.5, 0, 0, 0, 0, 0, 30, 0, 0, 0, 0, 600, 0):
        now[0] += step_s
        assert shared.take("wang") == alone.take("wang")
    assert shared.take("li") == alone.take("li")


def test_all_who_have_the_memory_share_each_callers_limit() -> None:
    memory = shared_memory()
    limiters = [SharedRateLimiter(4, os.dup(memory), lambda: 5.0) for _ in range(2)]
    quotas = [limiters[number % 2].take("wang") for number in range(5)]
    assert [one.left for one in quotas] == [3, 2, 1, 0, 0]
    assert [one.is_exceeded for one in quotas] == [False] * 4 + [True]


def test_more_callers_than_there_is_room_for_push_out_the_longest_idle_ones() -> None:
    now = [0.0]
    limiter = SharedRateLimiter(1, shared_memory(), lambda: now[0])
    limiter.take("first")
    assert limiter.take("first").is_exceeded
    for number in range(120_000):
        now[0] += 1e-6
        limiter.take(f"caller {number}")
    assert not limiter.take("first").is_exceeded  # forgotten, which is to its advantage
    assert limiter.take("caller 119999").is_exceeded
