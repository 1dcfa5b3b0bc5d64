"""Screens: each finding, its reason, and what is no finding."""

from __future__ import annotations

from typing import Any

from issuers.rules.screens import Claim, Facts, Finding, screen
from tests.unit.issuers.build import DAY, deed, rulebook

START = DAY * 86_400 - 40_000
HOUR = 3_600
PRINT = b"f" * 32


def find(
    facts: Facts, record_id: int = 1, fingerprint: bytes | None = None, device: bytes | None = None, **changes: Any
) -> Finding | None:
    """Screen a deed of two hours of resident 7."""
    activity = {
        "unit": "hour",
        "points_per_unit": "10",
        "screens": ["repeat", "overlap", "velocity", "device"],
        "velocity": "16",
        "device_people_max": 2,
    }
    one = deed("2", started_at=START, ended_at=START + 2 * HOUR, **changes)
    return screen(9, record_id, 7, one, rulebook(activity).activities["WORK"], fingerprint, device, facts)


def claim(record_id: int, start: int, end: int, hours: int = 2, day: int = DAY - 1, activity: str = "WORK") -> Claim:
    """Another record of resident 7."""
    return Claim(9, record_id, activity, day, start, end, hours * HOUR * 10**6)


def test_an_impossible_overlap_is_held_and_touching_times_are_not() -> None:
    """One cannot be in two places; one can go from one to the next."""
    facts = Facts()
    facts.add_claim(7, claim(2, START + 2 * HOUR, START + 4 * HOUR))
    facts.add_claim(8, claim(3, START, START + HOUR))
    assert find(facts) is None
    facts.add_claim(7, claim(4, START + HOUR, START + 3 * HOUR, activity="OTHER"))
    found = find(facts)
    assert found is not None
    assert (found.screen, found.other_record_id) == ("overlap", 4)


def test_a_deed_that_runs_past_midnight_is_compared_with_both_days() -> None:
    """The record of the day before counts too."""
    facts = Facts()
    facts.add_claim(7, claim(2, START - HOUR, START + HOUR, day=DAY - 2, activity="OTHER"))
    found = find(facts)
    assert found is not None
    assert found.screen == "overlap"


def test_the_same_record_is_no_clash_with_itself() -> None:
    """A record that is decided again finds itself among the facts."""
    facts = Facts()
    facts.add_claim(7, claim(1, START, START + 2 * HOUR))
    assert find(facts) is None


def test_repeats_velocity_and_devices() -> None:
    """The same to the minute under another number; 18 hours in one day; three people on one device."""
    facts = Facts()
    facts.add_claim(7, claim(2, START, START + 2 * HOUR))
    found = find(facts)
    assert found is not None
    assert found.screen == "repeat"
    many = Facts()
    for number in range(8):
        many.add_claim(7, claim(10 + number, START - 90_000, START - 80_000, hours=2))
    found = find(many)
    assert found is not None
    assert found.screen == "velocity"
    shared = Facts()
    for resident in (7, 8, 9):
        shared.add_device(b"d", DAY - 1, resident)
    found = find(shared, device=b"d")
    assert found is not None
    assert found.screen == "device"


def test_one_deed_in_two_programmes_is_held_once() -> None:
    """The same fingerprint of another programme is a double claim; of the same programme it is the caps' business."""
    facts = Facts()
    facts.add_fingerprint(PRINT, 9, 2)
    assert find(facts, fingerprint=PRINT) is None
    facts.add_fingerprint(PRINT, 3, 5)
    found = find(facts, fingerprint=PRINT)
    assert found is not None
    assert (found.screen, found.other_programme, found.other_record_id) == ("double_claim", 3, 5)
