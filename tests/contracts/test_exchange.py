"""Exchange: each code in the documented order, then what lands, caps, rounding, nonces, hostile wallets and gas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from brownie.exceptions import VirtualMachineError
from city import (
    CULTURE,
    DAY,
    ENVIRONMENT,
    GIFT,
    MUSEUM,
    NOW,
    PAR,
    RESIDENCE,
    TRAFFIC,
    VOLUNTEER,
    City,
    event_values,
    next_block_at,
    now,
    put_back,
    rejections,
    reverts,
    snapshot,
    transfers,
)
from eth_utils import keccak
from reference import (
    BAD_SIGNATURE,
    BELOW_MINIMUM,
    CAP_EXCEEDED,
    EXPIRED,
    FORBIDDEN,
    INSUFFICIENT,
    LOT_DEAD,
    MALFORMED,
    NO_VALUE,
    NONCE_SPENT,
    UNKNOWN_PROGRAMME,
    ZERO,
    ExchangeOrder,
    expiry_end,
    sign,
    token_id,
)

LOT = token_id(VOLUNTEER, NOW)
TO = token_id(CULTURE, NOW)


@pytest.fixture
def rich(city: City) -> City:
    """The city, where ana has 1,000 points of this quarter and 10 of the last but one to come."""
    city.give(city.ana, LOT, 100_000)
    return city


def is_spent(city: City, order: ExchangeOrder) -> bool:
    """Tell whether the order's nonce can no longer be used."""
    base, window = city.ledger.nonceState(order.holder, order.fromId)
    ahead = order.nonce - base
    return ahead < 0 or (ahead < 32 and bool(window >> ahead & 1))


def expect(city: City, order: ExchangeOrder, code: int, *, spent: bool, packed: bytes | None = None) -> None:
    """Run the order between two good ones of bo: it alone is rejected, and its nonce is spent or not."""
    city.give(city.bo, token_id(GIFT, NOW), 200)
    first, last = (city.exchange_order(city.bo, token_id(GIFT, NOW), 100, TRAFFIC) for _ in range(2))
    before = city.balances(LOT, city.ana) + city.balances(TO, city.ana)
    packed = city.signed(city.ana, order) if packed is None else packed
    tx = city.run_exchange(city.signed(city.bo, first), packed, city.signed(city.bo, last))
    named = (keccak(packed), ZERO) if code == MALFORMED else (city.id_of(order), order.holder)
    assert rejections(tx) == [(*named, code)]
    assert [e["holder"] for e in event_values(tx, "Exchanged")] == [city.bo.address] * 2
    assert city.balances(LOT, city.ana) + city.balances(TO, city.ana) == before
    assert is_spent(city, order) is spent
    city.assert_zero_sum()


def exchanged(tx: Any) -> tuple[int, int, int]:
    """Return what the only exchange of a transaction gave: lot, minor units, fen."""
    (_, (_, _, lot, amount)) = transfers(tx)
    return lot, amount, event_values(tx, "Exchanged")[0]["fen"]


# Codes, in the documented order -----------------------------------------------------------------------------------


def test_paused_reverts_whole(rich: City) -> None:
    order = rich.signed(rich.ana, rich.exchange_order(rich.ana, LOT, 100, CULTURE))
    rich.exchange.pause(3_600, {"from": rich.guardian})
    with reverts("PausableIsPaused", rich.exchange.pausedUntil()):
        rich.run_exchange(order)


def test_1_malformed_amount_0(rich: City) -> None:
    """Even unsigned: the form is looked at first. It bears the hash of its bytes, which no valid order has."""
    order = rich.exchange_order(rich.ana, LOT, 0, CULTURE)
    expect(rich, order, MALFORMED, spent=False, packed=order.packed(b""))


@pytest.mark.parametrize("cut", [1, 57, 58, 59, 100])
def test_1_malformed_tail_is_one_order_of_nobody(rich: City, cut: int) -> None:
    """What is no whole order at the end is rejected by its hash, and what came before lands."""
    packed = rich.signed(rich.ana, rich.exchange_order(rich.ana, LOT, 100, CULTURE))
    tx = rich.run_exchange(packed, packed[:cut])
    assert rejections(tx) == [(keccak(packed[:cut]), ZERO, MALFORMED)]
    assert len(event_values(tx, "Exchanged")) == 1


