"""PointsLedger: programmes, issuer keys, rulebooks, the life of a programme, and who may do what."""

from __future__ import annotations

from typing import Any

import pytest
from city import (
    CULTURE,
    DAY,
    EXCHANGE_IN,
    GIFT,
    MATURITY,
    NOW,
    REDEEMABLE,
    RESIDENCE,
    SHOP,
    SPENDABLE,
    TERMS,
    VOLUNTEER,
    City,
    bits,
    event_values,
    go_to,
    next_block_at,
    now,
    rejections,
    reverts,
)
from reference import ACCEPTED, FORBIDDEN, ZERO, quarter_end, token_id

UNKNOWN = 0
ACTIVE, CLOSING, CLOSED = 1, 2, 3


def state_of(city: City, programme: int) -> int:
    return int(city.ledger.programme(programme)[2])


# Authority --------------------------------------------------------------------------------------------------------


def restricted_calls(city: City) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return every restricted function of the books and modules, with arguments."""
    who, root = city.ana.address, b"\x05" * 32
    receipt, proof = (root, who, SHOP, root, 1, 1), (1, [])
    return [
        (city.ledger.beginExchange, ()),
        (city.ledger.beginRedemption, ()),
        (city.ledger.registerProgramme, (99, 1, 0, bits(0), who, "", "")),
        (city.ledger.addIssuerKey, (VOLUNTEER, who)),
        (city.ledger.removeIssuerKey, (VOLUNTEER, who)),
        (city.ledger.setRulebook, (VOLUNTEER, 1, root)),
        (city.ledger.setState, (VOLUNTEER, CLOSING)),
        (city.ledger.setCeilings, (VOLUNTEER, 1, 1)),
        (city.ledger.freeze, (VOLUNTEER,)),
        (city.ledger.setFrozenUntil, (VOLUNTEER, 0)),
        (city.ledger.setRebirthCap, (1,)),
        (city.book.recordAppropriation, (VOLUNTEER, 2030, 1, root)),
        (city.book.lapse, (VOLUNTEER, 2030)),
        (city.book.reclaim, (VOLUNTEER, 1, root)),
        (city.book.fund, (VOLUNTEER, 1, root)),
        (city.book.payout, (b"\0" * 12, root)),
        (city.book.payDirectly, (VOLUNTEER, SHOP, 1, root)),
        (city.book.registerMerchant, (9, who, bits(1))),
        (city.book.post, ([],)),
        (city.book.postReceipts, ([], root)),
        (city.book.postRefund, ([], root, 1, 0, 0, False)),
        (city.book.lockOrder, (root, SHOP, 1, root)),
        (city.book.setWaiver, (VOLUNTEER, 0)),
        (city.book.setArbiterKey, (who,)),
        (city.book.setTerms, ((DAY, 0),)),
        (city.exchange.pause, (1,)),
        (city.exchange.unpause, ()),
        (city.exchange.setInflowCap, (1, 1)),
        (city.exchange.setResidentCap, (1,)),
        (city.redemption.pause, (1,)),
        (city.redemption.unpause, ()),
        (city.redemption.lockOrder, (receipt, proof, 1, root)),
        (city.succession.requestSuccession, (who, city.bo.address, 2**40 - 1, b"")),
        (city.succession.confirm, (who, city.bo.address)),
        (city.succession.decide, (who, city.bo.address, True)),
    ]


def test_nobody_without_a_role_may_do_anything_restricted(city: City) -> None:
    """A stranger is refused by every restricted function, before any other check."""
    for function, args in restricted_calls(city):
        with reverts("AccessManagedUnauthorized", city.stranger.address):
            function(*args, {"from": city.stranger})


def test_every_function_that_is_restricted_is_in_that_list(city: City) -> None:
    """Whatever changes state and is not meant for everyone must be tried by the test above."""
    open_to_all = {
        "ledger": {"transfer", "transferFrom", "approve", "setOperator", "cancelNonce", "sweep", "forward", "succeed"}
        | {"mint", "voidBatch", "revoke", "collect", "exchange", "spend", "holdLots", "finishHold", "restore"}
        | {"setAuthority"},
        "book": {"openCycle", "unlockOrder", "postBreakage", "closeCredit", "setAuthority"},
        "exchange": {"execute", "setAuthority"},
        "redemption": {"execute", "hold", "capture", "release", "refund", "arbiterRefund", "setAuthority"},
        "succession": {"objectTo", "execute", "setAuthority"},
    }
    tried = {(function._name.split(".")[0], function._name.split(".")[1]) for function, _ in restricted_calls(city)}
    for name, functions in open_to_all.items():
        contract = getattr(city, name)
        changing = {e["name"] for e in contract.abi if e["type"] == "function" and e["stateMutability"] == "nonpayable"}
        assert changing - functions == {function for owner, function in tried if owner == contract._name}, name


def test_an_order_s_calls_need_a_batch_begun_by_the_caller(city: City) -> None:
    """exchange, spend, holdLots, finishHold and restore are open only to who began a batch in this block."""
    lot, who, root = token_id(VOLUNTEER, NOW), city.ana.address, b"\x05" * 32
    lots = lot.to_bytes(8, "big") + (1).to_bytes(8, "big")
    for function, args in (
        (city.ledger.exchange, (who, 0, ACCEPTED, lot, 1, lot, 1)),
        (city.ledger.spend, (who, 0, lots, ACCEPTED)),
        (city.ledger.holdLots, (root, who, 0, lots, ACCEPTED)),
        (city.ledger.finishHold, (root, who, lots, 0)),
        (city.ledger.restore, (who, lots, 1 << 64 | 1, 0)),
    ):
        with reverts("PointsLedgerNotBegun", city.stranger.address):
            function(*args, {"from": city.stranger})


def test_what_the_parts_say_to_each_other_is_for_them_alone(city: City) -> None:
    """The ledger posts breakage, the succession contract names successors; the admin may neither."""
    for function, args in ((city.book.postBreakage, (VOLUNTEER, 1)), (city.book.closeCredit, (VOLUNTEER,))):
        with reverts("ClearingBookOnlyLedger", city.admin.address):
            function(*args, city.by_admin)
    with reverts("PointsLedgerOnlySuccession", city.admin.address):
        city.ledger.succeed(city.ana.address, city.bo.address, [], city.by_admin)


def test_each_role_reaches_only_its_own(city: City) -> None:
    """Finance cannot register, the guardian cannot choose, a desk cannot decide, the arbiter cannot pay."""
    root = b"\x05" * 32
    for function, args, caller in (
        (city.book.registerMerchant, (9, city.ana.address, bits(1)), city.finance),
        (city.ledger.freeze, (VOLUNTEER,), city.finance),
        (city.exchange.setResidentCap, (1,), city.guardian),
        (city.ledger.setFrozenUntil, (VOLUNTEER, 0), city.guardian),
        (city.ledger.setState, (VOLUNTEER, CLOSING), city.guardian),
        (city.succession.decide, (city.ana.address, city.bo.address, True), city.desk),
        (city.book.recordAppropriation, (VOLUNTEER, 2030, 1, root), city.registrar),
        (city.book.payout, (b"\0" * 12, root), city.arbiter),
        (city.book.lockOrder, (root, SHOP, 1, root), city.arbiter),
    ):
        with reverts("AccessManagedUnauthorized", caller.address):
            function(*args, {"from": caller})


def test_the_books_have_no_function_of_the_modules_that_are_gone(city: City) -> None:
    """Issuance is the ledger's, claims and payments are the book's, disputes are two acts of the arbiter; an account
    cannot name a successor by itself, and nothing is netted line by line."""
    gone = {"migrate", "requestMigration", "approveMigration", "executeMigration", "cancelMigration", "setIssuerKey"}
    gone |= {"closeCycle", "settle", "lock", "pay", "lockDisputed", "freeDisputed", "decide", "contest"}
    for contract in (city.ledger, city.book, city.exchange, city.redemption):
        assert not gone & {e["name"] for e in contract.abi if e["type"] == "function"}, contract._name
    built = set(city.project.dict())
    assert not built & {"Issuance", "Settlement", "Disputes", "RefundDesk"} - abstract_contracts(city)


def abstract_contracts(city: City) -> set[str]:
    """Return the names of what is built but cannot be deployed."""
    return {name for name, container in city.project.dict().items() if not container.bytecode}


# Registration -----------------------------------------------------------------------------------------------------


def test_registration_reverts_for_a_taken_id_and_for_0(city: City) -> None:
    for programme in (0, VOLUNTEER):
        with reverts("PointsLedgerProgrammeExists", programme):
            city.ledger.registerProgramme(programme, 10**12, 255, bits(0), ZERO, "", "", city.by_admin)


def test_registration_reverts_for_a_par_too_high(city: City) -> None:
    with reverts("PointsLedgerParTooHigh", 10**11 + 1):
        city.ledger.registerProgramme(99, 10**11 + 1, 255, bits(0), ZERO, "", "", city.by_admin)


@pytest.mark.parametrize(("par", "flags"), [(1, 16), (1, 128), (0, 2), (0, 4), (0, 8)])
def test_registration_reverts_for_flags_that_mean_nothing_or_need_a_par(city: City, par: int, flags: int) -> None:
    with reverts("PointsLedgerBadFlags", flags):
        city.ledger.registerProgramme(99, par, flags, bits(0), ZERO, "", "", city.by_admin)


def test_registration_reverts_for_key_0(city: City) -> None:
    with reverts("PointsLedgerBadKey", ZERO):
        city.ledger.registerProgramme(99, 10**11, 15, bits(0), ZERO, "", "", city.by_admin)


def test_registration(city: City) -> None:
    """A programme begins active with what was said of it and a key that signs at once; its par can be the highest."""
    key = city.ana.address
    tx = city.ledger.registerProgramme(2**32 - 1, 10**11, 15, bits(6), key, "Books", "BK", city.by_admin)
    assert event_values(tx, "ProgrammeRegistered") == [
        {"programme": 2**32 - 1, "par": 10**11, "flags": 15, "spendScope": "0x" + bits(6).hex()}
    ]
    assert event_values(tx, "ProgrammeStateSet") == [
        {"programme": 2**32 - 1, "previousState": UNKNOWN, "state": ACTIVE}
    ]
    assert event_values(tx, "IssuerKeySet") == [
        {"programme": 2**32 - 1, "key": key, "previousActiveFrom": 0, "activeFrom": now()}
    ]
    assert city.ledger.isIssuerKey(2**32 - 1, key) is True
    empty = "0x" + "00" * 32
    expected = (10**11, 15, ACTIVE, 0, empty, "0x" + bits(6).hex(), 0, 0, 0)
    assert tuple(city.ledger.programme(2**32 - 1)) == expected
    assert city.ledger.name(token_id(2**32 - 1, 5)) == "Books"
    assert tuple(city.ledger.programme(98)) == (0, 0, 0, 0, empty, empty, 0, 0, 0)


def test_a_score_may_be_transferable(city: City) -> None:
    city.register(99, 0, 1)
    assert city.ledger.programme(99)[1] == 1


# Keys and rulebooks -----------------------------------------------------------------------------------------------


def test_an_issuer_key_is_added_after_seven_days_and_removed_at_once(city: City) -> None:
    """To the second; other keys and other programmes are not touched."""
    key = city.ana.address
    tx = city.ledger.addIssuerKey(VOLUNTEER, key, city.by_admin)
    active = now() + 7 * DAY
    assert event_values(tx, "IssuerKeySet") == [
        {"programme": VOLUNTEER, "key": key, "previousActiveFrom": 0, "activeFrom": active}
    ]
    assert city.ledger.issuerKeyActiveFrom(VOLUNTEER, key) == active
    first, second = (city.batch(VOLUNTEER, NOW, {city.bo.address: 1}) for _ in range(2))
    next_block_at(active - 1)
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, key):
        city.land(first, city.ana)
    assert city.ledger.isIssuerKey(VOLUNTEER, key) is False
    next_block_at(active)
    city.land(first, city.ana)
    assert city.ledger.isIssuerKey(VOLUNTEER, key) is True
    tx = city.ledger.removeIssuerKey(VOLUNTEER, key, city.by_admin)
    assert event_values(tx, "IssuerKeySet") == [
        {"programme": VOLUNTEER, "key": key, "previousActiveFrom": active, "activeFrom": 0}
    ]
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, key):
        city.land(second, city.ana)
    assert city.ledger.isIssuerKey(VOLUNTEER, city.issuer[VOLUNTEER].address) is True
    assert city.ledger.isIssuerKey(CULTURE, city.issuer[VOLUNTEER].address) is False


def test_issuer_keys_that_cannot_be_added_or_removed(city: City) -> None:
    """Key 0, one that is there (or waits), and one that is not; a key waits anew when it is added again."""
    with reverts("PointsLedgerUnknownProgramme", 99):
        city.ledger.addIssuerKey(99, city.ana.address, city.by_admin)
    for key in (ZERO, city.issuer[VOLUNTEER].address):
        with reverts("PointsLedgerBadKey", key):
            city.ledger.addIssuerKey(VOLUNTEER, key, city.by_admin)
    with reverts("PointsLedgerBadKey", city.ana.address):
        city.ledger.removeIssuerKey(VOLUNTEER, city.ana.address, city.by_admin)
    city.ledger.addIssuerKey(VOLUNTEER, city.ana.address, city.by_admin)
    with reverts("PointsLedgerBadKey", city.ana.address):
        city.ledger.addIssuerKey(VOLUNTEER, city.ana.address, city.by_admin)
    go_to(now() + 6 * DAY)
    city.ledger.removeIssuerKey(VOLUNTEER, city.ana.address, city.by_admin)
    city.ledger.addIssuerKey(VOLUNTEER, city.ana.address, city.by_admin)
    assert city.ledger.issuerKeyActiveFrom(VOLUNTEER, city.ana.address) == now() + 7 * DAY


def test_rulebooks_only_rise(city: City) -> None:
    with reverts("PointsLedgerUnknownProgramme", 99):
        city.ledger.setRulebook(99, 1, b"\x01" * 32, city.by_admin)
    with reverts("PointsLedgerBadRulebook", 0, 0):
        city.ledger.setRulebook(VOLUNTEER, 0, b"\x01" * 32, city.by_admin)
    tx = city.ledger.setRulebook(VOLUNTEER, 3, b"\x03" * 32, city.by_admin)
    assert event_values(tx, "RulebookSet") == [
        {
            "programme": VOLUNTEER,
            "previousVersion": 0,
            "previousHash": "0x" + "00" * 32,
            "version": 3,
            "rulebookHash": "0x" + "03" * 32,
        }
    ]
    for version in (3, 2):
        with reverts("PointsLedgerBadRulebook", version, 3):
            city.ledger.setRulebook(VOLUNTEER, version, b"\x04" * 32, city.by_admin)
    assert tuple(city.ledger.programme(VOLUNTEER))[3:5] == (3, "0x" + "03" * 32)


# Life -------------------------------------------------------------------------------------------------------------


def test_states_move_forward_one_step_at_a_time(city: City) -> None:
    with reverts("PointsLedgerUnknownProgramme", 99):
        city.ledger.setState(99, CLOSING, city.by_admin)
    for state in (0, ACTIVE, CLOSED):
        with reverts("PointsLedgerBadState", VOLUNTEER, ACTIVE, state):
            city.ledger.setState(VOLUNTEER, state, city.by_admin)
    city.ledger.setState(VOLUNTEER, CLOSING, city.by_admin)
    for state in (0, ACTIVE, CLOSING):
        with reverts("PointsLedgerBadState", VOLUNTEER, CLOSING, state):
            city.ledger.setState(VOLUNTEER, state, city.by_admin)


def test_closing_leaves_a_year_to_spend_and_150_days_to_give_back(city: City) -> None:
    """active → closing → closed, to the second."""
    lot = token_id(VOLUNTEER, NOW + 20)
    city.give(city.ana, lot, 1_000)
    tx = city.ledger.setState(VOLUNTEER, CLOSING, city.by_admin)
    assert event_values(tx, "ProgrammeStateSet") == [
        {"programme": VOLUNTEER, "previousState": ACTIVE, "state": CLOSING}
    ]
    until = now() + 365 * DAY
    assert city.ledger.programme(VOLUNTEER)[7] == until
    assert not city.ledger.isDead(lot)
    next_block_at(until - 1)
    order = city.redeem_order(city.ana, [(lot, 100)], deadline=2**40 - 1)
    tx = city.run_redeem(city.signed(city.ana, order))
    assert len(event_values(tx, "Redeemed")) == 1
    next_block_at(until)
    order = city.redeem_order(city.ana, [(lot, 100)], deadline=2**40 - 1)
    tx = city.run_redeem(city.signed(city.ana, order))
    assert event_values(tx, "Rejected")[0]["code"] == 6
    assert city.ledger.isDead(lot)

    next_block_at(until + 150 * DAY - 1)
    with reverts("PointsLedgerTooEarly", until + 150 * DAY):
        city.ledger.setState(VOLUNTEER, CLOSED, city.by_admin)
    next_block_at(until + 150 * DAY)
    city.ledger.setState(VOLUNTEER, CLOSED, city.by_admin)
    assert state_of(city, VOLUNTEER) == CLOSED
    tx = city.ledger.sweep(city.ana.address, [lot], {"from": city.stranger})
    assert event_values(tx, "Swept") == [{"holder": city.ana.address, "id": lot, "amount": 900}]
    assert city.ledger.programme(VOLUNTEER)[6] == 0


def test_closing_stops_mint_and_exchange_in_but_not_spending(city: City) -> None:
    lot = token_id(CULTURE, NOW)
    city.give(city.ana, lot, 1_000)
    city.give(city.bo, token_id(VOLUNTEER, NOW), 1_000)
    city.ledger.setState(CULTURE, CLOSING, city.by_admin)
    with reverts("PointsLedgerNotActive", CULTURE):
        city.mint(CULTURE, NOW, {city.ana.address: 1})
    into = city.exchange_order(city.bo, token_id(VOLUNTEER, NOW), 1_000, CULTURE)
    out = city.exchange_order(city.ana, lot, 500, VOLUNTEER)
    tx = city.run_exchange(city.signed(city.bo, into), city.signed(city.ana, out))
    assert [e["code"] for e in event_values(tx, "Rejected")] == [6]
    assert [e["holder"] for e in event_values(tx, "Exchanged")] == [city.ana.address]


def test_a_new_series_opens_beside_the_old_one(city: City) -> None:
    """Revaluing points means a new programme; the old one's points keep their par."""
    city.give(city.ana, token_id(VOLUNTEER, NOW), 1_000)
    city.ledger.setState(VOLUNTEER, CLOSING, city.by_admin)
    city.register(11, 40_000_000, SPENDABLE)
    city.appropriate(11, 10**6)
    city.give(city.ana, token_id(11, NOW), 1_000)
    old = city.redeem_order(city.ana, [(token_id(VOLUNTEER, NOW), 1_000)])
    new = city.redeem_order(city.ana, [(token_id(11, NOW), 1_000)])
    tx = city.run_redeem(city.signed(city.ana, old), city.signed(city.ana, new))
    assert [e["fen"] for e in event_values(tx, "Redeemed")] == [200, 400]


