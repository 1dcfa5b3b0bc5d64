"""Decide the outcome of records whose owners are known, one after another, over usage and facts. No I/O.

Order of the checks: rules that no usage can change, double claims and other screens, the pending time of self-reported
deeds, then caps and rate. What is granted is charged at once, so that the next record of the chunk sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import NamedTuple

from issuers.rules.certifiers import Certification, CertifierScreens
from issuers.rules.deeds import Deed
from issuers.rules.rating import NOTHING, Rating, ResidentUsageKey, Used, rate_fitting, unfit, usage_keys
from issuers.rules.refusals import RefusalCode
from issuers.rules.rulebook import CertifierRule, CompiledActivity, Rulebook, in_force
from issuers.rules.screens import Claim, Facts, Finding, screen
from issuers.states import RecordState
from ledger.standard.civil_time import day_start
from ledger.standard.ids import AccountBytes, ProgrammeId

NO_ACCOUNT = AccountBytes(b"")
"""For a record whose owner's account does not matter."""

Params = tuple[tuple[str, str], ...]


class Candidate(NamedTuple):
    """A record with its owner."""

    record_id: int
    dedupe_key: bytes
    deed: Deed
    resident_id: int
    account: AccountBytes
    device: bytes | None
    grants_made: int = 0
    is_screened: bool = False
    """Screens were passed, or two people approved the record."""
    is_due: bool = False
    """The pending time is over."""


class Judgement(NamedTuple):
    """A decision: the record's new status and what goes with it."""

    status: RecordState
    rating: Rating | None = None
    fingerprint: bytes | None = None
    finding: Finding | None = None
    pending_until: int | None = None
    code: RefusalCode | None = None
    field: str | None = None
    params: Params = ()

    @property
    def reason(self) -> str | None:
        """The short reason that is stored with the record."""
        if self.code is not None:
            return self.code.value
        return None if self.finding is None else self.finding.screen


def refused(code: RefusalCode, field: str | None = None, params: Params = ()) -> Judgement:
    """Return a refusal."""
    return Judgement(RecordState.REFUSED, code=code, field=field, params=params)


def rulebook_for(books: Sequence[Rulebook], deed: Deed) -> Rulebook | Judgement:
    """Return the rulebook that rates a deed, or the refusal that no usage can change."""
    return fit(in_force(books, deed.day), deed)


def fit(book: Rulebook | None, deed: Deed) -> Rulebook | Judgement:
    """Return the rulebook if one of its rules fits the deed, or the refusal that no usage can change."""
    if book is None:
        return refused(RefusalCode.NOT_EFFECTIVE, "day")
    wrong = unfit(book, deed)
    if wrong is not None:
        return refused(wrong.refusal or RefusalCode.NO_POINTS, wrong.field, wrong.params)
    return book


