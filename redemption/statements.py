"""Statements of a merchant: each movement of its position on chain in a time, with the order that caused it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from ledger.standard.ids import MerchantId, OrderId, merchant_participant
from ledger.store.models.projection import OrderOutcomeRow, PositionRow
from ledger.store.models.redemption import RedemptionOrderRow

_PAYS = ("redeem", "capture")
_RETURNS = ("refund",)


@dataclass(frozen=True, slots=True)
class Line:
    """One payment (above 0) or refund (below 0) in fen, at Unix time ``at``."""

    block_number: int
    log_index: int
    at: int
    kind: str
    order_id: OrderId
    offer_id: str | None
    fen: int


@dataclass(frozen=True, slots=True)
class Statement:
    """Totals over the whole time, and one page of lines, oldest first. ``position_fen`` is the position now."""

    merchant_id: MerchantId
    since: int
    until: int
    orders: int
    paid_fen: int
    refunded_fen: int
    position_fen: int
    lines: tuple[Line, ...]


def statement(
    session: Session, merchant_id: MerchantId, since: int, until: int, after: tuple[int, ...] | None, limit: int
) -> Statement:
    """Return a merchant's statement from Unix time ``since`` up to, not including, ``until``."""
    in_time = and_(
        OrderOutcomeRow.merchant == merchant_id,
        OrderOutcomeRow.code == 0,
        OrderOutcomeRow.kind.in_([*_PAYS, *_RETURNS]),
        OrderOutcomeRow.block_timestamp >= since,
        OrderOutcomeRow.block_timestamp < until,
    )
    totals = {
        kind: (count, int(fen or 0))
        for kind, count, fen in session.execute(
            select(OrderOutcomeRow.kind, func.count(), func.coalesce(func.sum(OrderOutcomeRow.fen), 0))
            .where(in_time)
            .group_by(OrderOutcomeRow.kind)
        )
    }
    query = (
        select(OrderOutcomeRow, RedemptionOrderRow.offer_id)
        .outerjoin(RedemptionOrderRow, RedemptionOrderRow.order_id == OrderOutcomeRow.order_id)
        .where(in_time)
        .order_by(OrderOutcomeRow.block_number, OrderOutcomeRow.log_index)
        .limit(limit)
    )
    if after is not None:
        block, log = after
        query = query.where(
            or_(
                OrderOutcomeRow.block_number > block,
                and_(OrderOutcomeRow.block_number == block, OrderOutcomeRow.log_index > log),
            )
        )
    position = session.get(PositionRow, merchant_participant(merchant_id))
    return Statement(
        merchant_id=merchant_id,
        since=since,
        until=until,
        orders=sum(totals.get(kind, (0, 0))[0] for kind in _PAYS),
        paid_fen=sum(totals.get(kind, (0, 0))[1] for kind in _PAYS),
        refunded_fen=sum(totals.get(kind, (0, 0))[1] for kind in _RETURNS),
        position_fen=0 if position is None else position.position_fen,
        lines=tuple(_line(row, offer) for row, offer in session.execute(query)),
    )


def _line(row: OrderOutcomeRow, offer_id: str | None) -> Line:
    fen = row.fen or 0
    return Line(
        row.block_number,
        row.log_index,
        row.block_timestamp,
        row.kind,
        OrderId(row.order_id),
        offer_id,
        -fen if row.kind in _RETURNS else fen,
    )
