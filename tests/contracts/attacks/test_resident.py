"""A resident with an own key, alone or with accomplices: what it tries against the city and its neighbours."""

from __future__ import annotations

import itertools

import pytest
from city import (
    CULTURE,
    DAY,
    ENVIRONMENT,
    NOW,
    PAR,
    SHOP,
    VOLUNTEER,
    WEEK,
    City,
    Person,
    event_values,
    go_to,
    next_block_at,
    now,
    rejections,
    reverts,
)
from eth_utils import keccak
from reference import (
    BAD_CAPTURE_TIME,
    CAP_EXCEEDED,
    INSUFFICIENT,
    MALFORMED,
    NO_VALUE,
    NONCE_SPENT,
    ZERO,
    expiry_end,
    quarter_end,
    token_id,
)

LOT = token_id(VOLUNTEER, NOW)
ARTS = token_id(CULTURE, NOW)
ENV = token_id(ENVIRONMENT, NOW)


def codes(tx: object) -> list[int]:
    return [code for _, _, code in rejections(tx)]


def test_expiry_is_nobody_s_choice(city: City) -> None:
    """The resident parks dying lots in holds at any merchant over the quarter's end and has them reborn by a release,
    quarter after quarter. Stopped by: a hold ends before the quarter of each of its lots, and a release gives back what
    was held, dead or alive."""
    city.ledger.setRebirthCap(10**9, city.by_admin)
    city.give(city.ana, LOT, 10_000)
    end = quarter_end(NOW)
    go_to(end - DAY)
    over = city.hold_order(city.ana, [(LOT, 5_000)], captureBy=end + DAY)
    assert codes(city.run_hold(city.signed(city.ana, over))) == [BAD_CAPTURE_TIME]
    held = city.place_hold(city.ana, [(LOT, 5_000)], captureBy=end - 1)
    go_to(end + DAY)
    again = city.hold_order(city.ana, [(LOT, 5_000)], captureBy=now() + 60)
    assert codes(city.run_hold(city.signed(city.ana, again))) == [BAD_CAPTURE_TIME]
    go_to(expiry_end(NOW))
    tx = city.run_release(held.packed(b""))
    assert event_values(tx, "LotReborn") == []
    city.ledger.sweep(city.ana.address, [LOT], {"from": city.stranger})
    assert city.ledger.programme(VOLUNTEER)[6] == 0
    assert city.treasury() == 2_000


def test_a_refund_brings_no_more_back_to_life_than_the_cap(city: City) -> None:
    """With a merchant for an accomplice it redeems dying lots and has them refunded in the next quarter. Stopped by: a
    cap a person and quarter, and the merchant's own claim."""
    city.ledger.setRebirthCap(50, city.by_admin)
    city.give(city.ana, LOT, 10_000)
    go_to(expiry_end(NOW) - DAY)
    payments = [city.pay(city.ana, [(LOT, 1_000)]) for _ in range(10)]
    go_to(expiry_end(NOW))
    for payment in payments:
        city.refund(payment)
    assert city.balances(LOT + 1, city.ana) == [250]
    assert city.merchant_position(SHOP) == 0


def test_five_accounts_of_one_person_have_one_rebirth_cap(city: City) -> None:
    """The cap is used up account by account, each the successor of the last. Stopped by: what was reborn this quarter
    is carried to the successor, and adds up there."""
    city.ledger.setRebirthCap(20, city.by_admin)
    line = [Person(f"account {i}") for i in range(5)]
    for person in line:
        city.give(person, LOT, 500)
    go_to(expiry_end(NOW) - DAY)
    payments = [city.pay(person, [(LOT, 500)]) for person in line]
    go_to(expiry_end(NOW))
    for payment, (old, new) in zip(payments, itertools.pairwise([*line, city.heir]), strict=True):
        city.refund(payment)
        city.succeed(old, new, [LOT + 1])
    assert city.balances(LOT + 1, city.heir) == [100]
    assert city.ledger.rebirth(city.heir.address)[1] == 20


