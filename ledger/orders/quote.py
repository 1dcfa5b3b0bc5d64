"""Quotes: the arithmetic of the chain, before the chain. Pure.

Each lot is an order of its own and is floored by itself, first to whole fen, then to the target's minor units. A quote
holds for ever, for pars never change; whether the points are still there, and the caps, the chain decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.standard.ids import ProgrammeId, TokenId, split_token_id, token_id
from ledger.standard.typed_data import Lot
from ledger.standard.value import exchange_down


@dataclass(frozen=True, slots=True)
class LotQuote:
    """What one lot turns into; it keeps its expiry quarter."""

    from_id: TokenId
    amount_in_minor: int
    to_id: TokenId
    amount_out_minor: int
    fen: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What an exchange gives altogether."""

    to_programme: ProgrammeId
    lots: tuple[LotQuote, ...]

    @property
    def amount_in_minor(self) -> int:
        """Minor units given."""
        return sum(lot.amount_in_minor for lot in self.lots)

    @property
    def amount_out_minor(self) -> int:
        """Minor units received."""
        return sum(lot.amount_out_minor for lot in self.lots)

    @property
    def fen(self) -> int:
        """Value that moves between the two programmes' positions."""
        return sum(lot.fen for lot in self.lots)


def quote(lots: Sequence[Lot], to_programme: ProgrammeId, par_in: int, par_out: int) -> Quote:
    """Return what ``lots`` of one programme turn into at these pars (micro-fen a point). Raises NoValue for par 0."""
    quoted = []
    for lot in lots:
        _, quarter = split_token_id(lot.id)
        fen, out = exchange_down(lot.amount, par_in, par_out)
        quoted.append(LotQuote(TokenId(lot.id), lot.amount, token_id(to_programme, quarter), out, fen))
    return Quote(to_programme, tuple(quoted))
