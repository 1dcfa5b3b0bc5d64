"""Statements of a merchant: each movement of its claim on chain in a time, with the order or payout that caused it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from ledger.indexer import claims
from ledger.standard.claims import Claim
from ledger.standard.ids import MerchantId, OrderId
from ledger.store.models.projection import OrderLockRow, OrderOutcomeRow, PayoutRow
from ledger.store.models.redemption import RedemptionOrderRow

_PAYS = ("redeem", "capture")
_RETURNS = ("refund",)


@dataclass(frozen=True, slots=True)
class Line:
    """One payment of a resident (above 0), refund, or payout to the merchant (below 0) in fen, at Unix time ``at``."""

    block_number: int
    log_index: int
    at: int
    kind: str
    order_id: OrderId | None
    """None for a payout."""
    offer_id: str | None
    fen: int
    is_by_arbiter: bool = False
    """Of a refund: whether the consumer arbiter signed it."""
    payment_reference: bytes | None = None
    """Of a payout."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Totals over the whole time, and one page of lines, oldest first; the claim and what of it is locked are now's."""

    merchant_id: MerchantId
    since: int
    until: int
    orders: int
    paid_fen: int
    refunded_fen: int
    paid_out_fen: int
    claim: Claim
    locked_fen: int
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
    paid_out = _payouts(session, merchant_id, since, until, after, limit)
    lines = [*(_line(row, offer) for row, offer in session.execute(query)), *map(_payout_line, paid_out)]
    return Statement(
        merchant_id=merchant_id,
        since=since,
        until=until,
        orders=sum(totals.get(kind, (0, 0))[0] for kind in _PAYS),
        paid_fen=sum(totals.get(kind, (0, 0))[1] for kind in _PAYS),
        refunded_fen=sum(totals.get(kind, (0, 0))[1] for kind in _RETURNS),
        paid_out_fen=_paid_out_fen(session, merchant_id, since, until),
        claim=claims.current(session, merchant_id),
        locked_fen=locked_fen(session, merchant_id),
        lines=tuple(sorted(lines, key=lambda line: (line.block_number, line.log_index))[:limit]),
    )


def locked_fen(session: Session, merchant_id: MerchantId) -> int:
    """Return what of a merchant's claim the consumer arbiter has locked for disputed orders."""
    lock = OrderLockRow
    return int(session.scalar(select(func.sum(lock.delta_fen)).where(lock.merchant == merchant_id)) or 0)


def _paid_out_fen(session: Session, merchant_id: MerchantId, since: int, until: int) -> int:
    row = PayoutRow
    in_time = (row.merchant == merchant_id, row.block_timestamp >= since, row.block_timestamp < until)
    return int(session.scalar(select(func.sum(row.amount_fen)).where(*in_time)) or 0)


def _payouts(
    session: Session, merchant_id: MerchantId, since: int, until: int, after: tuple[int, ...] | None, limit: int
) -> Sequence[PayoutRow]:
    row = PayoutRow
    query = (
        select(row)
        .where(row.merchant == merchant_id, row.block_timestamp >= since, row.block_timestamp < until)
        .order_by(row.block_number, row.log_index)
        .limit(limit)
    )
    if after is not None:
        block, log = after
        query = query.where(or_(row.block_number > block, and_(row.block_number == block, row.log_index > log)))
    return session.scalars(query).all()


def _payout_line(row: PayoutRow) -> Line:
    return Line(
        row.block_number,
        row.log_index,
        row.block_timestamp,
        "payout",
        None,
        None,
        -row.amount_fen,
        payment_reference=bytes(row.payment_reference),
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
        is_by_arbiter=row.is_by_arbiter,
    )
