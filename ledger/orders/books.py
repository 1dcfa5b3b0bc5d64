"""What accounts have and have promised, read for many accounts at once: balances, open orders, nonces.

One account's book is the same thing for a list of one. A group of orders that share a transaction reads all of its
accounts' books with as many statements as a single order would.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from ledger.indexer.tables import table_of
from ledger.orders import nonces
from ledger.orders.eligibility import Terms
from ledger.orders.lots import SpendableLot
from ledger.orders.outcomes import OrderState, read_outcomes
from ledger.standard.contract import NONCE_LEFT, Verdict
from ledger.standard.ids import AccountBytes, OrderId
from ledger.standard.typed_data import Lot
from ledger.store.database import fetch_by_keys
from ledger.store.models.outbox import OrderNonceRow
from ledger.store.models.projection import BalanceRow

_SPENT_KEPT = 64
_NONCE_UNTOUCHED = NONCE_LEFT - {Verdict.NONCE_SPENT}
"""After these the nonce is free. After NONCE_SPENT it is as it was, but not ours to use."""
_OPEN, _SPENT = "open", "spent"
_NONCES, _BALANCES = table_of(OrderNonceRow), table_of(BalanceRow)


class OpenOrder(NamedTuple):
    """An order that may still land; ``lots`` is packed as for the contract."""

    order_id: OrderId
    word: int
    nonce: int
    lots: bytes
    deadline: int


@dataclass(slots=True)
class AccountBook:
    """What one account has as of one block, (token id, minor units) by token id, and what it has promised."""

    account: AccountBytes
    balances: tuple[tuple[int, int], ...] = ()
    open: list[OpenOrder] = field(default_factory=list)
    ended: dict[OrderId, bool] = field(default_factory=dict)
    """Open orders that can change nothing any more, and whether their nonce is spent."""
    spent: dict[int, list[int]] = field(default_factory=dict)
    """Nonces known to be spent, by word; read for writers only."""

    def reserved(self) -> dict[int, int]:
        """Return how much of each lot the open orders would spend."""
        reserved: dict[int, int] = {}
        for order in self.open:
            if order.order_id in self.ended:
                continue
            for at in range(0, len(order.lots), 16):
                token = int.from_bytes(order.lots[at : at + 8], "big")
                reserved[token] = reserved.get(token, 0) + int.from_bytes(order.lots[at + 8 : at + 16], "big")
        return reserved

    def living(self, terms: Terms, now: int) -> list[SpendableLot]:
        """Return what can be spent at Unix time ``now``, by token id."""
        reserved = self.reserved()
        lots = []
        for token, amount in self.balances:
            left = amount - reserved.get(token, 0)
            if left > 0 and not terms.is_dead(token, now):
                known = terms.of_lot(token)
                par, until = (0, 0) if known is None else (known.par_microfen, known.spendable_until)
                lots.append(SpendableLot(token, left, par, until))
        return lots

    def free_nonce(self, word: int) -> int | None:
        """Return a nonce for a new order in a word, or None while there is none. Needs a settled book."""
        return nonces.choose(self.spent.get(word, []), [order.nonce for order in self.open if order.word == word])


def pack_lots(lots: Sequence[Lot]) -> bytes:
    """Return lots as an open order keeps them: (token id 8 | amount 8)*."""
    return b"".join(lot.id.to_bytes(8, "big") + lot.amount.to_bytes(8, "big") for lot in lots)


def read_books(
    session: Session, accounts: Collection[AccountBytes], chain_time: int, *, with_spent: bool = False
) -> dict[AccountBytes, AccountBook]:
    """Return the books of accounts. ``chain_time``: the timestamp of the last projected block."""
    books = {account: AccountBook(account) for account in accounts}
    columns = ["holder", "word", "nonce", "order_id", "deadline", "state", "lots"]
    only = None if with_spent else {"state": _OPEN}
    for holder, word, nonce, order_id, deadline, state, packed in fetch_by_keys(
        session, _NONCES, columns, "holder", list(books), where=only
    ):
        book = books[AccountBytes(bytes(holder))]
        if state == _OPEN:
            book.open.append(OpenOrder(OrderId(bytes(order_id)), word, nonce, bytes(packed), deadline))
        else:
            book.spent.setdefault(word, []).append(nonce)
    _see_ended(session, books, chain_time)
    # Balances last: without a snapshot (a write on PostgreSQL) an order may land while we read; what it spent is then
    # rather missing twice than not at all.
    held: dict[AccountBytes, list[tuple[int, int]]] = {}
    for account, token, amount in fetch_by_keys(
        session, _BALANCES, ["account", "token_id", "amount_minor"], "account", list(books)
    ):
        if amount > 0:
            held.setdefault(AccountBytes(bytes(account)), []).append((token, amount))
    for key, lots in held.items():
        books[key].balances = tuple(sorted(lots))
    return books


def close_ended(book: AccountBook) -> tuple[list[OrderId], list[OrderId]]:
    """Take what has ended out of a book's open orders; return whose nonces are spent, and whose are free again."""
    spent: list[OrderId] = []
    free: list[OrderId] = []
    still_open = []
    for order in book.open:
        if order.order_id not in book.ended:
            still_open.append(order)
        elif book.ended[order.order_id]:
            spent.append(order.order_id)
            book.spent.setdefault(order.word, []).append(order.nonce)
        else:
            free.append(order.order_id)
    book.open, book.ended = still_open, {}
    return spent, free


def settle_books(session: Session, books: Mapping[AccountBytes, AccountBook]) -> None:
    """Close what has ended, in SQL and in the books: spent nonces stay known, those of orders that can never land are
    free again."""
    ended = [close_ended(book) for book in books.values()]
    for book in books.values():
        _forget_spent(session, book)
    spent = [order_id for some, _ in ended for order_id in some]
    free = [order_id for _, some in ended for order_id in some]
    if spent:
        session.execute(update(OrderNonceRow).where(OrderNonceRow.order_id.in_(spent)).values(state=_SPENT))
    if free:
        session.execute(delete(OrderNonceRow).where(OrderNonceRow.order_id.in_(free)))


def _forget_spent(session: Session, book: AccountBook) -> None:
    """Below the base nothing can land any more: only the window needs to be known."""
    for word, known in book.spent.items():
        if len(known) <= _SPENT_KEPT:
            continue
        base = nonces.base_of(known)
        session.execute(
            delete(OrderNonceRow).where(
                OrderNonceRow.holder == book.account,
                OrderNonceRow.word == word,
                OrderNonceRow.state == _SPENT,
                OrderNonceRow.nonce < base,
            )
        )
        book.spent[word] = [nonce for nonce in known if nonce >= base]


def _see_ended(session: Session, books: Mapping[AccountBytes, AccountBook], chain_time: int) -> None:
    outcomes = read_outcomes(session, [order.order_id for book in books.values() for order in book.open])
    for book in books.values():
        for order in book.open:
            outcome = outcomes.get(order.order_id)
            if outcome is not None and outcome.state is OrderState.ACCEPTED:
                book.ended[order.order_id] = True
            elif outcome is not None and outcome.code is not None:
                book.ended[order.order_id] = outcome.code not in _NONCE_UNTOUCHED
            elif order.deadline < chain_time:
                book.ended[order.order_id] = False  # every later block refuses it