def test_nobody_becomes_a_successor_without_consent(city: City) -> None:
    """A cheat spends what it was granted wrongly, names a stranger as its successor, and the revocation burns the
    stranger's honest points. Stopped by: the new account signs that it agrees, to this old account."""
    city.give(city.bo, LOT, 500)
    deadline = now() + DAY
    for consent in (b"", city.sign_consent(city.ana.address, city.bo, deadline, by=city.ana)):
        with reverts("SuccessionBadSignature", city.bo.address):
            city.succession.requestSuccession(city.ana.address, city.bo.address, deadline, consent, {"from": city.desk})
    batch = city.give(city.ana, LOT, 500)
    city.pay(city.ana, [(LOT, 500)])
    city.revoke(batch, (0, 500))
    assert city.balances(LOT, city.bo) == [500]


def test_an_account_names_no_successor_itself(city: City) -> None:
    """A thief of a key sends the account away for ever, at once; ten sellers send theirs into one buyer's account,
    whatever the programme's flags say. Stopped by: there is one path, through two desks and seven days."""
    city.give(city.ana, LOT, 500)
    own = {"from": city.ana.account}
    assert "migrate" not in {entry["name"] for entry in city.ledger.abi if entry["type"] == "function"}
    with reverts("PointsLedgerNotTransferable", VOLUNTEER):
        city.ledger.transfer(city.bo.address, LOT, 500, own)
    with reverts("PointsLedgerOnlySuccession", city.ana.address):
        city.ledger.succeed(city.ana.address, city.bo.address, [LOT], own)
    consent = city.sign_consent(city.ana.address, city.bo, now() + DAY)
    with reverts("AccessManagedUnauthorized", city.ana.address):
        city.succession.requestSuccession(city.ana.address, city.bo.address, now() + DAY, consent, own)
    with reverts("AccessManagedUnauthorized", city.ana.address):
        city.succession.confirm(city.ana.address, city.bo.address, own)


def test_a_revocation_is_not_dodged_by_a_hold(city: City) -> None:
    """What shall be revoked is put into a cancellable hold first and taken out after. Stopped by: the rest is owed, and
    is collected from what comes back."""
    batch = city.give(city.ana, LOT, 500)
    hold = city.place_hold(city.ana, [(LOT, 500)], cancellable=True)
    city.revoke(batch, (0, 500))
    city.run_release(city.signed_release(hold, by=city.ana))
    assert city.balances(LOT, city.ana) == [0]
    assert city.ledger.owed(city.ana.address, LOT) == 0


def test_a_revocation_is_not_dodged_by_a_hold_and_a_successor(city: City) -> None:
    """What is held comes back to a successor of a successor, and is spent in the next transaction, before anybody
    collects what the accounts before owe. Stopped by: a release collects what the whole line from the holder on
    owes."""
    lots = [(LOT, 500)]
    first, second = (city.give(city.ana, LOT, 500) for _ in range(2))
    held = [city.place_hold(city.ana, lots, captureBy=now() + 30 * DAY) for _ in range(2)]
    city.revoke(first, (0, 300))
    city.succeed(city.ana, city.bo)
    city.revoke(second, (0, 400))
    city.succeed(city.bo, city.heir)
    tx = city.run_release(*(city.signed_release(order) for order in held))
    collected = [(e["debtor"], e["account"], e["amount"]) for e in event_values(tx, "OwedCollected")]
    ana, bo, heir = city.ana.address, city.bo.address, city.heir.address
    assert collected == [(ana, heir, 300), (bo, heir, 200), (bo, heir, 200)]
    assert city.balances(LOT, city.heir) == [300]