@pytest.mark.parametrize("bad", ["none", "short", "long", "high s", "v", "other's", "other domain"])
def test_2_bad_signature(rich: City, bad: str) -> None:
    order = rich.exchange_order(rich.ana, LOT, 100, 99, deadline=0)
    good = sign(rich.ana.key, rich.id_of(order))
    high = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - int.from_bytes(good[32:64], "big")
    signature = {
        "none": b"",
        "short": good[:64],
        "long": good + b"\0",
        "high s": good[:32] + high.to_bytes(32, "big") + bytes([55 - good[64]]),
        "v": good[:64] + bytes([good[64] - 27]),
        "other's": sign(rich.bo.key, rich.id_of(order)),
        "other domain": sign(rich.ana.key, order.digest(replace(rich.domain, salt=b"\1" * 32))),
    }[bad]
    expect(rich, order, BAD_SIGNATURE, spent=False, packed=order.packed(signature))


def test_2_nobody_signs_for_account_0(rich: City) -> None:
    order = rich.exchange_order(rich.ana, LOT, 100, CULTURE, holder=ZERO)
    expect(rich, order, BAD_SIGNATURE, spent=False, packed=order.packed(b"\0" * 65))


def test_3_nonce_spent(rich: City) -> None:
    """Spent before, cancelled, or 64 above the base; looked at before the deadline."""
    used = rich.exchange_order(rich.ana, LOT, 100, CULTURE, nonce=5)
    rich.run_exchange(rich.signed(rich.ana, used))
    again = rich.exchange_order(rich.ana, LOT, 100, CULTURE, nonce=5, deadline=0)
    expect(rich, again, NONCE_SPENT, spent=True)
    tx = rich.ledger.cancelNonce(LOT, 6, {"from": rich.ana.account})
    assert event_values(tx, "NonceCancelled") == [{"holder": rich.ana.address, "id": LOT, "nonce": 6}]
    expect(rich, rich.exchange_order(rich.ana, LOT, 100, CULTURE, nonce=6, deadline=0), NONCE_SPENT, spent=True)
    far = rich.exchange_order(rich.ana, LOT, 100, CULTURE, nonce=64, deadline=0)
    expect(rich, far, NONCE_SPENT, spent=False)


def test_4_expired(rich: City) -> None:
    """The deadline is the last second; it is looked at before the programmes."""
    at = now() + 100
    good = rich.exchange_order(rich.ana, LOT, 100, CULTURE, deadline=at)
    late = rich.exchange_order(rich.ana, LOT, 100, 99, deadline=at - 1)
    packed = rich.signed(rich.ana, late) + rich.signed(rich.ana, good)
    next_block_at(at)
    tx = rich.run_exchange(packed)
    assert rejections(tx) == [(rich.id_of(late), rich.ana.address, EXPIRED)]
    assert len(event_values(tx, "Exchanged")) == 1
    assert is_spent(rich, late)


@pytest.mark.parametrize(("lot", "to"), [(LOT, 99), (LOT, 0), (token_id(99, NOW), CULTURE), (NOW, CULTURE)])
def test_5_unknown_programme(rich: City, lot: int, to: int) -> None:
    expect(rich, rich.exchange_order(rich.ana, lot, 1, to), UNKNOWN_PROGRAMME, spent=True)


@pytest.mark.parametrize(
    ("lot", "to"),
    [
        (LOT, VOLUNTEER),
        (LOT, RESIDENCE),
        (token_id(RESIDENCE, 0), CULTURE),
        (LOT, MUSEUM),
        (token_id(MUSEUM, NOW), CULTURE),
    ],
    ids=["itself", "into a score", "out of a score", "into a closed door", "out of a closed door"],
)
def test_6_forbidden_by_flags(rich: City, lot: int, to: int) -> None:
    """Looked at before the value: one minor unit is worth nothing here."""
    expect(rich, rich.exchange_order(rich.ana, lot, 1, to), FORBIDDEN, spent=True)


