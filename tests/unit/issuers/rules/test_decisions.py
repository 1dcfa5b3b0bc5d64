"""Decisions on records whose owner is known: the order of the checks, each outcome, and what is charged for it."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest

from issuers.rules.decisions import Candidate, Judge, Judgement, fit, refused, rulebook_for
from issuers.rules.deeds import Deed
from issuers.rules.rating import Used
from issuers.rules.refusals import RefusalCode
from issuers.rules.screens import Claim
from issuers.states import RecordState
from ledger.standard.civil_time import DAY_S, day_start
from ledger.standard.ids import ProgrammeId
from tests.unit.issuers.build import DAY, NOW, deed, rulebook

PROGRAMME, OTHER = ProgrammeId(9), ProgrammeId(8)
RESIDENT, NEIGHBOUR = 7, 8
DEVICE = b"d" * 32
MICRO_HOUR = 3_600 * 10**6
PLAIN: dict[str, Any] = {"unit": "hour", "points_per_unit": "10"}
STRICT: dict[str, Any] = {
    "unit": "kilometre",
    "points_per_unit": "10",
    "minimum": "1",
    "requires": ["photo"],
    "same_deed": "WORK",
    "speed_max": "40",
    "screens": ["repeat", "overlap", "velocity", "device"],
    "velocity": "100",
    "device_people_max": 1,
    "certifier": {"deeds_a_day_max": 1},
    "pending_days": 7,
    "caps": [{"per": "day", "deeds": 1}],
}
"""A rule with every kind of check."""
RIDE = deed("50", "kilometre", started_at=NOW - 90_000, ended_at=NOW - 86_400)._replace(present=frozenset({"photo"}))


def fingerprint(resident_id: int, day: int, kind: str) -> bytes:
    return hashlib.sha256(f"{resident_id}:{day}:{kind}".encode()).digest()


def person(programme: int, source_id: str) -> bytes:
    return hashlib.sha256(f"{programme}:{source_id}".encode()).digest()


def judge_of(*activities: dict[str, Any], now: int = NOW, **changes: Any) -> Judge:
    """A judge of a programme with one rulebook."""
    return Judge([rulebook(*activities, **changes)], PROGRAMME, fingerprint, now, person)


def candidate(one: Deed, record_id: int = 1, resident_id: int = RESIDENT, **changes: Any) -> Candidate:
    return Candidate(record_id, b"", one, resident_id, b"", None)._replace(**changes)


def certified(one: Deed, certifier: str) -> Deed:
    return one._replace(canonical=orjson.dumps({"certifier": certifier}))


def outcome(judgement: Judgement) -> tuple[RecordState, str | None]:
    """A decision as its record shows it."""
    return judgement.status, judgement.reason


def test_checks_run_in_the_order_that_is_written_down() -> None:
    """One deed breaks every rule. What the first check finds is corrected, and the next check speaks, to the last."""
    judge = judge_of(STRICT, effective_from="2026-01-01")
    judge.usage = {RESIDENT: {("9:WORK", "D20260831"): Used(1, 1, 1)}}
    # Facts against the deed, one for each screen but the certifier's and the speed's, which it brings along.
    judge.facts.add_fingerprint(fingerprint(RESIDENT, DAY - 1, "WORK"), OTHER, 90)
    twin = Claim(PROGRAMME, 91, "WORK", DAY - 1, RIDE.started_at, None, 50_000 * 10**6)
    judge.facts.add_claim(RESIDENT, twin)
    judge.facts.add_claim(RESIDENT, twin._replace(record_id=92, activity="OTHER", ended_at=RIDE.ended_at))
    judge.facts.add_claim(RESIDENT, twin._replace(record_id=93, started_at=None, quantity_micro=90_000 * 10**6))
    judge.facts.add_device(DEVICE, DAY - 1, NEIGHBOUR)
    wrong = certified(RIDE, "carol")._replace(
        day=DAY - 1_000, activity="PLAY", dimension="time", present=frozenset(), quantity_micro=1
    )
    assert judge.certifiers is not None
    [(edge, rule)] = judge.certifications([candidate(certified(RIDE, "carol"), 94)])
    judge.certifiers.judge(94, certified(RIDE, "carol"), rule)
    assert edge.record_id == 94

    def now(**changes: Any) -> tuple[RecordState, str | None]:
        nonlocal wrong
        wrong = wrong._replace(**changes)
        return outcome(judge.decide(candidate(wrong, 1, device=DEVICE)))

    assert now() == (RecordState.REFUSED, "not_effective")
    assert now(day=DAY - 1) == (RecordState.REFUSED, "unknown_activity")
    assert now(activity="WORK") == (RecordState.REFUSED, "unit_mismatch")
    assert now(dimension=RIDE.dimension) == (RecordState.REFUSED, "missing_evidence")
    assert now(present=RIDE.present) == (RecordState.REFUSED, "below_minimum")
    assert now(quantity_micro=RIDE.quantity_micro) == (RecordState.HELD, "double_claim")
    # The screens run in an order of their own (`test_screens`), the certifier's after them.
    passed = candidate(wrong, 1, resident_id=NEIGHBOUR)
    slow = wrong._replace(ended_at=NOW + 86_400)
    assert outcome(judge.decide(passed)) == (RecordState.HELD, "speed")
    assert outcome(judge.decide(passed._replace(deed=slow))) == (RecordState.HELD, "certifier_day")
    assert outcome(judge.decide(candidate(wrong, 1, is_screened=True))) == (RecordState.PENDING, None)
    assert outcome(judge.decide(candidate(wrong, 1, is_screened=True, is_due=True))) == (
        RecordState.REFUSED,
        "cap_reached",
    )
    judge.usage = {}
    assert outcome(judge.decide(candidate(wrong, 1, is_screened=True, is_due=True))) == (RecordState.ACCEPTED, None)


def test_what_is_granted_is_charged_for_the_next_record_at_once() -> None:
    judge = judge_of(PLAIN | {"caps": [{"per": "day", "points": "30"}]})
    amounts = [judge.decide(candidate(deed("2"), n)) for n in (1, 2, 3)]
    assert [one.rating.amount_minor for one in amounts[:2] if one.rating is not None] == [2_000, 1_000]
    assert (amounts[2].status, amounts[2].code) == (RecordState.REFUSED, RefusalCode.CAP_REACHED)
    assert judge.changes() == {(RESIDENT, "9:WORK", "D20260831"): Used(3_000, 4 * MICRO_HOUR, 2)}
    assert judge.decide(candidate(deed("2"), 4, NEIGHBOUR)).status is RecordState.ACCEPTED


def test_what_is_held_pending_or_refused_is_not_charged() -> None:
    caps = [{"per": "day", "points": "30"}]
    judge = judge_of(PLAIN | {"caps": caps, "pending_days": 7, "same_deed": "WORK", "minimum": "1"})
    judge.facts.add_fingerprint(fingerprint(NEIGHBOUR, DAY - 1, "WORK"), OTHER, 90)
    decided = [
        judge.decide(candidate(deed("2"), 1)).status,
        judge.decide(candidate(deed("2"), 2, NEIGHBOUR)).status,
        judge.decide(candidate(deed("0.5"), 3)).status,
    ]
    assert decided == [RecordState.PENDING, RecordState.HELD, RecordState.REFUSED]
    assert judge.changes() == {}


def test_a_charge_can_be_given_back_and_nothing_is_charged_without_a_rule() -> None:
    judge = judge_of(PLAIN | {"caps": [{"per": "day", "points": "30"}]})
    judge.charge(RESIDENT, deed("2"), 2_000, 2 * MICRO_HOUR, 1)
    judge.charge(RESIDENT, deed("2"), -2_000, -2 * MICRO_HOUR, -1)
    judge.charge(RESIDENT, deed("2", activity="PLAY"), 5, 5, 5)
    assert judge.changes() == {(RESIDENT, "9:WORK", "D20260831"): Used(0, 0, 0)}


def test_charges_of_residents_who_are_decided_elsewhere_are_forgotten() -> None:
    judge = judge_of(PLAIN | {"caps": [{"per": "day", "points": "30"}]})
    judge.decide(candidate(deed("1"), 1))
    judge.decide(candidate(deed("1"), 2, NEIGHBOUR))
    judge.forget({RESIDENT})
    assert [resident for resident, _, _ in judge.changes()] == [NEIGHBOUR]


def test_a_self_reported_deed_waits_to_the_end_of_its_last_pending_day() -> None:
    until = day_start(DAY - 1 + 1 + 2)
    waits = judge_of(PLAIN | {"pending_days": 2}, now=until - 1).decide(candidate(deed("1")))
    assert (waits.status, waits.pending_until) == (RecordState.PENDING, until)
    over = judge_of(PLAIN | {"pending_days": 2}, now=until).decide(candidate(deed("1")))
    assert (over.status, over.pending_until) == (RecordState.ACCEPTED, None)


@pytest.mark.parametrize("changes", [{"is_screened": True}, {"resident_id": NEIGHBOUR}])
def test_a_screened_record_and_another_person_are_not_held_for_a_double_claim(changes: dict[str, Any]) -> None:
    judge = judge_of(PLAIN | {"same_deed": "WORK"})
    judge.facts.add_fingerprint(fingerprint(RESIDENT, DAY - 1, "WORK"), OTHER, 90)
    held = judge.decide(candidate(deed("1")))
    assert (held.status, held.finding and held.finding.other_record_id) == (RecordState.HELD, 90)
    assert judge.decide(candidate(deed("1"), 2, **changes)).status is RecordState.ACCEPTED


def test_a_decision_bears_the_fingerprint_even_where_it_grants_nothing() -> None:
    judge = judge_of(PLAIN | {"same_deed": "WORK", "caps": [{"per": "day", "deeds": 1}]})
    decided = [judge.decide(candidate(deed("1"), n)) for n in (1, 2)]
    assert [one.status for one in decided] == [RecordState.ACCEPTED, RecordState.REFUSED]
    assert {one.fingerprint for one in decided} == {fingerprint(RESIDENT, DAY - 1, "WORK")}
    assert judge_of(PLAIN).decide(candidate(deed("1"))).fingerprint is None


def test_the_records_of_a_chunk_are_facts_for_those_behind_them() -> None:
    """A second record of the same minute is held, and so is a second person on one device."""
    rule = PLAIN | {"screens": ["repeat", "device"], "device_people_max": 1}
    judge = judge_of(rule)
    timed = deed("1", started_at=NOW - DAY_S, ended_at=NOW - DAY_S + 3_600)
    assert judge.decide(candidate(timed, 1, device=DEVICE)).status is RecordState.ACCEPTED
    assert outcome(judge.decide(candidate(timed, 2))) == (RecordState.HELD, "repeat")
    assert outcome(judge.decide(candidate(timed, 3, NEIGHBOUR, device=DEVICE))) == (RecordState.HELD, "device")


def test_a_finding_of_the_screens_comes_before_the_certifiers_but_both_are_remembered() -> None:
    rule = PLAIN | {"same_deed": "WORK", "certifier": {"deeds_a_day_max": 1}}
    judge = judge_of(rule)
    judge.facts.add_fingerprint(fingerprint(RESIDENT, DAY - 1, "WORK"), OTHER, 90)
    one = certified(deed("1"), "carol")
    assert outcome(judge.decide(candidate(one, 1))) == (RecordState.HELD, "double_claim")
    assert outcome(judge.decide(candidate(one, 2, NEIGHBOUR))) == (RecordState.HELD, "certifier_day")
    assert judge.certifiers is not None
    assert [edge.record_id for edge in judge.certifiers.judged] == [1, 2]


def test_without_a_rule_for_certifiers_or_a_way_to_name_them_none_are_examined() -> None:
    one = candidate(certified(deed("1"), "carol"))
    unnamed = Judge([rulebook(PLAIN | {"certifier": {}})], PROGRAMME, fingerprint, NOW)
    for judge in (judge_of(PLAIN), unnamed):
        assert judge.certifiers is None
        assert judge.certifications([one]) == []
        assert judge.decide(one).status is RecordState.ACCEPTED


def test_only_records_whose_certifier_matters_are_looked_up() -> None:
    judge = judge_of(PLAIN | {"certifier": {}})
    ones = [
        candidate(certified(deed("1"), "carol"), 1),
        candidate(deed("1"), 2),  # names no certifier
        candidate(certified(deed("1"), "carol"), 3, is_screened=True),
        candidate(certified(deed("1", activity="PLAY"), "carol"), 4),
    ]
    assert [edge.record_id for edge, _ in judge.certifications(ones)] == [1]


def test_what_must_be_looked_up_is_what_the_rules_read() -> None:
    judge = judge_of(STRICT)
    ones = [
        candidate(RIDE, 1, device=DEVICE),
        candidate(RIDE._replace(day=DAY - 5), 2, NEIGHBOUR),
        candidate(RIDE, 3, 9, is_screened=True),
        candidate(RIDE._replace(activity="PLAY"), 4, 10),
    ]
    needs = judge.needs(ones)
    assert {resident for resident, _, _ in needs.usage} == {RESIDENT, NEIGHBOUR, 9}, "caps bind the screened too"
    assert (needs.residents, needs.devices) == ([RESIDENT, NEIGHBOUR], [DEVICE])
    assert (needs.first_day, needs.last_day) == (DAY - 6, DAY), "a day more on either side: deeds run past midnight"
    assert needs.fingerprints == [
        fingerprint(RESIDENT, DAY - 1, "WORK"),
        fingerprint(NEIGHBOUR, DAY - 5, "WORK"),
    ]
    assert judge.fingerprints[needs.fingerprints[1]] == NEIGHBOUR


def test_a_rule_without_caps_and_screens_needs_nothing() -> None:
    judge = judge_of(PLAIN)
    assert judge.needs([candidate(deed("1"), device=DEVICE)]) == (set(), [], [], [], 0, 0)


@pytest.mark.parametrize(
    ("rule", "looks"),
    [(PLAIN, False), (PLAIN | {"screens": ["device"]}, True), (PLAIN | {"same_deed": "WORK"}, True)],
)
def test_only_screens_and_double_claims_hang_on_other_programmes(rule: dict[str, Any], looks: bool) -> None:
    assert judge_of(rule).looks_elsewhere is looks


def test_a_deed_is_rated_by_the_version_in_force_on_its_day() -> None:
    old = rulebook(PLAIN)
    new = rulebook(PLAIN | {"points_per_unit": "20"}, effective_from="2026-08-31", version=2)
    judge = Judge([old, new], PROGRAMME, fingerprint, NOW)
    amounts = [judge.decide(candidate(deed("1", day=DAY - 1 - n), n)).rating for n in (0, 1)]
    assert [(one.version, one.amount_minor) for one in amounts if one is not None] == [(2, 2_000), (1, 1_000)]


def test_a_rulebook_fits_or_the_refusal_says_what_does_not() -> None:
    book = rulebook(STRICT)
    assert fit(book, RIDE) is book
    assert rulebook_for([book], RIDE) is book
    assert fit(None, RIDE) == refused(RefusalCode.NOT_EFFECTIVE, "day")
    too_little = fit(book, RIDE._replace(quantity_micro=1))
    assert too_little == refused(RefusalCode.BELOW_MINIMUM, "quantity", (("minimum", "1 kilometre"),))
    assert rulebook_for([book], RIDE._replace(day=0)) == refused(RefusalCode.NOT_EFFECTIVE, "day")


def test_the_stored_reason_is_the_refusals_code_or_the_screens_name() -> None:
    assert refused(RefusalCode.NO_POINTS).reason == "no_points"
    assert Judgement(RecordState.PENDING).reason is None