class Judge:
    """Decides the candidates of one chunk of one programme in order."""

    def __init__(
        self,
        books: Sequence[Rulebook],
        programme: ProgrammeId,
        fingerprint: Callable[[int, int, str], bytes],
        now: int,
        person: Callable[[ProgrammeId, str], bytes] | None = None,
    ) -> None:
        self._books = books
        self.programme = programme
        self._fingerprint = fingerprint
        self._now = now
        self.facts = Facts()
        self.usage: dict[int, dict[tuple[str, str], Used]] = {}
        self.fingerprints: dict[bytes, int] = {}
        """Of the candidates' deeds that may be claimed twice: whose they are."""
        self.stored: set[ResidentUsageKey] = set()
        """What of the usage has a row already."""
        self._touched: dict[ResidentUsageKey, Used] = {}
        self._in_force: dict[int, Rulebook | None] = {}
        rules = [one for book in books for one in book.activities.values()]
        self._has_screens = any(one.screens for one in rules)
        self.looks_elsewhere = self._has_screens or any(one.same_deed is not None for one in rules)
        """Whether what other programmes know can change a decision."""
        self.certifiers: CertifierScreens | None = None
        if person is not None and any(one.certifier is not None for one in rules):
            self.certifiers = CertifierScreens(programme, person)

    def activity(self, deed: Deed) -> CompiledActivity | None:
        """Return the rule of a deed, if one is in force."""
        book = self.book(deed.day)
        return None if book is None else book.activities.get(deed.activity)

    def book(self, day: int) -> Rulebook | None:
        """Return the version that rates deeds of a day."""
        try:
            return self._in_force[day]
        except KeyError:
            book = self._in_force[day] = in_force(self._books, day)
            return book

    def changes(self) -> dict[ResidentUsageKey, Used]:
        """Return the new usage of every resident, scope and period that was charged."""
        return self._touched

    def forget(self, residents: Set[int]) -> None:
        """Take back what some residents were charged: their records are decided elsewhere, all of them."""
        self._touched = {key: used for key, used in self._touched.items() if key[0] not in residents}

    def needs(self, candidates: Sequence[Candidate]) -> Needs:
        """Return what must be looked up before the candidates can be decided."""
        usage: set[ResidentUsageKey] = set()
        residents: dict[int, None] = {}
        devices: list[bytes] = []
        days: list[int] = []
        for one in candidates:
            activity = self.activity(one.deed)
            if activity is None:
                continue
            for scope, period in usage_keys(activity, one.deed.day):
                usage.add((one.resident_id, scope, period))
            if one.is_screened:
                continue
            if activity.screens:
                residents[one.resident_id] = None
                days.append(one.deed.day)
                if one.device is not None and "device" in activity.screens:
                    devices.append(one.device)
            if activity.same_deed is not None:
                fingerprint = self._fingerprint(one.resident_id, one.deed.day, activity.same_deed)
                self.fingerprints[fingerprint] = one.resident_id
        first, last = (min(days) - 1, max(days) + 1) if days else (0, 0)
        return Needs(usage, list(residents), list(self.fingerprints), devices, first, last)

    def certifications(self, candidates: Sequence[Candidate]) -> list[tuple[Certification, CertifierRule]]:
        """Return who certified the candidates whose rule wants to know."""
        found: list[tuple[Certification, CertifierRule]] = []
        if self.certifiers is None:
            return found
        for one in candidates:
            activity = self.activity(one.deed)
            if activity is None or activity.certifier is None or one.is_screened:
                continue
            certification = self.certifiers.certification(one.record_id, one.deed, activity.certifier)
            if certification is not None:
                found.append((certification, activity.certifier))
        return found

    def decide(self, one: Candidate) -> Judgement:
        """Decide one candidate, and remember it for the next."""
        deed = one.deed
        book = fit(self.book(deed.day), deed)
        if isinstance(book, Judgement):
            return book
        activity = book.activities[deed.activity]
        fingerprint = None
        if activity.same_deed is not None:
            fingerprint = self._fingerprint(one.resident_id, deed.day, activity.same_deed)
        if not one.is_screened:
            finding = screen(
                self.programme,
                one.record_id,
                one.resident_id,
                deed,
                activity,
                fingerprint,
                one.device,
                self.facts,
            )
            self._remember(one, fingerprint)
            if activity.certifier is not None and self.certifiers is not None:
                certified = self.certifiers.judge(one.record_id, deed, activity.certifier)
                finding = finding or certified
            if finding is not None:
                return Judgement(RecordState.HELD, fingerprint=fingerprint, finding=finding)
        if activity.pending_days and not one.is_due:
            until = day_start(deed.day + 1 + activity.pending_days)
            if until > self._now:
                return Judgement(RecordState.PENDING, fingerprint=fingerprint, pending_until=until)
        rating = self.rate(book, one.resident_id, deed)
        if rating.refusal is not None:
            return Judgement(
                RecordState.REFUSED,
                rating,
                fingerprint,
                code=rating.refusal,
                field=rating.field,
                params=rating.params,
            )
        return Judgement(RecordState.ACCEPTED, rating, fingerprint)

    def rate(self, book: Rulebook, resident_id: int, deed: Deed) -> Rating:
        """Rate a deed that fits the rulebook after what its resident has used, and charge what it earns."""
        used = self.usage.get(resident_id)
        if used is None:
            used = self.usage[resident_id] = {}
        rating = rate_fitting(book, deed, used)
        if rating.refusal is None:
            self.charge(resident_id, deed, rating.amount_minor, rating.quantity_micro, 1)
        return rating

    def charge(self, resident_id: int, deed: Deed, amount_minor: int, quantity_micro: int, deeds: int) -> None:
        """Add to (or with negative amounts, give back) what a resident has used by the deed's date."""
        activity = self.activity(deed)
        if activity is None:
            return
        used = self.usage.setdefault(resident_id, {})
        for key in usage_keys(activity, deed.day):
            before = used.get(key, NOTHING)
            after = Used(before[0] + amount_minor, before[1] + quantity_micro, before[2] + deeds)
            used[key] = self._touched[resident_id, key[0], key[1]] = after

    def _remember(self, one: Candidate, fingerprint: bytes | None) -> None:
        deed = one.deed
        if self._has_screens and deed.started_at is not None:
            claim = Claim(
                self.programme,
                one.record_id,
                deed.activity,
                deed.day,
                deed.started_at,
                deed.ended_at,
                deed.quantity_micro,
            )
            self.facts.add_claim(one.resident_id, claim)
        if fingerprint is not None:
            self.facts.add_fingerprint(fingerprint, self.programme, one.record_id)
        if one.device is not None:
            self.facts.add_device(one.device, deed.day, one.resident_id)


class Needs(NamedTuple):
    """Look-ups for a chunk."""

    usage: set[ResidentUsageKey]
    residents: list[int]
    fingerprints: list[bytes]
    devices: list[bytes]
    first_day: int
    last_day: int
