"""From a paid order to goods in a hand: slips with one-time codes, and the merchant's answer to them.

Two people see every purchase made at a desk: the clerk who took the order can never hand it over, nor can anyone else
of the same desk. A code opens nothing but one order at one merchant, once.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.custody.master import RandomBytes
from ledger.custody.signer import Signer
from ledger.orders.terms import pars
from ledger.outbox.outbox import OrderMessage, Outbox, order_key
from ledger.outbox.states import MessageState
from ledger.standard.civil_time import DAY_S
from ledger.standard.ids import MerchantId, OrderId, order_id_text, split_token_id
from ledger.standard.packed import pack_capture, pack_release
from ledger.standard.typed_data import Capture, Domain, HoldOrder, Release
from ledger.store.models.redemption import RedemptionActionRow, RedemptionOrderRow, SlipRow
from redemption.codes import CodeBook, parse
from redemption.errors import (
    BadSlipCode,
    MerchantHoldsKey,
    OrderStateConflict,
    OwnOrder,
    SlipExpired,
    SlipUsed,
)
from redemption.lots import keep_down
from redemption.merchants import MerchantDirectory
from redemption.orders import Kind, RedemptionOrder, Redemptions
from redemption.states import State

SLIP_LIFETIME_S = 7 * DAY_S
SCREEN_CODE_LIFETIME_S = 15 * 60
CAPTURE_MARGIN_S = 5 * 60
"""How long before a hold's end its codes die: goods handed over later might never be captured, nor paid."""

RELEASE_AGAIN_S = 3600
"""How long after a rejection an overdue hold's release is tried again."""

QUEUED, DONE, FAILED = "queued", "done", "failed"
"""Where a capture, release or refund stands."""

_CAN_HAVE_SLIP = frozenset({State.PLACED, State.PAID, State.HELD})


class Keys(Protocol):
    """Finds the key of a name (the keystore)."""

    def get(self, name: str) -> Signer:
        """Return the signer. Raises KeyNotFound."""
        ...


@dataclass(frozen=True, slots=True)
class Slip:
    """A slip as the desk and the resident may know it; the code is derived from the id."""

    slip_id: str
    order_id: OrderId
    expires_at: int
    used_at: int | None
    is_replaced: bool


