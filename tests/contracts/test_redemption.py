"""Redemption.execute: each code in the documented order, baskets floored once, postings, receipts, wallets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from city import (
    CULTURE,
    ENVIRONMENT,
    GIFT,
    MUSEUM,
    NOW,
    OTHER_SHOP,
    PAR,
    RESIDENCE,
    SHOP,
    THEATRE,
    VOLUNTEER,
    City,
    event_values,
    next_block_at,
    now,
    rejections,
    reverts,
    transfers,
)
from eth_utils import keccak
from reference import (
    BAD_SIGNATURE,
    EXPIRED,
    FORBIDDEN,
    INSUFFICIENT,
    LOT_DEAD,
    MALFORMED,
    NO_VALUE,
    NONCE_SPENT,
    OUT_OF_SCOPE,
    UNKNOWN_MERCHANT,
    UNKNOWN_PROGRAMME,
    ZERO,
    MerkleTree,
    RedeemOrder,
    basket_fen,
    expiry_end,
    lots_hash,
    payer_of,
    receipt_hash,
    sign,
    token_id,
)

LOT = token_id(VOLUNTEER, NOW)
ENV = token_id(ENVIRONMENT, NOW)
GIFTS = token_id(GIFT, NOW)


@pytest.fixture
def rich(city: City) -> City:
    """The city, where ana has points of two programmes and bo has gifts."""
    city.mint(VOLUNTEER, NOW, {city.ana.address: 100_000})
    city.mint(ENVIRONMENT, NOW, {city.ana.address: 100_000})
    city.mint(GIFT, NOW, {city.bo.address: 100_000})
    return city


def is_spent(city: City, order: RedeemOrder) -> bool:
    base, window = city.ledger.nonceState(order.holder, order.lots[0][0])
    ahead = order.nonce - base
    return ahead < 0 or (ahead < 32 and bool(window >> ahead & 1))


def expect(city: City, order: RedeemOrder, code: int, *, spent: bool, packed: bytes | None = None) -> None:
    """Run the order between two good ones of bo: it alone is rejected, and its nonce is spent or not."""
    first, last = (city.redeem_order(city.bo, [(GIFTS, 100)]) for _ in range(2))
    lots = {token for token, _ in order.lots}
    before = [city.balances(token, order.holder) for token in lots]
    packed = city.signed(city.ana, order) if packed is None else packed
    tx = city.run_redeem(city.signed(city.bo, first), packed, city.signed(city.bo, last))
    named = (keccak(packed), ZERO) if code == MALFORMED else (city.id_of(order), order.holder)
    assert rejections(tx) == [(*named, code)]
    assert [sender for sender, _, _, _ in transfers(tx)] == [city.bo.address] * 2
    assert len(event_values(tx, "Redeemed")) == 2
    assert event_values(tx, "RedemptionBatch")[0]["count"] == 2
    assert [city.balances(token, order.holder) for token in lots] == before
    assert not order.lots or is_spent(city, order) is spent
    city.assert_zero_sum()


# Codes, in the documented order -----------------------------------------------------------------------------------


def test_paused_reverts_whole(rich: City) -> None:
    order = rich.signed(rich.ana, rich.redeem_order(rich.ana, [(LOT, 100)]))
    rich.redemption.pause(3_600, {"from": rich.guardian})
    for function in (rich.redemption.execute, rich.redemption.hold):
        with reverts("PausableIsPaused", rich.redemption.pausedUntil()):
            function(order, rich.by_operator)


@pytest.mark.parametrize(
    "lots",
    [(), ((LOT, 1),) * 17, ((LOT, 1),) * 255, ((LOT, 100), (ENV, 0)), ((LOT, 0),)],
    ids=["none", "17", "255", "second of nothing", "of nothing"],
)
def test_1_malformed(rich: City, lots: tuple[tuple[int, int], ...]) -> None:
    """Even unsigned: the form is looked at first. It bears the hash of its bytes, which no valid order has."""
    order = RedeemOrder(rich.ana.address, SHOP, lots, 0, 0)
    expect(rich, order, MALFORMED, spent=False, packed=order.packed(b""))


def test_sixteen_lots_are_well(rich: City) -> None:
    order = rich.redeem_order(rich.ana, [(LOT, 100)] * 16)
    tx = rich.run_redeem(rich.signed(rich.ana, order))
    assert event_values(tx, "Redeemed")[0]["fen"] == 320
    assert rich.balances(LOT, rich.ana) == [98_400]


@pytest.mark.parametrize("cut", [1, 33, 34, 49, 51, 52, 100])
def test_1_malformed_tail_is_one_order_of_nobody(rich: City, cut: int) -> None:
    packed = rich.signed(rich.ana, rich.redeem_order(rich.ana, [(LOT, 100)]))
    tx = rich.run_redeem(packed, packed[:cut])
    assert rejections(tx) == [(keccak(packed[:cut]), ZERO, MALFORMED)]
    assert len(event_values(tx, "Redeemed")) == 1


@pytest.mark.parametrize("bad", ["none", "short", "other's", "merchant's"])
def test_2_bad_signature(rich: City, bad: str) -> None:
    """Looked at before the nonce and the deadline."""
    rich.ledger.cancelNonce(LOT, 0, {"from": rich.ana.account})
    order = rich.redeem_order(rich.ana, [(LOT, 100)], nonce=40, deadline=0)
    digest = rich.id_of(order)
    signature = {
        "none": b"",
        "short": sign(rich.ana.key, digest)[:64],
        "other's": sign(rich.bo.key, digest),
        "merchant's": sign(rich.merchant[SHOP].key, digest),
    }[bad]
    expect(rich, order, BAD_SIGNATURE, spent=False, packed=order.packed(signature))


def test_2_a_signature_covers_every_field(rich: City) -> None:
    """Change merchant, lot, amount, nonce or deadline, or add a lot, and it is nobody's order."""
    order = rich.redeem_order(rich.ana, [(LOT, 100)])
    signature = sign(rich.ana.key, rich.id_of(order))
    changes = [
        {"merchant": OTHER_SHOP},
        {"lots": ((LOT + 1, 100),)},
        {"lots": ((LOT, 101),)},
        {"lots": ((LOT, 100), (ENV, 100))},
        {"nonce": 9},
        {"deadline": order.deadline + 1},
    ]
    forged = [replace(order, **change) for change in changes]
    tx = rich.run_redeem(*(order.packed(signature) for order in forged))
    assert [code for _, _, code in rejections(tx)] == [BAD_SIGNATURE] * len(forged)
    assert event_values(tx, "RedemptionBatch") == []


