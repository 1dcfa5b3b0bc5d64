"""The order desk: checks an order as the chain will, allots its nonce, has it signed, and puts it into the outbox.

Everything happens in the caller's transaction, so that an order and what it belongs to commit together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select, text, update
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.custody.signer import Signer
from ledger.indexer.tables import table_of
from ledger.orders import nonces
from ledger.orders.eligibility import MerchantTerms, Refusal, Terms
from ledger.orders.errors import (
    DeadlineUnfit,
    MerchantUnknown,
    NonceTaken,
    NothingToGain,
    OrdersPaused,
    ProgrammeForbids,
    TooLittle,
    TooManyOpenOrders,
    WrongSignature,
)
from ledger.orders.lots import SpendableLot, for_amount, for_value, soonest_first
from ledger.orders.quote import Quote, quote
from ledger.orders.terms import KnownTerms, Projected, load_merchant
from ledger.outbox.outbox import Outbox, order_key
from ledger.outbox.states import MessageState
from ledger.standard.civil_time import DAY_S
from ledger.standard.contract import NONCE_LEFT, ORDER_FEN_MIN, Verdict, rejection_word
from ledger.standard.errors import BadSignature
from ledger.standard.ids import AccountBytes, MerchantId, OrderId, ProgrammeId, address_bytes, split_token_id
from ledger.standard.packed import pack_exchange_order, pack_hold_order, pack_redeem_order
from ledger.standard.signatures import recover
from ledger.standard.typed_data import Domain, ExchangeOrder, HoldOrder, Lot, RedeemOrder
from ledger.store.database import fetch_by_keys
from ledger.store.models.outbox import ExchangeOrderRow, OrderNonceRow
from ledger.store.models.projection import (
    BalanceRow,
    OrderOutcomeRow,
    ProjectionCursorRow,
)

_SPENT_KEPT = 64
OPEN_MAX = 128
"""Orders that a resident with an own key may have on their way: the nonces of two years' lots, each window full."""
_NONCE_UNTOUCHED = NONCE_LEFT - {Verdict.NONCE_SPENT}
"""After these the nonce is free. After NONCE_SPENT it is as it was, but not ours to use."""


_BALANCES = (
    select(table_of(BalanceRow).c.token_id, table_of(BalanceRow).c.amount_minor)
    .where(table_of(BalanceRow).c.account == bindparam("account"), table_of(BalanceRow).c.amount_minor > 0)
    .order_by(table_of(BalanceRow).c.token_id)
)
_OPEN = select(
    table_of(OrderNonceRow).c.order_id, table_of(OrderNonceRow).c.lots, table_of(OrderNonceRow).c.deadline
).where(table_of(OrderNonceRow).c.holder == bindparam("account"), table_of(OrderNonceRow).c.state == "open")


class OrderState(StrEnum):
    """Where an order stands."""

    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """The chain refused it; ``code`` says why."""
    EXPIRED = "expired"
    """Its deadline passed before it was sent."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order in the outbox. ``lots`` is what it spends."""

    order_id: OrderId
    kind: str
    lots: tuple[Lot, ...]
    nonce: int
    deadline: int