def test_a_revocation_is_not_dodged_by_a_line_of_successors(city: City) -> None:
    """A line longer than what is followed. Stopped by: at most sixteen stand in a line, and all are followed."""
    batch = city.give(city.ana, LOT, 500)
    line = [city.ana, *(Person(f"link {i}") for i in range(16))]
    # Fifteen times a week is longer than the quarter, so the lot must live on: its bytes are signed for a later one.
    late = city.give(city.ana, LOT + 4, 500)
    for old, new in itertools.pairwise(line[:16]):
        city.succeed(old, new, [LOT + 4])
    city.request_succession(line[15].address, line[16])
    city.confirm_succession(line[15].address, line[16])
    go_to(now() + WEEK)
    with reverts("PointsLedgerLineTooLong", line[16].address):
        city.succession.execute(line[15].address, [], {"from": city.stranger})
    tx = city.revoke(late, (0, 500))
    assert event_values(tx, "Revoked")[0]["account"] == line[15].address
    assert city.ledger.totalSupply(LOT + 4) == 0
    assert batch[1] == NOW


def test_a_revocation_is_not_dodged_by_spending_it_in_a_refundable_order(city: City) -> None:
    """It redeems with a merchant for an accomplice, is revoked, and gets a refund. Stopped by: the refund is
    collected."""
    batch = city.give(city.ana, LOT, 500)
    payment = city.pay(city.ana, [(LOT, 500)])
    city.revoke(batch, (0, 500))
    city.refund(payment)
    assert city.balances(LOT, city.ana) == [0]


def test_an_inflow_cap_is_not_used_up_by_going_to_and_fro(city: City) -> None:
    """With ten yuan it cycles between two programmes until nobody else may exchange that day. Stopped by: the cap
    counts what flows in less what flows out."""
    city.exchange.setInflowCap(CULTURE, 1_000, city.by_admin)
    city.give(city.ana, LOT, 5_000)
    city.give(city.bo, LOT, 2_500)
    for _ in range(10):
        city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, LOT, 5_000, CULTURE)))
        city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, ARTS, 1_000, VOLUNTEER)))
    assert city.exchange.inflow(CULTURE)[1] == 0
    assert codes(city.run_exchange(city.signed(city.bo, city.exchange_order(city.bo, LOT, 2_500, CULTURE)))) == []


def test_an_exchange_cap_is_a_day_s(city: City) -> None:
    """New accounts, each the successor of the last, would use the cap again. Stopped by: a succession takes seven days,
    and the cap is a day's."""
    city.exchange.setResidentCap(100, city.by_admin)
    city.give(city.ana, LOT, 5_000)
    assert codes(city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, LOT, 500, CULTURE)))) == []
    assert codes(city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, LOT, 5, CULTURE)))) == [
        CAP_EXCEEDED
    ]
    begun = now()
    city.succeed(city.ana, city.heir, [LOT])
    assert now() - begun >= WEEK


def test_landing_a_signed_order_early_kills_that_order_and_nothing_else(city: City) -> None:
    """Whoever holds the bytes can land them before the points are there. That remains; its bound: one nonce is spent,
    the holder signs again with the next. Residents' deadlines are short for this reason."""
    order = city.redeem_order(city.ana, [(LOT, 500)])
    packed = city.signed(city.ana, order)
    tx = city.redemption.execute(packed, {"from": city.stranger})
    assert codes(tx) == [INSUFFICIENT]
    city.give(city.ana, LOT, 500)
    assert codes(city.run_redeem(packed)) == [NONCE_SPENT]
    city.pay(city.ana, [(LOT, 500)])
    late = city.redeem_order(city.ana, [(LOT, 500)])
    packed = city.signed(city.ana, late)
    next_block_at(late.deadline + 1)
    assert len(codes(city.run_redeem(packed))) == 1


