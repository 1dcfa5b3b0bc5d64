"""Rating: a pure function of rulebook, deed and what the resident has used of the caps, which explains itself.

Usage is counted by the deed's date. Order of the steps: minimum, maximum, quantity caps, rate, rounding, deed caps,
point caps. The explanation is stored in short form with the grant; ``render`` puts it into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from issuers.rules.deeds import Deed
from issuers.rules.refusals import PERIODS_ZH, RefusalCode
from issuers.rules.rulebook import CompiledActivity, CompiledCap, Rulebook
from issuers.rules.units import MICRO, UNITS
from ledger.standard.amounts import points_text_short
from ledger.standard.civil_time import civil_date

UsageKey = tuple[str, str]
"""(scope, period): ``("1:VOL.SERVICE", "D20260901")``."""
ResidentUsageKey = tuple[int, str, str]
"""(resident id, scope, period)."""


class Used(NamedTuple):
    """What was counted so far in one scope and period."""

    points_minor: int = 0
    quantity_micro: int = 0
    deeds: int = 0


NOTHING = Used()


class Rating(NamedTuple):
    """What a deed earns and why. ``refusal`` is set where it earns nothing."""

    amount_minor: int
    quantity_micro: int
    """The part of the quantity that counted."""
    version: int
    explanation: str
    refusal: RefusalCode | None = None
    field: str | None = None
    params: tuple[tuple[str, str], ...] = ()


def rate(rulebook: Rulebook, deed: Deed, usage: Mapping[UsageKey, Used]) -> Rating:
    """Return what ``deed`` earns under ``rulebook`` after ``usage``. Pure; amounts are rounded down, as stated."""
    return unfit(rulebook, deed) or rate_fitting(rulebook, deed, usage)


def rate_fitting(rulebook: Rulebook, deed: Deed, usage: Mapping[UsageKey, Used]) -> Rating:
    """As `rate`, for a deed that `unfit` has found to fit."""
    version = rulebook.version
    activity = rulebook.activities[deed.activity]
    micro = deed.quantity_micro
    steps = [f"v={version};a={activity.code};q={micro}"]
    if activity.maximum_micro is not None and micro > activity.maximum_micro:
        micro = activity.maximum_micro
        steps.append(f"max={micro}")
    if not activity.caps and len(activity.bands) == 1:
        base = _rounded(activity, _banded(activity, micro, 0))
        steps.append(f"base={base}")
        return _result(base, micro, version, steps, None)
    periods = periods_of(deed.day)
    micro, hit = _cap_quantity(activity, micro, usage, periods, steps)
    base = _rounded(activity, _base(activity, micro, usage, periods))
    steps.append(f"base={base}")
    amount = base
    for cap in activity.caps:
        if cap.measure == "quantity":
            continue
        used = usage.get((cap.scope, periods[cap.per]), NOTHING)
        if cap.measure == "deeds":
            if used.deeds >= cap.limit and amount:
                amount, hit = 0, cap
        else:
            left = max(0, cap.limit - used.points_minor)
            if amount > left:
                amount, hit = left - left % activity.round_minor, cap
        if hit is cap:
            steps.append(f"cap={cap.per}:{cap.measure}:{cap.text}:{amount}")
    return _result(amount, micro, version, steps, hit)


def unfit(rulebook: Rulebook, deed: Deed) -> Rating | None:
    """Return why no rule applies to the deed whatever was used so far, or None."""
    activity = rulebook.activities.get(deed.activity)
    version = rulebook.version
    if activity is None:
        return Rating(0, 0, version, "", RefusalCode.UNKNOWN_ACTIVITY, "activity")
    if deed.dimension != activity.dimension:
        unit = (("expected", activity.unit),)
        return Rating(0, 0, version, "", RefusalCode.UNIT_MISMATCH, "unit", unit)
    if not activity.requires <= deed.present:
        name = min(activity.requires - deed.present)
        return Rating(0, 0, version, "", RefusalCode.MISSING_EVIDENCE, name, (("name", name),))
    if deed.quantity_micro < activity.minimum_micro:
        minimum = (("minimum", f"{activity.rule.minimum} {activity.unit}"),)
        return Rating(0, 0, version, "", RefusalCode.BELOW_MINIMUM, "quantity", minimum)
    return None


def usage_keys(activity: CompiledActivity, day: int) -> tuple[UsageKey, ...]:
    """Return the keys that rating a deed reads, and to which it is charged."""
    return _usage_keys(activity.usage_scopes, day)


@lru_cache(maxsize=65_536)
def _usage_keys(usage_scopes: tuple[tuple[str, str], ...], day: int) -> tuple[UsageKey, ...]:
    periods = periods_of(day)
    return tuple([(scope, periods[per]) for scope, per in usage_scopes])


@lru_cache(maxsize=8192)
def periods_of(day: int) -> dict[str, str]:
    """Return the names of the periods that contain a civil day: ``D20260901 W202636 M202609 Y2026``."""
    date = civil_date(day)
    week = date.isocalendar()
    return {
        "day": f"D{date:%Y%m%d}",
        "week": f"W{week.year}{week.week:02d}",
        "month": f"M{date:%Y%m}",
        "year": f"Y{date:%Y}",
    }


def _base(activity: CompiledActivity, micro: int, usage: Mapping[UsageKey, Used], periods: Mapping[str, str]) -> int:
    before = 0
    if activity.bands and activity.bands_over != "deed":
        before = usage.get((activity.scope, periods[activity.bands_over]), NOTHING).quantity_micro
    return _banded(activity, micro, before)


def _banded(activity: CompiledActivity, micro: int, before: int) -> int:
    """Return minor points of ``micro`` that follow ``before`` in the bands; the parts are floored each."""
    if not activity.bands:
        if activity.step_micro is None:
            return activity.step_minor
        return micro // activity.step_micro * activity.step_minor
    if len(activity.bands) == 1:
        _, numerator, denominator = activity.bands[0]
        return micro * numerator // denominator
    total, low = 0, 0
    for bound, numerator, denominator in activity.bands:
        high = before + micro if bound is None else min(bound, before + micro)
        part = high - max(low, before)
        if part > 0:
            total += part * numerator // denominator
        if bound is None or before + micro <= bound:
            break
        low = bound
    return total


def _rounded(activity: CompiledActivity, minor: int) -> int:
    return minor - minor % activity.round_minor


def _cap_quantity(
    activity: CompiledActivity,
    micro: int,
    usage: Mapping[UsageKey, Used],
    periods: Mapping[str, str],
    steps: list[str],
) -> tuple[int, CompiledCap | None]:
    hit = None
    for cap in activity.caps:
        if cap.measure == "quantity":
            left = max(0, cap.limit - usage.get((cap.scope, periods[cap.per]), NOTHING).quantity_micro)
            if micro > left:
                micro, hit = left, cap
                steps.append(f"cap={cap.per}:quantity:{cap.text}:{left}")
    return micro, hit


def _result(amount: int, micro: int, version: int, steps: list[str], hit: CompiledCap | None) -> Rating:
    explanation = ";".join(steps)
    if amount > 0:
        return Rating(amount, micro, version, explanation)
    if hit is not None:
        return Rating(0, 0, version, explanation, RefusalCode.CAP_REACHED, None, (("period", hit.per),))
    return Rating(0, 0, version, explanation, RefusalCode.NO_POINTS, "quantity")


class Words(NamedTuple):
    """An explanation in both languages, one sentence a step."""

    en: tuple[str, ...]
    zh: tuple[str, ...]


def render(rulebook: Rulebook, explanation: str) -> Words:
    """Put a stored explanation into words."""
    english: list[str] = []
    chinese: list[str] = []
    unit, factor = "one", 1
    for step in explanation.split(";"):
        name, _, value = step.partition("=")
        if name == "v":
            english.append(f"Rulebook “{rulebook.file.title.en}”, version {value}.")
            chinese.append(f"依据《{rulebook.file.title.zh}》第 {value} 版。")
        elif name == "a":
            activity = rulebook.activities[value]
            unit, factor = activity.unit, activity.factor
            english.append(f"Activity {value}: {activity.names.en}; {_rate_words(activity)[0]}.")
            chinese.append(f"活动 {value}：{activity.names.zh}；{_rate_words(activity)[1]}。")
        elif name == "q":
            english.append(f"Quantity: {_quantity(int(value), factor)} {unit}.")
            chinese.append(f"数量：{_quantity(int(value), factor)} {UNITS[unit].zh}。")
        elif name == "max":
            english.append(f"At most {_quantity(int(value), factor)} {unit} of one deed count.")
            chinese.append(f"单次最多计 {_quantity(int(value), factor)} {UNITS[unit].zh}。")
        elif name == "base":
            english.append(f"That makes {points_text_short(int(value))} points.")
            chinese.append(f"计 {points_text_short(int(value))} 积分。")
        elif name == "cap":
            per, measure, text, left = value.split(":")
            if measure == "quantity":
                english.append(f"Cap of {text} {unit} a {per}: {_quantity(int(left), factor)} count.")
                chinese.append(f"{PERIODS_ZH[per]}上限 {text} {UNITS[unit].zh}，计入 {_quantity(int(left), factor)}。")
            else:
                what = ("points", "积分") if measure == "points" else ("deeds", "次")
                english.append(
                    f"Cap of {text} {what[0]} a {per}: {points_text_short(int(left))} points are left to grant."
                )
                chinese.append(f"{PERIODS_ZH[per]}上限 {text} {what[1]}，实授 {points_text_short(int(left))} 积分。")
        elif name == "correction":
            english.append(
                f"Correction of an earlier grant of {points_text_short(int(value))} points: the difference is granted."
            )
            chinese.append(f"对此前 {points_text_short(int(value))} 积分授予的更正，补授差额。")
    return Words(tuple(english), tuple(chinese))


def _quantity(micro: int, factor: int) -> str:
    whole, rest = divmod(micro, factor * MICRO)
    if not rest:
        return str(whole)
    return f"{whole}.{rest * MICRO // (factor * MICRO):06d}".rstrip("0")


def _rate_words(activity: CompiledActivity) -> tuple[str, str]:
    rule, zh = activity.rule, UNITS[activity.unit].zh
    if rule.points_per_unit is not None:
        return f"{rule.points_per_unit} points a {rule.unit}", f"每{zh} {rule.points_per_unit} 积分"
    if rule.step is not None:
        return (
            f"{rule.points} points for every full {rule.step} {rule.unit}",
            f"每满 {rule.step} {zh} {rule.points} 积分",
        )
    if rule.points is not None:
        return f"{rule.points} points a deed", f"每次 {rule.points} 积分"
    english, chinese = [], []
    for band in rule.bands:
        bound = "beyond that" if band.up_to is None else f"up to {band.up_to} {rule.unit}"
        english.append(f"{band.points_per_unit} points a {rule.unit} {bound}")
        chinese.append(
            f"{'超出部分' if band.up_to is None else f'{band.up_to} {zh}以内'}每{zh} {band.points_per_unit} 积分"
        )
    return ", ".join(english), "，".join(chinese)