def test_3_nonce_spent(rich: City) -> None:
    """The very same order again: the second in one batch, and any later; before the deadline is looked at."""
    order = rich.redeem_order(rich.ana, [(LOT, 100)])
    packed = rich.signed(rich.ana, order)
    tx = rich.run_redeem(packed, packed)
    assert rejections(tx) == [(rich.id_of(order), rich.ana.address, NONCE_SPENT)]
    late = rich.redeem_order(rich.ana, [(LOT, 100)], nonce=order.nonce, deadline=0, merchant=99)
    expect(rich, late, NONCE_SPENT, spent=True)
    assert rich.balances(LOT, rich.ana) == [99_900]


def test_4_expired(rich: City) -> None:
    """The deadline is the last second; looked at before the merchant."""
    at = now() + 100
    good = rich.redeem_order(rich.ana, [(LOT, 100)], deadline=at)
    late = rich.redeem_order(rich.ana, [(LOT, 100)], deadline=at - 1, merchant=99)
    packed = rich.signed(rich.ana, late) + rich.signed(rich.ana, good)
    next_block_at(at)
    tx = rich.run_redeem(packed)
    assert rejections(tx) == [(rich.id_of(late), rich.ana.address, EXPIRED)]
    assert is_spent(rich, late)


@pytest.mark.parametrize("merchant", [0, 99, OTHER_SHOP])
def test_5_unknown_merchant(rich: City, merchant: int) -> None:
    """Never registered, or retired; looked at before the programmes."""
    rich.register_merchant(OTHER_SHOP, None)
    order = rich.redeem_order(rich.ana, [(token_id(99, NOW), 1)], merchant=merchant)
    expect(rich, order, UNKNOWN_MERCHANT, spent=True)