def test_what_a_closed_programme_is_owed_goes_to_the_treasury(city: City) -> None:
    """Its credit would be stranded: it mints no more, so nobody could ever use it."""
    lot = token_id(VOLUNTEER, NOW)
    city.give(city.ana, lot, 5_000)
    city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, lot, 5_000, CULTURE)))
    assert (city.position(VOLUNTEER), city.position(CULTURE)) == (-1_000, 1_000)
    city.ledger.setState(CULTURE, CLOSING, city.by_admin)
    city.ledger.setState(VOLUNTEER, CLOSING, city.by_admin)
    go_to(now() + 515 * DAY)
    for programme in (CULTURE, VOLUNTEER):
        city.ledger.setState(programme, CLOSED, city.by_admin)
    assert (city.position(VOLUNTEER), city.position(CULTURE), city.treasury()) == (-1_000, 0, 1_000)
    city.assert_zero_sum()


# Freeze -----------------------------------------------------------------------------------------------------------


def test_the_guardian_freezes_for_72_hours_and_not_again_for_7_days(city: City) -> None:
    """To the second. The first freeze is at once, the next seven days after the end of the one before."""
    guardian = {"from": city.guardian}
    with reverts("PointsLedgerUnknownProgramme", 99):
        city.ledger.freeze(99, guardian)
    tx = city.ledger.freeze(VOLUNTEER, guardian)
    until = now() + 72 * 3_600
    assert event_values(tx, "FrozenUntilSet") == [{"programme": VOLUNTEER, "previousUntil": 0, "until": until}]
    assert city.ledger.programme(VOLUNTEER)[8] == until
    first, second = (city.batch(VOLUNTEER, NOW, {city.bo.address: 1}) for _ in range(2))
    next_block_at(until - 1)
    with reverts("PointsLedgerFrozen", VOLUNTEER, until):
        city.land(first)
    next_block_at(until)
    city.land(first)
    next_block_at(until + 7 * DAY - 1)
    with reverts("PointsLedgerTooEarly", until + 7 * DAY):
        city.ledger.freeze(VOLUNTEER, guardian)
    next_block_at(until + 7 * DAY)
    city.ledger.freeze(VOLUNTEER, guardian)
    with reverts("PointsLedgerFrozen", VOLUNTEER, until + 10 * DAY):
        city.land(second)
    city.mint(CULTURE, NOW, {city.ana.address: 1})


