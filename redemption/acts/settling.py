"""What came of the acts that are under way: done or failed, from the chain's word and the outbox, never from hope.

An act ends only once every block has been looked at in which it could have had effect. So an order stands as REFUNDING
until its refund is part of its state, and nothing can slip between.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.outbox.outbox import MessageStatus, Outbox, order_key
from ledger.outbox.states import MessageState
from ledger.standard.contract import rejection_word
from ledger.standard.ids import OrderId
from ledger.standard.typed_data import Capture, Domain, Release
from ledger.store.models.projection import OrderOutcomeRow
from ledger.store.models.redemption import RedemptionActRow, RedemptionOrderRow
from redemption.acts.book import ActState
from redemption.acts.table import Act
from redemption.states import State

_CAPTURES = frozenset({Act.CAPTURE, Act.HAND_OVER})
_RELEASES = frozenset({Act.RELEASE, Act.CANCEL, Act.LAPSE})
_FAILURE_MAX = 400


@dataclass(frozen=True, slots=True)
class _End:
    state: ActState
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class ActSettlement:
    """Ends acts."""

    outbox: Outbox
    domain: Domain
    clock: Clock

    def settle(self, session: Session, settled_block: int) -> int:
        """Record the outcome of the acts under way; return how many have ended.

        ``settled_block``: up to which block the orders' states are what the chain said.
        """
        ended = 0
        rows = session.execute(
            select(RedemptionActRow, RedemptionOrderRow.state)
            .join(RedemptionOrderRow, RedemptionOrderRow.order_id == RedemptionActRow.order_id)
            .where(RedemptionActRow.state == ActState.UNDER_WAY)
            .order_by(RedemptionActRow.act_id)
        ).all()
        for row, state in rows:
            found = self._end(session, row, State(state), settled_block)
            if found is not None:
                row.state, row.failure = found.state.value, found.failure
                row.updated_at = self.clock.timestamp()
                ended += 1
        session.flush()
        return ended

    def _end(self, session: Session, row: RedemptionActRow, state: State, settled_block: int) -> _End | None:
        act = Act(row.act)
        if act not in _CAPTURES and act not in _RELEASES:
            return _landed(self.outbox.status(session, message_key(row, self.domain)), settled_block)
        if state is State.PLACED:
            return None
        if state is not State.HELD:
            is_released = state is State.RELEASED
            if is_released == (act in _RELEASES):
                return _End(ActState.DONE)
            return _End(ActState.FAILED, "the hold was released" if is_released else "the hold was captured")
        # Still held: if the call has landed in a block that was looked at, the chain has rejected it.
        found = _landed(self.outbox.status(session, message_key(row, self.domain)), settled_block)
        if found is None or found.state is ActState.FAILED:
            return found
        return _End(ActState.FAILED, _rejection(session, OrderId(row.order_id)))


def message_key(row: RedemptionActRow, domain: Domain) -> str:
    """Return the outbox's key of an act: the digest that was signed, or a refund's order and kept prefix."""
    act = Act(row.act)
    if act in _RELEASES:
        return order_key(OrderId(Release(OrderId(row.order_id)).digest(domain)))
    if act in _CAPTURES:
        return order_key(OrderId(Capture(OrderId(row.order_id), row.kept_lots, row.kept_last_minor).digest(domain)))
    return refund_key(OrderId(row.order_id), (row.kept_lots, row.kept_last_minor), is_arbiters=act is not Act.REFUND)


def refund_key(order_id: OrderId, kept: tuple[int, int], *, is_arbiters: bool = False) -> str:
    """Return the outbox's key of a refund."""
    name = "arbiter-refund" if is_arbiters else "refund"
    return f"{name}:{order_id.hex()}:{kept[0]}:{kept[1]}"


def _landed(status: MessageStatus | None, settled_block: int) -> _End | None:
    """Return how a message ended, or None while it may still have effect, or has it in a block not looked at yet."""
    if status is None or status.state not in (MessageState.DONE, MessageState.FAILED, MessageState.EXPIRED):
        return None
    if status.state is MessageState.DONE:
        if status.block_number is None or status.block_number > settled_block:
            return None
        return _End(ActState.DONE)
    late = "its time was over before it could be sent"
    return _End(ActState.FAILED, late if status.state is MessageState.EXPIRED else (status.reason or "")[:_FAILURE_MAX])


def _rejection(session: Session, order_id: OrderId) -> str:
    code = session.scalar(
        select(OrderOutcomeRow.code)
        .where(OrderOutcomeRow.order_id == order_id, OrderOutcomeRow.code > 0)
        .order_by(OrderOutcomeRow.block_number.desc(), OrderOutcomeRow.log_index.desc())
        .limit(1)
    )
    return "the chain did not say why" if code is None else rejection_word(code)