@dataclass(frozen=True, slots=True)
class PlacedExchange:
    """One order for each lot that is given, and what they give together."""

    orders: tuple[PlacedOrder, ...]
    quote: Quote


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """What is known of an order. Amounts in minor units; None where the chain has not said, or says nothing."""

    order_id: OrderId
    state: OrderState
    code: int | None = None
    reason: str | None = None
    fen: int | None = None
    amount_out_minor: int | None = None
    block_number: int | None = None
    block_timestamp: int | None = None
    transaction_hash: bytes | None = None
    log_index: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state not in (OrderState.QUEUED, OrderState.SENT)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an account has as of one block: (token id, minor units) by token id, and what of it can be spent."""

    block: Projected
    terms: Terms
    balances: tuple[tuple[int, int], ...]
    spendable: Mapping[int, int]


class OrderDesk:
    """Places orders for holders. ``ttl_s`` is how long an order may wait for its block unless the caller says."""

    def __init__(self, domain: Domain, outbox: Outbox, clock: Clock, *, ttl_s: int = 600, ttl_max_s: int = DAY_S):
        self._domain = domain
        self._outbox = outbox
        self._clock = clock
        self._ttl_s = ttl_s
        self._ttl_max_s = ttl_max_s
        self._terms = KnownTerms()

    # What can be spent ------------------------------------------------------------------------------------------

    def spendable(self, session: Session, holder: str) -> list[SpendableLot]:
        """Return the holder's living lots less what open orders would spend, soonest expiry first."""
        account = address_bytes(holder)
        return soonest_first(self._living(session, account, self._terms.read(session)[1], _balances(session, account)))

    def holdings(self, session: Session, holder: str) -> Holdings:
        """Return all that a holder has, and what of it is spendable, with the block up to which it is true."""
        account = address_bytes(holder)
        block, terms = self._terms.read(session)
        balances = _balances(session, account)
        living = self._living(session, account, terms, balances)
        return Holdings(block, terms, balances, {lot.token_id: lot.amount_minor for lot in living})

    def terms(self, session: Session) -> Terms:
        """Return the terms of all programmes, as projected."""
        return self._terms.read(session)[1]

    def _living(
        self, session: Session, account: AccountBytes, terms: Terms, balances: Sequence[tuple[int, int]]
    ) -> list[SpendableLot]:
        reserved = self._reserved(session, account)
        now = self._clock.timestamp()
        lots = []
        for token, amount in balances:
            left = amount - reserved.get(token, 0)
            if left > 0 and not terms.is_dead(token, now):
                known = terms.of_lot(token)
                par, until = (0, 0) if known is None else (known.par_microfen, known.spendable_until)
                lots.append(SpendableLot(token, left, par, until))
        return lots

    def quote_exchange(
        self, session: Session, holder: str, from_programme: ProgrammeId, to_programme: ProgrammeId, amount_minor: int
    ) -> Quote:
        """Return what an exchange would give now.

        Raises OrdersPaused, ProgrammeForbids, InsufficientPoints, or NothingToGain: nothing comes out of a lot.
        """
        source, target = self._exchange_pars(session, from_programme, to_programme)
        lots = [lot for lot in self.spendable(session, holder) if lot.token_id >> 32 == from_programme]
        found = quote(for_amount(lots, amount_minor), to_programme, source, target)
        if not all(lot.amount_out_minor for lot in found.lots):  # each is an order of its own
            raise NothingToGain(found.amount_out_minor, max(1, found.amount_out_minor))
        return found

    # Orders that we sign for custodial residents -----------------------------------------------------------------

    def place_exchange(
        self,
        session: Session,
        signer: Signer,
        from_programme: ProgrammeId,
        to_programme: ProgrammeId,
        amount_minor: int,
        *,
        min_out_minor: int = 1,
        deadline: int | None = None,
    ) -> PlacedExchange:
        """Exchange ``amount_minor`` of one programme, soonest expiry first, an order for each lot.

        ``min_out_minor`` bounds the sum; each order carries its own quote as minimum, for a quote does not move.
        Raises OrdersPaused, ProgrammeForbids, InsufficientPoints, NothingToGain, TooManyOpenOrders, DeadlineUnfit.
        """
        self._lock(session, signer.address)
        quoted = self.quote_exchange(session, signer.address, from_programme, to_programme, amount_minor)
        if quoted.amount_out_minor < max(1, min_out_minor):
            raise NothingToGain(quoted.amount_out_minor, max(1, min_out_minor))
        until = self._deadline(deadline)
        placed = []
        for lot in quoted.lots:
            order = ExchangeOrder(
                holder=signer.address,
                from_id=lot.from_id,
                amount=lot.amount_in_minor,
                to_programme=to_programme,
                min_out=lot.amount_out_minor,
                nonce=self._allot(session, signer.address, lot.from_id),
                deadline=until,
            )
            order_id = OrderId(order.digest(self._domain))
            packed = pack_exchange_order(order, signer.sign_digest(order_id))
            lots = (Lot(lot.from_id, lot.amount_in_minor),)
            placed.append(
                self._enqueue(session, "exchange", order_id, packed, signer.address, lots, order.nonce, until)
            )
        return PlacedExchange(tuple(placed), quoted)

    def place_redeem(
        self,
        session: Session,
        signer: Signer,
        merchant: MerchantId,
        *,
        value_fen: int | None = None,
        lots: Sequence[Lot] | None = None,
        deadline: int | None = None,
    ) -> PlacedOrder:
        """Pay a merchant: ``lots`` as given (in debit order), or lots worth ``value_fen``, soonest expiry first.

        Raises OrdersPaused, MerchantUnknown, ProgrammeForbids, TooLittle, InsufficientPoints, TooManyLots,
        TooManyOpenOrders, DeadlineUnfit.
        """
        self._lock(session, signer.address)
        chosen = self._basket(session, signer.address, merchant, value_fen, lots)
        until = self._deadline(deadline)
        nonce = self._allot(session, signer.address, chosen[0].id)
        order = RedeemOrder(signer.address, merchant, chosen, nonce, until)
        order_id = OrderId(order.digest(self._domain))
        packed = pack_redeem_order(order, signer.sign_digest(order_id))
        return self._enqueue(session, "redeem", order_id, packed, signer.address, chosen, nonce, until)

    def place_hold(
        self,
        session: Session,
        signer: Signer,
        merchant: MerchantId,
        *,
        capture_by: int,
        is_cancellable: bool,
        value_fen: int | None = None,
        lots: Sequence[Lot] | None = None,
        deadline: int | None = None,
    ) -> PlacedOrder:
        """Set lots aside for a merchant until ``capture_by`` (Unix seconds): at most 30 days ahead, and within the
        quarter of each lot. As place_redeem."""
        self._lock(session, signer.address)
        chosen = self._basket(session, signer.address, merchant, value_fen, lots, capture_by)
        until = self._deadline(deadline)
        nonce = self._allot(session, signer.address, chosen[0].id)
        order = HoldOrder(signer.address, merchant, chosen, nonce, until, capture_by, is_cancellable)
        order_id = OrderId(order.digest(self._domain))
        packed = pack_hold_order(order, signer.sign_digest(order_id))
        return self._enqueue(session, "hold", order_id, packed, signer.address, chosen, nonce, until)

    # Orders that come in signed ----------------------------------------------------------------------------------

    def next_nonce(self, session: Session, holder: str, token_id: int) -> int:
        """Return a nonce that a holder with an own key may use for an order whose first lot this is.

        Raises TooManyOpenOrders.
        """
        return self._allot(session, holder, token_id)

    def accept_exchange(self, session: Session, order: ExchangeOrder, signature: bytes) -> PlacedOrder:
        """Take an exchange order that its holder signed.

        Raises WrongSignature, DeadlineUnfit, NonceTaken, OrdersPaused, ProgrammeForbids, TooManyOpenOrders.
        """
        lots = (Lot(order.from_id, order.amount),)
        return self._accept(session, "exchange", order, lots, signature, pack_exchange_order(order, signature))

    def accept_redeem(self, session: Session, order: RedeemOrder, signature: bytes) -> PlacedOrder:
        """Take a redeem order that its holder signed. Raises as `accept_exchange`, and MerchantUnknown."""
        return self._accept(session, "redeem", order, order.lots, signature, pack_redeem_order(order, signature))

    def accept_hold(self, session: Session, order: HoldOrder, signature: bytes) -> PlacedOrder:
        """Take a hold order that its holder signed. Raises as `accept_redeem`."""
        return self._accept(session, "hold", order, order.lots, signature, pack_hold_order(order, signature))

    # Outcomes -------------------------------------------------------------------------------------------------

    def status(self, session: Session, order_id: OrderId) -> OrderStatus | None:
        """Return what is known of an order, or None if it was not placed here."""
        return self.statuses(session, [order_id]).get(order_id)

    def statuses(self, session: Session, order_ids: Sequence[OrderId]) -> dict[OrderId, OrderStatus]:
        """Return what is known of orders, by id; unknown ones are left out."""
        outcomes = _outcomes(session, order_ids)
        messages = self._outbox.statuses(session, [order_key(order_id) for order_id in order_ids])
        found = {}
        for order_id in order_ids:
            outcome = outcomes.get(order_id)
            message = messages.get(order_key(order_id))
            if outcome is not None:
                found[order_id] = outcome
            elif message is not None:
                # Done but not projected yet is still under way for the one who asks.
                state = OrderState.SENT if message.state is MessageState.DONE else OrderState(message.state.value)
                found[order_id] = OrderStatus(order_id, state, reason=message.reason)
        return found

    # Inside ------------------------------------------------------------------------------------------------------

    def _accept(
        self,
        session: Session,
        kind: str,
        order: ExchangeOrder | RedeemOrder | HoldOrder,
        lots: tuple[Lot, ...],
        signature: bytes,
        packed: bytes,
    ) -> PlacedOrder:
        order_id = OrderId(order.digest(self._domain))
        try:
            signed_by = recover(order_id, signature)
        except BadSignature:
            raise WrongSignature(order.holder) from None
        if address_bytes(signed_by) != address_bytes(order.holder):
            raise WrongSignature(order.holder)
        self._lock(session, order.holder)
        self._deadline(order.deadline)
        word = nonces.word_of(lots[0].id)
        row = session.get(OrderNonceRow, (address_bytes(order.holder), word, order.nonce))
        if row is not None and row.order_id != order_id:
            raise NonceTaken(order.holder, order.nonce)
        if row is not None:
            return PlacedOrder(order_id, kind, lots, order.nonce, order.deadline)
        self._check(session, order)
        account = address_bytes(order.holder)
        self._settle(session, account)
        if len(self._open(session, account)) >= OPEN_MAX:
            raise TooManyOpenOrders(order.holder)
        return self._enqueue(session, kind, order_id, packed, order.holder, lots, order.nonce, order.deadline)

    def _enqueue(
        self,
        session: Session,
        kind: str,
        order_id: OrderId,
        packed: bytes,
        holder: str,
        lots: tuple[Lot, ...],
        nonce: int,
        deadline: int,
    ) -> PlacedOrder:
        session.add(
            OrderNonceRow(
                holder=address_bytes(holder),
                word=nonces.word_of(lots[0].id),
                nonce=nonce,
                order_id=order_id,
                deadline=deadline,
                state="open",
                lots=b"".join(lot.id.to_bytes(8, "big") + lot.amount.to_bytes(8, "big") for lot in lots),
            )
        )
        if kind == "exchange":
            account = address_bytes(holder)
            session.add(ExchangeOrderRow(order_id=order_id, holder=account, created_at=self._clock.timestamp()))
        session.flush()
        self._outbox.enqueue_order(session, kind, order_id, packed, deadline)
        return PlacedOrder(order_id, kind, lots, nonce, deadline)

    def _basket(
        self,
        session: Session,
        holder: str,
        merchant: MerchantId,
        value_fen: int | None,
        lots: Sequence[Lot] | None,
        capture_by: int | None = None,
    ) -> tuple[Lot, ...]:
        now = self._clock.timestamp()
        terms, shop = self._terms.read(session)[1], load_merchant(session, merchant)
        if shop is None:
            raise MerchantUnknown(merchant)
        if now < terms.redemption_paused_until:
            raise OrdersPaused(terms.redemption_paused_until)
        if lots is not None:
            self._check_payment(terms, shop, merchant, lots, capture_by)
            return tuple(lots)
        if (value_fen or 0) < ORDER_FEN_MIN:
            raise TooLittle(value_fen or 0, ORDER_FEN_MIN)
        usable = [
            lot
            for lot in self.spendable(session, holder)
            if terms.refuses_payment([lot.token_id], shop, now, capture_by) is None
        ]
        return for_value(usable, value_fen or 0)

    def _check(self, session: Session, order: ExchangeOrder | RedeemOrder | HoldOrder) -> None:
        """Raise where the chain would refuse a signed order for whose points they are, whatever their amount."""
        terms = self._terms.read(session)[1]
        match order:
            case ExchangeOrder():
                source = split_token_id(order.from_id)[0]
                self._check_exchange(terms, source, order.to_programme, order.from_id)
            case RedeemOrder() | HoldOrder():
                capture_by = order.capture_by if isinstance(order, HoldOrder) else None
                shop = load_merchant(session, order.merchant)
                self._check_payment(terms, shop, order.merchant, order.lots, capture_by)

    def _check_payment(
        self,
        terms: Terms,
        shop: MerchantTerms | None,
        merchant: MerchantId,
        lots: Sequence[Lot],
        capture_by: int | None,
    ) -> None:
        refused = terms.refuses_payment([lot.id for lot in lots], shop, self._clock.timestamp(), capture_by)
        if refused is None:
            fen = terms.value_down(lots)
            if fen < ORDER_FEN_MIN:
                raise TooLittle(fen, ORDER_FEN_MIN)
            return
        if refused.refusal is Refusal.PAUSED:
            raise OrdersPaused(terms.redemption_paused_until)
        if refused.refusal is Refusal.UNKNOWN_MERCHANT:
            raise MerchantUnknown(merchant)
        raise ProgrammeForbids(split_token_id(refused.token_id)[0], refused.refusal)

    def _check_exchange(
        self, terms: Terms, source: ProgrammeId, target: ProgrammeId, token_id: int | None = None
    ) -> None:
        refusal = terms.refuses_exchange(source, target, self._clock.timestamp(), token_id=token_id)
        if refusal is None:
            return
        if refusal is Refusal.PAUSED:
            raise OrdersPaused(terms.exchange_paused_until)
        is_targets = refusal in (Refusal.SAME_PROGRAMME, Refusal.NOT_EXCHANGEABLE_IN, Refusal.NOT_ACTIVE)
        if refusal is Refusal.FROZEN:
            is_targets = not terms.programmes[source].is_frozen(self._clock.timestamp())
        is_unknown = refusal is Refusal.UNKNOWN_PROGRAMME and source in terms.programmes
        raise ProgrammeForbids(target if is_targets or is_unknown else source, refusal)

    def _exchange_pars(self, session: Session, source: ProgrammeId, target: ProgrammeId) -> tuple[int, int]:
        terms = self._terms.read(session)[1]
        self._check_exchange(terms, source, target)
        known = terms.programmes
        return known[ProgrammeId(source)].par_microfen, known[ProgrammeId(target)].par_microfen

    def _deadline(self, deadline: int | None) -> int:
        now = self._clock.timestamp()
        if deadline is None:
            return now + self._ttl_s
        if not now <= deadline <= now + self._ttl_max_s:
            raise DeadlineUnfit(deadline, now, now + self._ttl_max_s)
        return deadline

    def _lock(self, session: Session, holder: str) -> None:
        """Let orders of one holder queue up: two at once would take one nonce (SQLite has one writer anyway)."""
        if session.get_bind().dialect.name == "postgresql":
            key = int.from_bytes(address_bytes(holder)[:8], "big", signed=True)
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})

    def _allot(self, session: Session, holder: str, token_id: int) -> int:
        account = address_bytes(holder)
        self._settle(session, account)
        word = nonces.word_of(token_id)
        rows = session.execute(
            select(OrderNonceRow.nonce, OrderNonceRow.state).where(
                OrderNonceRow.holder == account, OrderNonceRow.word == word
            )
        )
        states: dict[str, list[int]] = {"open": [], "spent": []}
        for nonce, state in rows:
            states[state].append(nonce)
        chosen = nonces.choose(states["spent"], states["open"])
        if chosen is None:
            raise TooManyOpenOrders(holder)
        if len(states["spent"]) > _SPENT_KEPT:
            # Below the base nothing can land any more: only the window needs to be known.
            session.execute(
                delete(OrderNonceRow).where(
                    OrderNonceRow.holder == account,
                    OrderNonceRow.word == word,
                    OrderNonceRow.state == "spent",
                    OrderNonceRow.nonce < nonces.base_of(states["spent"]),
                )
            )
        return chosen

    def _reserved(self, session: Session, account: AccountBytes) -> dict[int, int]:
        reserved: dict[int, int] = {}
        rows = self._open(session, account)
        ended = self._ended(session, rows)
        for row in rows:
            if row.order_id in ended:
                continue
            for at in range(0, len(row.lots), 16):
                token = int.from_bytes(row.lots[at : at + 8], "big")
                reserved[token] = reserved.get(token, 0) + int.from_bytes(row.lots[at + 8 : at + 16], "big")
        return reserved

    def _open(self, session: Session, account: AccountBytes) -> list[_OpenOrder]:
        return [
            _OpenOrder(OrderId(bytes(row.order_id)), bytes(row.lots), row.deadline)
            for row in session.connection().execute(_OPEN, {"account": account})
        ]

    def _ended(self, session: Session, rows: Sequence[_OpenOrder]) -> dict[OrderId, bool]:
        """Return which open orders can change nothing any more, and whether their nonce is spent."""
        if not rows:
            return {}
        ids = [row.order_id for row in rows]
        outcomes = _outcomes(session, ids)
        chain_time = session.scalar(select(ProjectionCursorRow.block_timestamp)) or 0
        ended = {}
        for row in rows:
            outcome = outcomes.get(row.order_id)
            if outcome is not None and outcome.state is OrderState.ACCEPTED:
                ended[row.order_id] = True
            elif outcome is not None and outcome.code is not None:
                ended[row.order_id] = outcome.code not in _NONCE_UNTOUCHED
            elif row.deadline < chain_time:
                ended[row.order_id] = False  # every later block refuses it
        return ended

    def _settle(self, session: Session, account: AccountBytes) -> None:
        """Close what has ended: spent nonces stay known, those of orders that can never land are free again."""
        rows = self._open(session, account)
        ended = self._ended(session, rows)
        spent = [order_id for order_id, is_spent in ended.items() if is_spent]
        free = [order_id for order_id, is_spent in ended.items() if not is_spent]
        if spent:
            session.execute(update(OrderNonceRow).where(OrderNonceRow.order_id.in_(spent)).values(state="spent"))
        if free:
            session.execute(delete(OrderNonceRow).where(OrderNonceRow.order_id.in_(free)))


