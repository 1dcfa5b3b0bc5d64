"""What the counter keeps of somebody who was erased: orders and what came of them, and not who asked for what."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from ledger.standard.ids import OrderId
from ledger.store.models.redemption import (
    DeskApprovalRow,
    DeskPinProposalRow,
    DeskPinRow,
    RedemptionActRow,
    RedemptionOrderRow,
    RefundProposalRow,
    SlipRow,
)

ERASED = "erased"


def forget_payer(session: Session, resident_id: int, subjects: Sequence[str]) -> list[OrderId]:
    """Take a resident's logins, PIN and own names of requests out of the counter's books; returns the orders."""
    mine = RedemptionOrderRow.resident_id == resident_id
    orders = [OrderId(bytes(one)) for one in session.scalars(select(RedemptionOrderRow.order_id).where(mine))]
    own = select(RedemptionOrderRow.order_id).where(mine)
    session.execute(delete(DeskPinRow).where(DeskPinRow.resident_id == resident_id))
    session.execute(delete(DeskPinProposalRow).where(DeskPinProposalRow.resident_id == resident_id))
    session.execute(delete(DeskApprovalRow).where(DeskApprovalRow.resident_id == resident_id))
    for statement in (
        update(RedemptionOrderRow).where(mine).values(request_key=None),
        # A key of an act is the login's own; of a login that is gone there is no repeat.
        update(RedemptionActRow)
        .where(RedemptionActRow.order_id.in_(own), RedemptionActRow.requested_by.in_(subjects))
        .values(requested_by=ERASED, act_key=None),
        update(RefundProposalRow).where(RefundProposalRow.resident_id == resident_id).values(resident_id=None),
        update(SlipRow).where(SlipRow.order_id.in_(own), SlipRow.issued_by.in_(subjects)).values(issued_by=ERASED),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    return orders