def test_the_council_freezes_for_at_most_90_days_and_ends_a_freeze(city: City) -> None:
    with reverts("PointsLedgerUnknownProgramme", 99):
        city.ledger.setFrozenUntil(99, 0, city.by_admin)
    at = now() + 100
    next_block_at(at)
    with reverts("PointsLedgerTooLong", at + 90 * DAY + 1):
        city.ledger.setFrozenUntil(VOLUNTEER, at + 90 * DAY + 1, city.by_admin)
    next_block_at(at + 1)
    tx = city.ledger.setFrozenUntil(VOLUNTEER, at + 1 + 90 * DAY, city.by_admin)
    until = at + 1 + 90 * DAY
    assert event_values(tx, "FrozenUntilSet") == [{"programme": VOLUNTEER, "previousUntil": 0, "until": until}]
    with reverts("PointsLedgerFrozen", VOLUNTEER, until):
        city.mint(VOLUNTEER, NOW, {city.ana.address: 1})
    # The guardian's shorter freeze does not shorten it, and uses up the guardian's turn.
    tx = city.ledger.freeze(VOLUNTEER, {"from": city.guardian})
    assert event_values(tx, "FrozenUntilSet") == []
    assert city.ledger.programme(VOLUNTEER)[8] == until
    with pytest.raises(Exception, match="PointsLedgerTooEarly"):
        city.ledger.freeze(VOLUNTEER, {"from": city.guardian})
    tx = city.ledger.setFrozenUntil(VOLUNTEER, 0, city.by_admin)
    assert event_values(tx, "FrozenUntilSet") == [{"programme": VOLUNTEER, "previousUntil": until, "until": 0}]
    city.mint(VOLUNTEER, NOW, {city.ana.address: 1})