def test_6_forbidden_by_state(rich: City) -> None:
    """Into a closing programme; out of one whose spending time is over; to the second."""
    rich.ledger.setState(CULTURE, 2, rich.by_admin)
    expect(rich, rich.exchange_order(rich.ana, LOT, 1, CULTURE), FORBIDDEN, spent=True)
    rich.ledger.setState(VOLUNTEER, 2, rich.by_admin)
    next_block_at(rich.ledger.programme(VOLUNTEER)[7])
    rich.ledger.setRebirthCap(0, rich.by_admin)
    order = rich.exchange_order(rich.ana, LOT, 1, TRAFFIC)
    tx = rich.run_exchange(rich.signed(rich.ana, order))
    assert rejections(tx) == [(rich.id_of(order), rich.ana.address, FORBIDDEN)]


def test_7_no_value(rich: City) -> None:
    """Less than a fen in; or fen too few for one unit out. Looked at before the minimum."""
    expect(rich, rich.exchange_order(rich.ana, LOT, 4, CULTURE, minOut=9), NO_VALUE, spent=True)
    rich.register(20, 10**11, 15)
    expect(rich, rich.exchange_order(rich.ana, LOT, 4_999, 20, minOut=9), NO_VALUE, spent=True)
    tx = rich.run_exchange(rich.signed(rich.ana, rich.exchange_order(rich.ana, LOT, 5_000, 20, minOut=1)))
    assert exchanged(tx)[1] == 1


def test_8_below_minimum(rich: City) -> None:
    """Looked at before the caps and the balance."""
    rich.exchange.setResidentCap(60, rich.by_admin)
    expect(rich, rich.exchange_order(rich.ana, LOT, 10**6, CULTURE, minOut=200_001), BELOW_MINIMUM, spent=True)


def test_9_cap_exceeded(rich: City) -> None:
    """The resident's day, the programme's day, and what a lot can hold; looked at before the lot that is given."""
    rich.exchange.setResidentCap(60, rich.by_admin)
    dead = token_id(VOLUNTEER, NOW - 1)
    expect(rich, rich.exchange_order(rich.ana, dead, 305, CULTURE), CAP_EXCEEDED, spent=True)
    rich.exchange.setResidentCap(0, rich.by_admin)
    rich.exchange.setInflowCap(CULTURE, 30, rich.by_admin)
    expect(rich, rich.exchange_order(rich.ana, dead, 155, CULTURE), CAP_EXCEEDED, spent=True)
    rich.exchange.setInflowCap(CULTURE, 0, rich.by_admin)
    huge = rich.exchange_order(rich.ana, dead, 2**48, ENVIRONMENT)
    expect(rich, huge, CAP_EXCEEDED, spent=True)
    expect(rich, rich.exchange_order(rich.ana, dead, 2**64 - 1, CULTURE), CAP_EXCEEDED, spent=True)


def test_9_cap_exceeded_where_the_lot_is_full(rich: City) -> None:
    """Whoever holds it; looked at before the lot that is given."""
    lot = token_id(ENVIRONMENT, NOW)
    rich.appropriate(ENVIRONMENT, 9 * 10**14)
    rich.give(rich.bo, lot, 2**48 - 100 - rich.ledger.totalSupply(lot))
    expect(rich, rich.exchange_order(rich.ana, LOT, 25, ENVIRONMENT), CAP_EXCEEDED, spent=True)
    tx = rich.run_exchange(rich.signed(rich.ana, rich.exchange_order(rich.ana, LOT, 24, ENVIRONMENT)))
    assert exchanged(tx)[1] == 80


def test_10_lot_dead(rich: City) -> None:
    """Looked at before the balance; and a lot dies seven days after its quarter, to the second."""
    expect(rich, rich.exchange_order(rich.ana, LOT - 1, 100, CULTURE), LOT_DEAD, spent=True)
    last, order = (rich.exchange_order(rich.ana, LOT, 100, CULTURE, deadline=2**40 - 1) for _ in range(2))
    next_block_at(expiry_end(NOW) - 1)
    assert rejections(rich.run_exchange(rich.signed(rich.ana, last))) == []
    next_block_at(expiry_end(NOW))
    tx = rich.run_exchange(rich.signed(rich.ana, order))
    assert rejections(tx) == [(rich.id_of(order), rich.ana.address, LOT_DEAD)]


def test_11_insufficient(rich: City) -> None:
    expect(rich, rich.exchange_order(rich.ana, LOT, 100_001, CULTURE), INSUFFICIENT, spent=True)
    expect(rich, rich.exchange_order(rich.ana, token_id(VOLUNTEER, 0), 100, CULTURE), INSUFFICIENT, spent=True)


