"""Which lots pay: those that expire soonest, exactly as much as is needed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.orders.eligibility import dies_at
from ledger.orders.errors import InsufficientPoints, TooManyLots
from ledger.standard.contract import LOTS_MAX
from ledger.standard.typed_data import Lot
from ledger.standard.value import MICROFEN_MINOR

_NEVER = 1 << 64


@dataclass(frozen=True, slots=True)
class SpendableLot:
    """What may be spent of a lot, and its programme's par in micro-fen a point."""

    token_id: int
    amount_minor: int
    par_microfen: int
    spendable_until: int = 0
    """Unix time at which its programme's points end with or without their quarter; 0 while that is not set."""


def soonest_first(lots: Iterable[SpendableLot]) -> list[SpendableLot]:
    """Order lots by the time from which they cannot be spent, then programme; lots that never expire come last."""
    return sorted(lots, key=lambda lot: (_end(lot), lot.token_id))


def for_value(lots: Iterable[SpendableLot], fen: int) -> tuple[Lot, ...]:
    """Return lots worth ``fen`` together (floored once), soonest expiry first, the last one in part.

    They are worth exactly that unless the last programme's par is above 1 yuan a point, whose smallest unit is worth
    more than a fen; then they are worth the least that suffices. Where that takes more than 16 lots, the most valuable
    ones pay. Raises InsufficientPoints or TooManyLots.
    """
    usable = [lot for lot in lots if lot.par_microfen > 0 and lot.amount_minor > 0]
    total = sum(lot.amount_minor * lot.par_microfen for lot in usable)
    if fen <= 0 or total < fen * MICROFEN_MINOR:
        raise InsufficientPoints("fen", fen, total // MICROFEN_MINOR)
    chosen = _take(soonest_first(usable), fen)
    if len(chosen) > LOTS_MAX:
        chosen = _take(sorted(usable, key=lambda lot: -lot.amount_minor * lot.par_microfen), fen)
    if len(chosen) > LOTS_MAX:
        raise TooManyLots(LOTS_MAX)
    return chosen


def for_amount(lots: Iterable[SpendableLot], minor: int) -> tuple[Lot, ...]:
    """Return lots of ``minor`` units together, soonest expiry first. Raises InsufficientPoints."""
    left = minor
    chosen = []
    for lot in soonest_first(lots):
        if left <= 0:
            break
        part = min(left, lot.amount_minor)
        if part > 0:
            chosen.append(Lot(lot.token_id, part))
            left -= part
    if left > 0 or minor <= 0:
        raise InsufficientPoints("minor", minor, minor - left)
    return tuple(chosen)


def _end(lot: SpendableLot) -> int:
    end = dies_at(lot.token_id, lot.spendable_until)
    return _NEVER if end is None else end


def _take(lots: Sequence[SpendableLot], fen: int) -> tuple[Lot, ...]:
    missing = fen * MICROFEN_MINOR
    chosen = []
    for lot in lots:
        part = min(lot.amount_minor, -(-missing // lot.par_microfen))
        chosen.append(Lot(lot.token_id, part))
        missing -= part * lot.par_microfen
        if missing <= 0:
            break
    return tuple(chosen)