class _OpenOrder(NamedTuple):
    """An order that may still land; ``lots`` is packed as for the contract."""

    order_id: OrderId
    lots: bytes
    deadline: int


def _balances(session: Session, account: AccountBytes) -> tuple[tuple[int, int], ...]:
    rows = session.connection().execute(_BALANCES, {"account": account})
    return tuple((token, amount) for token, amount in rows)


def _outcomes(session: Session, order_ids: Sequence[OrderId]) -> dict[OrderId, OrderStatus]:
    """Return the chain's word on orders: success if it was ever said, else the last rejection."""
    columns = ["order_id", "code", "fen", "amount_out", "block_number", "block_timestamp", "transaction_hash"]
    rows = fetch_by_keys(
        session, table_of(OrderOutcomeRow), [*columns, "log_index", "kind"], "order_id", list(order_ids)
    )
    found: dict[OrderId, OrderStatus] = {}
    for order_id, code, fen, amount_out, block, time, transaction, log_index, kind in sorted(
        rows, key=lambda row: (row[4], row[7])
    ):
        key = OrderId(bytes(order_id))
        if kind in ("capture", "release", "refund"):
            continue  # what happens to a hold or a payment later is not the outcome of placing it
        if code and key in found and found[key].state is OrderState.ACCEPTED:
            continue
        found[key] = OrderStatus(
            order_id=key,
            state=OrderState.REJECTED if code else OrderState.ACCEPTED,
            code=code or None,
            reason=rejection_word(code) if code else None,
            fen=fen,
            amount_out_minor=amount_out,
            block_number=block,
            block_timestamp=time,
            transaction_hash=bytes(transaction),
            log_index=log_index,
        )
    return found
