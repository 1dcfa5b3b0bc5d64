"""Rings, captives and tireless certifiers are found; busy centres and helpful neighbours are not."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from issuers.rules.certifiers import Certification, CertifierFacts, CertifierScreens, screen_certifier
from issuers.rules.rulebook import CertifierRule
from issuers.rules.screens import Facts, Finding, screen
from tests.unit.issuers.build import DAY, deed, rulebook

HOUR = 3_600
A, B, C, D, E, CENTRE = (bytes([n]) * 32 for n in range(1, 7))


class Book:
    """Certifications one after the other, as a chunk's judge sees them."""

    def __init__(self, **rule: Any) -> None:
        self.rule = CertifierRule(**rule)
        self.facts = CertifierFacts()
        self.next = 0

    def sign(
        self, certifier: bytes, subject: bytes, times: int = 1, day: int = DAY, start: int = 9, end: int = 11
    ) -> Finding | None:
        """Judge and remember; returns the last finding."""
        finding = None
        for _ in range(times):
            self.next += 1
            at = day * 86_400
            one = Certification(self.next, certifier, subject, day, at + start * HOUR, at + end * HOUR)
            finding = screen_certifier(one, self.rule, self.facts)
            self.facts.add(one.record_id, certifier, subject)
            self.facts.totals[certifier] += 1
            self.facts.days[certifier, day] = self.facts.day_with(one._replace(record_id=-1))
        return finding


def name(finding: Finding | None) -> str | None:
    return None if finding is None else finding.screen


def test_two_who_certify_each_other_are_a_ring() -> None:
    """The second deed in the second direction closes it, and names a record of the other direction."""
    book = Book()
    assert book.sign(A, B, 5) is None
    assert book.sign(B, A) is None, "once may be help among neighbours"
    found = book.sign(B, A)
    assert found is not None
    assert (found.screen, found.other_record_id) == ("certifier_ring", 1)
    assert "certify each other" in found.en
    assert "互相证明" in found.zh
    assert name(book.sign(A, B)) == "certifier_ring"


@pytest.mark.parametrize(("size", "people"), [(3, (A, B, C)), (4, (A, B, C, D)), (5, (A, B, C, D, E))])
def test_small_closed_groups_are_found_up_to_the_size_that_the_rulebook_sets(
    size: int, people: tuple[bytes, ...]
) -> None:
    """A certifies B, B certifies C, … and the last certifies A."""
    for limit in (size - 1, size):
        book = Book(ring_size_max=limit)
        for certifier, subject in itertools.pairwise(people):
            assert book.sign(certifier, subject, 3) is None
        found = book.sign(people[-1], people[0], 2)
        assert name(found) == ("certifier_ring" if limit == size else None)
        if found is not None:
            assert f"ring of {size} people" in found.en
            assert f"{size} 人" in found.zh


def test_a_busy_centre_is_no_ring() -> None:
    """It certifies many; nobody certifies it; and what its volunteers certify among themselves once is no ring."""
    book = Book(ring_size_max=5)
    people = [bytes([n]) * 32 for n in range(10, 200)]
    for one in people:
        assert book.sign(CENTRE, one, 5) is None
    assert book.sign(people[0], people[1]) is None
    assert book.sign(people[1], people[0]) is None


def test_a_chain_of_command_is_no_ring() -> None:
    """Leaders certify members and are certified by the centre: all arrows point one way."""
    book = Book(ring_size_max=5)
    for certifier, subject in ((CENTRE, A), (A, B), (A, C), (B, D), (C, D), (B, E), (C, E)):
        assert book.sign(certifier, subject, 4) is None


def test_nobody_certifies_the_own_deed() -> None:
    assert name(Book().sign(A, A)) == "certifier_self"


def test_more_deeds_a_day_than_a_person_attends() -> None:
    book = Book(deeds_a_day_max=12)
    people = [bytes([n]) * 32 for n in range(10, 40)]
    findings = [name(book.sign(A, one)) for one in people[:13]]
    assert findings == [None] * 12 + ["certifier_day"]
    assert book.sign(A, people[20], day=DAY + 1) is None


def test_a_certifier_who_attends_from_dawn_to_midnight() -> None:
    """The span of a day counts: many at once is a busy afternoon."""
    book = Book(span_hours_max="16")
    people = [bytes([n]) * 32 for n in range(10, 60)]
    assert {book.sign(CENTRE, one, start=8, end=21) for one in people} == {None}, "open from 8 to 21"
    assert book.sign(A, B, start=5, end=7) is None
    found = book.sign(A, C, start=20, end=22)
    assert found is not None
    assert (found.screen, "17 hours" in found.en, "17 小时" in found.zh) == ("certifier_day", True, True)


def test_a_certifier_with_one_captive() -> None:
    """Nearly all for one person; a teacher with one devoted pupil among many is none."""
    rule = {"share_percent": 90, "share_deeds_min": 10}
    book = Book(**rule)
    assert book.sign(A, B, 9) is None
    found = book.sign(A, B)
    assert found is not None
    assert (found.screen, found.en.split()[0]) == ("certifier_share", "100")
    teacher = Book(**rule)
    for one in (C, D, E):
        teacher.sign(A, one, 2)
    assert teacher.sign(A, B, 30) is None, "30 of 36 are 83 %"
    assert Book().sign(A, B, 300) is None, "not every rulebook asks"


def test_a_record_that_is_decided_again_does_not_count_twice() -> None:
    book = Book(ring_deeds_min=2, deeds_a_day_max=1)
    one = Certification(1, A, B, DAY, None, None)
    for _ in range(2):
        assert screen_certifier(one, book.rule, book.facts) is None
        book.facts.add(1, A, B)
        book.facts.days[A, DAY] = book.facts.days.get((A, DAY)) or book.facts.day_with(one._replace(record_id=9))
    assert book.facts.deeds(A, B) == 1


def test_the_certifier_is_read_out_of_the_record_only_where_a_rule_asks() -> None:
    """A source without the field names nobody; and what is kept is a hash."""
    screens = CertifierScreens(9, lambda programme, person: f"{programme} {person}".encode().ljust(32))
    rule = CertifierRule()
    assert screens.judge(1, deed("2", canonical=b"{}"), rule) is None
    assert screens.judged == []
    told = deed("2", canonical=orjson.dumps({"certifier": "Z"}), source_id="Z")
    assert name(screens.judge(2, told, rule)) == "certifier_self"
    assert [one.certifier for one in screens.judged] == [b"9 Z".ljust(32)]


def test_a_ride_faster_than_wheels_turn_is_held() -> None:
    """Distance by time; a ride of no time at all is of any speed; without times nothing is said."""
    ride = {"unit": "kilometre", "points_per_unit": "1", "speed_max": "45"}
    activity = rulebook(ride).activities["WORK"]
    start = DAY * 86_400 - 40_000

    def find(kilometres: str, seconds: int | None) -> Finding | None:
        until = None if seconds is None else start + seconds
        one = deed(kilometres, unit="kilometre", started_at=start, ended_at=until)
        return screen(9, 1, 7, one, activity, None, None, Facts())

    assert find("15", 1_200) is None, "exactly 45 km/h"
    found = find("15.1", 1_200)
    assert found is not None
    assert (found.screen, "45 kilometre an hour" in found.en, "45 kilometre" in found.zh) == ("speed", True, True)
    assert name(find("0.5", 0)) == "speed"
    assert find("500", None) is None
    with pytest.raises(ValidationError, match="other than time"):
        rulebook({"unit": "hour", "points_per_unit": "1", "speed_max": "2"})
