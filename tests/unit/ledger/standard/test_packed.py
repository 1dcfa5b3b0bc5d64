"""Packed encodings: the shared vectors, round trips, and refusal of what is cut or dirty."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.standard import packed
from ledger.standard.errors import BadAddress, MalformedPacked, OutOfRange
from ledger.standard.ids import MerchantId
from ledger.standard.keccak import keccak256
from ledger.standard.typed_data import ExchangeOrder, HoldOrder, Lot, RedeemOrder
from tests.unit.ledger.standard.test_typed_data import ADDRESS, LOTS, uints
from tests.unit.ledger.standard.vectors import load, unhex

VECTORS = load("packed.json")
SIGNATURES = st.one_of(st.binary(min_size=65, max_size=65), st.binary(max_size=300))
EXCHANGES = st.builds(ExchangeOrder, ADDRESS, uints(64), uints(64), uints(32), uints(64), uints(32), uints(40))
REDEEMS = st.builds(RedeemOrder, ADDRESS, uints(32), LOTS, uints(32), uints(40))
HOLDS = st.builds(HoldOrder, ADDRESS, uints(32), LOTS, uints(32), uints(40), uints(40), st.booleans())


def lots_of(row: dict[str, Any]) -> tuple[Lot, ...]:
    return tuple(Lot(int(lot["id"]), int(lot["amount"])) for lot in row["lots"])


def test_grant_vectors() -> None:
    row = VECTORS["grants"]
    grants = [(grant["account"], int(grant["amount"])) for grant in row["grants"]]
    assert packed.pack_grants(grants) == unhex(row["packed"])
    assert keccak256(unhex(row["packed"])) == unhex(row["hash"])
    assert packed.unpack_grants(unhex(row["packed"])) == grants


def test_revocation_and_payout_vectors() -> None:
    row = VECTORS["revocations"]
    revocations = [(one["index"], int(one["revokedTotal"]), one["reason"]) for one in row["revocations"]]
    assert packed.pack_revocations(revocations) == unhex(row["packed"])
    assert packed.unpack_revocations(unhex(row["packed"])) == revocations
    row = VECTORS["payouts"]
    payouts = [(MerchantId(one["merchant"]), int(one["fen"])) for one in row["payouts"]]
    assert packed.pack_payouts(payouts) == unhex(row["packed"])
    assert packed.unpack_payouts(unhex(row["packed"])) == payouts


def test_exchange_vectors() -> None:
    row = VECTORS["exchange"]
    orders = [
        (
            ExchangeOrder(
                o["holder"],
                int(o["fromId"]),
                int(o["amount"]),
                o["toProgramme"],
                int(o["minOut"]),
                o["nonce"],
                int(o["deadline"]),
            ),
            unhex(o["signature"]),
        )
        for o in row["orders"]
    ]
    assert packed.pack_exchange_orders(orders) == unhex(row["packed"])
    assert packed.unpack_exchange_orders(unhex(row["packed"])) == orders


def test_redeem_and_hold_vectors() -> None:
    row = VECTORS["redeem"]
    o = row["orders"][0]
    redeem = RedeemOrder(o["holder"], o["merchant"], lots_of(o), o["nonce"], int(o["deadline"]))
    assert packed.pack_redeem_orders([(redeem, unhex(o["signature"]))]) == unhex(row["packed"])
    row = VECTORS["hold"]
    o = row["orders"][0]
    hold = HoldOrder(
        o["holder"], o["merchant"], lots_of(o), o["nonce"], int(o["deadline"]), int(o["captureBy"]), o["cancellable"]
    )
    assert packed.pack_hold_orders([(hold, unhex(o["signature"]))]) == unhex(row["packed"])
    row = VECTORS["capture"]
    capture = packed.pack_capture(hold, row["lots"], int(row["lastAmount"]), unhex(row["signature"]))
    assert capture == unhex(row["packed"])
    row = VECTORS["release"]
    assert packed.pack_release(hold, unhex(row["signature"])) == unhex(row["packed"])


@given(st.lists(st.tuples(ADDRESS, uints(64)), max_size=20))
def test_grants_survive_a_round_trip(grants: list[tuple[str, int]]) -> None:
    data = packed.pack_grants(grants)
    assert len(data) == packed.GRANT_BYTES * len(grants)
    assert packed.unpack_grants(data) == grants


@given(
    st.lists(st.tuples(EXCHANGES, SIGNATURES), max_size=4),
    st.lists(st.tuples(REDEEMS, SIGNATURES), max_size=4),
    st.lists(st.tuples(HOLDS, SIGNATURES), max_size=4),
)
def test_orders_survive_a_round_trip(exchanges: Any, redeems: Any, holds: Any) -> None:
    assert packed.unpack_exchange_orders(packed.pack_exchange_orders(exchanges)) == exchanges
    assert packed.unpack_redeem_orders(packed.pack_redeem_orders(redeems)) == redeems
    assert packed.unpack_hold_orders(packed.pack_hold_orders(holds)) == holds


@given(
    st.lists(st.tuples(uints(32), uints(64), uints(16)), max_size=9),
    st.lists(st.tuples(uints(32), uints(64)), max_size=9),
)
def test_revocations_and_payouts_survive_a_round_trip(revocations: Any, payouts: Any) -> None:
    assert packed.unpack_revocations(packed.pack_revocations(revocations)) == revocations
    assert packed.unpack_payouts(packed.pack_payouts(payouts)) == payouts
    for data, unpack in (
        (packed.pack_revocations([(1, 2, 3)]), packed.unpack_revocations),
        (packed.pack_payouts([(MerchantId(1), 2)]), packed.unpack_payouts),
    ):
        with pytest.raises(MalformedPacked):
            unpack(data[:-1])


@given(uints(8), uints(64))
def test_a_prefix_survives_a_round_trip_and_a_shorter_one_is_a_smaller_number(lots: int, last: int) -> None:
    prefix = packed.pack_prefix(lots, last)
    assert packed.unpack_prefix(prefix) == (lots, last)
    if lots < 255:
        assert prefix < packed.pack_prefix(lots + 1, 0) or last == 0
    with pytest.raises(OutOfRange):
        packed.unpack_prefix(2**72)


@given(LOTS)
def test_lots_survive_a_round_trip(lots: tuple[Lot, ...]) -> None:
    data = packed.pack_lots(lots)
    assert len(data) == 16 * len(lots)
    assert packed.unpack_lots(data) == lots
    with pytest.raises(MalformedPacked):
        packed.unpack_lots(data[:-1])


@given(st.lists(st.tuples(REDEEMS, SIGNATURES), max_size=4), st.binary(max_size=50))
def test_orders_are_cut_apart_as_the_contracts_do(orders: Any, rest: bytes) -> None:
    """Whatever follows the last whole order does not touch those before it."""
    data = packed.pack_redeem_orders(orders)
    parts = list(packed.split_orders(data, packed.OrderCall.REDEEM))
    assert [packed.unpack_order(part, packed.OrderCall.REDEEM) for part in parts] == orders
    assert list(packed.split_orders(data + rest, packed.OrderCall.REDEEM))[: len(orders)] == parts


@given(st.lists(st.tuples(HOLDS, uints(8), uints(64), SIGNATURES), max_size=3))
def test_captures_and_releases_name_the_hold_order(captures: Any) -> None:
    data = b"".join(packed.pack_capture(*capture) for capture in captures)
    parts = packed.split_orders(data, packed.OrderCall.CAPTURE)
    assert [packed.unpack_order(part, packed.OrderCall.CAPTURE) for part in parts] == [(c[0], b"") for c in captures]
    data = b"".join(packed.pack_release(order, signature) for order, _, _, signature in captures)
    parts = packed.split_orders(data, packed.OrderCall.RELEASE)
    assert [packed.unpack_order(part, packed.OrderCall.RELEASE)[0] for part in parts] == [c[0] for c in captures]


@given(st.tuples(REDEEMS, SIGNATURES), st.data())
def test_cut_bytes_are_refused_and_say_where(order: Any, data: Any) -> None:
    whole = packed.pack_redeem_orders([order])
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(MalformedPacked) as caught:
        packed.unpack_redeem_orders(whole[:cut])
    assert 0 <= caught.value.offset <= cut


@pytest.mark.parametrize(
    ("account", "minor", "error"),
    [
        ("0x" + "1" * 39, 1, BadAddress),
        ("yx" + "1" * 40, 1, BadAddress),
        ("0x" + "1" * 38 + "  ", 1, BadAddress),
        ("0x" + "1" * 40, 2**64, OutOfRange),
        ("0x" + "1" * 40, -1, OutOfRange),
    ],
)
def test_a_bad_grant_is_refused(account: str, minor: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        packed.pack_grants([("0x" + "2" * 40, 5), (account, minor)])


def test_errors_of_neighbours_do_not_cancel_out() -> None:
    """One digit too few in one grant and one too many in the next would give the right length together."""
    with pytest.raises(BadAddress):
        packed.pack_grants([("0x" + "1" * 39, 5), ("0x" + "1" * 41, 5)])


def test_cut_grants_are_refused() -> None:
    with pytest.raises(MalformedPacked):
        packed.unpack_grants(b"\0" * 29)


def test_an_order_has_one_to_sixteen_lots() -> None:
    order = RedeemOrder("0x" + "1" * 40, 1, (), 1, 1)
    with pytest.raises(OutOfRange):
        packed.pack_redeem_order(order, b"")
    many = RedeemOrder("0x" + "1" * 40, 1, (Lot(1, 1),) * 17, 1, 1)
    with pytest.raises(OutOfRange):
        packed.pack_redeem_order(many, b"")
    zero = bytearray(packed.pack_redeem_order(RedeemOrder("0x" + "1" * 40, 1, (Lot(1, 1),), 1, 1), b""))
    zero[33] = 0
    with pytest.raises(MalformedPacked):
        packed.unpack_redeem_orders(bytes(zero))


def test_a_dirty_flag_is_refused() -> None:
    data = bytearray(packed.pack_hold_order(HoldOrder("0x" + "1" * 40, 1, (Lot(1, 1),), 1, 1, 1, True), b""))
    data[38] = 2
    with pytest.raises(MalformedPacked):
        packed.unpack_hold_orders(bytes(data))


def test_a_signature_over_two_byte_length_is_refused() -> None:
    with pytest.raises(OutOfRange):
        packed.pack_redeem_order(RedeemOrder("0x" + "1" * 40, 1, (Lot(1, 1),), 1, 1), b"\0" * 65536)