class TakenAtDesk(Protocol):
    """An order, by who took it at which desk."""

    @property
    def clerk(self) -> str | None:
        """The subject who served the resident."""
        ...

    @property
    def approver(self) -> str | None:
        """The second clerk, where one approved it."""
        ...

    @property
    def desk_id(self) -> str | None:
        """The desk."""
        ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something at a counter: the subject, and the desks it works for."""

    subject: str
    desks: Collection[str] = ()

    def took_part(self, order: TakenAtDesk) -> bool:
        """Whether this is somebody who took the order at a desk: its clerk, the second clerk who approved it, or
        another of that desk. They never hand it over, whatever else their token is good for."""
        if order.clerk is None:
            return False
        return self.subject in (order.clerk, order.approver) or order.desk_id in self.desks


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """The only writer of slips and of captures, releases and their actions."""

    redemptions: Redemptions
    merchants: MerchantDirectory
    outbox: Outbox
    keys: Keys
    codes: CodeBook
    domain: Domain
    clock: Clock
    random: RandomBytes = os.urandom

    def issue_slip(
        self, session: Session, order_id: OrderId, issued_by: str, *, lifetime_s: int = SLIP_LIFETIME_S
    ) -> Slip:
        """Issue a slip for an order; an earlier one becomes void. Raises UnknownOrder or OrderStateConflict."""
        row = self.redemptions.row(session, order_id)
        if State(row.state) not in _CAN_HAVE_SLIP or row.handed_over_at is not None:
            raise OrderStateConflict(order_id_text(order_id), row.state, "issue a slip")
        session.execute(
            update(SlipRow).where(SlipRow.order_id == order_id, SlipRow.used_at.is_(None)).values(is_replaced=True)
        )
        now = self.clock.timestamp()
        expires_at = now + lifetime_s
        if row.capture_by is not None:
            expires_at = min(expires_at, row.capture_by - CAPTURE_MARGIN_S)
        slip_id = self.random(16).hex()
        slip = SlipRow(
            slip_id=slip_id,
            order_id=order_id,
            code_hmac=self.codes.finder(self.codes.code(slip_id)),
            expires_at=expires_at,
            used_at=None,
            used_by=None,
            is_replaced=False,
            issued_by=issued_by,
            created_at=now,
        )
        session.add(slip)
        session.flush()
        return _slip(slip)

    def slip(self, session: Session, slip_id: str) -> Slip:
        """Return a slip. Raises BadSlipCode."""
        row = session.get(SlipRow, slip_id)
        if row is None:
            raise BadSlipCode
        return _slip(row)

    def look_up(self, session: Session, merchant_id: MerchantId, text: str) -> RedemptionOrder:
        """Return the order behind a code, for the merchant to see before it hands anything over.

        Raises BadSlipCode (another merchant's code too), SlipExpired or SlipUsed.
        """
        return self.redemptions.get(session, self._open_slip(session, merchant_id, text, lock=False).order_id)

    def hand_over(self, session: Session, merchant_id: MerchantId, text: str, actor: Actor) -> RedemptionOrder:
        """Use up a code: the goods change hands. A held order is captured whole.

        Checks in order: BadSlipCode, SlipExpired, SlipUsed, OwnOrder, OrderStateConflict (an order that is not final
        yet: wait), MerchantHoldsKey.
        """
        slip = self._open_slip(session, merchant_id, text)
        row = self.redemptions.row(session, slip.order_id)
        name = order_id_text(row.order_id)
        if row.clerk is not None and (slip.issued_by == actor.subject or actor.took_part(row)):
            raise OwnOrder(name)
        if State(row.state) not in {State.PAID, State.HELD}:
            raise OrderStateConflict(name, row.state, "hand over")
        now = self.clock.timestamp()
        slip.used_at, slip.used_by = now, actor.subject
        row.handed_over_at, row.handed_over_by, row.updated_at = now, actor.subject, now
        if State(row.state) is State.HELD:
            order = self.redemptions.get(session, row.order_id)
            self._capture(session, order, len(order.lots), order.lots[-1].amount, "handed over", actor.subject)
        session.flush()
        return self.redemptions.get(session, row.order_id)

    def capture_part(
        self, session: Session, merchant_id: MerchantId, order_id: OrderId, keep_fen: int, actor: Actor
    ) -> RedemptionOrder:
        """Capture the shortest prefix of a hold that is worth ``keep_fen``; the rest is released.

        Raises UnknownOrder, OwnOrder, OrderStateConflict, NotEnoughHeld or MerchantHoldsKey.
        """
        order = self._held(session, merchant_id, order_id, actor, "capture")
        par = pars(session)
        lots = [(par[split_token_id(lot.id)[0]], lot) for lot in order.lots]
        kept, last = keep_down(lots, keep_fen)
        self._capture(session, order, kept, last, "captured in part", actor.subject)
        return order

    def release(self, session: Session, merchant_id: MerchantId, order_id: OrderId, actor: Actor, reason: str) -> None:
        """Give a hold back, by the merchant. Raises UnknownOrder, OwnOrder, OrderStateConflict or MerchantHoldsKey."""
        order = self._held(session, merchant_id, order_id, actor, "release")
        signature = merchant_key(session, self.merchants, self.keys, merchant_id).sign_digest(
            Release(order_id).digest(self.domain)
        )
        self._send_release(session, order, signature, actor.subject, reason)

    def cancel(self, session: Session, resident_id: int, order_id: OrderId, reason: str) -> None:
        """Give a hold back, by the resident, where the order allows it or the merchant let its time pass.

        Raises UnknownOrder, OrderStateConflict, or NotCustodial.
        """
        order = self.redemptions.get(session, order_id)
        if order.resident_id != resident_id or order.state is not State.HELD:
            raise OrderStateConflict(order_id_text(order_id), order.state.value, "cancel")
        is_overdue = order.capture_by is not None and self.clock.timestamp() > order.capture_by
        if not order.is_cancellable and not is_overdue:
            raise OrderStateConflict(order_id_text(order_id), "not cancellable", "cancel")
        signer = self.redemptions.registry.signer(session, resident_id)
        signature = signer.sign_digest(Release(order_id).digest(self.domain))
        self._send_release(session, order, signature, f"resident:{resident_id}", reason)

    def release_overdue(self, session: Session, final_timestamp: int, limit: int = 500) -> int:
        """Release holds whose merchant let the time pass; needs no signature. Returns how many.

        A capture that is still on its way lands no more: the chain refuses it after that time.
        """
        released = select(RedemptionActionRow.order_id).where(
            RedemptionActionRow.order_id == RedemptionOrderRow.order_id,
            RedemptionActionRow.kind == "release",
            # One that the chain rejected is tried again, but not in every round.
            (RedemptionActionRow.state != FAILED)
            | (RedemptionActionRow.updated_at > self.clock.timestamp() - RELEASE_AGAIN_S),
        )
        overdue = session.scalars(
            select(RedemptionOrderRow.order_id)
            .where(
                RedemptionOrderRow.state == State.HELD,
                RedemptionOrderRow.capture_by < final_timestamp,
                ~released.exists(),
            )
            .limit(limit)
        ).all()
        for order_id in overdue:
            self._give_up_captures(session, order_id)
            self._send_release(session, self.redemptions.get(session, order_id), b"", "gateway", "time is over")
        return len(overdue)

    def settle_actions(self, session: Session, settled_block: int) -> int:
        """Record the outcome of captures, releases and refunds on their way. Returns how many have ended.

        ``settled_block``: up to which block the orders' states are what the chain said.
        """
        ended = 0
        rows = session.execute(
            select(RedemptionActionRow, RedemptionOrderRow.state)
            .join(RedemptionOrderRow, RedemptionOrderRow.order_id == RedemptionActionRow.order_id)
            .where(RedemptionActionRow.state == QUEUED)
        ).all()
        for action, state in rows:
            found = self._ended(session, action, State(state), settled_block)
            if found is not None:
                action.state = found
                action.updated_at = self.clock.timestamp()
                ended += 1
        session.flush()
        return ended

    def _ended(self, session: Session, action: RedemptionActionRow, state: State, settled_block: int) -> str | None:
        if action.kind == "refund":
            key = f"refund:{action.order_id.hex()}:{action.kept_lots}:{action.kept_last_minor}"
            status = self.outbox.status(session, key)
            if status is None or status.state not in (MessageState.DONE, MessageState.FAILED):
                return None
            return DONE if status.state is MessageState.DONE else FAILED
        if state is State.PLACED:
            return None
        if state is not State.HELD:
            return DONE if (state is State.RELEASED) == (action.kind == "release") else FAILED
        # Still held: if the call has landed in a block that was looked at, the chain has rejected it.
        status = self.outbox.status(session, order_key(self._digest(action)))
        if status is None or status.state in (MessageState.QUEUED, MessageState.SENT):
            return None
        has_landed = status.state is MessageState.DONE
        if has_landed and (status.block_number is None or status.block_number > settled_block):
            return None
        return FAILED

    def _digest(self, action: RedemptionActionRow) -> OrderId:
        """Return the digest under which the outbox keeps an action, as it keeps an order under its id."""
        if action.kind == "release":
            return OrderId(Release(action.order_id).digest(self.domain))
        return OrderId(Capture(action.order_id, action.kept_lots, action.kept_last_minor).digest(self.domain))

    def _give_up_captures(self, session: Session, order_id: OrderId) -> None:
        session.execute(
            update(RedemptionActionRow)
            .where(
                RedemptionActionRow.order_id == order_id,
                RedemptionActionRow.kind == "capture",
                RedemptionActionRow.state == QUEUED,
            )
            .values(state=FAILED, updated_at=self.clock.timestamp())
        )

    def _open_slip(self, session: Session, merchant_id: MerchantId, text: str, *, lock: bool = True) -> SlipRow:
        finder = self.codes.finder(parse(text))
        query = select(SlipRow).where(SlipRow.code_hmac == finder)
        row = session.scalar(query.with_for_update() if lock else query)
        if row is None:
            raise BadSlipCode
        owner = session.scalar(
            select(RedemptionOrderRow.merchant_id).where(RedemptionOrderRow.order_id == row.order_id)
        )
        if owner != merchant_id:
            raise BadSlipCode
        if row.used_at is not None or row.is_replaced:
            raise SlipUsed(row.slip_id)
        if self.clock.timestamp() >= row.expires_at:
            raise SlipExpired(row.slip_id)
        return row

    def _held(
        self, session: Session, merchant_id: MerchantId, order_id: OrderId, actor: Actor, wanted: str
    ) -> RedemptionOrder:
        order = self.redemptions.get(session, order_id)
        name = order_id_text(order_id)
        if order.merchant_id != merchant_id or order.state is not State.HELD:
            raise OrderStateConflict(name, order.state.value, wanted)
        if actor.took_part(order):
            raise OwnOrder(name)
        return order

    def _capture(
        self, session: Session, order: RedemptionOrder, kept: int, last_minor: int, reason: str, by: str
    ) -> None:
        digest = Capture(order.order_id, kept, last_minor).digest(self.domain)
        signature = merchant_key(session, self.merchants, self.keys, order.merchant_id).sign_digest(digest)
        packed = pack_capture(_hold(order), kept, last_minor, signature)
        noted = self._act(session, order, "capture", kept, last_minor, reason, by)
        self._send(session, noted, OrderMessage("capture", OrderId(digest), packed, order.capture_by))

    def _send_release(self, session: Session, order: RedemptionOrder, signature: bytes, by: str, reason: str) -> bool:
        noted = self._act(session, order, "release", 0, 0, reason, by)
        digest = Release(order.order_id).digest(self.domain)
        self._send(session, noted, OrderMessage("release", OrderId(digest), pack_release(_hold(order), signature)))
        return noted is not _Noted.OPEN

    def _send(self, session: Session, noted: _Noted, message: OrderMessage) -> None:
        match noted:
            case _Noted.NEW:
                self.outbox.enqueue_orders(session, [message])
            case _Noted.AGAIN:
                self.outbox.send_order_again(session, message)
            case _Noted.OPEN:
                return

    def _act(
        self, session: Session, order: RedemptionOrder, kind: str, kept: int, last_minor: int, reason: str, by: str
    ) -> _Noted:
        """Note an action. One capture or release an order is on its way at a time."""
        actions = session.scalars(
            select(RedemptionActionRow)
            .where(
                RedemptionActionRow.order_id == order.order_id,
                RedemptionActionRow.kind.in_(["capture", "release"]),
            )
            .with_for_update()
        ).all()
        for one in actions:
            if one.state == QUEUED:
                if one.kind != kind:
                    raise OrderStateConflict(order_id_text(order.order_id), f"in {one.kind}", kind)
                return _Noted.OPEN
        now = self.clock.timestamp()
        for one in actions:
            if (one.kind, one.kept_lots, one.kept_last_minor) == (kind, kept, last_minor):
                one.state, one.reason, one.requested_by, one.updated_at = QUEUED, reason, by, now
                session.flush()
                return _Noted.AGAIN
        session.add(
            RedemptionActionRow(
                order_id=order.order_id,
                kind=kind,
                kept_lots=kept,
                kept_last_minor=last_minor,
                state=QUEUED,
                reason=reason,
                requested_by=by,
                created_at=now,
                updated_at=now,
            )
        )
        session.flush()
        return _Noted.NEW


class _Noted(Enum):
    """Whether an action is new, was rejected before and is tried again, or is on its way already."""

    NEW = "new"
    AGAIN = "again"
    OPEN = "open"


def merchant_key(session: Session, merchants: MerchantDirectory, keys: Keys, merchant_id: MerchantId) -> Signer:
    """Return the key that signs for a merchant. Raises UnknownMerchant or MerchantHoldsKey."""
    name = merchants.get(session, merchant_id).signer_name
    if name is None:
        raise MerchantHoldsKey(merchant_id)
    return keys.get(name)


def _hold(order: RedemptionOrder) -> HoldOrder:
    if order.kind is not Kind.HOLD or order.capture_by is None:
        raise OrderStateConflict(order_id_text(order.order_id), order.state.value, "treat it as a hold")
    return HoldOrder(
        order.holder,
        order.merchant_id,
        order.lots,
        order.nonce,
        order.deadline,
        order.capture_by,
        order.is_cancellable,
    )


def _slip(row: SlipRow) -> Slip:
    return Slip(row.slip_id, OrderId(row.order_id), row.expires_at, row.used_at, row.is_replaced)
