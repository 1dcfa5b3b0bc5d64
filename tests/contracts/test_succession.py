"""Succession: the one path to a successor, its days, and what an account's successor gets and does not get."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from brownie import web3
from city import (
    DAY,
    GIFT,
    NOW,
    VOLUNTEER,
    WEEK,
    City,
    Person,
    event_values,
    go_to,
    next_block_at,
    now,
    reverts,
    transfers,
)
from reference import NONCE_SPENT, ZERO, expiry_end, sign, token_id

LOT = token_id(VOLUNTEER, NOW)
NEXT = LOT + 1
GIFTS = token_id(GIFT, NOW)
NONE, REQUESTED, CONFIRMED, OBJECTED, ALLOWED = range(5)
MONTH = 30 * DAY


@pytest.fixture
def rich(city: City) -> City:
    for lot, amount in ((LOT, 500), (NEXT, 70), (GIFTS, 30)):
        city.give(city.ana, lot, amount)
    return city


def ask(city: City, new: Person | None = None, **options: Any) -> Any:
    """Have a desk ask that somebody, else the heir, succeed ana."""
    new = new or city.heir
    deadline = options.pop("deadline", now() + DAY)
    consent = options.pop("consent", None) or city.sign_consent(city.ana.address, new, deadline)
    by = {"from": options.pop("desk", city.desk)}
    return city.succession.requestSuccession(city.ana.address, new.address, deadline, consent, by)


def confirm(city: City, new: Person | None = None) -> Any:
    return city.confirm_succession(city.ana.address, new or city.heir)


def execute(city: City, lots: Any = ()) -> Any:
    return city.succession.execute(city.ana.address, list(lots), {"from": city.stranger})


def state_of(city: City) -> int:
    return int(city.succession.request(city.ana.address)[1])


# Request ----------------------------------------------------------------------------------------------------------


def test_a_request_needs_the_new_account_s_consent(rich: City) -> None:
    """Signed by the new account, for this old account, in time."""
    deadline = now() + DAY
    bad = (
        rich.sign_consent(rich.ana.address, rich.heir, deadline, by=rich.ana),
        rich.sign_consent(rich.bo.address, rich.heir, deadline),
        rich.sign_consent(rich.ana.address, rich.bo, deadline, by=rich.heir),
        rich.sign_consent(rich.ana.address, rich.heir, deadline + 1),
        b"",
    )
    for consent in bad:
        with reverts("SuccessionBadSignature", rich.heir.address):
            rich.succession.requestSuccession(
                rich.ana.address, rich.heir.address, deadline, consent, {"from": rich.desk}
            )
    consent = rich.sign_consent(rich.ana.address, rich.heir, deadline)
    next_block_at(deadline + 1)
    with reverts("SuccessionBadSignature", rich.heir.address):
        ask(rich, deadline=deadline, consent=consent)


def test_a_consent_counts_until_its_last_second(rich: City) -> None:
    deadline = now() + DAY
    next_block_at(deadline)
    ask(rich, deadline=deadline)


def test_nobody_consents_for_account_0(rich: City) -> None:
    with reverts("SuccessionBadSignature", ZERO):
        rich.succession.requestSuccession(rich.ana.address, ZERO, now() + DAY, b"", {"from": rich.desk})


def test_a_request(rich: City) -> None:
    tx = ask(rich)
    expected = {"holder": rich.ana.address, "newAccount": rich.heir.address, "desk": rich.desk.address}
    assert event_values(tx, "SuccessionRequested") == [expected]
    request = (rich.heir.address, REQUESTED, now(), rich.desk.address)
    assert tuple(rich.succession.request(rich.ana.address)) == request


def test_one_request_at_a_time(rich: City) -> None:
    """No desk takes the place of another's request, in any state; one that lapsed gives way."""
    ask(rich)
    asked = now()
    with reverts("SuccessionBadState", rich.ana.address, REQUESTED):
        ask(rich, rich.bo, desk=rich.other_desk)
    next_block_at(asked + MONTH - 1)
    with reverts("SuccessionBadState", rich.ana.address, REQUESTED):
        ask(rich, rich.bo, deadline=2**40 - 1, desk=rich.other_desk)
    next_block_at(asked + MONTH)
    ask(rich, rich.bo, deadline=2**40 - 1, desk=rich.other_desk)
    rich.succession.confirm(rich.ana.address, rich.bo.address, {"from": rich.desk})
    confirmed = now()
    next_block_at(confirmed + WEEK + MONTH - 1)
    with reverts("SuccessionBadState", rich.ana.address, CONFIRMED):
        ask(rich, deadline=2**40 - 1)
    next_block_at(confirmed + WEEK + MONTH)
    ask(rich, deadline=2**40 - 1)


