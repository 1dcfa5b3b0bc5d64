"""The wallet's figures, computed and not yet in words. Pure functions over what was read from one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ledger.orders.desk import Holdings
from ledger.orders.eligibility import MerchantTerms, Terms
from ledger.standard.civil_time import DAY_S, city_moment
from ledger.standard.ids import ProgrammeId, split_token_id
from ledger.standard.value import MICROFEN_MINOR

MONTHS = 6
SOON_DAYS = 90
EARNED = frozenset({"mint"})
SPENT = frozenset({"redeem", "hold", "release", "refund"})
"""What went to shops, less what came back: a hold takes, its release and a refund give."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What somebody has of one programme."""

    programme: ProgrammeId
    name: str
    minor: int
    available_minor: int
    """Less what orders on their way would take."""
    worth_fen: int
    can_spend: bool
    can_exchange: bool


@dataclass(frozen=True, slots=True)
class Expiring:
    """Points of one programme that are promised until the same day."""

    last_day: int
    """A Unix time within the last day."""
    days_left: int
    programme: ProgrammeId
    name: str
    minor: int
    worth_fen: int

    @property
    def is_soon(self) -> bool:
        """Whether it is time to think of them."""
        return self.days_left <= SOON_DAYS


@dataclass(frozen=True, slots=True)
class Month:
    """What was earned and spent in a month of the city, in fen."""

    label: str
    earned_fen: int
    spent_fen: int


def holdings_shown(held: Holdings, now: int, name: Callable[[ProgrammeId], str]) -> list[Holding]:
    """Return what there is by programme, those that can be spent first."""
    found = []
    for programme, terms in held.terms.programmes.items():
        live = [
            (token, minor)
            for token, minor in held.balances
            if split_token_id(token)[0] == programme and not held.terms.is_dead(token, now)
        ]
        minor = sum(amount for _, amount in live)
        if minor == 0:
            continue
        found.append(
            Holding(
                programme,
                name(programme),
                minor,
                sum(held.spendable.get(token, 0) for token, _ in live),
                minor * terms.par_microfen // MICROFEN_MINOR,
                terms.can_spend(now),
                any(held.terms.refuses_exchange(programme, other, now) is None for other in held.terms.programmes),
            )
        )
    return sorted(found, key=lambda one: (not one.can_spend, one.programme))


def worth_down(held: Holdings, now: int) -> int:
    """Return what all living points come to together, in fen, floored once."""
    pars = {programme: one.par_microfen for programme, one in held.terms.programmes.items()}
    live = [(token, minor) for token, minor in held.balances if not held.terms.is_dead(token, now)]
    return sum(minor * pars.get(split_token_id(token)[0], 0) for token, minor in live) // MICROFEN_MINOR


def expiring(held: Holdings, now: int, name: Callable[[ProgrammeId], str]) -> list[Expiring]:
    """Return what expires, every date, the next first; what never expires is left out."""
    sums: dict[tuple[int, ProgrammeId], int] = {}
    for token, minor in held.balances:
        promised = held.terms.promised_until(token)
        if promised is not None and minor and now < promised:
            key = promised, split_token_id(token)[0]
            sums[key] = sums.get(key, 0) + minor
    return [
        Expiring(
            promised - 1,
            (promised - now) // DAY_S,
            programme,
            name(programme),
            minor,
            minor * held.terms.programmes[programme].par_microfen // MICROFEN_MINOR,
        )
        for (promised, programme), minor in sorted(sums.items())
    ]


def months(movements: Sequence[tuple[int, str, int, int]], pars: Mapping[ProgrammeId, int], now: int) -> list[Month]:
    """Return the last `MONTHS` months, the oldest first, of movements (Unix time, kind, token id, minor units)."""
    labels = _labels(now)
    earned, spent = dict.fromkeys(labels, 0), dict.fromkeys(labels, 0)
    for moment, kind, token, delta in movements:
        label = f"{city_moment(moment):%Y-%m}"
        value = delta * pars.get(split_token_id(token)[0], 0)
        if label in earned and kind in EARNED:
            earned[label] += value
        elif label in spent and kind in SPENT:
            spent[label] -= value
    return [Month(one, earned[one] // MICROFEN_MINOR, max(0, spent[one]) // MICROFEN_MINOR) for one in labels]


def months_begin(now: int) -> int:
    """Return a Unix time not after the first of the months that are shown."""
    return now - (MONTHS * 31 + 1) * DAY_S


def affordable_fen(held: Holdings, shop: MerchantTerms | None, now: int) -> int:
    """Return what the points come to that a shop takes, in fen, floored once."""
    usable = usable_programmes(held.terms, shop, now)
    live = [(token, minor) for token, minor in held.spendable.items() if not held.terms.is_dead(token, now)]
    return (
        sum(
            minor * held.terms.programmes[programme].par_microfen
            for token, minor in live
            if (programme := split_token_id(token)[0]) in usable
        )
        // MICROFEN_MINOR
    )


def usable_programmes(terms: Terms, shop: MerchantTerms | None, now: int) -> set[ProgrammeId]:
    """Return the programmes whose points a shop takes now."""
    return {
        programme
        for programme in terms.programmes
        if terms.refuses_payment([programme << 32], shop, now) is None and terms.programmes[programme].par_microfen > 0
    }


def _labels(now: int) -> list[str]:
    today = city_moment(now)
    place = today.year * 12 + today.month - 1
    return [f"{number // 12}-{number % 12 + 1:02d}" for number in range(place - MONTHS + 1, place + 1)]