def test_6_lot_by_lot_programme_flag_scope(rich: City) -> None:
    """The first lot that fails decides, and of its checks the first."""
    unknown, score, scoped = (token_id(99, NOW), 1), (token_id(RESIDENCE, 0), 1), (token_id(MUSEUM, NOW), 1)
    for lots, code in (
        ([unknown], UNKNOWN_PROGRAMME),
        ([score], FORBIDDEN),
        ([scoped], OUT_OF_SCOPE),
        ([(LOT, 1), unknown, score], UNKNOWN_PROGRAMME),
        ([score, unknown], FORBIDDEN),
        ([scoped, unknown], OUT_OF_SCOPE),
        ([(LOT, 1), scoped, score], OUT_OF_SCOPE),
        ([(5, 100)], UNKNOWN_PROGRAMME),
    ):
        expect(rich, rich.redeem_order(rich.ana, lots), code, spent=True)


def test_6_forbidden_after_the_spending_time(rich: City) -> None:
    lot = token_id(VOLUNTEER, NOW + 20)
    rich.give(rich.ana, lot, 100)
    rich.ledger.setState(VOLUNTEER, 2, rich.by_admin)
    until = rich.ledger.programme(VOLUNTEER)[7]
    order = rich.redeem_order(rich.ana, [(lot, 100)], deadline=until)
    next_block_at(until)
    tx = rich.run_redeem(rich.signed(rich.ana, order))
    assert rejections(tx) == [(rich.id_of(order), rich.ana.address, FORBIDDEN)]


def test_6_scope(rich: City) -> None:
    """A programme with a spend scope is spent only where the merchant shares a bit of it."""
    lot = token_id(MUSEUM, NOW)
    rich.give(rich.ana, lot, 1_000)
    for merchant, codes in ((SHOP, [OUT_OF_SCOPE]), (OTHER_SHOP, [OUT_OF_SCOPE]), (THEATRE, [])):
        order = rich.redeem_order(rich.ana, [(lot, 100), (LOT, 100)], merchant=merchant)
        assert [code for _, _, code in rejections(rich.run_redeem(rich.signed(rich.ana, order)))] == codes
    assert rich.balances(lot, rich.ana) == [900]


def test_7_no_value(rich: City) -> None:
    """Less than ten fen over the whole basket; looked at before the lots' own state. Ten are enough."""
    dead = token_id(VOLUNTEER, NOW - 1)
    expect(rich, rich.redeem_order(rich.ana, [(dead, 49)]), NO_VALUE, spent=True)
    expect(rich, rich.redeem_order(rich.ana, [(LOT, 49), (ENV, 3)]), NO_VALUE, spent=True)
    order = rich.redeem_order(rich.ana, [(LOT, 49), (ENV, 4)])
    tx = rich.run_redeem(rich.signed(rich.ana, order))
    assert event_values(tx, "Redeemed")[0]["fen"] == 10


def test_8_lot_by_lot_dead_insufficient(rich: City) -> None:
    """The first lot that fails decides, and all lots before it are given back."""
    dead, short = (token_id(VOLUNTEER, NOW - 1), 100), (ENV, 100_001)
    for lots, code in (
        ([dead], LOT_DEAD),
        ([short], INSUFFICIENT),
        ([(LOT, 100), dead, short], LOT_DEAD),
        ([(LOT, 100), short, dead], INSUFFICIENT),
        ([(LOT, 60_000), (ENV, 5), (LOT, 40_001)], INSUFFICIENT),
        ([(token_id(VOLUNTEER, 0), 100)], INSUFFICIENT),
    ):
        expect(rich, rich.redeem_order(rich.ana, lots), code, spent=True)