def test_nobody_orders_for_the_escrow(rich: City) -> None:
    """The ledger is no wallet: it answers no ERC-1271 question."""
    rich.place_hold(rich.ana, [(LOT, 100)])
    order = rich.exchange_order(rich.ana, LOT, 100, CULTURE, holder=rich.ledger.address)
    expect(rich, order, BAD_SIGNATURE, spent=False)


# What lands -------------------------------------------------------------------------------------------------------


def test_exchange(rich: City) -> None:
    """Event, transfers, balances, supplies and both positions; the lot keeps its quarter; dust stays with B."""
    lot, to = token_id(VOLUNTEER, NOW + 3), token_id(GIFT, NOW + 3)
    rich.give(rich.ana, lot, 1_000)
    order = rich.exchange_order(rich.ana, lot, 999, GIFT, minOut=663)
    tx = rich.run_exchange(rich.signed(rich.ana, order))
    fen = 999 * PAR[VOLUNTEER] // 10**8
    out = fen * 10**8 // PAR[GIFT]
    assert (fen, out) == (199, 663)
    assert event_values(tx, "Exchanged") == [
        {
            "orderId": "0x" + rich.id_of(order).hex(),
            "holder": rich.ana.address,
            "fen": fen,
        }
    ]
    assert transfers(tx) == [(rich.ana.address, ZERO, lot, 999), (ZERO, rich.ana.address, to, out)]
    assert rich.balances(lot, rich.ana) == [1]
    assert rich.balances(to, rich.ana) == [out]
    assert [rich.ledger.totalSupply(token) for token in (lot, to)] == [1, out]
    assert rich.ledger.programme(GIFT)[6] == out
    assert [rich.position(p) for p in (VOLUNTEER, GIFT)] == [-fen, fen]
    changed = {e["participant"]: (e["delta"], e["position"]) for e in event_values(tx, "PositionChanged")}
    assert changed == {1 << 32 | VOLUNTEER: (-fen, -fen), 1 << 32 | GIFT: (fen, fen)}


def test_no_round_trip_gains(rich: City) -> None:
    """There and back again through every pair: never more value than before, never more than two roundings less."""
    rich.give(rich.ana, token_id(CULTURE, NOW), 10_000)
    for amount in (7, 33, 101, 999):
        for other in (ENVIRONMENT, TRAFFIC, GIFT, VOLUNTEER):
            tx = rich.run_exchange(rich.signed(rich.ana, rich.exchange_order(rich.ana, TO, amount, other)))
            lot, out, fen = exchanged(tx)
            tx = rich.run_exchange(rich.signed(rich.ana, rich.exchange_order(rich.ana, lot, out, CULTURE)))
            assert fen * 10**8 >= out * PAR[other]
            back = exchanged(tx)[1] if not rejections(tx) else 0
            assert back <= amount
    rich.assert_zero_sum()


def test_one_posting_a_participant_a_batch(rich: City) -> None:
    """A hundred orders move each position once, and none that nets to nothing."""
    rich.give(rich.bo, TO, 1_000)
    orders = [rich.exchange_order(rich.ana, LOT, 500, CULTURE) for _ in range(3)]
    back = rich.exchange_order(rich.bo, TO, 300, VOLUNTEER)
    packed = [rich.signed(rich.ana, order) for order in orders] + [rich.signed(rich.bo, back)]
    tx = rich.run_exchange(*packed)
    assert len(event_values(tx, "Exchanged")) == 4
    assert event_values(tx, "PositionChanged") == []
    tx = rich.run_exchange(rich.signed(rich.ana, rich.exchange_order(rich.ana, LOT, 500, CULTURE)))
    assert len(event_values(tx, "PositionChanged")) == 2


def test_many_programmes_in_a_batch(rich: City) -> None:
    """More programmes than a batch has room for at first."""
    for programme in range(30, 42):
        rich.register(programme, 10_000_000, 15)
    orders = [rich.exchange_order(rich.ana, LOT, 500 + programme * 5, programme) for programme in range(30, 42)]
    tx = rich.run_exchange(*(rich.signed(rich.ana, order) for order in orders))
    assert len(event_values(tx, "Exchanged")) == 12
    for programme in range(30, 42):
        assert rich.position(programme) == 100 + programme
        assert rich.balances(token_id(programme, NOW), rich.ana) == [(100 + programme) * 10]


