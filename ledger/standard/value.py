"""Value of points. Amounts are minor units (1 point = 100 minor), pars micro-fen a point, values whole fen (RMB 0.01).

Every rounding is down and happens once, so no sequence of operations ends with more value than it began.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.standard.errors import NoValue, OutOfRange

MINOR_PER_POINT = 100
"""Points have two decimals."""

FEN_PER_YUAN = 100

MICROFEN_MINOR = 100_000_000
"""minor * par is counted in units of which this many make one fen: 100 minor a point, 1,000,000 micro-fen a fen."""


def to_value_down(minor: int, par: int) -> int:
    """Return the value in fen, floored, of an amount at a par. Raises OutOfRange for negative arguments."""
    _natural(minor, par)
    return minor * par // MICROFEN_MINOR


def exchange_down(minor_in: int, par_in: int, par_out: int) -> tuple[int, int]:
    """Return (fen, minor_out) of an exchange: the value moved and the points received for it, each floored once.

    The same fen is debited to the source programme and credited to the target; dust stays with the target. A result of
    0 is returned as it is; the contract refuses such an order as NO_VALUE. Raises NoValue if a par is 0.
    """
    _natural(minor_in, par_in)
    if par_in == 0 or par_out <= 0:
        raise NoValue(par_in, par_out)
    fen = to_value_down(minor_in, par_in)
    return fen, fen * MICROFEN_MINOR // par_out


def basket_debits_down(lots: Iterable[tuple[int, int]]) -> list[int]:
    """Return the fen that each (par, minor) lot of a basket bears, in the signed order.

    Lot i bears floor(cum_i) - floor(cum_(i-1)) where cum is the running value, so the debits sum to the basket's value
    floored once. Raises OutOfRange for negative arguments.
    """
    debits: list[int] = []
    cumulative = 0
    for par, minor in lots:
        _natural(minor, par)
        before = cumulative // MICROFEN_MINOR
        cumulative += minor * par
        debits.append(cumulative // MICROFEN_MINOR - before)
    return debits


def _natural(minor: int, par: int) -> None:
    if minor < 0:
        raise OutOfRange("amount", minor, "0 and more")
    if par < 0:
        raise OutOfRange("par", par, "0 and more")
