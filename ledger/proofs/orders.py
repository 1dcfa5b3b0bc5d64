"""Finds the signed orders in the bytes of a transaction that a gateway sent to a module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from ledger.deployment import artifacts
from ledger.standard.errors import MalformedPacked
from ledger.standard.packed import OrderCall, split_orders, unpack_order
from ledger.standard.typed_data import ExchangeOrder, HoldOrder, RedeemOrder

Order = ExchangeOrder | RedeemOrder | HoldOrder

_CALLS = {
    ("Exchange", "execute"): OrderCall.EXCHANGE,
    ("Redemption", "execute"): OrderCall.REDEEM,
    ("Redemption", "hold"): OrderCall.HOLD,
    ("Redemption", "capture"): OrderCall.CAPTURE,
    ("Redemption", "release"): OrderCall.RELEASE,
}
_SELECTOR_BYTES = 4


def orders_in(transaction: Mapping[str, Any], modules: Mapping[str, bytes]) -> Iterator[tuple[OrderCall, Order, bytes]]:
    """Return (call, order, holder's signature) of every well-formed order in a transaction as a node gives it.

    ``modules`` are the addresses of Exchange and Redemption. Nothing is found in a call to another contract, though it
    may pass orders on.
    """
    target = bytes.fromhex((transaction.get("to") or "0x")[2:])
    data = bytes.fromhex(transaction["input"][2:])
    for (module, function), call in _CALLS.items():
        if (
            modules.get(module) != target
            or artifacts.load(module).function(function).selector != data[:_SELECTOR_BYTES]
        ):
            continue
        try:
            [packed] = decode(("bytes",), data[_SELECTOR_BYTES:])
        except DecodingError:
            return
        for part in split_orders(packed, call):
            try:
                order, signature = unpack_order(part, call)
            except MalformedPacked:
                continue
            yield call, order, signature
