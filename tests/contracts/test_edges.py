"""Small differences that whole scenarios pass by: each of these tests tells the contracts from ones that differ in a
bound, a branch or a constant."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from city import (
    CULTURE,
    GIFT,
    NOW,
    PAR,
    SHOP,
    TRAFFIC,
    VOLUNTEER,
    City,
    event_values,
    rejections,
    reverts,
    transfers,
)
from eth_account import Account
from reference import BAD_SIGNATURE, CAP_EXCEEDED, FORBIDDEN, UNKNOWN_PROGRAMME, ZERO, sign, token_id

LOT = token_id(VOLUNTEER, NOW)
GIFTS = token_id(GIFT, NOW)
ANSWERS_SHORT = 6

# Exchange ---------------------------------------------------------------------------------------------------------


def test_two_sources_of_one_target_are_told_apart(city: City) -> None:
    """In one batch, though the target is still turned to: each order by the par of its own programme."""
    for lot in (LOT, GIFTS):
        city.give(city.ana, lot, 1_000)
    orders = [city.exchange_order(city.ana, lot, 500, CULTURE) for lot in (LOT, GIFTS, LOT)]
    tx = city.run_exchange(*(city.signed(city.ana, order) for order in orders))
    fen = [500 * PAR[programme] // 10**8 for programme in (VOLUNTEER, GIFT, VOLUNTEER)]
    assert [e["fen"] for e in event_values(tx, "Exchanged")] == fen
    assert city.position(VOLUNTEER) == -fen[0] - fen[2]
    assert city.position(GIFT) == -fen[1]
    assert city.position(CULTURE) == sum(fen)


def test_two_targets_of_one_source_are_told_apart(city: City) -> None:
    city.give(city.ana, LOT, 1_000)
    orders = [city.exchange_order(city.ana, LOT, 500, to) for to in (CULTURE, TRAFFIC)]
    tx = city.run_exchange(*(city.signed(city.ana, order) for order in orders))
    assert [lot >> 32 for _, _, lot, _ in transfers(tx)[1::2]] == [CULTURE, TRAFFIC]
    assert (city.position(CULTURE), city.position(TRAFFIC)) == (100, 100)


def test_programme_0_is_never_the_total_that_is_still_empty(city: City) -> None:
    """Neither after an order that turned to one programme only, nor as the first of a batch."""
    city.give(city.ana, LOT, 1_000)
    nothing = [
        city.exchange_order(city.ana, token_id(0, NOW), 100, 0),
        city.exchange_order(city.ana, LOT, 100, 999),
        city.exchange_order(city.ana, token_id(0, NOW), 100, VOLUNTEER),
        city.exchange_order(city.ana, LOT, 100, 0),
    ]
    tx = city.run_exchange(*(city.signed(city.ana, order) for order in nothing))
    assert [code for _, _, code in rejections(tx)] == [UNKNOWN_PROGRAMME] * 4


def test_a_bad_order_of_an_account_without_code_needs_no_gas_for_a_wallet(city: City) -> None:
    """It is rejected where a contract wallet could not be given its due."""
    city.give(city.ana, LOT, 1_000)
    order = city.exchange_order(city.ana, LOT, 100, CULTURE)
    bad = order.packed(sign(city.bo.key, order.digest(city.domain)))
    tx = city.exchange.execute(bad, {"from": city.operator, "gas_limit": 120_000})
    assert [code for _, _, code in rejections(tx)] == [BAD_SIGNATURE]


def test_an_amount_beyond_64_bits_is_not_cut_to_a_small_one(city: City) -> None:
    """At a tiny par a lot of ordinary size is worth more units than a field holds; the least such amount is refused."""
    tiny = 77
    city.register(tiny, 1, 15)
    city.appropriate(CULTURE, 10**12)
    amount = -(-(2**64) // 10**8)
    assert amount * 10**8 - 2**64 < 2**48
    city.give(city.ana, token_id(CULTURE, NOW), amount)
    order = city.exchange_order(city.ana, token_id(CULTURE, NOW), amount, tiny)
    tx = city.run_exchange(city.signed(city.ana, order))
    assert [code for _, _, code in rejections(tx)] == [CAP_EXCEEDED]
    assert city.balances(token_id(tiny, NOW), city.ana) == [0]


# Signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beyond", [0, 1])
def test_s_is_low_up_to_half_the_order(city: City, beyond: int) -> None:
    """EIP-2: half the order itself is low. Any such r and s are somebody's signature, here of nobody that may void."""
    half = 0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0
    r, s = int.from_bytes(sign(city.ana.key, b"\x01" * 32)[:32], "big"), half + beyond
    digest = city.domain.digest("VoidBatch", programme=VOLUNTEER, number=1)
    signer = ZERO if beyond else Account._recover_hash(digest, vrs=(27, r, s))
    assert (signer == ZERO) is bool(beyond)
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, signer):
        city.ledger.voidBatch(VOLUNTEER, 1, r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x1b", city.by_operator)


def test_an_answer_of_31_bytes_is_no_answer(city: City) -> None:
    """Whatever stands where the answer is read to."""
    wallet = city.project.WalletMock.deploy(city.bo.address, city.by_operator)
    wallet.setMode(ANSWERS_SHORT, city.by_operator)
    city.give(city.ana, LOT, 1_000)
    payment = city.pay(city.ana, [(LOT, 500)])
    city.book.registerMerchant(SHOP, wallet.address, b"\x01" * 32, {"from": city.registrar})
    with reverts("RedemptionBadSignature", payment.receipt[0]):
        city.refund(payment, by=city.bo)
    wallet.setMode(0, city.by_operator)
    city.refund(payment, by=city.bo)


# Freezes and times in one batch -----------------------------------------------------------------------------------


def test_a_frozen_programme_beside_one_that_is_not(city: City) -> None:
    """Each order of a batch by its own programme, whichever was loaded before."""
    for lot in (LOT, GIFTS):
        city.give(city.ana, lot, 1_000)
    city.ledger.freeze(GIFT, {"from": city.guardian})
    orders = [city.redeem_order(city.ana, [(lot, 100)]) for lot in (GIFTS, LOT, GIFTS, LOT)]
    tx = city.run_redeem(*(city.signed(city.ana, order) for order in orders))
    assert [(order_id, code) for order_id, _, code in rejections(tx)] == [
        (city.id_of(order), FORBIDDEN) for order in orders[::2]
    ]
    assert len(event_values(tx, "Redeemed")) == 2


# Words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("programme", [1, 2, 3, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
def test_a_word_has_the_programme_and_the_year(probe: Any, programme: int) -> None:
    """Key and lane as the points standard says: the four quarters of a year together, quarter 0 for itself."""
    for quarter in (0, 1, 2, 3, 4, 5, 8, 9, 121, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF):
        place = quarter + 3
        expected = (programme << 32 | place >> 2, (place & 3) * 48)
        assert tuple(probe.locate(token_id(programme, quarter))) == expected


def spent(word: int, nonce: int) -> tuple[bool, int]:
    """Spend a nonce by the rule, in words of four lanes, base and window."""
    lanes, base, window = word & (1 << 192) - 1, word >> 192 & 0xFFFF_FFFF, word >> 224
    if not base <= nonce < base + 64:
        return False, word
    slide = max(0, nonce - base - 31)
    base, window = base + slide, window >> slide
    bit = 1 << nonce - base
    if window & bit:
        return False, word
    return True, lanes | base << 192 | (window | bit) << 224


def test_spending_a_nonce_changes_nothing_else(probe: Any) -> None:
    """Full lanes and empty ones, odd bases and even ones, windows with marks at both ends."""
    full = (1 << 192) - 1
    for lanes, base, window in itertools.product(
        (0, full), (0, 1, 6, 1_001), (0, 1, 0x8000_0000, 0xA000_0005, 0xFFFF_FFFF)
    ):
        word = lanes | base << 192 | window << 224
        for nonce in (base - 1, base, base + 1, base + 31, base + 32, base + 33, base + 62, base + 63, base + 64):
            if nonce >= 0:
                assert tuple(probe.spendNonce(word, nonce)) == spent(word, nonce), (lanes, base, window, nonce)