def test_8_lot_dead_seven_days_after_the_quarter_s_end(rich: City) -> None:
    end = expiry_end(NOW)
    orders = [rich.redeem_order(rich.ana, [(LOT, 100)], deadline=end) for _ in range(2)]
    next_block_at(end - 1)
    assert rejections(rich.run_redeem(rich.signed(rich.ana, orders[0]))) == []
    next_block_at(end)
    tx = rich.run_redeem(rich.signed(rich.ana, orders[1]))
    assert rejections(tx) == [(rich.id_of(orders[1]), rich.ana.address, LOT_DEAD)]


def test_8_points_that_are_dead_are_not_spent_beside_others(rich: City) -> None:
    """They are there, and would be enough: a lot in the second place is asked for its day like the first."""
    rich.mint(VOLUNTEER, NOW + 1, {rich.ana.address: 1_000})
    end = expiry_end(NOW)
    order = rich.redeem_order(rich.ana, [(token_id(VOLUNTEER, NOW + 1), 100), (LOT, 100)], deadline=end)
    next_block_at(end)
    tx = rich.run_redeem(rich.signed(rich.ana, order))
    assert rejections(tx) == [(rich.id_of(order), rich.ana.address, LOT_DEAD)]
    assert rich.balances(LOT, rich.ana) == [100_000]
    assert rich.balances(token_id(VOLUNTEER, NOW + 1), rich.ana) == [1_000]


# What lands -------------------------------------------------------------------------------------------------------


def test_redeem(rich: City) -> None:
    """Event, burns, balances, supplies, both positions, receipt."""
    order = rich.redeem_order(rich.ana, [(LOT, 1_234)])
    tx = rich.run_redeem(rich.signed(rich.ana, order))
    order_id = "0x" + rich.id_of(order).hex()
    assert event_values(tx, "Redeemed") == [
        {
            "orderId": order_id,
            "merchant": SHOP,
            "fen": 246,
            "lotsHash": "0x" + lots_hash(order.lots).hex(),
        }
    ]
    assert transfers(tx) == [(rich.ana.address, ZERO, LOT, 1_234)]
    assert rich.balances(LOT, rich.ana) == [98_766]
    assert rich.ledger.totalSupply(LOT) == rich.ledger.programme(VOLUNTEER)[6] == 98_766
    assert (rich.position(VOLUNTEER), rich.merchant_position(SHOP)) == (-246, 246)
    receipt = rich.receipt_of(tx, order.lots)
    root = receipt_hash(receipt)
    assert event_values(tx, "RedemptionBatch") == [{"batch": 1, "root": "0x" + root.hex(), "count": 1}]
    assert bytes(rich.book.receiptsRoot(1)) == root
    assert rich.book.lastReceiptsBatch() == 1
    assert receipt[0] == rich.id_of(order)


def test_a_basket_is_floored_once(rich: City) -> None:
    """Each programme is debited the difference of two floors, in the signed order; the merchant gets their sum."""
    rich.give(rich.ana, GIFTS, 1_000)
    for lots in (
        [(LOT, 44), (ENV, 19), (GIFTS, 3)],
        [(ENV, 19), (GIFTS, 3), (LOT, 44)],
        [(LOT, 1), (LOT, 1), (LOT, 1), (LOT, 1), (LOT, 46)],
        [(GIFTS, 7), (LOT, 43), (GIFTS, 1)],
    ):
        before = {p: rich.position(p) for p in (VOLUNTEER, ENVIRONMENT, GIFT)}
        debits = dict.fromkeys(before, 0)
        for (token, _), fen in zip(lots, basket_fen(lots, PAR), strict=True):
            debits[token >> 32] += fen
        tx = rich.run_redeem(rich.signed(rich.ana, rich.redeem_order(rich.ana, lots)))
        assert event_values(tx, "Redeemed")[0]["fen"] == sum(debits.values())
        assert {p: before[p] - rich.position(p) for p in before} == debits
    rich.assert_zero_sum()


