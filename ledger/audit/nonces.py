"""Which words orders that were refused have written to: a business rejection spends a nonce and emits no lot.

The event names order and holder only; the lot whose word keeps the nonce stands in the transaction's bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

from ledger.audit.books import Account, Books
from ledger.audit.chain import read_many
from ledger.chain.rpc import RpcClient
from ledger.proofs.orders import orders_in
from ledger.standard.packed import OrderCall
from ledger.standard.typed_data import Domain, ExchangeOrder, HoldOrder, RedeemOrder


def spent_by_rejected(
    rpc: RpcClient, books: Books, domain: Domain, modules: Mapping[str, Account]
) -> list[tuple[Account, int]] | None:
    """Return (holder, token id) for every refused order that spent a nonce.

    None if one of them came in a transaction whose bytes do not show it (a contract relayed it). Raises RpcError.
    """
    wanted: dict[tuple[int, int], dict[bytes, Account]] = {}
    for block, transaction, order_id, holder in books.rejected:
        wanted.setdefault((block, transaction), {})[order_id] = holder
    calls = [
        ("eth_getTransactionByBlockNumberAndIndex", [hex(block), hex(transaction)]) for block, transaction in wanted
    ]
    found: list[tuple[Account, int]] = []
    for orders, transaction in zip(wanted.values(), read_many(rpc, calls), strict=True):
        tokens = {order.digest(domain): _nonce_token(order, call) for call, order, _ in orders_in(transaction, modules)}
        if any(order_id not in tokens for order_id in orders):
            return None
        found += [(holder, token) for order_id, holder in orders.items() if (token := tokens[order_id]) is not None]
    return found


def _nonce_token(order: ExchangeOrder | RedeemOrder | HoldOrder, call: OrderCall) -> int | None:
    """The lot in whose word an order's nonce lies; captures and releases spend none."""
    if call in (OrderCall.CAPTURE, OrderCall.RELEASE):
        return None
    return order.from_id if isinstance(order, ExchangeOrder) else order.lots[0].id
