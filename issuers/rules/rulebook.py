"""Rulebooks: what a deed is worth, as versioned data that agencies read, approve and publish.

A rulebook is YAML, checked by pydantic, hashed (keccak of its RFC 8785 JSON; the hash is on chain), and compiled into
integers for rating. All numbers are decimal text: no float touches an amount.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import rfc8785

from issuers.rules.units import MICRO, UNITS
from issuers.yaml_file import load_yaml
from ledger.errors import ConfigurationError
from ledger.standard.ids import ProgrammeId, ProgrammeSlug
from ledger.standard.keccak import keccak256

Period = Literal["day", "week", "month", "year"]
PERIODS: tuple[Period, ...] = ("day", "week", "month", "year")
Number = Annotated[str, pydantic.Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,6})?$")]
Code = Annotated[str, pydantic.Field(pattern=r"^[A-Z][A-Z0-9._-]{0,31}$")]
RULEBOOKS = Path(__file__).parent / "rulebooks"
_EPOCH = date(1970, 1, 1).toordinal()


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Names(_Model):
    """A name in Chinese and English."""

    zh: str
    """In Chinese."""
    en: str
    """In English."""


class Cap(_Model):
    """The most that a resident can earn, do or bring in a calendar period (UTC+8, by the deed's date)."""

    per: Period
    """The calendar period; a week begins on Monday."""
    points: Number | None = None
    """Most points."""
    quantity: Number | None = None
    """Most of the quantity, in the activity's unit. Not among a programme's caps."""
    deeds: Annotated[int, pydantic.Field(ge=1)] | None = None
    """Most deeds that earn points."""

    @pydantic.model_validator(mode="after")
    def _one(self) -> Cap:
        if sum(value is not None for value in (self.points, self.quantity, self.deeds)) != 1:
            raise ValueError("give exactly one of points, quantity and deeds")
        return self


class Band(_Model):
    """Points per unit for the part of the quantity up to a bound (none: the rest)."""

    up_to: Number | None = None
    """Upper bound of the quantity, in the activity's unit; the last band has none."""
    points_per_unit: Number
    """Points for one unit within the band."""


class CertifierRule(_Model):
    """The screens of who certifies whom, and from where on they hold a record for review.

    The field must hold the certifier's id as the source system writes it for the people it certifies; an organisation's
    name does no harm, but belongs to no ring.
    """

    field: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")] = "certifier"
    """The record's field that names the certifier."""
    ring_size_max: Annotated[int, pydantic.Field(ge=2, le=5)] = 3
    """People in the largest closed group that is looked for: 2 finds pairs only."""
    ring_deeds_min: Annotated[int, pydantic.Field(ge=1)] = 2
    """How often each certifies the next within the window before it counts: neighbours may help out once."""
    window_days: Annotated[int, pydantic.Field(ge=1, le=366)] = 90
    """How far apart, by the deeds' days, certifications are seen together."""
    deeds_a_day_max: Annotated[int, pydantic.Field(ge=1)] | None = None
    """Most deeds of one day that a certifier plausibly signs for; none where organisations certify."""
    span_hours_max: Number | None = None
    """Most hours of one day, from the first start to the last end, over which a certifier plausibly attends."""
    share_percent: Annotated[int, pydantic.Field(ge=50, le=100)] | None = None
    """With so much of a certifier's deeds for one person, that person's are held …"""
    share_deeds_min: Annotated[int, pydantic.Field(ge=2)] = 20
    """… once there are so many within the window."""

    @property
    def span_s(self) -> int | None:
        """``span_hours_max`` in seconds."""
        return None if self.span_hours_max is None else int(Decimal(self.span_hours_max) * 3600)

    @property
    def counts_days(self) -> bool:
        """Whether a certifier's days are looked at."""
        return self.deeds_a_day_max is not None or self.span_hours_max is not None


class Activity(_Model):
    """One kind of deed and its rate: ``points_per_unit``, ``bands``, or ``points`` a deed or a ``step``."""

    code: Code
    """Code of the activity catalogue; it stands in every grant's evidence and is never given another meaning."""
    names: Names
    """What residents read."""
    unit: str
    """Unit in which rates, bounds and caps of this activity are written."""
    points_per_unit: Number | None = None
    """Points for one unit."""
    step: Number | None = None
    """With ``points``: every full ``step`` units earn ``points``."""
    points: Number | None = None
    """Points for a deed, or with ``step`` for each full step."""
    bands: tuple[Band, ...] = ()
    """Rates that change with the quantity, in rising order."""
    bands_over: Literal["deed", "day", "week", "month", "year"] = "deed"
    """Whether bands start anew with each deed or run over the resident's period."""
    round_to: Number = "0.01"
    """Points are rounded down to a multiple of this."""
    minimum: Number | None = None
    """A deed of less is refused."""
    maximum: Number | None = None
    """More of one deed is not counted (the rest is cut, not refused)."""
    caps: tuple[Cap, ...] = ()
    """Caps of this activity alone."""
    requires: tuple[str, ...] = ()
    """Fields that must be filled: check-in and check-out, a photo, a certifier."""
    pending_days: Annotated[int, pydantic.Field(ge=0, le=365)] = 0
    """Self-reported deeds wait so long before they count."""
    screens: tuple[Literal["overlap", "velocity", "repeat", "device"], ...] = ()
    """What holds a record until two people have decided: deeds at the same time, more than anyone can do in a day, the
    same deed again, one device for many people."""
    velocity: Number | None = None
    """With the screen ``velocity``: most units a resident can plausibly do in a day."""
    device_people_max: Annotated[int, pydantic.Field(ge=1)] = 3
    """With the screen ``device``: most people who plausibly report from one device in a day."""
    speed_max: Number | None = None
    """Most units an hour of one deed with start and end: a ride faster than that was no ride."""
    certifier: CertifierRule | None = None
    """Screens of who certifies whom; none: certifiers are not examined."""
    same_deed: Code | None = None
    """Deeds of this class on one day by one person are one deed, whatever programme they are claimed in."""

    @pydantic.model_validator(mode="after")
    def _rate(self) -> Activity:
        if self.unit not in UNITS:
            raise ValueError(f"unknown unit {self.unit!r}")
        ways = (self.points_per_unit is not None, self.points is not None, bool(self.bands))
        if sum(ways) != 1:
            raise ValueError("give exactly one of points_per_unit, points (with or without step) and bands")
        if self.step is not None and self.points is None:
            raise ValueError("step goes with points")
        if self.bands:
            bounds = [Decimal(band.up_to) for band in self.bands[:-1] if band.up_to is not None]
            if len(bounds) != len(self.bands) - 1 or sorted(set(bounds)) != bounds or self.bands[-1].up_to is not None:
                raise ValueError("bands rise, and the last one has no bound")
        if self.speed_max is not None and UNITS[self.unit].dimension == "time":
            raise ValueError("speed_max is for quantities other than time")
        if "velocity" in self.screens and self.velocity is None:
            raise ValueError("the screen velocity needs the field velocity")
        if Decimal(self.round_to) * 100 % 1 or Decimal(self.round_to) == 0:
            raise ValueError("round_to is a multiple of 0.01")
        return self


class RateException(_Model):
    """A rate outside the activity catalogue that the council approved expressly."""

    code: Code
    """The activity."""
    rate: Number
    """Points for one unit, as the rulebook gives them."""
    reason: str
    """Why the council approved it."""
    resolution: str
    """Number of the council's resolution."""


class Approval(_Model):
    """Who put the rulebook in force."""

    state: Literal["draft", "approved"]
    """Deeds are rated by approved versions only."""
    by: tuple[str, ...] = ()
    """Who approved it."""
    approved_on: date | None = None
    """When it was approved."""
    exceptions: tuple[RateException, ...] = ()
    """Rates outside the activity catalogue that were approved expressly."""


class RulebookFile(_Model):
    """A rulebook as it is written."""

    programme: Annotated[ProgrammeId, pydantic.Field(ge=1, lt=1 << 32)]
    """The programme's number on chain."""
    slug: ProgrammeSlug
    """The programme's short name, as mappings and commands use it."""
    version: Annotated[int, pydantic.Field(ge=1, lt=1 << 32)]
    """Rises with each change; every grant's evidence names it."""
    title: Names
    """The rulebook's title."""
    effective_from: date
    """First day whose deeds are rated by this version."""
    effective_until: date | None = None
    """Last day on which deeds are rated by this version."""
    approval: Approval
    """Who put it in force."""
    validity_quarters: Annotated[int, pydantic.Field(ge=0, le=40)] | Literal["never"]
    """Quarters after the grant's own in which the points still live; ``never`` for par 0."""
    unlinked_months: Annotated[int, pydantic.Field(ge=1, le=36)] = 12
    """How many months after its day a deed still counts when its source id is linked only then."""
    is_replacement: bool = False
    """A score: a later version of a record replaces its value, and no cap applies."""
    caps: tuple[Cap, ...] = ()
    """Caps over all activities of the programme: points or deeds."""
    activities: Annotated[tuple[Activity, ...], pydantic.Field(min_length=1)]
    """The kinds of deed and their rates."""

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> RulebookFile:
        codes = [activity.code for activity in self.activities]
        if len(set(codes)) != len(codes):
            raise ValueError("an activity's code is given twice")
        if any(cap.quantity is not None for cap in self.caps):
            raise ValueError("a programme's caps count points or deeds: its activities differ in unit")
        if self.effective_until is not None and self.effective_until < self.effective_from:
            raise ValueError("effective_until lies before effective_from")
        return self


@dataclass(frozen=True, slots=True)
class CompiledCap:
    """A cap in integers; ``scope`` is the programme's or the activity's."""

    scope: str
    per: Period
    measure: Literal["points", "quantity", "deeds"]
    limit: int
    """Minor points, micro base units, or deeds."""
    text: str


@dataclass(frozen=True, slots=True)
class CompiledActivity:
    """An activity in integers. Rates are minor points per micro base unit as exact fractions."""

    code: str
    names: Names
    unit: str
    dimension: str
    factor: int
    bands: tuple[tuple[int | None, int, int], ...]
    """(bound in micro, numerator, denominator): minor = micro * numerator // denominator."""
    bands_over: str
    step_micro: int | None
    step_minor: int
    round_minor: int
    minimum_micro: int
    maximum_micro: int | None
    caps: tuple[CompiledCap, ...]
    scope: str
    usage_scopes: tuple[tuple[str, str], ...]
    """(scope, period's length) of everything that rating reads and charges."""
    requires: frozenset[str]
    pending_days: int
    screens: frozenset[str]
    velocity_micro: int | None
    device_people_max: int
    speed_micro: int | None
    """Most micro base units an hour."""
    certifier: CertifierRule | None
    same_deed: str | None
    rule: Activity


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A rulebook ready for rating."""

    file: RulebookFile
    hash: bytes
    canonical: bytes
    activities: dict[str, CompiledActivity]
    first_day: int
    last_day: int | None

    @property
    def programme(self) -> ProgrammeId:
        """The programme's id."""
        return ProgrammeId(self.file.programme)

    @property
    def version(self) -> int:
        """The version that every grant's leaf names."""
        return self.file.version

    @property
    def is_approved(self) -> bool:
        """Whether it may rate deeds and stand on chain; a draft may not."""
        return self.file.approval.state == "approved"

    def covers(self, day: int) -> bool:
        """Return whether deeds of a civil day (days since 1970) are rated by this version."""
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)

    @classmethod
    def load(cls, path: Path) -> Rulebook:
        """Read a rulebook from YAML. Raises ConfigurationError that names the file and the place."""
        return compile_rulebook(load_yaml(RulebookFile, path))


