"""What a shop took by day, from the chain's own events."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from ledger.standard.civil_time import CITY_OFFSET_S, DAY_S, civil_day
from ledger.standard.ids import MerchantId
from ledger.store.models.projection import OrderOutcomeRow

PAYS, RETURNS = ("redeem", "capture"), ("refund",)


@dataclass(frozen=True, slots=True)
class Day:
    """A civil day (days since 1970 in the city's time): sales, what they paid and what went back, in fen."""

    day: int
    sales: int
    paid_fen: int
    refunded_fen: int


def by_day(session: Session, merchant_id: MerchantId, since: int, until: int) -> list[Day]:
    """Return each civil day from Unix time ``since`` up to, not including, ``until``, days without a sale too."""
    row = OrderOutcomeRow
    is_refund = row.kind.in_(RETURNS)
    day = ((row.block_timestamp + CITY_OFFSET_S) // DAY_S).label("day")
    found = session.execute(
        select(
            day,
            func.sum(case((is_refund, 0), else_=1)),
            func.coalesce(func.sum(case((is_refund, 0), else_=row.fen)), 0),
            func.coalesce(func.sum(case((is_refund, row.fen), else_=0)), 0),
        )
        .where(
            row.merchant == merchant_id,
            row.code == 0,
            row.kind.in_([*PAYS, *RETURNS]),
            row.block_timestamp >= since,
            row.block_timestamp < until,
        )
        .group_by(day)
    )
    days = {int(day): (int(sales), int(paid), int(refunded)) for day, sales, paid, refunded in found}
    return [Day(day, *days.get(day, (0, 0, 0))) for day in range(civil_day(since), civil_day(until - 1) + 1)]
