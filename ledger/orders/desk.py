"""The order desk: checks an order as the chain will, allots its nonce, has it signed, and puts it into the outbox.

Everything happens in the caller's transaction, so that an order and what it belongs to commit together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.custody.signer import Signer
from ledger.orders import nonces
from ledger.orders.books import close_ended, read_books, settle_books
from ledger.orders.counter import Counter, Payment, PlacedOrder, lock_holders, store_placed
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
from ledger.orders.outcomes import OrderState, OrderStatus, read_outcomes
from ledger.orders.quote import Quote, quote
from ledger.orders.terms import KnownTerms, Projected, load_merchant
from ledger.outbox.outbox import Outbox, order_key
from ledger.outbox.states import MessageState
from ledger.standard.civil_time import DAY_S
from ledger.standard.contract import ORDER_FEN_MIN
from ledger.standard.errors import BadSignature
from ledger.standard.ids import AccountBytes, MerchantId, OrderId, ProgrammeId, address_bytes, split_token_id
from ledger.standard.packed import pack_exchange_order, pack_hold_order, pack_redeem_order
from ledger.standard.signatures import recover
from ledger.standard.typed_data import Domain, ExchangeOrder, HoldOrder, Lot, RedeemOrder
from ledger.store.models.outbox import OrderNonceRow

OPEN_MAX = 128
"""Orders that a resident with an own key may have on their way: the nonces of two years' lots, each window full."""


@dataclass(frozen=True, slots=True)
class PlacedExchange:
    """One order for each lot that is given, and what they give together."""

    orders: tuple[PlacedOrder, ...]
    quote: Quote


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
        block, terms = self._terms.read(session)
        book = read_books(session, [account], block.timestamp)[account]
        return soonest_first(book.living(terms, self._clock.timestamp()))

    def holdings(self, session: Session, holder: str) -> Holdings:
        """Return all that a holder has, and what of it is spendable, with the block up to which it is true."""
        account = address_bytes(holder)
        return self.holdings_of(session, [account])[account]

    def holdings_of(self, session: Session, accounts: Collection[AccountBytes]) -> dict[AccountBytes, Holdings]:
        """Return what each of many accounts has; see `holdings`. Needs one snapshot."""
        block, terms = self._terms.read(session)
        now = self._clock.timestamp()
        return {
            account: Holdings(
                block, terms, book.balances, {lot.token_id: lot.amount_minor for lot in book.living(terms, now)}
            )
            for account, book in read_books(session, accounts, block.timestamp).items()
        }

    def terms(self, session: Session) -> Terms:
        """Return the terms of all programmes, as projected."""
        return self._terms.read(session)[1]

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
        counter = self.open(session, [signer.address])
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
                nonce=counter.nonce(signer.address, lot.from_id),
                deadline=until,
            )
            order_id = OrderId(order.digest(self._domain))
            packed = pack_exchange_order(order, signer.sign_digest(order_id))
            lots = (Lot(lot.from_id, lot.amount_in_minor),)
            placed.append(counter.note("exchange", order_id, packed, signer.address, lots, order.nonce, until))
        self.close(session, counter)
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
        counter = self.open(session, [signer.address])
        chosen = self._basket(session, signer.address, merchant, value_fen, lots)
        placed = self.sign(counter, signer, Payment(merchant, chosen, self._deadline(deadline)))
        self.close(session, counter)
        return placed

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
        counter = self.open(session, [signer.address])
        chosen = self._basket(session, signer.address, merchant, value_fen, lots, capture_by)
        payment = Payment(merchant, chosen, self._deadline(deadline), capture_by, is_cancellable=is_cancellable)
        placed = self.sign(counter, signer, payment)
        self.close(session, counter)
        return placed

    # Orders that share a transaction -----------------------------------------------------------------------------

    def open(self, session: Session, holders: Sequence[str]) -> Counter:
        """Lock holders against other orders of theirs until the transaction ends, and return what they have."""
        accounts = {address_bytes(holder) for holder in holders}
        lock_holders(session, accounts)
        block, terms = self._terms.read(session)
        books = read_books(session, accounts, block.timestamp, with_spent=True)
        settle_books(session, books)
        return Counter(terms, self._clock.timestamp(), books)

    def sign(self, counter: Counter, signer: Signer, payment: Payment) -> PlacedOrder:
        """Sign a payment whose lots were chosen of what the counter has; nothing is stored until `close`.

        Raises TooManyOpenOrders.
        """
        nonce = counter.nonce(signer.address, payment.lots[0].id)
        until = payment.deadline
        if payment.capture_by is None:
            redeem = RedeemOrder(signer.address, payment.merchant, payment.lots, nonce, until)
            order_id = OrderId(redeem.digest(self._domain))
            packed, kind = pack_redeem_order(redeem, signer.sign_digest(order_id)), "redeem"
        else:
            hold = HoldOrder(
                signer.address,
                payment.merchant,
                payment.lots,
                nonce,
                until,
                payment.capture_by,
                payment.is_cancellable,
            )
            order_id = OrderId(hold.digest(self._domain))
            packed, kind = pack_hold_order(hold, signer.sign_digest(order_id)), "hold"
        return counter.note(kind, order_id, packed, signer.address, payment.lots, nonce, until)

    def close(self, session: Session, counter: Counter) -> None:
        """Store what was signed at a counter, and put it in the outbox."""
        store_placed(session, self._outbox, self._clock.timestamp(), counter)

    # Orders that come in signed ----------------------------------------------------------------------------------

    def next_nonce(self, session: Session, holder: str, token_id: int) -> int:
        """Return a nonce that a holder with an own key may use for an order whose first lot this is.

        Raises TooManyOpenOrders.
        """
        account = address_bytes(holder)
        block, terms = self._terms.read(session)
        books = read_books(session, [account], block.timestamp, with_spent=True)
        close_ended(books[account])
        return Counter(terms, self._clock.timestamp(), books).nonce(holder, token_id)

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
        outcomes = read_outcomes(session, order_ids)
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
        counter = self.open(session, [order.holder])
        self._deadline(order.deadline)
        word = nonces.word_of(lots[0].id)
        row = session.get(OrderNonceRow, (address_bytes(order.holder), word, order.nonce))
        if row is not None and row.order_id != order_id:
            raise NonceTaken(order.holder, order.nonce)
        if row is not None:
            return PlacedOrder(order_id, kind, lots, order.nonce, order.deadline)
        self._check(session, order)
        if len(counter.books[address_bytes(order.holder)].open) >= OPEN_MAX:
            raise TooManyOpenOrders(order.holder)
        placed = counter.note(kind, order_id, packed, order.holder, lots, order.nonce, order.deadline)
        self.close(session, counter)
        return placed

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