def compile_rulebook(file: RulebookFile) -> Rulebook:
    """Turn a rulebook into integers and hash it."""
    canonical = rfc8785.dumps(_plain(file.model_dump(mode="json")))
    shared = tuple(_cap(str(file.programme), cap, 1) for cap in file.caps)
    return Rulebook(
        file=file,
        hash=keccak256(canonical),
        canonical=canonical,
        activities={one.code: _activity(file, one, shared) for one in file.activities},
        first_day=file.effective_from.toordinal() - _EPOCH,
        last_day=None if file.effective_until is None else file.effective_until.toordinal() - _EPOCH,
    )


def load_rulebooks(folder: Path = RULEBOOKS) -> dict[ProgrammeId, tuple[Rulebook, ...]]:
    """Return all rulebooks of a folder by programme, oldest version first. Raises ConfigurationError."""
    found: dict[ProgrammeId, list[Rulebook]] = {}
    for path in sorted(folder.glob("*.yaml")):
        rulebook = Rulebook.load(path)
        found.setdefault(rulebook.programme, []).append(rulebook)
    return {programme: check_versions(books) for programme, books in found.items()}


def check_versions(books: Sequence[Rulebook]) -> tuple[Rulebook, ...]:
    """Return versions in order. Raises ConfigurationError if two have one number."""
    ordered = tuple(sorted(books, key=lambda book: book.version))
    for before, after in itertools.pairwise(ordered):
        if before.version == after.version:
            raise ConfigurationError(f"rulebook {after.file.slug} version {after.version} is there twice")
    return ordered


