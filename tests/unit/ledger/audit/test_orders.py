"""Orders in the bytes of a call: cut apart as the modules cut them, malformed ones too."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.audit.orders import is_prefix, orders_of, prefix_of, signer_of
from ledger.standard import packed
from ledger.standard.contract import Verdict
from ledger.standard.ids import MerchantId, ProgrammeId, address_bytes, token_id
from ledger.standard.keccak import keccak256
from ledger.standard.packed import OrderCall
from ledger.standard.signatures import SigningKey
from ledger.standard.typed_data import Capture, Domain, ExchangeOrder, HoldOrder, Lot, Release
from tests.unit.ledger.standard.vectors import load

KEY, SHOP = SigningKey(b"\1" * 32), SigningKey(b"\2" * 32)
DOMAIN = Domain(7, "0x" + "11" * 20, b"\3" * 32)
LOT = token_id(ProgrammeId(1), 109)
HOLD = HoldOrder(KEY.address, MerchantId(3), (Lot(LOT, 50), Lot(LOT + 1, 7)), 1, 99, 100, True)


def exchange(amount: int) -> bytes:
    order = ExchangeOrder(KEY.address, LOT, amount, ProgrammeId(2), 1, 0, 99)
    return packed.pack_exchange_order(order, KEY.sign_digest(order.digest(DOMAIN)))


def test_the_signer_of_an_exchange_is_recovered() -> None:
    [signed] = orders_of(exchange(5), OrderCall.EXCHANGE, DOMAIN)
    assert signed.signer == signed.holder == address_bytes(KEY.address)
    assert signed.nonce_token == LOT


def test_nothing_exchanged_and_bytes_at_the_end_are_malformed_orders_named_by_their_hash() -> None:
    whole, nothing, rest = exchange(5), exchange(0), b"\1\2\3"
    signed, second, third = orders_of(whole + nothing + rest, OrderCall.EXCHANGE, DOMAIN)
    assert signed.order is not None
    assert (second.order, second.id) == (None, keccak256(nothing))
    assert (third.order, third.id) == (None, keccak256(rest))
    assert list(orders_of(b"", OrderCall.EXCHANGE, DOMAIN)) == []


def test_a_capture_is_signed_over_the_prefix_that_it_keeps() -> None:
    order_id = HOLD.digest(DOMAIN)
    signature = SHOP.sign_digest(Capture(order_id, 1, 30).digest(DOMAIN))
    [signed] = orders_of(packed.pack_capture(HOLD, 1, 30, signature), OrderCall.CAPTURE, DOMAIN)
    assert (signed.id, signed.kept, signed.merchant, signed.capture_by) == (order_id, (1, 30), 3, 100)
    assert signed.signer == address_bytes(SHOP.address)
    assert signed.nonce_token is None
    [other] = orders_of(packed.pack_capture(HOLD, 1, 31, signature), OrderCall.CAPTURE, DOMAIN)
    assert other.signer != address_bytes(SHOP.address)


@pytest.mark.parametrize("kept", [(0, 1), (1, 0), (1, 51), (3, 1)])
def test_a_capture_of_what_is_no_prefix_is_malformed(kept: tuple[int, int]) -> None:
    part = packed.pack_capture(HOLD, *kept, b"")
    [signed] = orders_of(part, OrderCall.CAPTURE, DOMAIN)
    assert (signed.order, signed.id) == (None, keccak256(part))


def test_a_release_may_come_without_a_signature() -> None:
    [signed] = orders_of(packed.pack_release(HOLD, b""), OrderCall.RELEASE, DOMAIN)
    assert (signed.signer, signed.is_cancellable) == (None, True)
    signature = KEY.sign_digest(Release(signed.id).digest(DOMAIN))
    [signed] = orders_of(packed.pack_release(HOLD, signature), OrderCall.RELEASE, DOMAIN)
    assert signed.signer == signed.holder


@pytest.mark.parametrize("place", [38, 39])
def test_a_hold_with_a_bad_flag_or_no_lots_is_malformed(place: int) -> None:
    part = bytearray(packed.pack_hold_order(HOLD, b""))
    part[place] = 2 if place == 38 else 0
    [signed, *_] = orders_of(bytes(part), OrderCall.HOLD, DOMAIN)
    assert signed.order is None


def test_a_prefix_keeps_whole_lots_but_the_last() -> None:
    lots = ((LOT, 50), (LOT + 1, 7))
    assert is_prefix(lots, (0, 0))
    assert prefix_of(lots, (0, 0)) == ()
    assert prefix_of(lots, (2, 3)) == ((LOT, 50), (LOT + 1, 3))


@pytest.mark.parametrize("vector", load("rejected.json")["malformed"], ids=lambda vector: vector["what"])
def test_the_shared_malformed_calls_give_the_ids_of_their_rejections(vector: dict[str, Any]) -> None:
    packed_call = bytes.fromhex(vector["packed"][2:])
    orders = list(orders_of(packed_call, OrderCall(vector["call"]), DOMAIN))
    found = [signed for signed in orders if signed.order is None]
    expected = [item for item in vector["rejected"] if item["code"] == Verdict.MALFORMED]
    assert ["0x" + signed.id.hex() for signed in found] == [item["id"] for item in expected]


@pytest.mark.parametrize("vector", load("rejected.json")["signatures"], ids=lambda vector: vector["what"])
def test_the_shared_bad_signatures_are_nobody_s_or_another_s(vector: dict[str, Any]) -> None:
    signer = signer_of(bytes.fromhex(vector["digest"][2:]), bytes.fromhex(vector["signature"][2:]))
    assert signer != address_bytes(load("typed_data.json")["signer"])
