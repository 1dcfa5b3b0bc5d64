"""Redemption orders: from "I want this" to a signed order in the outbox, and from the chain's answer back to the
catalogue.

Everything takes the session of the caller's transaction, so that the order, its pieces, its nonce and the outbox
message commit together. Nothing here waits for a network: the custodial signer is local, the outbox sends later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from typing import Any, cast

from sqlalchemy import Table, or_, select
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.custody.signer import Signer
from ledger.errors import TongduiError
from ledger.indexer.tables import table_of
from ledger.orders.counter import Counter, Payment, PlacedOrder, lock_holders
from ledger.orders.desk import OrderDesk
from ledger.orders.eligibility import MerchantTerms, Terms
from ledger.orders.errors import OrdersPaused, TooLittle, WrongSignature
from ledger.orders.lots import SpendableLot, for_value
from ledger.orders.terms import load_merchant
from ledger.outbox.states import MessageState
from ledger.residents.registry import ResidentRegistry
from ledger.standard.civil_time import DAY_S
from ledger.standard.contract import ORDER_FEN_MIN
from ledger.standard.ids import (
    Address,
    MerchantId,
    OrderId,
    ProgrammeId,
    address_bytes,
    order_id_text,
    split_token_id,
    to_address,
)
from ledger.standard.typed_data import Domain, Lot, RedeemOrder
from ledger.store.database import SQLITE_PARAMETERS_MAX, bulk_insert, bulk_insert_new, fetch_by_keys
from ledger.store.models.outbox import OutboxMessageRow
from ledger.store.models.projection import OrderOutcomeRow, ProjectionCursorRow
from ledger.store.models.redemption import RedemptionCursorRow, RedemptionLotRow, RedemptionOrderRow
from redemption.errors import OrderUnfit, RequestKeyReused, UnknownMerchant, UnknownOrder
from redemption.lots import kept_lots
from redemption.offers import Offer, OfferCatalogue, Promised, StockMoves
from redemption.states import Outcome, Progress, State, Stock, expire, fold

_ORDERS, _LOTS = table_of(RedemptionOrderRow), table_of(RedemptionLotRow)
_ORDER_COLUMNS = [column.name for column in _ORDERS.columns if column.name not in ("sequence", "handed_over_by")]

ORDER_LIFETIME_S = 15 * 60
"""How long a signed order may take to land. A nonce is bound and points are reserved for as long."""

HOLD_LIFETIME_S = 7 * DAY_S
"""How long a merchant may take to capture; the contract allows 30 days, within the quarters of the lots."""

HOLD_SHORTEST_S = DAY_S
"""Lots that would give the merchant less than this are not held."""


class Kind(StrEnum):
    """How a merchant is paid."""

    REDEEM = "redeem"
    HOLD = "hold"


class Channel(StrEnum):
    """Where the resident was."""

    APP = "app"
    DESK = "desk"


class PlaceOutcome(StrEnum):
    """The outcome of a request with a key of its own."""

    CREATED = "created"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a resident wants. ``request_key`` is the caller's own name for it: a repeat finds the first order."""

    resident_id: int
    offer_id: str
    quantity: int = 1
    programmes: Collection[ProgrammeId] | None = None
    kind: Kind = Kind.REDEEM
    is_cancellable: bool = True
    channel: Channel = Channel.APP
    desk_id: str | None = None
    clerk: str | None = None
    approver: str | None = None
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """What a purchase would take now: lots in debit order, worth ``value_fen`` (the price, or a part of a fen more)."""

    offer: Offer
    quantity: int
    price_fen: int
    value_fen: int
    lots: tuple[Lot, ...]
    capture_by: int | None = None
    """Of a hold: the last Unix second at which the merchant may capture."""