def in_force(books: Sequence[Rulebook], day: int) -> Rulebook | None:
    """Return the newest approved version that covers a civil day, or None."""
    for book in reversed(books):
        if book.covers(day) and book.is_approved:
            return book
    return None


def as_approved(book: Rulebook) -> Rulebook:
    """Return a rulebook as if it were approved, to try a draft out; its hash stays the draft's."""
    approval = book.file.approval.model_copy(update={"state": "approved"})
    return replace(book, file=book.file.model_copy(update={"approval": approval}))


def _activity(file: RulebookFile, rule: Activity, shared: tuple[CompiledCap, ...]) -> CompiledActivity:
    unit = UNITS[rule.unit]
    micro = unit.factor * MICRO
    scope = f"{file.programme}:{rule.code}"
    bands: tuple[tuple[int | None, int, int], ...] = ()
    if rule.points_per_unit is not None:
        bands = ((None, *_rate(rule.points_per_unit, micro)),)
    elif rule.bands:
        bands = tuple(
            (None if band.up_to is None else _micro(band.up_to, unit.factor), *_rate(band.points_per_unit, micro))
            for band in rule.bands
        )
    caps = (*(_cap(scope, cap, unit.factor) for cap in rule.caps), *shared)
    return CompiledActivity(
        code=rule.code,
        names=rule.names,
        unit=rule.unit,
        dimension=unit.dimension,
        factor=unit.factor,
        bands=bands,
        bands_over=rule.bands_over,
        step_micro=None if rule.step is None else _micro(rule.step, unit.factor),
        step_minor=0 if rule.points is None else _minor(rule.points),
        round_minor=_minor(rule.round_to),
        minimum_micro=0 if rule.minimum is None else _micro(rule.minimum, unit.factor),
        maximum_micro=None if rule.maximum is None else _micro(rule.maximum, unit.factor),
        caps=() if file.is_replacement else caps,
        scope=scope,
        usage_scopes=_usage_scopes(() if file.is_replacement else caps, scope, rule),
        requires=frozenset(rule.requires),
        pending_days=rule.pending_days,
        screens=frozenset(rule.screens),
        velocity_micro=None if rule.velocity is None else _micro(rule.velocity, unit.factor),
        device_people_max=rule.device_people_max,
        speed_micro=None if rule.speed_max is None else _micro(rule.speed_max, unit.factor),
        certifier=rule.certifier,
        same_deed=rule.same_deed,
        rule=rule,
    )