# Confirmation -----------------------------------------------------------------------------------------------------


def test_another_desk_confirms_what_was_asked(rich: City) -> None:
    """Not the desk that asked, not another account's name, and once."""
    with reverts("SuccessionBadState", rich.ana.address, NONE):
        confirm(rich)
    ask(rich)
    with reverts("SuccessionBadState", rich.ana.address, REQUESTED):
        confirm(rich, rich.bo)
    with reverts("SuccessionSameDesk", rich.desk.address):
        rich.succession.confirm(rich.ana.address, rich.heir.address, {"from": rich.desk})
    tx = confirm(rich)
    assert event_values(tx, "SuccessionConfirmed") == [
        {"holder": rich.ana.address, "desk": rich.other_desk.address, "executableFrom": now() + WEEK}
    ]
    with reverts("SuccessionBadState", rich.ana.address, CONFIRMED):
        confirm(rich)


def test_a_request_is_confirmed_within_thirty_days(rich: City) -> None:
    ask(rich)
    lapses = now() + MONTH
    next_block_at(lapses)
    with reverts("SuccessionLapsed", lapses):
        confirm(rich)


def test_a_request_is_confirmed_in_the_last_second_of_thirty_days(rich: City) -> None:
    ask(rich)
    next_block_at(now() + MONTH - 1)
    confirm(rich)


# Objection and the council's word ---------------------------------------------------------------------------------


def test_the_old_key_objects(rich: City) -> None:
    """By a transaction of its own or by a signature that anyone relays; no other key's, no other account's name."""
    with reverts("SuccessionBadState", rich.ana.address, NONE):
        rich.succession.objectTo(rich.ana.address, b"", {"from": rich.ana.account})
    ask(rich)
    bad = (
        rich.sign_objection(rich.ana, rich.heir.address, by=rich.heir),
        rich.sign_objection(rich.ana, rich.bo.address),
        b"",
    )
    for signature in bad:
        with reverts("SuccessionBadSignature", rich.ana.address):
            rich.succession.objectTo(rich.ana.address, signature, {"from": rich.stranger})
    signature = rich.sign_objection(rich.ana, rich.heir.address)
    go_to(now() + 60)
    tx = rich.succession.objectTo(rich.ana.address, signature, {"from": rich.stranger})
    assert event_values(tx, "SuccessionObjected") == [{"holder": rich.ana.address}]
    assert state_of(rich) == OBJECTED
    assert rich.succession.request(rich.ana.address)[2] == web3.eth.get_block(tx.block_number)["timestamp"]
    with reverts("SuccessionBadState", rich.ana.address, OBJECTED):
        rich.succession.objectTo(rich.ana.address, signature, {"from": rich.stranger})
    with reverts("SuccessionBadState", rich.ana.address, OBJECTED):
        confirm(rich)


def test_the_old_key_objects_until_it_is_carried_out(rich: City) -> None:
    """Even when the seven days are over; then nothing but the council's word helps, however long it takes."""
    ask(rich)
    confirm(rich)
    go_to(now() + WEEK + DAY)
    rich.succession.objectTo(rich.ana.address, b"", {"from": rich.ana.account})
    go_to(now() + 400 * DAY)
    with reverts("SuccessionBadState", rich.ana.address, OBJECTED):
        execute(rich)
    with reverts("SuccessionBadState", rich.ana.address, OBJECTED):
        ask(rich)
    rich.succession.decide(rich.ana.address, rich.heir.address, True, rich.by_admin)
    execute(rich)
    assert rich.ledger.successor(rich.ana.address) == rich.heir.address


