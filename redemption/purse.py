"""What a resident can spend at a merchant now: live lots of redeemable programmes in scope, less what is on its way.

Reads the projections and the open orders in the caller's snapshot. The chain decides in the end: an order that was
chosen from a stale view is rejected there, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from ledger.standard.ids import Address, address_bytes, split_token_id
from ledger.store.models.projection import BalanceRow, ChainMerchantRow, ChainProgrammeRow, OrderOutcomeRow
from ledger.store.models.redemption import RedemptionLotRow, RedemptionOrderRow
from redemption.errors import UnknownMerchant
from redemption.lots import HeldLot, spendable
from redemption.states import State

REDEEMABLE = 8
_CLOSED = 3
_NO_KEY = bytes(20)


def pars(session: Session) -> dict[int, int]:
    """Return the par of each programme in micro-fen a point."""
    return {row.programme: row.par_microfen for row in session.scalars(select(ChainProgrammeRow))}


def on_their_way(session: Session, account: Address) -> dict[int, int]:
    """Return the minor units of each lot in redemption orders of which the projection has not heard."""
    rows = session.execute(
        select(RedemptionLotRow.token_id, func.sum(RedemptionLotRow.amount_minor))
        .join(RedemptionOrderRow, RedemptionOrderRow.order_id == RedemptionLotRow.order_id)
        .where(
            RedemptionOrderRow.holder == address_bytes(account),
            RedemptionOrderRow.state == State.PLACED,
            ~exists().where(OrderOutcomeRow.order_id == RedemptionOrderRow.order_id),
        )
        .group_by(RedemptionLotRow.token_id)
    )
    return {token: int(amount) for token, amount in rows}


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
    if merchant is None or merchant.key == _NO_KEY:
        raise UnknownMerchant(merchant_id)
    scope = int.from_bytes(merchant.scope, "big")
    taken: dict[int, int] = {}
    for row in session.scalars(select(ChainProgrammeRow)):
        wanted = int.from_bytes(row.spend_scope, "big")
        in_scope = wanted == 0 or wanted & scope
        is_asked = programmes is None or row.programme in programmes
        if row.flags & REDEEMABLE and row.state != _CLOSED and row.par_microfen > 0 and in_scope and is_asked:
            taken[row.programme] = row.par_microfen
    return taken


def spendable_at(
    session: Session,
    account: Address,
    merchant_id: int,
    now: int,
    programmes: Collection[int] | None = None,
    reserved: dict[int, int] | None = None,
) -> list[HeldLot]:
    """Return the lots of ``account`` that ``merchant_id`` may take at Unix time ``now``, soonest expiry first.

    ``reserved`` are minor units of each lot that other orders on their way (exchanges) will take.
    Raises UnknownMerchant.
    """
    par = redeemable_at(session, merchant_id, programmes)
    waiting = on_their_way(session, account)
    lots = []
    rows = session.execute(
        select(BalanceRow.token_id, BalanceRow.amount_minor).where(BalanceRow.account == address_bytes(account))
    )
    for token, amount in rows:
        programme = split_token_id(token)[0]
        if programme in par:
            left = amount - waiting.get(token, 0) - (reserved or {}).get(token, 0)
            lots.append(HeldLot(token, max(left, 0), par[programme]))
    return spendable(lots, now)
