"""Screens against cheats: pure functions over facts that were looked up by index. A finding holds a record for review.

A screen never refuses: two people decide. Facts and findings name records by id and residents by number, none by name.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from issuers.rules.deeds import Deed
from issuers.rules.rulebook import CompiledActivity
from issuers.rules.units import MICRO
from ledger.standard.ids import ProgrammeId


class Claim(NamedTuple):
    """Another record of the same resident, as far as screens need it."""

    programme: ProgrammeId
    record_id: int
    activity: str
    day: int
    started_at: int | None
    ended_at: int | None
    quantity_micro: int


class Finding(NamedTuple):
    """Why a record is held, in both languages, and the record it clashes with."""

    screen: str
    en: str
    zh: str
    other_programme: int | None = None
    other_record_id: int | None = None


class Facts:
    """What is known about the residents and devices of a chunk; it grows while the chunk is decided."""

    def __init__(self) -> None:
        self._claims: dict[tuple[int, int], list[Claim]] = defaultdict(list)
        self._fingerprints: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
        self._devices: dict[tuple[bytes, int], set[int]] = defaultdict(set)

    def add_claim(self, resident_id: int, claim: Claim) -> None:
        """Add a record of a resident."""
        self._claims[resident_id, claim.day].append(claim)

    def add_fingerprint(self, fingerprint: bytes, programme: ProgrammeId, record_id: int) -> None:
        """Add a deed's fingerprint."""
        self._fingerprints[fingerprint].append((programme, record_id))

    def add_device(self, device: bytes, day: int, resident_id: int) -> None:
        """Add a use of a device."""
        self._devices[device, day].add(resident_id)

    def claims(self, resident_id: int, day: int) -> list[Claim]:
        """Return a resident's records of a day."""
        return self._claims.get((resident_id, day), [])

    def same_deed(self, fingerprint: bytes, programme: ProgrammeId) -> tuple[int, int] | None:
        """Return (programme, record id) of the first claim of the same deed in another programme."""
        return next((one for one in self._fingerprints.get(fingerprint, ()) if one[0] != programme), None)

    def device_people(self, device: bytes, day: int) -> set[int]:
        """Return the residents who used a device on a day."""
        return self._devices.get((device, day), set())


def is_concerned(deed: Deed, claim: Claim) -> bool:
    """Return whether a screen of a deed can look at another record of its resident; if not, nothing hangs on it."""
    return claim.activity == deed.activity or _meet(deed, claim)


def screen(
    programme: ProgrammeId,
    record_id: int,
    resident_id: int,
    deed: Deed,
    activity: CompiledActivity,
    fingerprint: bytes | None,
    device: bytes | None,
    facts: Facts,
) -> Finding | None:
    """Return the first finding against a record, or None.

    Order: double claim, speed, repeat, overlap, velocity, device.
    """
    if fingerprint is not None:
        found = _double_claim(programme, record_id, fingerprint, facts)
        if found is not None:
            return found
    if activity.speed_micro is not None:
        found = _speed(deed, activity, activity.speed_micro)
        if found is not None:
            return found
    return _by_rule(record_id, resident_id, deed, activity, device, facts) if activity.screens else None


def _by_rule(
    record_id: int, resident_id: int, deed: Deed, activity: CompiledActivity, device: bytes | None, facts: Facts
) -> Finding | None:
    """Run the screens that the rulebook names."""
    screens = activity.screens
    if "repeat" in screens:
        found = _repeat(record_id, resident_id, deed, facts)
        if found is not None:
            return found
    if "overlap" in screens and deed.started_at is not None and deed.ended_at is not None:
        found = _overlap(record_id, resident_id, deed, facts)
        if found is not None:
            return found
    if "velocity" in screens and activity.velocity_micro is not None:
        found = _velocity(record_id, resident_id, deed, activity, facts)
        if found is not None:
            return found
    if "device" in screens and device is not None:
        people = facts.device_people(device, deed.day) | {resident_id}
        if len(people) > activity.device_people_max:
            return Finding(
                "device",
                f"{len(people)} people report from one device on one day.",
                f"同一设备同一天有 {len(people)} 人申报。",
            )
    return None


def _double_claim(programme: ProgrammeId, record_id: int, fingerprint: bytes, facts: Facts) -> Finding | None:
    other = facts.same_deed(fingerprint, programme)
    if other is None or other[1] == record_id:
        return None
    return Finding(
        "double_claim",
        "The same deed of the same day is claimed in another programme.",
        "同一居民同一天的同一行为已在另一积分项目中申报。",
        *other,
    )


def _speed(deed: Deed, activity: CompiledActivity, hourly_micro: int) -> Finding | None:
    """A deed without both times says nothing; one that took no time at all was done at any speed."""
    if deed.started_at is None or deed.ended_at is None:
        return None
    seconds = deed.ended_at - deed.started_at
    if deed.quantity_micro * 3_600 <= hourly_micro * seconds:
        return None
    unit, limit = activity.unit, activity.rule.speed_max
    shown = deed.quantity_micro // (activity.factor * MICRO)
    return Finding(
        "speed",
        f"{shown} {unit} in {seconds} seconds is faster than {limit} {unit} an hour.",
        f"{seconds} 秒内完成 {shown} {unit}，快于每小时 {limit} {unit}。",
    )


def _repeat(record_id: int, resident_id: int, deed: Deed, facts: Facts) -> Finding | None:
    if deed.started_at is None:
        return None
    for claim in facts.claims(resident_id, deed.day):
        if (
            claim.record_id != record_id
            and claim.activity == deed.activity
            and claim.started_at == deed.started_at
            and claim.quantity_micro == deed.quantity_micro
        ):
            return Finding(
                "repeat",
                "Another record says the same of the same person, to the minute, under another number.",
                "另一编号的记录与本记录的人员、时间和数量完全相同。",
                claim.programme,
                claim.record_id,
            )
    return None


def _overlap(record_id: int, resident_id: int, deed: Deed, facts: Facts) -> Finding | None:
    for day in (deed.day - 1, deed.day, deed.day + 1):
        for claim in facts.claims(resident_id, day):
            if claim.record_id != record_id and _meet(deed, claim):
                return Finding(
                    "overlap",
                    "The person was elsewhere at that time by another record.",
                    "另一记录显示该居民同一时间在别处。",
                    claim.programme,
                    claim.record_id,
                )
    return None


def _meet(deed: Deed, claim: Claim) -> bool:
    return (
        claim.started_at is not None
        and claim.ended_at is not None
        and claim.started_at < (deed.ended_at or 0)
        and (deed.started_at or 0) < claim.ended_at
    )


def _velocity(record_id: int, resident_id: int, deed: Deed, activity: CompiledActivity, facts: Facts) -> Finding | None:
    total = deed.quantity_micro + sum(
        claim.quantity_micro
        for claim in facts.claims(resident_id, deed.day)
        if claim.activity == deed.activity and claim.record_id != record_id
    )
    limit = activity.velocity_micro or 0
    if total <= limit:
        return None
    shown = total // (activity.factor * MICRO)
    return Finding(
        "velocity",
        f"{shown} {activity.unit} in one day is more than a person plausibly does ({activity.rule.velocity}).",
        f"一天 {shown} {activity.unit} 超出常人可能的数量（{activity.rule.velocity}）。",
    )
