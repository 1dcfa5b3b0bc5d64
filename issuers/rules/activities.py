"""The city's activity catalogue: which deeds may earn points, in which unit, and within which range.

A rulebook whose rates lie in the ranges is approved in the ordinary way. A rate outside its range, or of a code that
the catalogue does not have, is a deviation: the council approves it expressly, and the rulebook says so
(docs/activity-catalogue.md, "The rule of ranges").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pydantic

from issuers.rules.rulebook import RULEBOOKS, Activity, Code, Number, Rulebook, load_rulebooks
from issuers.rules.units import UNITS
from issuers.yaml_file import load_yaml
from ledger.errors import ConfigurationError
from ledger.standard.ids import ProgrammeId, ProgrammeSlug

ACTIVITIES = RULEBOOKS.parent / "activities.yaml"


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Entry(_Model):
    """An activity of the catalogue; ``low`` and ``high`` are points for one unit."""

    code: Code
    unit: str
    low: Number
    high: Number

    @pydantic.model_validator(mode="after")
    def _sound(self) -> Entry:
        if self.unit not in UNITS:
            raise ValueError(f"unknown unit {self.unit!r}")
        if Decimal(self.low) > Decimal(self.high):
            raise ValueError("low is above high")
        return self


class Catalogue(_Model):
    """The activities of each programme, by the programme's slug."""

    programmes: dict[ProgrammeSlug, tuple[Entry, ...]]

    @classmethod
    def load(cls, path: Path = ACTIVITIES) -> Catalogue:
        """Read a catalogue from YAML. Raises ConfigurationError that names the file and the place."""
        return load_yaml(cls, path)

    def find(self, slug: ProgrammeSlug, code: str) -> Entry | None:
        """Return an activity's entry, or None if the catalogue does not have it."""
        return next((one for one in self.programmes.get(slug, ()) if one.code == code), None)


@dataclass(frozen=True, slots=True)
class Deviation:
    """A rate of a rulebook that the catalogue does not cover."""

    code: str
    rate: str
    """Points for one unit of the rulebook."""
    reason_en: str
    reason_zh: str


def deviations(book: Rulebook, catalogue: Catalogue) -> list[Deviation]:
    """Return the rates of a rulebook that lie outside the catalogue, in the rulebook's order."""
    return [one for activity in book.file.activities for one in _of_activity(book.file.slug, activity, catalogue)]


def check_approval(book: Rulebook, catalogue: Catalogue) -> None:
    """Check that the council approved every deviation of a rulebook in force; drafts may deviate.

    Raises ConfigurationError that names the first rate which it did not.
    """
    if not book.is_approved:
        return
    approved = {(one.code, Decimal(one.rate)) for one in book.file.approval.exceptions}
    for one in deviations(book, catalogue):
        if (one.code, Decimal(one.rate)) not in approved:
            raise ConfigurationError(
                f"rulebook {book.file.slug} version {book.version}: {one.reason_en}; it needs the council's express"
                f" approval: an entry under approval.exceptions with code {one.code}, rate {one.rate!r}, the reason and"
                " the resolution"
            )


def approved_rulebooks(
    folder: Path = RULEBOOKS, catalogue: Catalogue | None = None
) -> dict[ProgrammeId, tuple[Rulebook, ...]]:
    """Return a folder's rulebooks by programme, oldest version first, each within the catalogue or approved beyond it.

    ``catalogue``: the city's; None: that of this package. Raises ConfigurationError.
    """
    known = Catalogue.load() if catalogue is None else catalogue
    books: Mapping[ProgrammeId, Sequence[Rulebook]] = load_rulebooks(folder)
    for versions in books.values():
        for book in versions:
            check_approval(book, known)
    return {programme: tuple(versions) for programme, versions in books.items()}


def _of_activity(slug: ProgrammeSlug, activity: Activity, catalogue: Catalogue) -> Iterator[Deviation]:
    entry = catalogue.find(slug, activity.code)
    for rate in _rates(activity):
        text = _text(rate)
        if entry is None:
            yield Deviation(
                activity.code,
                text,
                f"the catalogue has no activity {activity.code} in {slug}",
                f"活动目录中“{slug}”没有 {activity.code}",
            )
        elif UNITS[entry.unit].dimension != UNITS[activity.unit].dimension:
            yield Deviation(
                activity.code,
                text,
                f"{activity.code} is counted by {activity.unit}, in the catalogue by {entry.unit}",
                f"{activity.code} 以 {activity.unit} 计量，目录中为 {entry.unit}",
            )
        else:
            scale = Fraction(UNITS[entry.unit].factor, UNITS[activity.unit].factor)
            if not Fraction(entry.low) <= rate * scale <= Fraction(entry.high):
                yield Deviation(
                    activity.code,
                    text,
                    f"{text} points per {activity.unit} of {activity.code} lie outside {entry.low} to {entry.high}"
                    f" per {entry.unit}",
                    f"{activity.code} 每 {activity.unit} {text} 积分，"
                    f"超出每 {entry.unit} {entry.low} 至 {entry.high} 的范围",
                )


def _rates(activity: Activity) -> Iterator[Fraction]:
    """Yield the points for one unit: of each band, of a full step, or of a deed that counts once."""
    if activity.bands:
        yield from (Fraction(band.points_per_unit) for band in activity.bands)
    elif activity.points is not None:
        yield Fraction(activity.points) / Fraction(activity.step or "1")
    elif activity.points_per_unit is not None:
        yield Fraction(activity.points_per_unit)


def _text(rate: Fraction) -> str:
    """Return a rate as decimal text, six places at most (as a rulebook writes it), rounded half to even."""
    plain = f"{Decimal(rate.numerator) / Decimal(rate.denominator):.6f}"
    return plain.rstrip("0").rstrip(".")