@dataclass(frozen=True, slots=True)
class RedemptionOrder:
    """An order as others may see it; times are Unix seconds, values fen, amounts minor units."""

    sequence: int
    order_id: OrderId
    kind: Kind
    state: State
    resident_id: int
    holder: Address
    merchant_id: MerchantId
    offer_id: str | None
    quantity: int
    price_fen: int
    value_fen: int
    paid_fen: int
    lots: tuple[Lot, ...]
    """As they were signed."""
    kept: tuple[int, int] | None
    """The prefix of them that the merchant has, (lots, minor units of the last); None: the chain has named none."""
    nonce: int
    deadline: int
    capture_by: int | None
    is_cancellable: bool
    reject_code: int | None
    channel: Channel
    desk_id: str | None
    clerk: str | None
    approver: str | None
    handed_over_at: int | None
    created_at: int
    final_at: int | None

    @property
    def whole(self) -> tuple[int, int]:
        """The prefix that is all of the lots."""
        return len(self.lots), self.lots[-1].amount

    @property
    def taken_lots(self) -> tuple[Lot, ...]:
        """What the merchant has of the lots now: all it was paid with, less what went back."""
        if self.state not in {State.PAID, State.CAPTURED, State.PART_REFUNDED}:
            return ()
        return kept_lots(self.lots, *(self.kept or self.whole))


@dataclass(frozen=True, slots=True)
class Placed:
    """The order, and whether this call made it."""

    order: RedemptionOrder
    outcome: PlaceOutcome


@dataclass(frozen=True, slots=True)
class _Opened:
    """The signers of a group's residents who have one here, and what they have.

    Offers and terms are read once for the whole group, after its holders were locked.
    """

    signers: Mapping[int, Signer]
    counter: Counter
    offer: Callable[[str], Offer]
    terms: Callable[[MerchantId], tuple[Terms, MerchantTerms]]


@dataclass(frozen=True, slots=True)
class _Signed:
    """An order that was signed and is stored with the others of its transaction."""

    placed: PlacedOrder
    holder: Address
    quote: Quote
    purchase: Purchase

    def row(self, now: int) -> dict[str, Any]:
        """Return the order's columns but its sequence."""
        quote, purchase, placed = self.quote, self.purchase, self.placed
        return {
            "order_id": placed.order_id,
            "request_key": purchase.request_key,
            "kind": purchase.kind.value,
            "resident_id": purchase.resident_id,
            "holder": address_bytes(self.holder),
            "merchant_id": quote.offer.merchant_id,
            "offer_id": quote.offer.offer_id,
            "quantity": quote.quantity,
            "price_fen": quote.price_fen,
            "value_fen": quote.value_fen,
            "nonce": placed.nonce,
            "deadline": placed.deadline,
            "capture_by": quote.capture_by,
            "is_cancellable": purchase.kind is Kind.HOLD and purchase.is_cancellable,
            "state": State.PLACED.value,
            "reject_code": None,
            "paid_fen": 0,
            "kept_lots": None,
            "kept_last_minor": None,
            "stock_state": Stock.RESERVED.value,
            "channel": purchase.channel.value,
            "desk_id": purchase.desk_id,
            "clerk": purchase.clerk,
            "approver": purchase.approver,
            "handed_over_at": None,
            "created_at": now,
            "updated_at": now,
            "final_at": None,
        }


