"""Which words orders that were refused have written to: a business rejection spends a nonce and emits no lot.

The event names order and holder only; the lot whose word keeps the nonce stands in the transaction's bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from ledger.audit.books import Account, Books
from ledger.audit.chain import read_many
from ledger.chain import artifacts
from ledger.chain.rpc import RpcClient
from ledger.standard.errors import MalformedPacked
from ledger.standard.packed import unpack_exchange_orders, unpack_hold_orders, unpack_redeem_orders
from ledger.standard.typed_data import Domain

_SELECTOR_BYTES = 4
_EXCHANGE_HEAD = 57
_REDEEM_HEAD = 34
_HOLD_HEAD = 40
_LOT_BYTES = 16


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
    for orders, answer in zip(wanted.values(), read_many(rpc, calls), strict=True):
        tokens = _tokens(answer, domain, modules)
        if tokens is None or any(order_id not in tokens for order_id in orders):
            return None
        found += [(holder, token) for order_id, holder in orders.items() if (token := tokens[order_id]) is not None]
    return found


def _tokens(
    transaction: Mapping[str, Any], domain: Domain, modules: Mapping[str, Account]
) -> dict[bytes, int | None] | None:
    """Return the lot under whose word each order of a direct call keeps its nonce; None for what keeps none."""
    target = bytes.fromhex((transaction.get("to") or "0x")[2:])
    data = bytes.fromhex(transaction["input"][2:])
    module = next((name for name, address in modules.items() if address == target), None)
    if module not in ("Exchange", "Redemption"):
        return None
    called = {
        artifacts.load(module).function(name).selector: name
        for name in (("execute",) if module == "Exchange" else ("execute", "hold", "capture", "release"))
    }.get(data[:_SELECTOR_BYTES])
    try:
        [packed] = decode(("bytes",), data[_SELECTOR_BYTES:])
    except DecodingError:
        return None
    if called is None:
        return None
    return dict(_orders(module, called, packed, domain))


def _orders(module: str, called: str, packed: bytes, domain: Domain) -> Iterator[tuple[bytes, int | None]]:
    if called in ("capture", "release"):
        tail = 9 if called == "capture" else 0
        for part in _parts(packed, _HOLD_HEAD, tail):
            lots_end = _HOLD_HEAD + part[_HOLD_HEAD - 1] * _LOT_BYTES
            for hold in _whole(unpack_hold_orders, part[:lots_end] + b"\0\0"):
                yield hold.digest(domain), None
    elif called == "hold":
        for part in _parts(packed, _HOLD_HEAD, 0):
            for hold in _whole(unpack_hold_orders, part):
                yield hold.digest(domain), hold.lots[0].id
    elif module == "Redemption":
        for part in _parts(packed, _REDEEM_HEAD, 0):
            for redeem in _whole(unpack_redeem_orders, part):
                yield redeem.digest(domain), redeem.lots[0].id
    else:
        for part in _parts(packed, _EXCHANGE_HEAD, 0, lots=False):
            for exchange in _whole(unpack_exchange_orders, part):
                yield exchange.digest(domain), exchange.from_id


def _parts(packed: bytes, head: int, tail: int, *, lots: bool = True) -> Iterator[bytes]:
    """Cut packed orders apart as the modules do; bytes at the end that are no whole order are left out."""
    at = 0
    while at + head <= len(packed):
        count = packed[at + head - 1] if lots else 0
        signature = at + head + count * _LOT_BYTES + tail + 2
        if signature > len(packed):
            return
        end = signature + int.from_bytes(packed[signature - 2 : signature], "big")
        if end > len(packed):
            return
        yield packed[at:end]
        at = end


def _whole(unpack: Any, part: bytes) -> list[Any]:
    """The order in ``part``; none if it is malformed, for such an order spends nothing."""
    try:
        return [order for order, _ in unpack(part)]
    except MalformedPacked:
        return []