def test_a_batch_posts_once_and_keeps_its_receipts_in_order(rich: City) -> None:
    """Many orders, two merchants: one posting a participant, one root, leaves in order of execution."""
    orders = [
        (rich.ana, rich.redeem_order(rich.ana, [(LOT, 100 + i)], merchant=(SHOP, OTHER_SHOP)[i % 2])) for i in range(5)
    ]
    orders.insert(2, (rich.bo, rich.redeem_order(rich.bo, [(GIFTS, 10**6)])))
    orders.append((rich.bo, rich.redeem_order(rich.bo, [(GIFTS, 1_000)])))
    tx = rich.run_redeem(*(rich.signed(person, order) for person, order in orders))
    assert [code for _, _, code in rejections(tx)] == [INSUFFICIENT]
    landed = [order for _, order in orders if order.lots[0][1] != 10**6]
    payers = [person for person, order in orders if order.lots[0][1] != 10**6]
    leaves = [
        receipt_hash(rich.receipt_of(tx, order.lots, person, i))
        for i, (person, order) in enumerate(zip(payers, landed, strict=True))
    ]
    assert bytes(rich.book.receiptsRoot(1)) == MerkleTree(leaves, sort=False).root
    assert sorted(e["participant"] for e in event_values(tx, "PositionChanged")) == sorted(
        [1 << 32 | VOLUNTEER, 1 << 32 | GIFT, 2 << 32 | SHOP, 2 << 32 | OTHER_SHOP]
    )
    rich.assert_zero_sum()


def test_a_batch_in_which_nothing_lands_leaves_no_receipts(rich: City) -> None:
    tx = rich.run_redeem(rich.signed(rich.ana, rich.redeem_order(rich.ana, [(LOT, 10**6)])))
    assert event_values(tx, "RedemptionBatch") == []
    assert rich.book.lastReceiptsBatch() == 0
    rich.run_redeem(rich.signed(rich.ana, rich.redeem_order(rich.ana, [(LOT, 100)])))
    assert rich.book.lastReceiptsBatch() == 1


def test_many_merchants_in_a_batch(rich: City) -> None:
    """More merchants than a batch has room for at first."""
    for merchant in range(50, 60):
        rich.register_merchant(merchant, rich.merchant[SHOP], 1)
    orders = [rich.redeem_order(rich.ana, [(LOT, 5 * merchant)], merchant=merchant) for merchant in range(50, 60)]
    rich.run_redeem(*(rich.signed(rich.ana, order) for order in orders))
    assert [rich.merchant_position(merchant) for merchant in range(50, 60)] == list(range(50, 60))


def test_unknown_merchants_and_programmes_slow_nothing_down(rich: City) -> None:
    """A hundred orders that name things which are not there cost the next order nothing."""
    orders = [rich.redeem_order(rich.ana, [(token_id(1_000 + i, NOW), 100)], nonce=0) for i in range(20)]
    orders += [rich.redeem_order(rich.ana, [(LOT, 100)], merchant=1_000 + i) for i in range(20)]
    packed = [rich.signed(rich.ana, order) for order in orders]
    good = [rich.signed(rich.ana, rich.redeem_order(rich.ana, [(LOT, 100)])) for _ in range(2)]
    tx = rich.run_redeem(*packed, good[0])
    assert [code for _, _, code in rejections(tx)] == [UNKNOWN_PROGRAMME] * 20 + [UNKNOWN_MERCHANT] * 20
    assert len(event_values(tx, "Redeemed")) == 1
    assert tx.gas_used < 41 * 40_000


def test_the_nonce_is_in_the_first_lot_s_word_alone(rich: City) -> None:
    """Whatever else is spent, only the first lot's word has its nonce used."""
    order = rich.redeem_order(rich.ana, [(LOT, 100), (ENV, 100)], nonce=7)
    rich.run_redeem(rich.signed(rich.ana, order))
    assert tuple(rich.ledger.nonceState(rich.ana.address, LOT)) == (0, 1 << 7)
    assert tuple(rich.ledger.nonceState(rich.ana.address, ENV)) == (0, 0)