def test_a_resident_s_own_transaction_works(rich: City) -> None:
    """No relayer of ours is needed."""
    order = rich.exchange_order(rich.ana, LOT, 100, CULTURE)
    tx = rich.exchange.execute(rich.signed(rich.ana, order), {"from": rich.ana.account})
    assert len(event_values(tx, "Exchanged")) == 1


def test_an_empty_batch_does_nothing(rich: City) -> None:
    tx = rich.run_exchange(b"")
    assert list(tx.events) == []


# Nonces -----------------------------------------------------------------------------------------------------------


def test_nonces_are_unordered_within_the_window_and_slide_beyond_it(rich: City) -> None:
    """Base and window as documented: 0…31 by bit, up to 63 slides and cancels what falls below."""
    state = lambda: tuple(rich.ledger.nonceState(rich.ana.address, LOT))  # noqa: E731
    for nonce, expected in (
        (3, (0, 1 << 3)),
        (0, (0, 0b1001)),
        (31, (0, 1 << 31 | 0b1001)),
        (32, (1, 1 << 31 | 1 << 30 | 0b100)),
        (64, (33, 1 << 31)),
        (96, (65, 1 << 31)),
    ):
        rich.ledger.cancelNonce(LOT, nonce, {"from": rich.ana.account})
        assert state() == expected, nonce
    for nonce in (0, 64, 96, 129, 2**32 - 1):
        with reverts("PointsLedgerNonceSpent", rich.ana.address, nonce):
            rich.ledger.cancelNonce(LOT, nonce, {"from": rich.ana.account})
    with reverts("PointsLedgerNonceSpent", rich.ana.address, 0):
        rich.ledger.cancelNonce(1 << 64, 0, {"from": rich.ana.account})
    assert rich.balances(LOT, rich.ana) == [100_000]
    assert tuple(rich.ledger.nonceState(rich.ana.address, 1 << 64 | LOT)) == (0, 0)


def test_nonces_of_two_words_are_apart(rich: City) -> None:
    """The word of the first lot's programme and year counts, nothing else."""
    next_year = token_id(VOLUNTEER, NOW + 4)
    rich.give(rich.ana, next_year, 1_000)
    rich.give(rich.ana, TO, 1_000)
    orders = [rich.exchange_order(rich.ana, lot, 100, TRAFFIC, nonce=0) for lot in (LOT, next_year, TO)]
    tx = rich.run_exchange(*(rich.signed(rich.ana, order) for order in orders))
    assert len(event_values(tx, "Exchanged")) == 3


def test_nonces_to_the_end(probe: Any) -> None:
    """At the highest base there is, the window neither wraps nor lets a spent nonce through."""
    word = 0
    base = 2**32 - 32
    word |= base << 192
    for nonce in (2**32 - 1, 2**32 - 32):
        ok, word = probe.spendNonce(word, nonce)
        assert ok
        assert probe.spendNonce(word, nonce) == (False, word)
    assert (word >> 192 & 0xFFFFFFFF, word >> 224) == (base, 1 << 31 | 1)
    assert probe.spendNonce(word, 0) == (False, word)


# Caps -------------------------------------------------------------------------------------------------------------


def test_the_resident_s_cap_counts_a_day_in_utc_8(rich: City) -> None:
    tx = rich.exchange.setResidentCap(30, rich.by_admin)
    assert event_values(tx, "ResidentCapSet") == [{"previousCapFen": 0, "capFen": 30}]
    rich.run_exchange(rich.signed(rich.ana, rich.exchange_order(rich.ana, LOT, 100, CULTURE)))
    assert tuple(rich.exchange.outflow(rich.ana.address)) == (30, 20)
    assert tuple(rich.exchange.outflow(rich.bo.address)) == (30, 0)
    over, fits = (rich.exchange_order(rich.ana, LOT, amount, CULTURE) for amount in (55, 50))
    tx = rich.run_exchange(rich.signed(rich.ana, over), rich.signed(rich.ana, fits))
    assert [code for _, _, code in rejections(tx)] == [CAP_EXCEEDED]
    assert tuple(rich.exchange.outflow(rich.ana.address)) == (30, 30)
    midnight = (now() + 8 * 3600) // DAY * DAY + DAY - 8 * 3600
    next_block_at(midnight - 1)
    order = rich.exchange_order(rich.ana, LOT, 5, CULTURE, deadline=midnight + 9)
    tx = rich.run_exchange(rich.signed(rich.ana, order))
    assert [code for _, _, code in rejections(tx)] == [CAP_EXCEEDED]
    order = rich.exchange_order(rich.ana, LOT, 150, CULTURE, deadline=midnight + 9)
    next_block_at(midnight)
    tx = rich.run_exchange(rich.signed(rich.ana, order))
    assert len(event_values(tx, "Exchanged")) == 1
    assert tuple(rich.exchange.outflow(rich.ana.address)) == (30, 30)


