"""Shifts at a counter: who served from when to when, with totals from the book of acts.

A shift is a span of time and nothing else. What was done in it is what the acts say, so a total cannot differ from
them: an act that was on its way when the shift closed is counted as what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.standard.ids import MerchantId
from ledger.store.models.redemption import RedemptionActRow, RedemptionOrderRow, TillShiftRow
from redemption.acts.book import ActState
from redemption.acts.table import Act

_SERVED = frozenset({Act.HAND_OVER, Act.CAPTURE})


@dataclass(frozen=True, slots=True)
class Shift:
    """A member of a shop's staff at its counter; ``closed_at`` None: still there. Times are Unix seconds."""

    shift_id: int
    merchant_id: MerchantId
    subject: str
    opened_at: int
    closed_at: int | None


@dataclass(frozen=True, slots=True)
class ShiftTotals:
    """What one login did at one shop in a time: done acts by their kind in fen, and how many others."""

    handed_over: int = 0
    handed_over_fen: int = 0
    refunded: int = 0
    refunded_fen: int = 0
    under_way: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Shifts:
    """The only writer of shifts."""

    clock: Clock

    def open(self, session: Session, merchant_id: MerchantId, subject: str) -> Shift:
        """Open a shift, or return the one that is open."""
        found = self.current(session, merchant_id, subject)
        if found is not None:
            return found
        row = TillShiftRow(merchant_id=merchant_id, subject=subject, opened_at=self.clock.timestamp(), closed_at=None)
        session.add(row)
        session.flush()
        return _shift(row)

    def close(self, session: Session, merchant_id: MerchantId, subject: str) -> Shift | None:
        """Close the open shift and return it; None where none is open."""
        row = self._open_row(session, merchant_id, subject)
        if row is None:
            return None
        row.closed_at = self.clock.timestamp()
        session.flush()
        return _shift(row)

    def current(self, session: Session, merchant_id: MerchantId, subject: str) -> Shift | None:
        """Return a login's open shift at a shop, if there is one."""
        row = self._open_row(session, merchant_id, subject)
        return None if row is None else _shift(row)

    def closed(self, session: Session, merchant_id: MerchantId, subject: str | None, limit: int) -> list[Shift]:
        """Return a shop's last closed shifts, newest first: one login's, or everybody's."""
        query = select(TillShiftRow).where(TillShiftRow.merchant_id == merchant_id, TillShiftRow.closed_at.is_not(None))
        if subject is not None:
            query = query.where(TillShiftRow.subject == subject)
        return [_shift(row) for row in session.scalars(query.order_by(TillShiftRow.shift_id.desc()).limit(limit))]

    def totals(self, session: Session, shift: Shift) -> ShiftTotals:
        """Return what a shift's login did at its shop from its opening up to, not including, its closing."""
        act = RedemptionActRow
        query = (
            select(act.act, act.state, act.fen)
            .join(RedemptionOrderRow, RedemptionOrderRow.order_id == act.order_id)
            .where(
                RedemptionOrderRow.merchant_id == shift.merchant_id,
                act.requested_by == shift.subject,
                act.created_at >= shift.opened_at,
            )
        )
        if shift.closed_at is not None:
            query = query.where(act.created_at < shift.closed_at)
        return total([(Act(kind), ActState(state), fen) for kind, state, fen in session.execute(query)])

    def _open_row(self, session: Session, merchant_id: MerchantId, subject: str) -> TillShiftRow | None:
        return session.scalar(
            select(TillShiftRow)
            .where(
                TillShiftRow.merchant_id == merchant_id,
                TillShiftRow.subject == subject,
                TillShiftRow.closed_at.is_(None),
            )
            .with_for_update()
        )


def total(acts: Sequence[tuple[Act, ActState, int]]) -> ShiftTotals:
    """Return the totals of (act, state, fen). Pure."""
    done = [(act, fen) for act, state, fen in acts if state is ActState.DONE]
    served = [fen for act, fen in done if act in _SERVED]
    refunded = [fen for act, fen in done if act is Act.REFUND]
    return ShiftTotals(
        handed_over=len(served),
        handed_over_fen=sum(served),
        refunded=len(refunded),
        refunded_fen=sum(refunded),
        under_way=sum(1 for _, state, _ in acts if state is ActState.UNDER_WAY),
        failed=sum(1 for _, state, _ in acts if state is ActState.FAILED),
    )


def _shift(row: TillShiftRow) -> Shift:
    return Shift(row.shift_id, row.merchant_id, row.subject, row.opened_at, row.closed_at)