def test_the_council_decides_only_on_what_was_objected_to(rich: City) -> None:
    """And names the new account, lest another be put in its place."""
    ask(rich)
    confirm(rich)
    with reverts("SuccessionBadState", rich.ana.address, CONFIRMED):
        rich.succession.decide(rich.ana.address, rich.heir.address, True, rich.by_admin)
    rich.succession.objectTo(rich.ana.address, b"", {"from": rich.ana.account})
    with reverts("SuccessionBadState", rich.ana.address, OBJECTED):
        rich.succession.decide(rich.ana.address, rich.bo.address, True, rich.by_admin)


def test_the_council_allows(rich: City) -> None:
    """Executable at once, for thirty days; the old key has no second objection."""
    ask(rich)
    rich.succession.objectTo(rich.ana.address, b"", {"from": rich.ana.account})
    tx = rich.succession.decide(rich.ana.address, rich.heir.address, True, rich.by_admin)
    assert event_values(tx, "SuccessionDecided") == [{"holder": rich.ana.address, "allowed": True}]
    allowed = now()
    with reverts("SuccessionBadState", rich.ana.address, ALLOWED):
        rich.succession.objectTo(rich.ana.address, b"", {"from": rich.ana.account})
    with reverts("SuccessionBadState", rich.ana.address, ALLOWED):
        ask(rich, rich.bo)
    next_block_at(allowed + MONTH - 1)
    execute(rich, [LOT])
    assert rich.ledger.successor(rich.ana.address) == rich.heir.address


def test_what_the_council_allowed_lapses_after_thirty_days(rich: City) -> None:
    ask(rich)
    rich.succession.objectTo(rich.ana.address, b"", {"from": rich.ana.account})
    rich.succession.decide(rich.ana.address, rich.heir.address, True, rich.by_admin)
    lapses = now() + MONTH
    next_block_at(lapses)
    with reverts("SuccessionLapsed", lapses):
        execute(rich)
    ask(rich, rich.bo)


def test_the_council_refuses(rich: City) -> None:
    """Then nothing is left of the request; a desk may ask again."""
    ask(rich)
    rich.succession.objectTo(rich.ana.address, b"", {"from": rich.ana.account})
    tx = rich.succession.decide(rich.ana.address, rich.heir.address, False, rich.by_admin)
    assert event_values(tx, "SuccessionDecided") == [{"holder": rich.ana.address, "allowed": False}]
    assert tuple(rich.succession.request(rich.ana.address)) == (ZERO, NONE, 0, ZERO)
    with reverts("SuccessionBadState", rich.ana.address, NONE):
        execute(rich)
    ask(rich)


# Execution --------------------------------------------------------------------------------------------------------


def test_seven_days_after_the_confirmation_and_for_thirty(rich: City) -> None:
    """To the second; then anyone carries it out, once."""
    with reverts("SuccessionBadState", rich.ana.address, NONE):
        execute(rich)
    ask(rich)
    with reverts("SuccessionBadState", rich.ana.address, REQUESTED):
        execute(rich)
    go_to(now() + 20 * DAY)
    confirm(rich)
    ready = now() + WEEK
    next_block_at(ready - 1)
    with reverts("SuccessionTooEarly", ready):
        execute(rich)
    next_block_at(ready)
    tx = execute(rich, [LOT, GIFTS, LOT, 1 << 64])
    ana, heir = rich.ana.address, rich.heir.address
    assert event_values(tx, "SuccessionExecuted") == [{"holder": ana, "newAccount": heir}]
    assert event_values(tx, "SuccessorSet") == [{"holder": ana, "successor": heir}]
    assert transfers(tx) == [(ana, heir, LOT, 500), (ana, heir, GIFTS, 30)]
    with reverts("SuccessionBadState", rich.ana.address, NONE):
        execute(rich)


@pytest.mark.parametrize("late", [0, 1])
def test_a_confirmed_succession_lapses_thirty_days_after_its_day(rich: City, late: int) -> None:
    ask(rich)
    confirm(rich)
    lapses = now() + WEEK + MONTH
    next_block_at(lapses - 1 + late)
    if not late:
        execute(rich)
        return
    with reverts("SuccessionLapsed", lapses):
        execute(rich)