def test_the_programme_s_cap_counts_everyone(rich: City) -> None:
    rich.give(rich.bo, LOT, 1_000)
    tx = rich.exchange.setInflowCap(CULTURE, 30, rich.by_admin)
    assert event_values(tx, "InflowCapSet") == [{"programme": CULTURE, "previousCapFen": 0, "capFen": 30}]
    orders = [(rich.ana, 100, CULTURE), (rich.bo, 55, CULTURE), (rich.bo, 50, CULTURE), (rich.bo, 55, TRAFFIC)]
    packed = [rich.signed(p, rich.exchange_order(p, LOT, amount, to)) for p, amount, to in orders]
    tx = rich.run_exchange(*packed)
    assert [code for _, _, code in rejections(tx)] == [CAP_EXCEEDED]
    assert tuple(rich.exchange.inflow(CULTURE)) == (30, 30)
    assert tuple(rich.exchange.inflow(TRAFFIC)) == (0, 0)
    next_block_at(now() + DAY)
    rich.exchange.setResidentCap(0, rich.by_admin)
    assert tuple(rich.exchange.inflow(CULTURE)) == (30, 0)


def test_the_programme_s_cap_counts_what_flows_in_less_what_flows_out(rich: City) -> None:
    """Points that go to and fro use up nobody's cap; what a programme gave, it may take in addition."""
    rich.give(rich.bo, TO, 1_000)
    for programme in (CULTURE, VOLUNTEER):
        rich.exchange.setInflowCap(programme, 30, rich.by_admin)

    def run(person: Any, lot: int, amount: int, to: int) -> list[int]:
        tx = rich.run_exchange(rich.signed(person, rich.exchange_order(person, lot, amount, to)))
        return [code for _, _, code in rejections(tx)]

    for _ in range(5):
        assert run(rich.ana, LOT, 100, CULTURE) == []
        assert run(rich.ana, TO, 20, VOLUNTEER) == []
    assert (rich.exchange.inflow(CULTURE)[1], rich.exchange.inflow(VOLUNTEER)[1]) == (0, 0)
    assert run(rich.bo, TO, 30, VOLUNTEER) == []
    assert (rich.exchange.inflow(CULTURE)[1], rich.exchange.inflow(VOLUNTEER)[1]) == (-30, 30)
    assert run(rich.bo, TO, 1, VOLUNTEER) == [CAP_EXCEEDED]
    assert run(rich.ana, LOT, 305, CULTURE) == [CAP_EXCEEDED]
    assert run(rich.ana, LOT, 300, CULTURE) == []
    assert (rich.exchange.inflow(CULTURE)[1], rich.exchange.inflow(VOLUNTEER)[1]) == (30, -30)


def test_a_cap_set_later_counts_from_then_on(rich: City) -> None:
    """Nothing is counted while there is no cap."""
    rich.run_exchange(rich.signed(rich.ana, rich.exchange_order(rich.ana, LOT, 500, CULTURE)))
    rich.exchange.setInflowCap(CULTURE, 30, rich.by_admin)
    rich.exchange.setResidentCap(30, rich.by_admin)
    assert (rich.exchange.inflow(CULTURE)[1], rich.exchange.outflow(rich.ana.address)[1]) == (0, 0)


