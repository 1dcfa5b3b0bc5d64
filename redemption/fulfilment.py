"""From a paid order to goods in a hand: slips with one-time codes, and the merchant's answer to them.

Two people see every purchase made at a desk: the clerk who took the order can never hand it over, nor can anyone else
of the same desk. A code opens nothing but one order at one merchant, once.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.custody.master import RandomBytes
from ledger.custody.signer import Signer
from ledger.errors import InvariantViolation
from ledger.orders.terms import pars
from ledger.outbox.outbox import OrderMessage, Outbox, order_key
from ledger.standard.civil_time import DAY_S
from ledger.standard.ids import MerchantId, OrderId, order_id_text, split_token_id
from ledger.standard.packed import pack_capture, pack_release
from ledger.standard.typed_data import Capture, Domain, HoldOrder, Lot, Release
from ledger.store.models.redemption import RedemptionActRow, RedemptionOrderRow, SlipRow
from redemption.acts.book import ActBook, Acted, ActOutcome, ActRecord, ActState, Wish, conflict
from redemption.acts.settling import ActSettlement
from redemption.acts.table import Act, Reason
from redemption.codes import CodeBook, digits_of, parse
from redemption.errors import (
    BadSlipCode,
    MerchantHoldsKey,
    OwnOrder,
    RedemptionError,
    SlipExpired,
    SlipUsed,
    UnknownOrder,
)
from redemption.lots import keep_down, prefix_value_down
from redemption.merchants import MerchantDirectory
from redemption.orders import Kind, RedemptionOrder, Redemptions
from redemption.states import State

SLIP_LIFETIME_S = 7 * DAY_S
SCREEN_CODE_LIFETIME_S = 15 * 60
CAPTURE_MARGIN_S = 5 * 60
"""How long before a hold's end its codes die: goods handed over later might never be captured, nor paid."""

RELEASE_AGAIN_S = 3600
"""How long after a rejection an overdue hold's release is tried again."""

CAPTURE_AGAIN_S = 60
"""How long after a rejection the capture of goods that are out is tried again."""

HANDED_OVER, CAPTURED = "handed over", "captured by the shop"
"""Reasons of acts whose client gives none."""

GATEWAY = "gateway"
"""Who asks for what this program does by itself."""


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
    """An order, by whose it is and who took it at which desk."""

    @property
    def resident_id(self) -> int:
        """Who pays."""
        ...

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
    """Who does something at a counter: the subject, the desks it works for, and the resident it is, if it is one."""

    subject: str
    desks: Collection[str] = ()
    resident_id: int | None = None

    def took_part(self, order: TakenAtDesk) -> bool:
        """Whether this is somebody of the other side: the resident who pays, the clerk who took the order at a desk,
        the second clerk who approved it, or another of that desk. They never act on it for the shop, whatever else
        their token is good for."""
        if self.resident_id == order.resident_id:
            return True
        if order.clerk is None:
            return False
        return self.subject in (order.clerk, order.approver) or order.desk_id in self.desks