def test_lots_move_whatever_their_flags_and_named_words_sign_nothing_more(rich: City) -> None:
    """Balances and supply are right; nonces of the new account are its own; what is not named stays to be forwarded."""
    late = rich.signed(rich.ana, rich.redeem_order(rich.ana, [(LOT, 100)], deadline=2**40 - 1))
    rich.succeed(rich.ana, rich.heir, [LOT, GIFTS])
    assert rich.balances(LOT, rich.ana, rich.heir) == [0, 500]
    assert rich.balances(NEXT, rich.ana, rich.heir) == [70, 0]
    assert tuple(rich.ledger.nonceState(rich.ana.address, LOT)) == (2**32 - 1, 2**32 - 1)
    assert tuple(rich.ledger.nonceState(rich.heir.address, LOT)) == (0, 0)
    assert rich.ledger.currentAccount(rich.ana.address) == rich.heir.address
    assert rich.ledger.totalSupply(LOT) == 500
    assert [e["code"] for e in event_values(rich.run_redeem(late), "Rejected")] == [NONCE_SPENT]


def test_no_nonce_of_a_spent_word_is_free(rich: City) -> None:
    """Not the highest, not one that wraps round."""
    rich.succeed(rich.ana, rich.heir, [LOT])
    rich.give(rich.ana, LOT, 100)
    orders = [
        rich.redeem_order(rich.ana, [(LOT, 100)], nonce=nonce) for nonce in (0, 31, 32, 63, 2**31, 2**32 - 2, 2**32 - 1)
    ]
    tx = rich.run_redeem(*(rich.signed(rich.ana, order) for order in orders))
    assert [e["code"] for e in event_values(tx, "Rejected")] == [NONCE_SPENT] * len(orders)
    assert rich.balances(LOT, rich.ana) == [100]


def test_dead_lots_are_left_behind(rich: City) -> None:
    rich.request_succession(rich.ana.address, rich.heir)
    rich.confirm_succession(rich.ana.address, rich.heir)
    go_to(now() + WEEK)
    execute(rich)
    next_block_at(expiry_end(NOW))
    tx = rich.ledger.forward(rich.ana.address, [LOT, NEXT], {"from": rich.stranger})
    assert transfers(tx) == [(rich.ana.address, rich.heir.address, NEXT, 70)]
    rich.ledger.sweep(rich.ana.address, [LOT], {"from": rich.stranger})
    assert rich.balances(LOT, rich.ana, rich.heir) == [0, 0]


def test_who_cannot_be_a_successor_or_have_one(rich: City) -> None:
    """The ledger itself, the holder itself, an account that has one; and none twice."""
    succession = rich.succession
    rich.succeed(rich.bo, rich.heir)
    rich.request_succession(rich.bo.address, rich.chen)
    rich.confirm_succession(rich.bo.address, rich.chen)
    rich.request_succession(rich.ledger.address, rich.chen)
    rich.confirm_succession(rich.ledger.address, rich.chen)
    rich.request_succession(rich.chen.address, rich.chen)
    rich.confirm_succession(rich.chen.address, rich.chen)
    rich.request_succession(rich.ana.address, rich.bo)
    rich.confirm_succession(rich.ana.address, rich.bo)
    go_to(now() + WEEK)
    by = {"from": rich.stranger}
    with reverts("PointsLedgerRetired", rich.bo.address):
        succession.execute(rich.bo.address, [], by)
    for holder, new in ((rich.ledger, rich.chen), (rich.chen, rich.chen), (rich.ana, rich.bo)):
        with reverts("PointsLedgerBadSuccessor", new.address):
            succession.execute(holder.address, [], by)


def test_successors_form_no_circle(rich: City) -> None:
    rich.succeed(rich.ana, rich.bo)
    rich.succeed(rich.bo, rich.chen)
    for old in (rich.ana, rich.bo):
        rich.request_succession(rich.chen.address, old)
        rich.confirm_succession(rich.chen.address, old)
        go_to(now() + WEEK)
        with reverts("PointsLedgerBadSuccessor", old.address):
            rich.succession.execute(rich.chen.address, [], {"from": rich.stranger})
        go_to(now() + MONTH)
    assert rich.ledger.currentAccount(rich.ana.address) == rich.chen.address