def test_what_is_rejected_uses_no_cap(rich: City) -> None:
    rich.exchange.setResidentCap(1_000_000, rich.by_admin)
    rich.exchange.setInflowCap(CULTURE, 1_000_000, rich.by_admin)
    expect(rich, rich.exchange_order(rich.ana, LOT, 100_001, CULTURE), INSUFFICIENT, spent=True)
    assert tuple(rich.exchange.outflow(rich.ana.address)) == (1_000_000, 0)
    assert tuple(rich.exchange.inflow(CULTURE)) == (1_000_000, 0)


def test_only_plain_accounts_relay(rich: City) -> None:
    """A contract cannot: what was signed must lie in a transaction's calldata."""
    contract = rich.project.WalletMock.deploy(rich.operator, rich.by_operator)
    packed = rich.signed(rich.ana, rich.exchange_order(rich.ana, LOT, 100, CULTURE))
    with reverts("PlainAccountNeeded", contract.address):
        contract.call(rich.exchange, rich.exchange.execute.encode_input(packed), rich.by_operator)


# Contract wallets and gas -----------------------------------------------------------------------------------------

(HONEST, REFUSES, REVERTS, BURNS, ANSWERS_LONG, REVERTS_LONG, ANSWERS_SHORT, ANSWERS_DIRTY, USES_MUCH) = range(9)


@pytest.fixture
def wallet(rich: City) -> Any:
    """A contract wallet that ana owns, with points in it."""
    contract = rich.project.WalletMock.deploy(rich.ana.address, rich.by_operator)
    rich.mint(VOLUNTEER, NOW, {contract.address: 10_000})
    return contract


@pytest.mark.parametrize("mode", [HONEST, ANSWERS_LONG, USES_MUCH])
def test_a_contract_wallet_s_order_lands(rich: City, wallet: Any, mode: int) -> None:
    """ERC-1271, whatever the length of the answer and up to 100,000 gas."""
    wallet.setMode(mode, rich.by_operator)
    order = rich.exchange_order(rich.ana, LOT, 100, CULTURE, holder=wallet.address)
    tx = rich.run_exchange(rich.signed(rich.ana, order))
    assert rejections(tx) == []
    assert rich.balances(TO, wallet.address) == [20]


@pytest.mark.parametrize("mode", [REFUSES, REVERTS, BURNS, REVERTS_LONG, ANSWERS_SHORT, ANSWERS_DIRTY])
def test_a_hostile_wallet_is_rejected_alone(rich: City, wallet: Any, mode: int) -> None:
    wallet.setMode(mode, rich.by_operator)
    order = rich.exchange_order(rich.ana, LOT, 100, CULTURE, holder=wallet.address)
    expect(rich, order, BAD_SIGNATURE, spent=False)


def test_a_wallet_without_its_owner_s_signature_is_rejected(rich: City, wallet: Any) -> None:
    order = rich.exchange_order(rich.ana, LOT, 100, CULTURE, holder=wallet.address)
    expect(rich, order, BAD_SIGNATURE, spent=False, packed=rich.signed(rich.bo, order))


def test_a_hostile_wallet_costs_a_bounded_amount_of_gas(rich: City, wallet: Any) -> None:
    """Burnt gas, and answers of any length, cost the batch at most 130,000 gas each."""
    orders = [rich.exchange_order(rich.ana, LOT, 100, CULTURE, holder=wallet.address) for _ in range(9)]
    packed = [rich.signed(rich.ana, order) for order in orders]
    costs = {}
    for mode in (REFUSES, BURNS, REVERTS_LONG):
        wallet.setMode(mode, rich.by_operator)
        costs[mode] = rich.run_exchange(*packed[:9]).gas_used - rich.run_exchange(*packed[:1]).gas_used
    assert all(cost < 8 * 130_000 for cost in costs.values()), costs


def test_too_little_gas_reverts_and_rejects_nobody(rich: City, wallet: Any) -> None:
    """A relayer that gives too little gas cannot make a good order look bad."""
    order = rich.exchange_order(rich.ana, LOT, 100, CULTURE, holder=wallet.address)
    packed = rich.signed(rich.ana, order)
    outcomes = set()
    for gas in range(40_000, 320_000, 20_000):
        before = snapshot()
        try:
            tx = rich.exchange.execute(packed, {"from": rich.operator, "gas_limit": gas})
            outcomes.add(("landed", len(rejections(tx))))
        except VirtualMachineError:
            outcomes.add(("reverted", 0))
        put_back(before)
    assert outcomes == {("landed", 0), ("reverted", 0)}