def test_a_freeze_stops_new_orders_and_lets_open_ones_end(city: City) -> None:
    """No exchange in or out, no redeem, no hold; capture, release, refund, cancel, transfer and sweep go on."""
    lot, arts = token_id(VOLUNTEER, NOW), token_id(CULTURE, NOW)
    city.give(city.ana, lot, 10_000)
    city.give(city.ana, arts, 10_000)
    paid = city.pay(city.ana, [(lot, 500)])
    captured, released = (city.place_hold(city.ana, [(lot, 500)]) for _ in range(2))
    city.ledger.freeze(VOLUNTEER, {"from": city.guardian})
    out = city.exchange_order(city.ana, lot, 500, CULTURE)
    into = city.exchange_order(city.ana, arts, 500, VOLUNTEER)
    tx = city.run_exchange(city.signed(city.ana, out), city.signed(city.ana, into))
    assert [code for _, _, code in rejections(tx)] == [FORBIDDEN] * 2
    tx = city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(arts, 100), (lot, 100)])))
    assert [code for _, _, code in rejections(tx)] == [FORBIDDEN]
    tx = city.run_hold(city.signed(city.ana, city.hold_order(city.ana, [(lot, 100)])))
    assert [code for _, _, code in rejections(tx)] == [FORBIDDEN]
    assert rejections(city.run_capture(city.signed_capture(captured))) == []
    assert rejections(city.run_release(city.signed_release(released))) == []
    city.refund(paid)
    city.ledger.cancelNonce(lot, 40, {"from": city.ana.account})
    assert city.balances(lot, city.ana) == [9_500]
    # The rest of the city goes on.
    tx = city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(arts, 100)])))
    assert rejections(tx) == []


