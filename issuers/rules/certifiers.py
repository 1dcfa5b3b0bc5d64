"""Screens of who certifies whom: pure functions over edges that were looked up by index.

A certification is an edge from a certifier to the person whose deed it is; both are keyed HMACs of source ids of one
programme. An organisation that certifies many people is no ring: it has no certifier. Only programmes whose rulebook
has a ``certifier`` rule take part; the others pay nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

import orjson

from issuers.rules.deeds import Deed
from issuers.rules.rulebook import CertifierRule
from issuers.rules.screens import Finding
from ledger.standard.ids import ProgrammeId

_HOUR_S = 3_600


class Certification(NamedTuple):
    """One record's edge. ``certifier`` and ``subject``: 32 bytes each."""

    record_id: int
    certifier: bytes
    subject: bytes
    day: int
    started_at: int | None
    ended_at: int | None


class DayTotal(NamedTuple):
    """What a certifier signed for on one civil day."""

    deeds: int
    first_start: int | None
    last_end: int | None

    def plus(self, one: Certification) -> DayTotal:
        """Return the total with one more."""
        starts = [at for at in (self.first_start, one.started_at) if at is not None]
        ends = [at for at in (self.last_end, one.ended_at) if at is not None]
        return DayTotal(self.deeds + 1, min(starts, default=None), max(ends, default=None))

    @property
    def span_s(self) -> int:
        """Seconds from the first start to the last end."""
        if self.first_start is None or self.last_end is None:
            return 0
        return self.last_end - self.first_start


NO_DEEDS = DayTotal(0, None, None)


class CertifierFacts:
    """Edges around a chunk's people; it grows while the chunk is decided."""

    def __init__(self) -> None:
        self._deeds: Counter[tuple[bytes, bytes]] = Counter()
        self._first: dict[tuple[bytes, bytes], int] = {}
        self._certifiers: dict[bytes, set[bytes]] = defaultdict(set)
        self._records: set[int] = set()
        self.days: dict[tuple[bytes, int], DayTotal] = {}
        self.totals: Counter[bytes] = Counter()
        """Deeds a certifier signed for within the window, as far as they were counted."""

    def add(self, record_id: int, certifier: bytes, subject: bytes) -> bool:
        """Add an edge; returns False for a record that is known."""
        if record_id in self._records:
            return False
        self._records.add(record_id)
        edge = (certifier, subject)
        self._deeds[edge] += 1
        self._first.setdefault(edge, record_id)
        self._certifiers[subject].add(certifier)
        return True

    def knows(self, record_id: int) -> bool:
        """Return whether a record's edge is among the facts: it is decided once more."""
        return record_id in self._records

    def deeds(self, certifier: bytes, subject: bytes) -> int:
        """Return how many deeds of ``subject`` the certifier signed for."""
        return self._deeds[certifier, subject]

    def deeds_with(self, one: Certification) -> int:
        """Return the same, with a record that may or may not be among them."""
        return self._deeds[one.certifier, one.subject] + (not self.knows(one.record_id))

    def total_with(self, one: Certification) -> int:
        """Return how many deeds the record's certifier signed for, with it."""
        return self.totals[one.certifier] + (not self.knows(one.record_id))

    def day_with(self, one: Certification) -> DayTotal:
        """Return what the record's certifier signed for on its day, with it."""
        total = self.days.get((one.certifier, one.day), NO_DEEDS)
        return total if self.knows(one.record_id) else total.plus(one)

    def first_record(self, certifier: bytes, subject: bytes) -> int | None:
        """Return a record by which one certified the other."""
        return self._first.get((certifier, subject))

    def certifiers_of(self, subject: bytes, deeds_min: int) -> Iterable[bytes]:
        """Return who certified a person at least so often."""
        return [one for one in self._certifiers.get(subject, ()) if self._deeds[one, subject] >= deeds_min]