def test_an_exchange_and_a_redeem_share_nonces(rich: City) -> None:
    exchange = rich.exchange_order(rich.ana, LOT, 100, CULTURE, nonce=3)
    redeem = rich.redeem_order(rich.ana, [(LOT, 100)], nonce=3)
    rich.run_exchange(rich.signed(rich.ana, exchange))
    tx = rich.run_redeem(rich.signed(rich.ana, redeem))
    assert [code for _, _, code in rejections(tx)] == [NONCE_SPENT]


def test_a_resident_s_own_transaction_works(rich: City) -> None:
    order = rich.redeem_order(rich.ana, [(LOT, 100)])
    tx = rich.redemption.execute(rich.signed(rich.ana, order), {"from": rich.ana.account})
    assert len(event_values(tx, "Redeemed")) == 1


def test_a_contract_wallet_redeems(rich: City) -> None:
    wallet = rich.project.WalletMock.deploy(rich.ana.address, rich.by_operator)
    rich.mint(VOLUNTEER, NOW, {wallet.address: 1_000})
    order = rich.redeem_order(rich.ana, [(LOT, 100)], holder=wallet.address)
    good, bad = rich.signed(rich.ana, order), rich.signed(rich.bo, order)
    tx = rich.run_redeem(bad, good)
    assert [code for _, _, code in rejections(tx)] == [BAD_SIGNATURE]
    assert rich.balances(LOT, wallet.address) == [900]
    wallet.setMode(3, rich.by_operator)  # burns all gas
    order = rich.redeem_order(rich.ana, [(LOT, 100)], holder=wallet.address)
    expect(rich, order, BAD_SIGNATURE, spent=False)


def test_a_receipt_names_the_payer_only_to_who_knows_the_account(rich: City) -> None:
    """What stands for the holder is hashed with the order, so two payments of one account do not look alike."""
    first, second = (rich.pay(rich.ana, [(LOT, 100)]) for _ in range(2))
    payers = [payer_of(payment.receipt[1], payment.receipt[0]) for payment in (first, second)]
    assert payers[0] != payers[1]
    for payment in (first, second):
        rich.prove(payment)


def test_only_plain_accounts_relay(rich: City) -> None:
    """A contract cannot: what was signed must lie in a transaction's calldata. Every entrance asks."""
    contract = rich.project.WalletMock.deploy(rich.operator, rich.by_operator)
    payment = rich.pay(rich.ana, [(LOT, 100)])
    refund = (*payment.arguments((0, 0)), b"")
    redemption = rich.redemption
    calls = [function.encode_input(b"") for function in (redemption.execute, redemption.hold)]
    calls += [function.encode_input(b"") for function in (redemption.capture, redemption.release)]
    calls += [function.encode_input(*refund) for function in (redemption.refund, redemption.arbiterRefund)]
    for call in calls:
        with reverts("PlainAccountNeeded", contract.address):
            contract.call(redemption, call, rich.by_operator)
    batch = rich.batch(VOLUNTEER, NOW, {rich.ana.address: 1})
    for call in (
        rich.ledger.mint.encode_input(batch, b""),
        rich.ledger.voidBatch.encode_input(VOLUNTEER, 1, b""),
        rich.ledger.revoke.encode_input(batch, b"", b""),
    ):
        with reverts("PlainAccountNeeded", contract.address):
            contract.call(rich.ledger, call, rich.by_operator)


def test_two_installations_do_not_share_orders(rich: City) -> None:
    """Another salt is another domain: the same signed bytes are nobody's there."""
    other = City(rich.project, salt=b"\x77" * 32)
    order = rich.redeem_order(rich.ana, [(LOT, 100)])
    packed = rich.signed(rich.ana, order)
    tx = other.run_redeem(packed)
    assert [code for _, _, code in rejections(tx)] == [BAD_SIGNATURE]
    assert len(event_values(rich.run_redeem(packed), "Redeemed")) == 1