def test_a_freeze_lets_points_be_handed_on(city: City) -> None:
    lot = token_id(GIFT, NOW)
    city.give(city.ana, lot, 100)
    city.ledger.freeze(GIFT, {"from": city.guardian})
    city.ledger.transfer(city.bo.address, lot, 100, {"from": city.ana.account})
    assert city.balances(lot, city.bo) == [100]


# Expiry -----------------------------------------------------------------------------------------------------------


def test_a_lot_dies_seven_days_after_its_quarter_in_utc_8(city: City) -> None:
    """The promised day is the quarter's last; the ledger's clock runs late, and so it costs nobody a point."""
    lot = token_id(GIFT, NOW)
    next_block_at(quarter_end(NOW) + 7 * DAY - 1)
    city.ledger.setRebirthCap(1, city.by_admin)
    assert city.ledger.isDead(lot) is False
    next_block_at(quarter_end(NOW) + 7 * DAY)
    city.ledger.setRebirthCap(2, city.by_admin)
    assert city.ledger.isDead(lot) is True
    assert city.ledger.isDead(token_id(RESIDENCE, 0)) is False
    assert city.ledger.isDead(1 << 64) is True


def test_rebirth_cap_is_set(city: City) -> None:
    tx = city.ledger.setRebirthCap(777, city.by_admin)
    assert event_values(tx, "RebirthCapSet") == [{"previousCapFen": 0, "capFen": 777}]
    assert city.ledger.rebirthCapFen() == 777


