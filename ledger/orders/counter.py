"""Orders on their way into the outbox: what their holders have, the nonces they take, and the rows they become.

Orders of one transaction pass one counter, so each sees what the one before it promised.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.indexer.tables import table_of
from ledger.orders import nonces
from ledger.orders.books import AccountBook, OpenOrder, pack_lots
from ledger.orders.eligibility import Terms
from ledger.orders.errors import TooManyOpenOrders
from ledger.orders.lots import SpendableLot, soonest_first
from ledger.outbox.outbox import OrderMessage, Outbox
from ledger.standard.ids import AccountBytes, MerchantId, OrderId, address_bytes
from ledger.standard.typed_data import Lot
from ledger.store.database import bulk_insert
from ledger.store.models.outbox import ExchangeOrderRow, OrderNonceRow


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order in the outbox. ``lots`` is what it spends."""

    order_id: OrderId
    kind: str
    lots: tuple[Lot, ...]
    nonce: int
    deadline: int


@dataclass(frozen=True, slots=True)
class Payment:
    """What a custodial key is to sign: a payment, or with ``capture_by`` a hold."""

    merchant: MerchantId
    lots: tuple[Lot, ...]
    deadline: int
    capture_by: int | None = None
    is_cancellable: bool = False


@dataclass(slots=True)
class Counter:
    """Holders whose orders wait for this transaction's end: their settled books, and what was signed so far."""

    terms: Terms
    now: int
    books: Mapping[AccountBytes, AccountBook]
    messages: list[OrderMessage] = field(default_factory=list)
    nonce_rows: list[tuple[object, ...]] = field(default_factory=list)

    def spendable(self, holder: str) -> list[SpendableLot]:
        """Return the holder's living lots less what open orders would spend, soonest expiry first."""
        return soonest_first(self.books[address_bytes(holder)].living(self.terms, self.now))

    def nonce(self, holder: str, token_id: int) -> int:
        """Return the nonce of an order of this holder whose first lot this is. Raises TooManyOpenOrders."""
        found = self.books[address_bytes(holder)].free_nonce(nonces.word_of(token_id))
        if found is None:
            raise TooManyOpenOrders(holder)
        return found

    def note(
        self, kind: str, order_id: OrderId, packed: bytes, holder: str, lots: tuple[Lot, ...], nonce: int, deadline: int
    ) -> PlacedOrder:
        """Keep a signed order for the outbox; what it spends is promised from here on."""
        account, word, packed_lots = address_bytes(holder), nonces.word_of(lots[0].id), pack_lots(lots)
        self.books[account].open.append(OpenOrder(order_id, word, nonce, packed_lots, deadline))
        self.nonce_rows.append((account, word, nonce, order_id, deadline, "open", packed_lots))
        self.messages.append(OrderMessage(kind, order_id, packed, deadline))
        return PlacedOrder(order_id, kind, lots, nonce, deadline)


def lock_holders(session: Session, accounts: Collection[AccountBytes]) -> None:
    """Let orders of one holder queue up: two at once would take one nonce (SQLite has one writer anyway).

    Sorted, so that two groups that share holders never wait for each other in a circle.
    """
    if session.get_bind().dialect.name == "postgresql":
        keys = sorted({int.from_bytes(account[:8], "big", signed=True) for account in accounts})
        session.execute(
            text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key"), {"keys": keys}
        )


def store_placed(session: Session, outbox: Outbox, now: int, counter: Counter) -> None:
    """Store what was signed at a counter: the nonces, the list of exchanges, and the outbox's messages."""
    columns = ["holder", "word", "nonce", "order_id", "deadline", "state", "lots"]
    bulk_insert(session, table_of(OrderNonceRow), columns, counter.nonce_rows)
    exchanges = [
        (message.order_id, row[0], now)
        for message, row in zip(counter.messages, counter.nonce_rows, strict=True)
        if message.kind == "exchange"
    ]
    bulk_insert(session, table_of(ExchangeOrderRow), ["order_id", "holder", "created_at"], exchanges)
    outbox.enqueue_orders(session, counter.messages)
    counter.messages, counter.nonce_rows = [], []
