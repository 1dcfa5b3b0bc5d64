"""Kept prefixes of an order's lots: how a capture or refund says what stays with the merchant. Pure.

Amounts are minor units, pars micro-fen a point, values fen. A prefix is (lots, last_minor): the first ``lots`` lots,
whole but the last, of which ``last_minor`` is kept; (0, 0) keeps nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.standard.typed_data import Lot
from ledger.standard.value import MICROFEN_MINOR
from redemption.errors import NotEnoughHeld


def prefix_value_down(lots: Sequence[tuple[int, Lot]], kept: int, last_minor: int) -> int:
    """Return the fen of a kept prefix of (par, lot), floored once."""
    if kept == 0:
        return 0
    whole = sum(par * lot.amount for par, lot in lots[: kept - 1])
    par, _ = lots[kept - 1]
    return (whole + par * last_minor) // MICROFEN_MINOR


def keep_down(lots: Sequence[tuple[int, Lot]], fen: int) -> tuple[int, int]:
    """Return the shortest prefix of (par, lot) that is worth at least ``fen``; (0, 0) for 0 fen.

    Raises:
        NotEnoughHeld: all of the lots are worth less.
    """
    if fen <= 0:
        return 0, 0
    left = fen * MICROFEN_MINOR
    for index, (par, lot) in enumerate(lots):
        needed = -(-left // par) if par else lot.amount + 1
        if needed <= lot.amount:
            return index + 1, needed
        left -= par * lot.amount
    raise NotEnoughHeld(fen, sum(par * lot.amount for par, lot in lots) // MICROFEN_MINOR)


def kept_lots(lots: Sequence[Lot], kept: int, last_minor: int) -> tuple[Lot, ...]:
    """Return the lots of a kept prefix."""
    if kept == 0:
        return ()
    return (*lots[: kept - 1], Lot(lots[kept - 1].id, last_minor))
