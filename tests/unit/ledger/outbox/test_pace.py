"""How much gas may be under way."""

from __future__ import annotations

from ledger.outbox.pace import GAS_IN_FLIGHT_MAX, Pace, PaceLimits
from ledger.outbox.routes import GAS_MAX

LIMITS = PaceLimits.of_network(200_000_000, stall_s=20)


def test_a_network_begins_with_little_and_doubles_while_outcomes_are_quick_and_more_waits() -> None:
    pace = Pace.start(LIMITS)
    assert pace.budget == 4 * GAS_MAX
    assert pace.after(2.0, was_full=False) == pace, "what did not fill the budget proves nothing"
    pace = pace.after(2.0, was_full=True)
    assert pace.budget == 8 * GAS_MAX
    assert pace.after(2.0, was_full=True).after(2.0, was_full=True).budget == 200_000_000


def test_late_outcomes_halve_it() -> None:
    pace = Pace(128_000_000, LIMITS)
    assert pace.after(9.0, was_full=True).budget == 64_000_000
    assert pace.after(7.0, was_full=True) == pace, "neither quick nor late"


def test_what_gets_no_outcome_at_all_leaves_room_for_two_calls() -> None:
    assert Pace(128_000_000, LIMITS).while_waiting(9.0).budget == 2 * GAS_MAX
    assert Pace(128_000_000, LIMITS).while_waiting(3.0).budget == 128_000_000


def test_with_nothing_under_way_a_call_always_fits() -> None:
    pace = Pace(GAS_MAX, LIMITS)
    for _ in range(9):
        pace = pace.after(99.0, was_full=True)
    assert pace.room(0) == GAS_MAX
    assert pace.room(GAS_MAX) == 0


def test_the_embedded_engine_is_bounded_and_not_slowed() -> None:
    pace = Pace.start(PaceLimits())
    assert pace.after(500.0, was_full=True).while_waiting(500.0).budget == GAS_IN_FLIGHT_MAX