def _usage_scopes(caps: tuple[CompiledCap, ...], scope: str, rule: Activity) -> tuple[tuple[str, str], ...]:
    scopes: list[tuple[str, str]] = [(cap.scope, cap.per) for cap in caps]
    if rule.bands and rule.bands_over != "deed":
        scopes.append((scope, rule.bands_over))
    return tuple(dict.fromkeys(scopes))


def _rate(points_per_unit: str, micro: int) -> tuple[int, int]:
    exact = Fraction(points_per_unit) * 100 / micro
    return exact.numerator, exact.denominator


def _minor(points: str) -> int:
    return int(Decimal(points) * 100)


def _micro(quantity: str, factor: int) -> int:
    return int(Decimal(quantity) * factor * MICRO)


def _cap(scope: str, cap: Cap, factor: int) -> CompiledCap:
    if cap.points is not None:
        return CompiledCap(scope, cap.per, "points", _minor(cap.points), cap.points)
    if cap.quantity is not None:
        return CompiledCap(scope, cap.per, "quantity", _micro(cap.quantity, factor), cap.quantity)
    return CompiledCap(scope, cap.per, "deeds", cap.deeds or 0, str(cap.deeds))


def _plain(value: Any) -> Any:
    """Drop what is not set, so that a new optional setting does not change the hash of old rulebooks."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if one is not None and one not in ([], ())}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value
