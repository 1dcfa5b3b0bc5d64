"""Which programmes' points a merchant may take: redeemable, not closed, of value, and in its scopes."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.standard.contract import ProgrammeFlag, ProgrammeState
from ledger.standard.ids import ZERO_ACCOUNT
from ledger.store.models.projection import ChainMerchantRow, ChainProgrammeRow
from redemption.errors import UnknownMerchant


def pars(session: Session) -> dict[int, int]:
    """Return the par of each programme in micro-fen a point."""
    return {row.programme: row.par_microfen for row in session.scalars(select(ChainProgrammeRow))}


def takes(session: Session, merchant_id: int) -> dict[int, int]:
    """Return the par of each programme whose points the merchant may take; none while the chain does not know it."""
    try:
        return redeemable_at(session, merchant_id, None)
    except UnknownMerchant:
        return {}


def redeemable_at(session: Session, merchant_id: int, programmes: Collection[int] | None) -> dict[int, int]:
    """Return the par of each programme whose points the merchant may take, of ``programmes`` only where given.

    Raises:
        UnknownMerchant: the chain does not know the merchant, or it has retired.
    """
    merchant = session.get(ChainMerchantRow, merchant_id)
    if merchant is None or merchant.key == ZERO_ACCOUNT:
        raise UnknownMerchant(merchant_id)
    scope = int.from_bytes(merchant.scope, "big")
    taken: dict[int, int] = {}
    for row in session.scalars(select(ChainProgrammeRow)):
        wanted = int.from_bytes(row.spend_scope, "big")
        in_scope = wanted == 0 or wanted & scope
        is_asked = programmes is None or row.programme in programmes
        if (
            row.flags & ProgrammeFlag.REDEEMABLE
            and row.state != ProgrammeState.CLOSED
            and row.par_microfen > 0
            and in_scope
            and is_asked
        ):
            taken[row.programme] = row.par_microfen
    return taken
