"""What an erasure gives up."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.orders.desk import Holdings
from ledger.residents.registry import Resident
from ledger.standard.amounts import points_text
from ledger.standard.ids import OrderIdText, ProgrammeId, split_token_id
from ledger.store.models.redemption import RedemptionOrderRow
from ledger_api.schemas.common import hex_text
from ledger_api.schemas.residents import ErasureLoss, PointsHeld
from redemption.states import State

_OPEN = (State.PLACED, State.PAID, State.CAPTURED, State.PART_REFUNDED)


def erasure_loss(session: Session, resident: Resident, held: Holdings, now: int) -> ErasureLoss:
    """Return what a resident has and what is under way at Unix time ``now``, in a fixed order, so that two answers can
    be compared."""
    points: Counter[ProgrammeId] = Counter()
    for token, minor in held.balances:
        if not held.terms.is_dead(token, now):
            points[split_token_id(token)[0]] += minor
    rows = session.execute(
        select(RedemptionOrderRow.order_id, RedemptionOrderRow.state)
        .where(
            RedemptionOrderRow.resident_id == resident.resident_id,
            RedemptionOrderRow.state.in_((State.HELD, *_OPEN)),
            RedemptionOrderRow.handed_over_at.is_(None),
        )
        .order_by(RedemptionOrderRow.sequence)
    ).all()
    return ErasureLoss(
        is_custodial=resident.is_custodial,
        points=[
            PointsHeld(programme=programme, points=points_text(minor))
            for programme, minor in sorted(points.items())
            if minor
        ],
        holds=[OrderIdText(hex_text(bytes(order))) for order, state in rows if state == State.HELD],
        orders=[OrderIdText(hex_text(bytes(order))) for order, state in rows if state != State.HELD],
    )
