"""The book of acts: one durable row an act, with what it takes or gives back, under its client's own id.

Every act passes here under the lock of its order's row (`Redemptions.row`): `known` finds a repeat, `require` asks the
table, `note` writes the row. Two doors that are pushed at once queue up at the lock, and an index of the database lets
one act an order be under way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.standard.ids import ActId, MerchantId, OrderId, order_id_text
from ledger.store.models.redemption import RedemptionActRow, RedemptionOrderRow
from redemption.acts.table import PASSING, SHOP_ACTS, Act, Answer, Reason, Standing, answer, standing
from redemption.errors import ActExistsDifferently, OrderStateConflict
from redemption.states import State


class ActState(StrEnum):
    """Where an act stands."""

    UNDER_WAY = "under_way"
    DONE = "done"
    FAILED = "failed"
    """The chain refused it, or it never got there; ``failure`` says why. The order is as if it had not been asked."""


class ActOutcome(StrEnum):
    """What a request under a client's own id came to."""

    CREATED = "created"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Wish:
    """An act as its client asks for it. ``keep_fen``: what the shop is to keep in all, where the act says so; ``key``:
    the client's own id, new for each intent (None: this program's own acts)."""

    act: Act
    order_id: OrderId
    by: str
    reason: str
    key: str | None = None
    keep_fen: int | None = None


@dataclass(frozen=True, slots=True)
class ActRecord:
    """An act as it was noted. ``fen`` is what it takes for the shop (capture, hand-over) or gives back (the others),
    ``left_fen`` what the shop has of the order once it is final."""

    act_id: ActId
    order_id: OrderId
    act: Act
    state: ActState
    fen: int
    left_fen: int
    keep_fen: int | None
    kept_lots: int
    kept_last_minor: int
    reason: str
    failure: str | None
    requested_by: str
    created_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class Acted:
    """An act, and whether this very request made it."""

    record: ActRecord
    outcome: ActOutcome


@dataclass(frozen=True, slots=True)
class ActBook:
    """The only writer of acts."""

    clock: Clock

    def known(self, session: Session, wish: Wish) -> ActRecord | None:
        """Return the act that this client's id stands for already, or None. Raises ActExistsDifferently."""
        if wish.key is None:
            return None
        row = session.scalar(
            select(RedemptionActRow).where(
                RedemptionActRow.requested_by == wish.by, RedemptionActRow.act_key == wish.key
            )
        )
        if row is None:
            return None
        for field, is_same in (
            ("order", row.order_id == wish.order_id),
            ("act", row.act == wish.act),
            ("amount", row.keep_fen == wish.keep_fen),
            ("reason", row.reason == wish.reason),
        ):
            if not is_same:
                raise ActExistsDifferently(wish.key, field)
        return _record(row)

    def has_acted_for(self, session: Session, subject: str, merchant_id: MerchantId) -> bool:
        """Return whether a subject ever acted on an order for its shop."""
        return (subject, merchant_id) in self.acted_for(session, [subject])

    def acted_for(self, session: Session, subjects: Collection[str]) -> set[tuple[str, MerchantId]]:
        """Return for which shops any of the subjects ever acted on an order."""
        row = RedemptionActRow
        found = session.execute(
            select(row.requested_by, RedemptionOrderRow.merchant_id)
            .join(RedemptionOrderRow, RedemptionOrderRow.order_id == row.order_id)
            .where(row.requested_by.in_(subjects), row.act.in_([act.value for act in SHOP_ACTS]))
            .distinct()
        )
        return {(subject, MerchantId(merchant)) for subject, merchant in found}

    def standing(self, session: Session, row: RedemptionOrderRow) -> Standing:
        """Return where an order stands; true for as long as its row is locked."""
        under_way = session.scalar(
            select(RedemptionActRow.act).where(
                RedemptionActRow.order_id == row.order_id, RedemptionActRow.state == ActState.UNDER_WAY
            )
        )
        return standing(
            State(row.state),
            is_handed_over=row.handed_over_at is not None,
            under_way=None if under_way is None else Act(under_way),
        )

    def answer(self, session: Session, row: RedemptionOrderRow, act: Act) -> Answer:
        """Return what an act would come to now."""
        return answer(self.standing(session, row), act)

    def require(self, session: Session, row: RedemptionOrderRow, act: Act) -> None:
        """Raise OrderStateConflict unless the table lets the act take effect now."""
        found = self.answer(session, row, act)
        if isinstance(found, Reason):
            raise conflict(row, act, found)

    def note(
        self,
        session: Session,
        wish: Wish,
        *,
        fen: int,
        left_fen: int,
        kept: tuple[int, int] = (0, 0),
        state: ActState = ActState.UNDER_WAY,
    ) -> ActRecord:
        """Write an act that the table has let pass. ``kept``: the prefix of the order's lots that the shop keeps."""
        now = self.clock.timestamp()
        row = RedemptionActRow(
            order_id=wish.order_id,
            act=wish.act.value,
            act_key=wish.key,
            keep_fen=wish.keep_fen,
            fen=fen,
            left_fen=left_fen,
            kept_lots=kept[0],
            kept_last_minor=kept[1],
            state=state.value,
            failure=None,
            reason=wish.reason,
            requested_by=wish.by,
            created_at=now,
            updated_at=now,
        )
        session.add(row)
        session.flush()
        return _record(row)

    def of_order(self, session: Session, order_id: OrderId) -> list[ActRecord]:
        """Return all acts of an order, oldest first."""
        rows = session.scalars(
            select(RedemptionActRow).where(RedemptionActRow.order_id == order_id).order_by(RedemptionActRow.act_id)
        )
        return [_record(row) for row in rows]

    def last(self, session: Session, order_ids: Sequence[OrderId]) -> dict[OrderId, ActRecord]:
        """Return the last act of each order that has one: the one that is under way, where one is."""
        newest = (
            select(func.max(RedemptionActRow.act_id))
            .where(RedemptionActRow.order_id.in_(order_ids))
            .group_by(RedemptionActRow.order_id)
        )
        rows = session.scalars(select(RedemptionActRow).where(RedemptionActRow.act_id.in_(newest)))
        return {OrderId(row.order_id): _record(row) for row in rows}


def conflict(row: RedemptionOrderRow, act: Act, reason: Reason) -> OrderStateConflict:
    """Return the refusal of an act, with its reason."""
    return OrderStateConflict(
        order_id_text(OrderId(row.order_id)), row.state, act.value, reason.value, passes=reason in PASSING
    )


def _record(row: RedemptionActRow) -> ActRecord:
    state = ActState(row.state)
    return ActRecord(
        act_id=ActId(row.act_id),
        order_id=OrderId(row.order_id),
        act=Act(row.act),
        state=state,
        fen=row.fen,
        left_fen=row.left_fen,
        keep_fen=row.keep_fen,
        kept_lots=row.kept_lots,
        kept_last_minor=row.kept_last_minor,
        reason=row.reason,
        failure=row.failure,
        requested_by=row.requested_by,
        created_at=row.created_at,
        ended_at=None if state is ActState.UNDER_WAY else row.updated_at,
    )