class CertifierScreens:
    """The certifications of one chunk: read out of its records, looked up, judged, and kept for writing.

    ``person`` turns a source id of the programme into its keyed HMAC.
    """

    def __init__(self, programme: ProgrammeId, person: Callable[[ProgrammeId, str], bytes]) -> None:
        self.programme = programme
        self.facts = CertifierFacts()
        self.judged: list[Certification] = []
        self._person = person
        self._read: dict[int, Certification | None] = {}

    def certification(self, record_id: int, deed: Deed, rule: CertifierRule) -> Certification | None:
        """Return a record's edge; None where the source names no certifier."""
        if record_id not in self._read:
            name = orjson.loads(deed.canonical).get(rule.field)
            self._read[record_id] = name and Certification(
                record_id,
                self._person(self.programme, name),
                self._person(self.programme, deed.source_id),
                deed.day,
                deed.started_at,
                deed.ended_at,
            )
        return self._read[record_id]

    def judge(self, record_id: int, deed: Deed, rule: CertifierRule) -> Finding | None:
        """Return the first finding against a record's certification, and remember it for the next record."""
        one = self.certification(record_id, deed, rule)
        if one is None:
            return None
        finding = screen_certifier(one, rule, self.facts)
        if self.facts.add(one.record_id, one.certifier, one.subject):
            self.facts.totals[one.certifier] += 1
            place = (one.certifier, one.day)
            self.facts.days[place] = self.facts.days.get(place, NO_DEEDS).plus(one)
            self.judged.append(one)
        return finding


def screen_certifier(one: Certification, rule: CertifierRule, facts: CertifierFacts) -> Finding | None:
    """Return the first finding against a certification, or None. Order: own deed, ring, day, share."""
    if one.certifier == one.subject:
        return Finding("certifier_self", "The person certified the own deed.", "本人为自己的行为作证明。")
    return _ring(one, rule, facts) or _day(one, rule, facts) or _share(one, rule, facts)


def _ring(one: Certification, rule: CertifierRule, facts: CertifierFacts) -> Finding | None:
    """Look for a way back: the certifier was certified by somebody … who was certified by the person."""
    least = rule.ring_deeds_min
    if facts.deeds_with(one) < least:
        return None
    reached, seen = {one.certifier}, {one.certifier}
    for size in range(2, rule.ring_size_max + 1):
        ahead: set[bytes] = set()
        for person in reached:
            certifiers = facts.certifiers_of(person, least)
            if one.subject in certifiers:
                return _found_ring(size, facts.first_record(one.subject, person))
            ahead.update(certifiers)
        reached = ahead - seen
        seen |= reached
        if not reached:
            return None
    return None


def _found_ring(size: int, other: int | None) -> Finding:
    if size == 2:
        english = "The person and the certifier certify each other."
        chinese = "本人与证明人互相证明。"
    else:
        english = f"The person and the certifier belong to a ring of {size} people who certify each other."
        chinese = f"本人与证明人同属一个由 {size} 人组成的互相证明圈。"
    return Finding("certifier_ring", english, chinese, None, other)


def _day(one: Certification, rule: CertifierRule, facts: CertifierFacts) -> Finding | None:
    total = facts.day_with(one)
    if rule.deeds_a_day_max is not None and total.deeds > rule.deeds_a_day_max:
        return Finding(
            "certifier_day",
            f"The certifier signed for {total.deeds} deeds on one day; {rule.deeds_a_day_max} are plausible.",
            f"证明人同一天证明了 {total.deeds} 项行为，超过合理数量 {rule.deeds_a_day_max}。",
        )
    limit_s = rule.span_s
    if limit_s is not None and total.span_s > limit_s:
        hours = total.span_s // _HOUR_S
        return Finding(
            "certifier_day",
            f"The certifier signed for deeds over {hours} hours of one day; {rule.span_hours_max} are plausible.",
            f"证明人同一天证明的时间跨度达 {hours} 小时，超过合理时长 {rule.span_hours_max} 小时。",
        )
    return None


def _share(one: Certification, rule: CertifierRule, facts: CertifierFacts) -> Finding | None:
    if rule.share_percent is None:
        return None
    deeds = facts.deeds_with(one)
    total = max(facts.total_with(one), deeds)
    if deeds < rule.share_deeds_min or deeds * 100 < total * rule.share_percent:
        return None
    share = deeds * 100 // total
    return Finding(
        "certifier_share",
        f"{share} % of what this certifier signed in {rule.window_days} days is for one person ({deeds} deeds).",
        f"该证明人 {rule.window_days} 天内的证明有 {share}% 属于同一人（{deeds} 项）。",
        None,
        facts.first_record(one.certifier, one.subject),
    )