def test_at_most_sixteen_stand_in_a_line(rich: City) -> None:
    """Fifteen successions in a row; the sixteenth is refused, whichever end it would lengthen."""
    line = [rich.ana, *(Person(f"link {i}") for i in range(16))]
    for old, new in itertools.pairwise(line[:16]):
        rich.succeed(old, new)
    assert rich.ledger.currentAccount(rich.ana.address) == line[15].address
    rich.request_succession(line[15].address, line[16])
    rich.confirm_succession(line[15].address, line[16])
    go_to(now() + WEEK)
    with reverts("PointsLedgerLineTooLong", line[16].address):
        rich.succession.execute(line[15].address, [], {"from": rich.stranger})
    # Another account may still join at the end: the longest line stays what it is.
    rich.succeed(rich.bo, line[15])
    rich.ledger.forward(rich.ana.address, [NEXT], {"from": rich.stranger})
    assert rich.balances(NEXT, line[15]) == [70]


def test_a_merged_account_counts_the_longest_line(rich: City) -> None:
    """Two lines that meet: the end counts the longer one, not their sum."""
    line = [Person(f"link {i}") for i in range(15)]
    for old, new in itertools.pairwise(line):
        rich.succeed(old, new)
    rich.succeed(rich.bo, line[-1])
    rich.succeed(line[-1], rich.chen)
    assert rich.ledger.currentAccount(line[0].address) == rich.chen.address
    rich.request_succession(rich.chen.address, rich.heir)
    rich.confirm_succession(rich.chen.address, rich.heir)
    go_to(now() + WEEK)
    with reverts("PointsLedgerLineTooLong", rich.heir.address):
        rich.succession.execute(rich.chen.address, [], {"from": rich.stranger})


# Forward ----------------------------------------------------------------------------------------------------------


def test_forward(rich: City) -> None:
    """What lands later on an account that has a successor, anyone may send after it; the words named sign no more."""
    with reverts("PointsLedgerNotRetired", rich.ana.address):
        rich.ledger.forward(rich.ana.address, [LOT], {"from": rich.stranger})
    rich.succeed(rich.ana, rich.heir, [LOT, GIFTS])
    rich.give(rich.ana, LOT, 11)
    later = token_id(VOLUNTEER, NOW + 8)
    rich.give(rich.ana, later, 12)
    assert rich.balances(LOT, rich.ana, rich.heir) == [11, 500]
    tx = rich.ledger.forward(rich.ana.address, [LOT, later, 1 << 64], {"from": rich.stranger})
    ana, heir = rich.ana.address, rich.heir.address
    assert transfers(tx) == [(ana, heir, LOT, 11), (ana, heir, later, 12)]
    assert tuple(rich.ledger.nonceState(ana, later)) == (2**32 - 1, 2**32 - 1)


def test_forward_goes_to_the_end_of_the_line(rich: City) -> None:
    rich.succeed(rich.ana, rich.heir)
    rich.succeed(rich.heir, rich.chen)
    rich.ledger.forward(rich.ana.address, [LOT], {"from": rich.stranger})
    assert rich.balances(LOT, rich.ana, rich.heir, rich.chen) == [0, 0, 500]


# What follows -----------------------------------------------------------------------------------------------------


def test_releases_and_refunds_follow_and_captures_need_nobody(rich: City) -> None:
    hold = rich.place_hold(rich.ana, [(LOT, 200)], captureBy=now() + 20 * DAY)
    captured = rich.place_hold(rich.ana, [(NEXT, 50)], captureBy=now() + 20 * DAY)
    paid = rich.pay(rich.ana, [(LOT, 100)])
    rich.succeed(rich.ana, rich.heir, [LOT])
    rich.run_release(rich.signed_release(hold))
    tx = rich.refund(paid)
    assert event_values(tx, "Refunded")[0]["receiver"] == rich.heir.address
    assert rich.balances(LOT, rich.ana, rich.heir) == [0, 500]
    tx = rich.run_capture(rich.signed_capture(captured, (1, 20)))
    assert transfers(tx)[-1] == (rich.ledger.address, rich.heir.address, NEXT, 30)