@dataclass(frozen=True, slots=True)
class Checked:
    """The order behind a code, and why it would not be handed over now; None: it would."""

    order: RedemptionOrder
    refusal: RedemptionError | None
    code: str
    """The ten signs, whatever was scanned or typed."""


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """The only writer of slips, and of hand-overs, captures, releases and cancellations."""

    redemptions: Redemptions
    merchants: MerchantDirectory
    outbox: Outbox
    keys: Keys
    codes: CodeBook
    domain: Domain
    acts: ActBook
    clock: Clock
    random: RandomBytes = os.urandom

    # Codes and slips ---------------------------------------------------------------------------------------------

    def issue_slip(
        self, session: Session, order_id: OrderId, issued_by: str, *, lifetime_s: int = SLIP_LIFETIME_S
    ) -> Slip:
        """Issue a slip for an order; an earlier one becomes void. Raises UnknownOrder or OrderStateConflict."""
        row = self.redemptions.row(session, order_id)
        self.acts.require(session, row, Act.CODE)
        session.execute(
            update(SlipRow).where(SlipRow.order_id == order_id, SlipRow.used_at.is_(None)).values(is_replaced=True)
        )
        now = self.clock.timestamp()
        expires_at = now + lifetime_s
        if row.capture_by is not None and State(row.state) in {State.PLACED, State.HELD}:
            expires_at = min(expires_at, row.capture_by - CAPTURE_MARGIN_S)
        slip_id = self._new_slip_id(session, row.merchant_id, is_for_screen=expires_at - now <= SCREEN_CODE_LIFETIME_S)
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

    def check(self, session: Session, merchant_id: MerchantId, text: str, actor: Actor) -> Checked:
        """Return the order behind a code, and what `hand_over` would say to it now. Changes nothing.

        Raises BadSlipCode (another merchant's code too), SlipExpired or SlipUsed.
        """
        slip = self._find_slip(session, merchant_id, text)
        self._require_open(slip)
        row = self.redemptions.row(session, OrderId(slip.order_id), lock=False)
        return Checked(
            self.redemptions.get(session, OrderId(slip.order_id)),
            self._refusal(session, merchant_id, row, slip, actor),
            self.codes.code(slip.slip_id),
        )

    # The shop's acts ---------------------------------------------------------------------------------------------

    def hand_over(
        self, session: Session, merchant_id: MerchantId, text: str, actor: Actor, key: str | None = None
    ) -> Acted:
        """Use up a code: the goods change hands. A held order is captured whole.

        ``key``: the client's own id of this act. Checks in order: BadSlipCode, ActExistsDifferently, SlipExpired,
        SlipUsed, OwnOrder, OrderStateConflict, MerchantHoldsKey.
        """
        found = self._find_slip(session, merchant_id, text)
        order_id = OrderId(found.order_id)
        row = self.redemptions.row(session, order_id)  # the order first, then its slip, as all do
        slip = session.scalar(
            select(SlipRow)
            .where(SlipRow.slip_id == found.slip_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        wish = Wish(Act.HAND_OVER, order_id, actor.subject, HANDED_OVER, key)
        if (known := self.acts.known(session, wish)) is not None:
            return Acted(known, ActOutcome.EXISTS)
        if slip is None:
            raise BadSlipCode
        self._require_open(slip)
        refusal = self._refusal(session, merchant_id, row, slip, actor)
        if refusal is not None:
            raise refusal
        now = self.clock.timestamp()
        slip.used_at, slip.used_by = now, actor.subject
        row.handed_over_at, row.handed_over_by, row.updated_at = now, actor.subject[:_NAME_MAX], now
        session.flush()
        order = self.redemptions.get(session, order_id)
        if order.state is State.HELD:
            return Acted(self._capture(session, wish, order, order.whole), ActOutcome.CREATED)
        kept = order.kept or order.whole
        noted = self.acts.note(
            session, wish, fen=order.paid_fen, left_fen=order.paid_fen, kept=kept, state=ActState.DONE
        )
        return Acted(noted, ActOutcome.CREATED)

    def capture_part(
        self,
        session: Session,
        merchant_id: MerchantId,
        order_id: OrderId,
        keep_fen: int,
        actor: Actor,
        key: str | None = None,
    ) -> Acted:
        """Capture the shortest prefix of a hold that is worth ``keep_fen``; the rest is released.

        Raises UnknownOrder (another merchant's too), ActExistsDifferently, OwnOrder, OrderStateConflict, NotEnoughHeld
        or MerchantHoldsKey.
        """
        wish = Wish(Act.CAPTURE, order_id, actor.subject, CAPTURED, key, keep_fen)
        known = self._begin(session, merchant_id, wish, actor)
        if known is not None:
            return Acted(known, ActOutcome.EXISTS)
        order = self.redemptions.get(session, order_id)
        kept = keep_down(_priced(session, order), keep_fen)
        return Acted(self._capture(session, wish, order, kept), ActOutcome.CREATED)

    def release(
        self,
        session: Session,
        merchant_id: MerchantId,
        order_id: OrderId,
        actor: Actor,
        reason: str,
        key: str | None = None,
    ) -> Acted:
        """Give a hold back, by the merchant. Raises as `capture_part`, but for NotEnoughHeld."""
        wish = Wish(Act.RELEASE, order_id, actor.subject, reason, key)
        known = self._begin(session, merchant_id, wish, actor)
        if known is not None:
            return Acted(known, ActOutcome.EXISTS)
        signer = merchant_key(session, self.merchants, self.keys, merchant_id)
        signature = signer.sign_digest(Release(order_id).digest(self.domain))
        return Acted(self._release(session, wish, signature), ActOutcome.CREATED)

    # The resident's, and the gateway's own -----------------------------------------------------------------------

    def cancel(
        self, session: Session, resident_id: int, order_id: OrderId, reason: str, by: str, key: str | None = None
    ) -> Acted:
        """Give a hold back, by the resident, where the order allows it or the merchant let its time pass.

        Raises UnknownOrder (another resident's too), ActExistsDifferently, OrderStateConflict, or NotCustodial.
        """
        row = self.redemptions.row(session, order_id)
        if row.resident_id != resident_id:
            raise UnknownOrder(order_id_text(order_id))
        wish = Wish(Act.CANCEL, order_id, by, reason, key)
        if (known := self.acts.known(session, wish)) is not None:
            return Acted(known, ActOutcome.EXISTS)
        self.acts.require(session, row, Act.CANCEL)
        is_overdue = row.capture_by is not None and self.clock.timestamp() > row.capture_by
        if not row.is_cancellable and not is_overdue:
            raise conflict(row, Act.CANCEL, Reason.NOT_CANCELLABLE)
        signer = self.redemptions.registry.signer(session, resident_id)
        signature = signer.sign_digest(Release(order_id).digest(self.domain))
        return Acted(self._release(session, wish, signature), ActOutcome.CREATED)

    def release_overdue(self, session: Session, final_timestamp: int, limit: int = 500) -> int:
        """Release holds whose merchant let the time pass; needs no signature. Returns how many.

        A capture that is still under way ends first: the chain refuses it after that time.
        """
        overdue = self._idle_holds(
            session,
            RedemptionOrderRow.capture_by < final_timestamp,
            after_s=RELEASE_AGAIN_S,
            act=Act.LAPSE,
            limit=limit,
        )
        for order_id in overdue:
            row = self.redemptions.row(session, order_id)
            if isinstance(self.acts.answer(session, row, Act.LAPSE), Reason):
                continue
            self._release(session, Wish(Act.LAPSE, order_id, GATEWAY, "its time is over"), b"")
        return len(overdue)

    def capture_again(self, session: Session, limit: int = 500) -> int:
        """Capture again what was handed over and what the chain refused to capture then. Returns how many."""
        unpaid = self._idle_holds(
            session,
            RedemptionOrderRow.handed_over_at.is_not(None) & (RedemptionOrderRow.capture_by > self.clock.timestamp()),
            after_s=CAPTURE_AGAIN_S,
            act=None,
            limit=limit,
        )
        sent = 0
        for order_id in unpaid:
            row = self.redemptions.row(session, order_id)
            if isinstance(self.acts.answer(session, row, Act.CAPTURE), Reason):
                continue
            order = self.redemptions.get(session, order_id)
            wish = Wish(Act.CAPTURE, order_id, GATEWAY, HANDED_OVER)
            try:
                self._capture(session, wish, order, order.whole)
            except MerchantHoldsKey:  # taken away since: only the merchant can sign now
                continue
            sent += 1
        return sent

    def settle_acts(self, session: Session, settled_block: int) -> int:
        """Record the outcome of the acts under way; see `ActSettlement.settle`."""
        return ActSettlement(self.outbox, self.domain, self.clock).settle(session, settled_block)

    # Inside ------------------------------------------------------------------------------------------------------

    def _begin(self, session: Session, merchant_id: MerchantId, wish: Wish, actor: Actor) -> ActRecord | None:
        """Lock the order for an act of its shop; return the act where it exists already, else see that it may be."""
        row = self.redemptions.row(session, wish.order_id)
        name = order_id_text(wish.order_id)
        if row.merchant_id != merchant_id:
            raise UnknownOrder(name)
        known = self.acts.known(session, wish)
        if known is None:
            if actor.took_part(row):
                raise OwnOrder(name)
            self.acts.require(session, row, wish.act)
        return known

    def _refusal(
        self, session: Session, merchant_id: MerchantId, row: RedemptionOrderRow, slip: SlipRow, actor: Actor
    ) -> RedemptionError | None:
        """Return why an open code is not handed over for now."""
        if actor.took_part(row) or (row.clerk is not None and slip.issued_by == actor.subject):
            return OwnOrder(order_id_text(OrderId(row.order_id)))
        found = self.acts.answer(session, row, Act.HAND_OVER)
        if isinstance(found, Reason):
            return conflict(row, Act.HAND_OVER, found)
        is_to_capture = State(row.state) is State.HELD
        if is_to_capture and self.merchants.get(session, merchant_id).signer_name is None:
            return MerchantHoldsKey(merchant_id)
        return None

    def _idle_holds(
        self, session: Session, which: ColumnElement[bool], *, after_s: int, act: Act | None, limit: int
    ) -> list[OrderId]:
        """Return holds with no act under way, none of that kind refused within ``after_s`` seconds."""
        tried = RedemptionActRow.state == ActState.FAILED
        if act is not None:
            tried &= RedemptionActRow.act == act
        busy = select(RedemptionActRow.act_id).where(
            RedemptionActRow.order_id == RedemptionOrderRow.order_id,
            or_(
                RedemptionActRow.state == ActState.UNDER_WAY,
                tried & (RedemptionActRow.updated_at > self.clock.timestamp() - after_s),
            ),
        )
        found = session.scalars(
            select(RedemptionOrderRow.order_id)
            .where(RedemptionOrderRow.state == State.HELD, which, ~busy.exists())
            .order_by(RedemptionOrderRow.sequence)
            .limit(limit)
        )
        return [OrderId(one) for one in found]

    def order_of(self, session: Session, merchant_id: MerchantId, text: str) -> OrderId:
        """Return the order that a code, used or not, was issued for. Raises BadSlipCode (another merchant's too)."""
        return OrderId(self._find_slip(session, merchant_id, text).order_id)

    def _new_slip_id(self, session: Session, merchant_id: MerchantId, *, is_for_screen: bool) -> str:
        """Return a random id; of a code for a screen one whose digits no other has at this shop for now."""
        slip_id = self.random(16).hex()
        if is_for_screen:
            taken = {self.codes.digits(one.slip_id) for one in self._on_screens(session, merchant_id)}
            for _ in range(_DIGITS_TRIES):
                if self.codes.digits(slip_id) not in taken:
                    break
                slip_id = self.random(16).hex()
        return slip_id

    def _on_screens(self, session: Session, merchant_id: MerchantId) -> Sequence[SlipRow]:
        """Return a shop's slips that were made for a screen and whose time is not over, used ones too."""
        now = self.clock.timestamp()
        return session.scalars(
            select(SlipRow)
            .join(RedemptionOrderRow, RedemptionOrderRow.order_id == SlipRow.order_id)
            .where(
                SlipRow.created_at > now - SCREEN_CODE_LIFETIME_S,
                SlipRow.expires_at > now,
                SlipRow.expires_at - SlipRow.created_at <= SCREEN_CODE_LIFETIME_S,
                SlipRow.is_replaced.is_(False),
                RedemptionOrderRow.merchant_id == merchant_id,
            )
        ).all()

    def _find_slip(self, session: Session, merchant_id: MerchantId, text: str) -> SlipRow:
        if (digits := digits_of(text)) is not None:
            found = [one for one in self._on_screens(session, merchant_id) if self.codes.digits(one.slip_id) == digits]
            if len(found) != 1:
                raise BadSlipCode
            return found[0]
        row = session.scalar(select(SlipRow).where(SlipRow.code_hmac == self.codes.finder(parse(text))))
        if row is None:
            raise BadSlipCode
        owner = session.scalar(
            select(RedemptionOrderRow.merchant_id).where(RedemptionOrderRow.order_id == row.order_id)
        )
        if owner != merchant_id:
            raise BadSlipCode
        return row

    def _require_open(self, slip: SlipRow) -> None:
        if slip.used_at is not None or slip.is_replaced:
            raise SlipUsed(slip.slip_id)
        if self.clock.timestamp() >= slip.expires_at:
            raise SlipExpired(slip.slip_id)

    def _capture(self, session: Session, wish: Wish, order: RedemptionOrder, kept: tuple[int, int]) -> ActRecord:
        digest = Capture(order.order_id, *kept).digest(self.domain)
        signature = merchant_key(session, self.merchants, self.keys, order.merchant_id).sign_digest(digest)
        packed = pack_capture(_hold(order), *kept, signature)
        fen = prefix_value_down(_priced(session, order), *kept)
        noted = self.acts.note(session, wish, fen=fen, left_fen=fen, kept=kept)
        self._send(session, OrderMessage("capture", OrderId(digest), packed, order.capture_by))
        return noted

    def _release(self, session: Session, wish: Wish, signature: bytes) -> ActRecord:
        order = self.redemptions.get(session, wish.order_id)
        digest = Release(wish.order_id).digest(self.domain)
        noted = self.acts.note(session, wish, fen=order.value_fen, left_fen=0)
        self._send(session, OrderMessage("release", OrderId(digest), pack_release(_hold(order), signature)))
        return noted

    def _send(self, session: Session, message: OrderMessage) -> None:
        """Put a signed act into the outbox, or again where the chain refused it before."""
        if self.outbox.status(session, order_key(message.order_id)) is None:
            self.outbox.enqueue_orders(session, [message])
        else:
            self.outbox.send_order_again(session, message)


_NAME_MAX = 255
_DIGITS_TRIES = 20


def merchant_key(session: Session, merchants: MerchantDirectory, keys: Keys, merchant_id: MerchantId) -> Signer:
    """Return the key that signs for a merchant. Raises UnknownMerchant or MerchantHoldsKey."""
    name = merchants.get(session, merchant_id).signer_name
    if name is None:
        raise MerchantHoldsKey(merchant_id)
    return keys.get(name)


def _priced(session: Session, order: RedemptionOrder) -> list[tuple[int, Lot]]:
    par = pars(session)
    return [(par[split_token_id(lot.id)[0]], lot) for lot in order.lots]


def _hold(order: RedemptionOrder) -> HoldOrder:
    if order.kind is not Kind.HOLD or order.capture_by is None:
        raise InvariantViolation(f"order {order_id_text(order.order_id)} is no hold, and the table let it pass for one")
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