def test_a_ledger_takes_no_parts_of_another(city: City) -> None:
    """The book and the succession contract were deployed for one address, and no other ledger can take them."""
    salt, parts = b"\x01" * 32, (city.book, city.succession)
    with reverts("PointsLedgerWrongParts"):
        city.project.PointsLedger.deploy(city.manager, salt, *parts, city.by_admin)


@pytest.mark.parametrize("own", ["book", "succession"])
def test_a_ledger_takes_no_single_part_of_another(city: City, own: str) -> None:
    """One part that was deployed for it does not make up for the other, which was not."""
    here = city.admin.get_deployment_address(city.admin.nonce + 1)
    book, succession = city.book, city.succession
    if own == "book":
        book = city.project.ClearingBook.deploy(city.manager, here, MATURITY, TERMS, city.by_admin)
    else:
        succession = city.project.Succession.deploy(city.manager, here, city.by_admin)
    with reverts("PointsLedgerWrongParts"):
        city.project.PointsLedger.deploy(city.manager, b"\x01" * 32, book, succession, city.by_admin)


def test_the_constants_of_this_file_are_the_contracts(city: City) -> None:
    """Flags as the sample programmes use them."""
    assert city.ledger.programme(VOLUNTEER)[1] == SPENDABLE
    assert SPENDABLE & (EXCHANGE_IN | REDEEMABLE) == EXCHANGE_IN | REDEEMABLE