def test_what_was_reborn_this_quarter_is_carried_over(rich: City) -> None:
    """One cap a quarter for a person, whichever of its accounts used it; two predecessors' sums add up."""
    rich.ledger.setRebirthCap(100, rich.by_admin)
    rich.give(rich.bo, LOT, 500)
    rich.give(rich.heir, LOT, 500)
    go_to(expiry_end(NOW) - 20 * DAY)
    payments = [rich.pay(person, [(LOT, 500)]) for person in (rich.ana, rich.bo, rich.heir)]
    go_to(expiry_end(NOW))
    for payment, kept in zip(payments[:2], (350, 300), strict=True):
        rich.refund(payment, (1, kept))
    assert tuple(rich.ledger.rebirth(rich.ana.address)) == (NOW + 1, 30)
    assert tuple(rich.ledger.rebirth(rich.bo.address)) == (NOW + 1, 40)
    rich.succeed(rich.ana, rich.heir)
    rich.succeed(rich.bo, rich.heir)
    assert tuple(rich.ledger.rebirth(rich.heir.address)) == (NOW + 1, 70)
    tx = rich.refund(payments[2])
    # 30 fen are left of the cap, which are 150 minor units; the rest comes back dead.
    assert event_values(tx, "LotReborn")[0]["amount"] == 150
    assert rich.balances(LOT, rich.heir) == [350]


def test_an_older_quarter_s_rebirths_do_not_replace_this_one_s(rich: City) -> None:
    rich.ledger.setRebirthCap(100, rich.by_admin)
    rich.give(rich.heir, NEXT, 500)
    go_to(expiry_end(NOW) - 20 * DAY)
    old = rich.pay(rich.ana, [(LOT, 300)])
    go_to(expiry_end(NOW))
    rich.refund(old)
    go_to(expiry_end(NOW + 1) - 20 * DAY)
    new = rich.pay(rich.heir, [(NEXT, 500)])
    go_to(expiry_end(NOW + 1))
    rich.refund(new, (1, 400))
    rich.succeed(rich.ana, rich.heir)
    assert tuple(rich.ledger.rebirth(rich.heir.address)) == (NOW + 2, 20)


def test_a_contract_wallet_consents_and_objects(rich: City) -> None:
    """ERC-1271, on either side."""
    wallet = rich.project.WalletMock.deploy(rich.bo.address, rich.by_operator)
    deadline = now() + DAY
    digest = rich.domain.digest("Succession", oldAccount=rich.ana.address, newAccount=wallet.address, deadline=deadline)
    consent = sign(rich.bo.key, digest)
    rich.succession.requestSuccession(rich.ana.address, wallet.address, deadline, consent, {"from": rich.desk})
    rich.succession.confirm(rich.ana.address, wallet.address, {"from": rich.other_desk})
    go_to(now() + WEEK)
    execute(rich, [LOT])
    assert rich.balances(LOT, wallet.address) == [500]
    rich.request_succession(wallet.address, rich.chen)
    digest = rich.domain.digest("Objection", oldAccount=wallet.address, newAccount=rich.chen.address)
    rich.succession.objectTo(wallet.address, sign(rich.bo.key, digest), {"from": rich.stranger})
    assert rich.succession.request(wallet.address)[1] == OBJECTED


def test_only_plain_accounts_carry_out_forward_and_hand_in_objections(rich: City) -> None:
    """A contract cannot: the words that lose their nonces, and an objection's signature, must lie in the calldata."""
    contract = rich.project.WalletMock.deploy(rich.operator, rich.by_operator)
    ask(rich)
    signature = rich.sign_objection(rich.ana, rich.heir.address)
    with reverts("PlainAccountNeeded", contract.address):
        data = rich.succession.objectTo.encode_input(rich.ana.address, signature)
        contract.call(rich.succession, data, rich.by_operator)
    confirm(rich)
    go_to(now() + WEEK)
    with reverts("PlainAccountNeeded", contract.address):
        contract.call(rich.succession, rich.succession.execute.encode_input(rich.ana.address, [LOT]), rich.by_operator)
    execute(rich, [LOT])
    with reverts("PlainAccountNeeded", contract.address):
        contract.call(rich.ledger, rich.ledger.forward.encode_input(rich.ana.address, [LOT]), rich.by_operator)


def test_a_wallet_objects_for_itself(rich: City) -> None:
    """It is the old account, and needs no signature."""
    wallet = rich.project.WalletMock.deploy(rich.bo.address, rich.by_operator)
    rich.request_succession(wallet.address, rich.heir)
    data = rich.succession.objectTo.encode_input(wallet.address, b"")
    wallet.call(rich.succession, data, rich.by_operator)
    assert rich.succession.request(wallet.address)[1] == OBJECTED