def test_a_retired_account_signs_nothing_more(city: City) -> None:
    """The old key, or its thief, spends what still lands on the old account. Stopped by: the words of the lots that
    were named have every nonce spent, and whoever forwards later ones spends theirs in the same call."""
    city.give(city.ana, LOT, 500)
    city.succeed(city.ana, city.heir, [LOT])
    city.give(city.ana, LOT, 500)
    orders = [city.redeem_order(city.ana, [(LOT, 500)], nonce=nonce) for nonce in (0, 1, 40, 2**32 - 1)]
    assert codes(city.run_redeem(*(city.signed(city.ana, order) for order in orders))) == [NONCE_SPENT] * 4
    with reverts("PointsLedgerNonceSpent", city.ana.address, 7):
        city.ledger.cancelNonce(LOT, 7, {"from": city.ana.account})
    city.ledger.forward(city.ana.address, [LOT], {"from": city.stranger})
    assert city.balances(LOT, city.ana, city.heir) == [0, 1_000]


def test_odd_fen_cost_the_attacker_ten_times_their_worth(city: City) -> None:
    """Free orders in which always the same programme bears the odd fen. Stopped by: an order is worth ten fen or more,
    so at most a fen in ten can be shifted; and each programme bears less than a fen more than its lot is worth."""
    city.give(city.ana, LOT, 1_000)
    city.give(city.ana, ENV, 1_000)
    tiny = city.redeem_order(city.ana, [(LOT, 4), (ENV, 4)])
    assert codes(city.run_redeem(city.signed(city.ana, tiny))) == [NO_VALUE]
    for lots in ([(LOT, 49), (ENV, 4)], [(ENV, 4), (LOT, 49)]):
        before = {programme: city.position(programme) for programme in (VOLUNTEER, ENVIRONMENT)}
        payment = city.pay(city.ana, lots)
        assert payment.receipt[4] == 10
        for lot, amount in lots:
            borne = before[lot >> 32] - city.position(lot >> 32)
            assert abs(borne * 10**8 - amount * PAR[lot >> 32]) < 10**8


def test_a_malformed_order_takes_no_other_order_s_name(city: City) -> None:
    """A hold with `cancellable` = 2 was rejected under the id of the valid order with `false`, and indexers believed
    that one dead. Stopped by: a malformed order is named by the hash of its bytes, with holder 0."""
    city.give(city.ana, LOT, 500)
    order = city.hold_order(city.ana, [(LOT, 100)])
    packed = bytearray(city.signed(city.ana, order))
    packed[38] = 2
    tx = city.run_hold(bytes(packed), city.signed(city.ana, order))
    assert rejections(tx) == [(keccak(bytes(packed)), ZERO, MALFORMED)]
    assert event_values(tx, "Held")[0]["orderId"] == "0x" + city.id_of(order).hex()


def test_a_contract_relays_nothing(city: City) -> None:
    """Orders hidden in a contract's calls would be seen by no auditor. Stopped by: only plain accounts relay."""
    city.give(city.ana, LOT, 500)
    contract = city.project.WalletMock.deploy(city.operator, city.by_operator)
    packed = city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 100)]))
    with reverts("PlainAccountNeeded", contract.address):
        contract.call(city.redemption, city.redemption.execute.encode_input(packed), city.by_operator)


def test_no_day_is_lost_to_a_deadline_at_the_edge_of_the_calendar(city: City) -> None:
    """A resident who spends on the promised last day is served, whatever the relay's delay within the seven days."""
    city.give(city.ana, LOT, 500)
    order = city.redeem_order(city.ana, [(LOT, 500)], deadline=quarter_end(NOW) + 6 * DAY)
    packed = city.signed(city.ana, order)
    next_block_at(order.deadline)
    tx = city.redemption.execute(packed, {"from": city.stranger})
    assert event_values(tx, "Redeemed")[0]["fen"] == 100


@pytest.mark.parametrize("seconds", [0, 3 * DAY, 7 * DAY - 1])
def test_a_stopped_chain_costs_nobody_a_point(city: City, seconds: int) -> None:
    """No block for up to seven days over the quarter's end: the points are there when it goes on."""
    city.give(city.ana, LOT, 500)
    order = city.redeem_order(city.ana, [(LOT, 500)], deadline=2**40 - 1)
    packed = city.signed(city.ana, order)
    next_block_at(quarter_end(NOW) + seconds)
    assert codes(city.run_redeem(packed)) == []