@dataclass(frozen=True, slots=True)
class Settled:
    """Up to where orders are settled, and which stand otherwise by it than before, the shop's sum included."""

    block_number: int
    changed: tuple[RedemptionOrderRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Redemptions:
    """The only writer of the redemption orders' tables."""

    registry: ResidentRegistry
    offers: OfferCatalogue
    desk: OrderDesk
    domain: Domain
    clock: Clock

    def quote(self, session: Session, purchase: Purchase) -> Quote:
        """Return what a purchase would take now; see `place` for what can be wrong with it."""
        resident = self.registry.get(session, purchase.resident_id)
        offer = self._offer(session, purchase)
        terms, merchant = self._terms(session, offer.merchant_id)
        return self._quote(offer, purchase, terms, merchant, lambda: self.desk.spendable(session, resident.account))

    def place(self, session: Session, purchase: Purchase) -> Placed:
        """Reserve the pieces, choose the lots, sign the order and put it in the outbox.

        Checks in order: RequestKeyReused, ResidentNotFound, ResidentErased, NotCustodial, UnknownOffer,
        MerchantSuspended, OfferClosed, OfferLimitReached, OutOfStock, UnknownMerchant (on chain), OrdersPaused,
        TooLittle, InsufficientPoints, TooManyLots, TooManyOpenOrders.
        """
        [placed] = self.place_many(session, [purchase])
        if isinstance(placed, TongduiError):
            raise placed
        return placed

    def place_many(self, session: Session, purchases: Sequence[Purchase]) -> list[Placed | TongduiError]:
        """As `place` for each of many purchases, in their order and with as many statements as for one of them.

        A purchase that cannot be had has its error in its place and leaves nothing behind; the others go on.
        Raises OfferClosed or OutOfStock where the pieces went to another transaction meanwhile: then all is lost, and
        each may be tried again by itself.
        """
        opened = self._opened(session, purchases)
        promised = Promised()
        found: list[Placed | TongduiError | _Signed] = []
        for purchase in purchases:
            try:
                known = self._by_request_key(session, purchase)
                if known is None:
                    found.append(self._sign(session, opened, promised, purchase))
                else:
                    found.append(Placed(known, PlaceOutcome.EXISTS))
            except TongduiError as error:
                found.append(error)
        self.desk.close(session, opened.counter)
        kept = iter(self._keep(session, [one for one in found if isinstance(one, _Signed)]))
        self.offers.reserve(session, promised)
        return [Placed(next(kept), PlaceOutcome.CREATED) if isinstance(one, _Signed) else one for one in found]

    def unsigned(self, session: Session, purchase: Purchase) -> RedeemOrder:
        """Return the order that a resident with an own key would sign for a purchase; nothing is reserved yet.

        Raises what `place` raises for the purchase, except NotCustodial.
        """
        resident = self.registry.get(session, purchase.resident_id)
        quote = self.quote(session, purchase)
        nonce = self.desk.next_nonce(session, resident.account, quote.lots[0].id)
        deadline = self.clock.timestamp() + ORDER_LIFETIME_S
        return RedeemOrder(resident.account, quote.offer.merchant_id, quote.lots, nonce, deadline)

    def accept(self, session: Session, purchase: Purchase, order: RedeemOrder, signature: bytes) -> Placed:
        """Take an order that its holder signed, for an offer; a repeat finds the first.

        Checks in order: ResidentNotFound, WrongSignature (another account's order), the offer as in `place`,
        OrderUnfit (another merchant, points it may not take, or worth less than the price), then WrongSignature,
        NonceTaken and DeadlineUnfit.
        """
        resident = self.registry.get(session, purchase.resident_id)
        if address_bytes(order.holder) != address_bytes(resident.account):
            raise WrongSignature(order.holder)
        order_id = order.digest(self.domain)
        known = session.scalar(select(RedemptionOrderRow).where(RedemptionOrderRow.order_id == order_id))
        if known is not None:
            return Placed(self._order(session, known), PlaceOutcome.EXISTS)
        # Before the limits are looked at: two orders of one resident must not pass them together.
        lock_holders(session, [address_bytes(resident.account)])
        offer = self._offer(session, purchase)
        if order.merchant != offer.merchant_id:
            raise OrderUnfit("it pays another merchant")
        terms, merchant = self._terms(session, offer.merchant_id)
        refused = terms.refuses_payment([lot.id for lot in order.lots], merchant, self.clock.timestamp())
        if refused is not None:
            raise OrderUnfit(refused.refusal.text)
        value = terms.value_down(order.lots)
        price = offer.price_fen * purchase.quantity
        if value < price:
            raise OrderUnfit("it is worth less than the price")
        placed = self.desk.accept_redeem(session, order, signature)
        quote = Quote(offer, purchase.quantity, price, value, order.lots)
        [kept] = self._keep(session, [_Signed(placed, resident.account, quote, purchase)])
        promised = Promised()
        promised.add(offer.offer_id, purchase.resident_id, purchase.quantity)
        self.offers.reserve(session, promised)
        return Placed(kept, PlaceOutcome.CREATED)

    def get(self, session: Session, order_id: OrderId) -> RedemptionOrder:
        """Return an order. Raises UnknownOrder."""
        return self._order(session, self.row(session, order_id, lock=False))

    def of_resident(self, session: Session, resident_id: int, limit: int) -> list[RedemptionOrder]:
        """Return a resident's last orders, newest first. Lists with filters: `redemption.lists`."""
        rows = session.scalars(
            select(RedemptionOrderRow)
            .where(RedemptionOrderRow.resident_id == resident_id)
            .order_by(RedemptionOrderRow.sequence.desc())
            .limit(limit)
        ).all()
        return self.many(session, rows)

    def many(self, session: Session, rows: Sequence[RedemptionOrderRow]) -> list[RedemptionOrder]:
        """Return stored orders as others may see them, in the order given (this package only)."""
        found_lots: defaultdict[bytes, list[Lot]] = defaultdict(list)
        found = session.execute(
            select(RedemptionLotRow.order_id, RedemptionLotRow.token_id, RedemptionLotRow.amount_minor)
            .where(RedemptionLotRow.order_id.in_([row.order_id for row in rows]))
            .order_by(RedemptionLotRow.order_id, RedemptionLotRow.place)
        )
        for order_id, token, amount in found:
            found_lots[order_id].append(Lot(token, amount))
        return [_order_of(row, tuple(found_lots[row.order_id])) for row in rows]

    def settle(self, session: Session) -> Settled:
        """Carry what the projection has learnt since the last call into orders and stock.

        Each order of which the chain spoke is folded from all its outcomes, so a repeat changes nothing. While a
        rebuilt projection is behind what was settled before, there is nothing to learn from it.
        """
        head = session.get(ProjectionCursorRow, 1)
        if head is None:
            return Settled(-1)
        cursor = session.get(RedemptionCursorRow, 1, with_for_update=True)
        if cursor is None:
            # Two gateways may begin at once: one of them makes the row, and both queue up for it.
            bulk_insert_new(
                session, cast(Table, RedemptionCursorRow.__table__), ["cursor_id", "block_number"], [(1, -1)]
            )
            cursor = session.get_one(RedemptionCursorRow, 1, with_for_update=True, populate_existing=True)
        since = cursor.block_number
        if head.block_number < since:
            return Settled(head.block_number)
        touched = session.scalars(
            select(RedemptionOrderRow)
            .where(
                RedemptionOrderRow.order_id.in_(
                    select(OrderOutcomeRow.order_id).where(
                        OrderOutcomeRow.block_number > since, OrderOutcomeRow.block_number <= head.block_number
                    )
                )
            )
            .order_by(RedemptionOrderRow.sequence)
        ).all()
        moves, spoken = StockMoves(), self._spoken(session, touched)
        before = {row.order_id: (row.state, row.paid_fen) for row in touched}
        for row in touched:
            self._apply(row, spoken[row.order_id], moves)
        changed = [row for row in touched if before[row.order_id] != (row.state, row.paid_fen)]
        changed += self._expire(session, head.block_timestamp, moves)
        cursor.block_number = head.block_number
        session.flush()
        # Last, for orders that are placed meanwhile wait for an offer's row.
        self.offers.move(session, moves)
        return Settled(head.block_number, tuple(changed))

    def row(self, session: Session, order_id: OrderId, *, lock: bool = True) -> RedemptionOrderRow:
        """Return the stored order, locked for this transaction (this package only). Raises UnknownOrder."""
        query = select(RedemptionOrderRow).where(RedemptionOrderRow.order_id == order_id)
        if lock:  # and read anew: another may have changed it while we waited
            query = query.with_for_update().execution_options(populate_existing=True)
        row = session.scalar(query)
        if row is None:
            raise UnknownOrder(order_id_text(order_id))
        return row

    def _offer(self, session: Session, purchase: Purchase) -> Offer:
        """Return the offer of which a purchase may have its pieces now."""
        offer = self.offers.taking_orders(session, purchase.offer_id)
        self.offers.check_left(session, offer, purchase.resident_id, purchase.quantity)
        return offer

    def _quote(
        self,
        offer: Offer,
        purchase: Purchase,
        terms: Terms,
        merchant: MerchantTerms,
        spendable: Callable[[], Sequence[SpendableLot]],
    ) -> Quote:
        now = self.clock.timestamp()
        is_hold = purchase.kind is Kind.HOLD
        shortest = now + HOLD_SHORTEST_S if is_hold else None
        usable = [
            lot
            for lot in spendable()
            if purchase.programmes is None or split_token_id(lot.token_id)[0] in purchase.programmes
            if terms.refuses_payment([lot.token_id], merchant, now, shortest) is None
        ]
        price = offer.price_fen * purchase.quantity
        if price < ORDER_FEN_MIN:
            raise TooLittle(price, ORDER_FEN_MIN)
        lots = for_value(usable, price)
        capture_by = None
        if is_hold:
            capture_by = min(now + HOLD_LIFETIME_S, terms.latest_capture([lot.id for lot in lots], now))
        return Quote(offer, purchase.quantity, price, terms.value_down(lots), lots, capture_by)

    def _terms(self, session: Session, merchant_id: MerchantId) -> tuple[Terms, MerchantTerms]:
        """Return the terms of all programmes and of a merchant. Raises UnknownMerchant (on chain) or OrdersPaused."""
        terms, merchant = self.desk.terms(session), load_merchant(session, merchant_id)
        if merchant is None:
            raise UnknownMerchant(merchant_id)
        if self.clock.timestamp() < terms.redemption_paused_until:
            raise OrdersPaused(terms.redemption_paused_until)
        return terms, merchant

    def _opened(self, session: Session, purchases: Sequence[Purchase]) -> _Opened:
        signers = self.registry.signers(session, [one.resident_id for one in purchases])
        counter = self.desk.open(session, [signer.address for signer in signers.values()])
        offer, terms = cache(partial(self.offers.taking_orders, session)), cache(partial(self._terms, session))
        return _Opened(signers, counter, offer, terms)

    def _sign(self, session: Session, opened: _Opened, promised: Promised, purchase: Purchase) -> _Signed:
        """Choose the lots of a purchase and sign its order; nothing is stored yet."""
        # Who has no signer is told why by the registry.
        signer = opened.signers.get(purchase.resident_id) or self.registry.signer(session, purchase.resident_id)
        counter = opened.counter
        offer = opened.offer(purchase.offer_id)
        self.offers.check_left(session, offer, purchase.resident_id, purchase.quantity, promised)
        terms, merchant = opened.terms(offer.merchant_id)
        quote = self._quote(offer, purchase, terms, merchant, lambda: counter.spendable(signer.address))
        payment = Payment(
            offer.merchant_id,
            quote.lots,
            self.clock.timestamp() + ORDER_LIFETIME_S,
            quote.capture_by,
            quote.capture_by is not None and purchase.is_cancellable,
        )
        placed = self.desk.sign(counter, signer, payment)
        promised.add(offer.offer_id, purchase.resident_id, purchase.quantity)
        return _Signed(placed, signer.address, quote, purchase)

    def _keep(self, session: Session, signed: Sequence[_Signed]) -> list[RedemptionOrder]:
        """Store orders that are in the outbox, with their lots."""
        now = self.clock.timestamp()
        rows = [one.row(now) for one in signed]
        bulk_insert(session, _ORDERS, _ORDER_COLUMNS, [tuple(row[name] for name in _ORDER_COLUMNS) for row in rows])
        lots = [
            (one.placed.order_id, place, lot.id, lot.amount)
            for one in signed
            for place, lot in enumerate(one.placed.lots)
        ]
        bulk_insert(session, _LOTS, ["order_id", "place", "token_id", "amount_minor"], lots)
        ids = [one.placed.order_id for one in signed]
        sequences = {
            bytes(order_id): number
            for order_id, number in fetch_by_keys(session, _ORDERS, ["order_id", "sequence"], "order_id", ids)
        }
        return [
            _order_of(RedemptionOrderRow(**row, sequence=sequences[one.placed.order_id]), one.placed.lots)
            for one, row in zip(signed, rows, strict=True)
        ]

    def _by_request_key(self, session: Session, purchase: Purchase) -> RedemptionOrder | None:
        if purchase.request_key is None:
            return None
        row = session.scalar(select(RedemptionOrderRow).where(RedemptionOrderRow.request_key == purchase.request_key))
        if row is None:
            return None
        for name in ("resident_id", "offer_id", "quantity", "kind"):
            if getattr(row, name) != getattr(purchase, name):
                raise RequestKeyReused(purchase.request_key, name)
        return self._order(session, row)

    def _spoken(
        self, session: Session, rows: Sequence[RedemptionOrderRow]
    ) -> defaultdict[bytes, list[OrderOutcomeRow]]:
        """Return all that the chain ever said of orders, oldest first."""
        spoken: defaultdict[bytes, list[OrderOutcomeRow]] = defaultdict(list)
        ids = [row.order_id for row in rows]
        for start in range(0, len(ids), SQLITE_PARAMETERS_MAX):
            outcomes = session.scalars(
                select(OrderOutcomeRow)
                .where(OrderOutcomeRow.order_id.in_(ids[start : start + SQLITE_PARAMETERS_MAX]))
                .order_by(OrderOutcomeRow.block_number, OrderOutcomeRow.log_index)
            )
            for outcome in outcomes:
                spoken[outcome.order_id].append(outcome)
        return spoken

    def _apply(self, row: RedemptionOrderRow, spoken: Sequence[OrderOutcomeRow], moves: StockMoves) -> None:
        after = fold(row.offer_id is not None, [Outcome(one.kind, one.code, one.fen or 0) for one in spoken])
        if after.state is State.REJECTED:
            row.reject_code = spoken[0].code
        kept = [(one.kept_lots, one.kept_last_minor) for one in spoken if one.code == 0 and one.kept_lots is not None]
        row.kept_lots, row.kept_last_minor = kept[-1] if kept else (None, None)
        row.final_at = spoken[-1].block_timestamp
        self._store(row, after, moves)

    def _expire(self, session: Session, final_timestamp: int, moves: StockMoves) -> Sequence[RedemptionOrderRow]:
        """Give up what can never land: past its deadline in a final block, or past it before it was ever sent."""
        unsent = select(OutboxMessageRow.order_id).where(
            OutboxMessageRow.order_id == RedemptionOrderRow.order_id, OutboxMessageRow.state == MessageState.EXPIRED
        )
        spoken = select(OrderOutcomeRow.order_id).where(OrderOutcomeRow.order_id == RedemptionOrderRow.order_id)
        overdue = session.scalars(
            select(RedemptionOrderRow).where(
                RedemptionOrderRow.state == State.PLACED,
                or_(RedemptionOrderRow.deadline < final_timestamp, unsent.exists()),
                ~spoken.exists(),
            )
        ).all()
        for row in overdue:
            before = Progress(State(row.state), row.paid_fen, Stock(row.stock_state))
            row.final_at = max(final_timestamp, row.deadline)
            self._store(row, expire(before), moves)
        return overdue

    def _store(self, row: RedemptionOrderRow, after: Progress, moves: StockMoves) -> None:
        if row.offer_id is not None:
            moves.add(row.offer_id, row.quantity, Stock(row.stock_state), after.stock)
        row.state = after.state.value
        row.paid_fen = after.paid_fen
        row.stock_state = after.stock.value
        row.updated_at = self.clock.timestamp()

    def _order(self, session: Session, row: RedemptionOrderRow) -> RedemptionOrder:
        lots = session.scalars(
            select(RedemptionLotRow).where(RedemptionLotRow.order_id == row.order_id).order_by(RedemptionLotRow.place)
        )
        return _order_of(row, tuple(Lot(lot.token_id, lot.amount_minor) for lot in lots))


def _order_of(row: RedemptionOrderRow, lots: tuple[Lot, ...]) -> RedemptionOrder:
    return RedemptionOrder(
        sequence=row.sequence,
        order_id=OrderId(row.order_id),
        kind=Kind(row.kind),
        state=State(row.state),
        resident_id=row.resident_id,
        holder=to_address(row.holder),
        merchant_id=MerchantId(row.merchant_id),
        offer_id=row.offer_id,
        quantity=row.quantity,
        price_fen=row.price_fen,
        value_fen=row.value_fen,
        paid_fen=row.paid_fen,
        lots=lots,
        kept=None if row.kept_lots is None else (row.kept_lots, row.kept_last_minor or 0),
        nonce=row.nonce,
        deadline=row.deadline,
        capture_by=row.capture_by,
        is_cancellable=row.is_cancellable,
        reject_code=row.reject_code,
        channel=Channel(row.channel),
        desk_id=row.desk_id,
        clerk=row.clerk,
        approver=row.approver,
        handed_over_at=row.handed_over_at,
        created_at=row.created_at,
        final_at=row.final_at,
    )
