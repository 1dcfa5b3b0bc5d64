"""Which lots pay for something: pure, deterministic, soonest expiry first.

Amounts are minor units, pars micro-fen a point, values fen. The merchant's price is met exactly or by less than the
value of one minor unit more, and no more points are taken than that needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.standard.ids import split_token_id
from ledger.standard.packed import LOTS_MAX
from ledger.standard.quarters import NEVER, is_dead
from ledger.standard.typed_data import Lot
from ledger.standard.value import MICROFEN_MINOR, to_value_down
from redemption.errors import NotEnoughPoints, TooManyLots


@dataclass(frozen=True, slots=True)
class HeldLot:
    """What a resident holds of one lot, with its programme's par."""

    token_id: int
    amount_minor: int
    par_microfen: int


@dataclass(frozen=True, slots=True)
class Basket:
    """The lots that pay, in signed order, and their value floored once."""

    lots: tuple[Lot, ...]
    value_fen: int


def spendable(lots: Iterable[HeldLot], now: int) -> list[HeldLot]:
    """Return the lots of value that live at Unix time ``now``, soonest expiry first (ties: lower programme)."""
    alive = []
    for lot in lots:
        quarter = split_token_id(lot.token_id)[1]
        if lot.amount_minor > 0 and lot.par_microfen > 0 and quarter != NEVER and not is_dead(quarter, now):
            alive.append(lot)
    return sorted(alive, key=_expiry_order)


def total_value_down(lots: Iterable[HeldLot]) -> int:
    """Return the value in fen of all of ``lots`` together, floored once."""
    return sum(lot.amount_minor * lot.par_microfen for lot in lots) // MICROFEN_MINOR


def choose_lots(lots: Sequence[HeldLot], price_fen: int, *, lots_max: int = LOTS_MAX) -> Basket:
    """Choose what pays ``price_fen`` from ``lots`` (see `spendable`), soonest expiry first.

    Where the soonest ``lots_max`` lots are too little although all together would do, the least valuable of them give
    way to later ones, because an order carries only so many.

    Raises:
        NotEnoughPoints: all lots together are worth less than the price.
        TooManyLots: the most valuable ``lots_max`` lots are worth less than the price, all together are not.
    """
    wanted = price_fen * MICROFEN_MINOR
    chosen: list[HeldLot] = []
    have = 0
    for lot in lots:
        if have >= wanted:
            break
        if len(chosen) == lots_max:
            least = min(chosen, key=_worth)
            if _worth(lot) <= _worth(least):
                continue
            chosen.remove(least)
            have -= _worth(least)
        chosen.append(lot)
        have += _worth(lot)
    if have < wanted:
        if total_value_down(lots) < price_fen:
            raise NotEnoughPoints(price_fen, total_value_down(lots))
        raise TooManyLots(lots_max)
    return _cut(chosen, wanted)


def _cut(chosen: list[HeldLot], wanted: int) -> Basket:
    """Take whole lots in order of expiry until the value is reached, and of the last one only what is needed."""
    taken: list[Lot] = []
    left = wanted
    for lot in sorted(chosen, key=_expiry_order):
        if left <= 0:
            break
        needed = -(-left // lot.par_microfen)
        amount = min(lot.amount_minor, needed)
        taken.append(Lot(lot.token_id, amount))
        left -= amount * lot.par_microfen
    value = (wanted - left) // MICROFEN_MINOR
    return Basket(tuple(taken), value)


def prefix_value_down(lots: Sequence[tuple[int, Lot]], kept: int, last_minor: int) -> int:
    """Return the fen of a kept prefix of (par, lot): the first ``kept`` lots, whole but the last, which keeps
    ``last_minor``. 0 lots keep nothing."""
    if kept == 0:
        return 0
    whole = sum(par * lot.amount for par, lot in lots[: kept - 1])
    par, _ = lots[kept - 1]
    return (whole + par * last_minor) // MICROFEN_MINOR


def keep_down(lots: Sequence[tuple[int, Lot]], fen: int) -> tuple[int, int]:
    """Return the shortest prefix (lots, last_minor) of (par, lot) that is worth at least ``fen``; (0, 0) for 0 fen.

    Raises:
        NotEnoughPoints: all of the lots are worth less.
    """
    if fen <= 0:
        return 0, 0
    left = fen * MICROFEN_MINOR
    for index, (par, lot) in enumerate(lots):
        needed = -(-left // par) if par else lot.amount + 1
        if needed <= lot.amount:
            return index + 1, needed
        left -= par * lot.amount
    raise NotEnoughPoints(fen, sum(par * lot.amount for par, lot in lots) // MICROFEN_MINOR)


def lot_value_down(lot: HeldLot) -> int:
    """Return the value of one lot alone, floored (for display; a basket is floored once as a whole)."""
    return to_value_down(lot.amount_minor, lot.par_microfen)


def _worth(lot: HeldLot) -> int:
    return lot.amount_minor * lot.par_microfen


def _expiry_order(lot: HeldLot) -> tuple[int, int]:
    programme, quarter = split_token_id(lot.token_id)
    return quarter, programme
