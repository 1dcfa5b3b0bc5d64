"""PointsLedger: programmes, issuer keys, rulebooks, the life of a programme, and who may do what."""

from __future__ import annotations

from typing import Any

import pytest
from city import (
    CULTURE,
    DAY,
    EXCHANGE_IN,
    GIFT,
    NOW,
    REDEEMABLE,
    RESIDENCE,
    SPENDABLE,
    VOLUNTEER,
    City,
    Person,
    bits,
    event_values,
    next_block_at,
    now,
    reverts,
)
from reference import ACCEPTED, ZERO, quarter_end, token_id

ACTIVE, CLOSING, CLOSED = 1, 2, 3


def state_of(city: City, programme: int) -> int:
    return int(city.ledger.programme(programme)[2])


# Authority --------------------------------------------------------------------------------------------------------


def restricted_calls(city: City) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return every restricted function of the books and modules, with arguments."""
    who, root = city.ana.address, b"\x05" * 32
    return [
        (city.ledger.mint, (VOLUNTEER, NOW, 1, root, b"")),
        (city.ledger.voidBatch, (VOLUNTEER, 1)),
        (city.ledger.revoke, (root, 1, who, 1)),
        (city.ledger.beginExchange, ()),
        (city.ledger.beginRedemption, ()),
        (city.ledger.requestMigration, (who, city.bo.address, [])),
        (city.ledger.approveMigration, (who, city.bo.address, [])),
        (city.ledger.registerProgramme, (99, 1, 0, bits(0), "", "")),
        (city.ledger.setIssuerKey, (VOLUNTEER, who, True)),
        (city.ledger.setRulebook, (VOLUNTEER, 1, root)),
        (city.ledger.setState, (VOLUNTEER, CLOSING)),
        (city.ledger.setRebirthCap, (1,)),
        (city.book.recordAppropriation, (VOLUNTEER, 2030, 1, root)),
        (city.book.lapse, (VOLUNTEER, 2030)),
        (city.book.registerMerchant, (9, who, bits(1))),
        (city.book.post, ([],)),
        (city.book.postReceipts, ([], root)),
        (city.book.postRefund, ([], root, 1, 0, 0)),
        (city.book.lock, ([],)),
        (city.book.pay, (VOLUNTEER, 1, 0)),
        (city.book.lockDisputed, (1, 0)),
        (city.book.freeDisputed, (1, 0)),
        (city.issuance.pause, (1,)),
        (city.issuance.unpause, ()),
        (city.exchange.pause, (1,)),
        (city.exchange.unpause, ()),
        (city.exchange.setInflowCap, (1, 1)),
        (city.exchange.setResidentCap, (1,)),
        (city.redemption.pause, (1,)),
        (city.redemption.unpause, ()),
        (city.settlement.closeCycle, ([], [])),
        (city.settlement.setFinanceKey, (who,)),
        (city.disputes.decide, (root, 0)),
    ]


def test_nobody_without_a_role_may_do_anything_restricted(city: City) -> None:
    """A stranger is refused by every restricted function, before any other check."""
    for function, args in restricted_calls(city):
        with reverts("AccessManagedUnauthorized", city.stranger.address):
            function(*args, {"from": city.stranger})


def test_every_function_that_is_restricted_is_in_that_list(city: City) -> None:
    """Whatever changes state and is not meant for everyone must be tried by the test above."""
    open_to_all = {
        "ledger": {"transfer", "transferFrom", "approve", "setOperator", "cancelNonce", "sweep", "migrate", "forward"}
        | {"cancelMigration", "executeMigration", "exchange", "spend", "hold", "closeHold", "restore", "setAuthority"},
        "book": {"setAuthority"},
        "issuance": {"mint", "voidBatch", "revoke", "setAuthority"},
        "exchange": {"execute", "setAuthority"},
        "redemption": {"execute", "hold", "capture", "release", "refund", "setAuthority"},
        "settlement": {"settle", "setAuthority"},
        "disputes": {"open", "contest", "refundLocked", "close", "setAuthority"},
    }
    tried = {(function._name.split(".")[0], function._name.split(".")[1]) for function, _ in restricted_calls(city)}
    for name, functions in open_to_all.items():
        contract = getattr(city, name)
        changing = {e["name"] for e in contract.abi if e["type"] == "function" and e["stateMutability"] == "nonpayable"}
        assert changing - functions == {function for owner, function in tried if owner == contract._name}, name


def test_an_order_s_calls_need_a_batch_begun_by_the_caller(city: City) -> None:
    """exchange, spend, hold, closeHold and restore are open only to who began a batch in this block."""
    lot, who, root = token_id(VOLUNTEER, NOW), city.ana.address, b"\x05" * 32
    lots = lot.to_bytes(8, "big") + (1).to_bytes(8, "big")
    for function, args in (
        (city.ledger.exchange, (who, 0, ACCEPTED, lot, 1, lot, 1)),
        (city.ledger.spend, (who, 0, lots, ACCEPTED)),
        (city.ledger.hold, (root, who, 0, lots, ACCEPTED)),
        (city.ledger.closeHold, (root, who, lots, 0, 0)),
        (city.ledger.restore, (who, lots, 1, 1, 0, 0)),
    ):
        with reverts("PointsLedgerNotBegun", city.stranger.address):
            function(*args, {"from": city.stranger})


def test_each_role_reaches_only_its_own(city: City) -> None:
    """The finance bureau cannot mint or register, the guardian cannot change a cap, the desk cannot approve itself."""
    finance, guardian, desk = city.finance, city.guardian, city.desk
    for function, args, caller in (
        (city.ledger.mint, (VOLUNTEER, NOW, 1, b"\x05" * 32, b""), finance),
        (city.book.registerMerchant, (9, city.ana.address, bits(1)), finance),
        (city.exchange.setResidentCap, (1,), guardian),
        (city.ledger.setState, (VOLUNTEER, CLOSING), guardian),
        (city.ledger.approveMigration, (city.ana.address, city.bo.address, []), desk),
        (city.book.recordAppropriation, (VOLUNTEER, 2030, 1, b"\x05" * 32), city.registrar),
    ):
        with reverts("AccessManagedUnauthorized", caller.address):
            function(*args, {"from": caller})


# Registration -----------------------------------------------------------------------------------------------------


def test_registration_reverts_for_a_taken_id_and_for_0(city: City) -> None:
    for programme in (0, VOLUNTEER):
        with reverts("PointsLedgerProgrammeExists", programme):
            city.ledger.registerProgramme(programme, 10**12, 255, bits(0), "", "", city.by_admin)


def test_registration_reverts_for_a_par_too_high(city: City) -> None:
    with reverts("PointsLedgerParTooHigh", 10**11 + 1):
        city.ledger.registerProgramme(99, 10**11 + 1, 255, bits(0), "", "", city.by_admin)


@pytest.mark.parametrize(("par", "flags"), [(1, 16), (1, 128), (0, 2), (0, 4), (0, 8)])
def test_registration_reverts_for_flags_that_mean_nothing_or_need_a_par(city: City, par: int, flags: int) -> None:
    with reverts("PointsLedgerBadFlags", flags):
        city.ledger.registerProgramme(99, par, flags, bits(0), "", "", city.by_admin)


def test_registration(city: City) -> None:
    """A programme begins active with what was said of it, and its par can be the highest."""
    tx = city.ledger.registerProgramme(2**32 - 1, 10**11, 15, bits(6), "Books", "BK", city.by_admin)
    assert event_values(tx, "ProgrammeRegistered") == [
        {"programme": 2**32 - 1, "par": 10**11, "flags": 15, "spendScope": "0x" + bits(6).hex()}
    ]
    assert event_values(tx, "ProgrammeStateSet") == [{"programme": 2**32 - 1, "state": ACTIVE}]
    empty = "0x" + "00" * 32
    expected = (10**11, 15, ACTIVE, 0, empty, "0x" + bits(6).hex(), 0, 0)
    assert tuple(city.ledger.programme(2**32 - 1)) == expected
    assert city.ledger.name(token_id(2**32 - 1, 5)) == "Books"
    assert tuple(city.ledger.programme(98)) == (0, 0, 0, 0, empty, empty, 0, 0)


def test_a_score_may_be_transferable(city: City) -> None:
    city.ledger.registerProgramme(99, 0, 1, bits(0), "", "", city.by_admin)
    assert city.ledger.programme(99)[1] == 1


# Keys and rulebooks -----------------------------------------------------------------------------------------------


def test_issuer_keys(city: City) -> None:
    with reverts("PointsLedgerUnknownProgramme", 99):
        city.ledger.setIssuerKey(99, city.ana.address, True, city.by_admin)
    with reverts("PointsLedgerBadKey"):
        city.ledger.setIssuerKey(VOLUNTEER, ZERO, True, city.by_admin)
    for active in (True, False):
        tx = city.ledger.setIssuerKey(VOLUNTEER, city.ana.address, active, city.by_admin)
        assert event_values(tx, "IssuerKeySet") == [{"programme": VOLUNTEER, "key": city.ana.address, "active": active}]
        assert city.ledger.isIssuerKey(VOLUNTEER, city.ana.address) is active
    assert city.ledger.isIssuerKey(VOLUNTEER, city.issuer[VOLUNTEER].address) is True
    assert city.ledger.isIssuerKey(CULTURE, city.issuer[VOLUNTEER].address) is False


def test_rulebooks_only_rise(city: City) -> None:
    with reverts("PointsLedgerUnknownProgramme", 99):
        city.ledger.setRulebook(99, 1, b"\x01" * 32, city.by_admin)
    with reverts("PointsLedgerBadRulebook", 0, 0):
        city.ledger.setRulebook(VOLUNTEER, 0, b"\x01" * 32, city.by_admin)
    tx = city.ledger.setRulebook(VOLUNTEER, 3, b"\x03" * 32, city.by_admin)
    assert event_values(tx, "RulebookSet") == [{"programme": VOLUNTEER, "version": 3, "rulebookHash": "0x" + "03" * 32}]
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


def test_closing_leaves_a_year_to_spend_and_120_days_to_give_back(city: City) -> None:
    """active → closing → closed, to the second."""
    lot = token_id(VOLUNTEER, NOW + 20)
    city.give(city.ana, lot, 1_000)
    tx = city.ledger.setState(VOLUNTEER, CLOSING, city.by_admin)
    assert event_values(tx, "ProgrammeStateSet") == [{"programme": VOLUNTEER, "state": CLOSING}]
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

    next_block_at(until + 120 * DAY - 1)
    with reverts("PointsLedgerTooEarly", until + 120 * DAY):
        city.ledger.setState(VOLUNTEER, CLOSED, city.by_admin)
    next_block_at(until + 120 * DAY)
    city.ledger.setState(VOLUNTEER, CLOSED, city.by_admin)
    assert state_of(city, VOLUNTEER) == CLOSED
    tx = city.ledger.sweep(city.ana.address, [lot], {"from": city.stranger})
    assert event_values(tx, "Swept") == [{"holder": city.ana.address, "id": lot, "amount": 900}]
    assert city.ledger.programmeSupply(VOLUNTEER) == 0


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
    city.ledger.registerProgramme(11, 40_000_000, SPENDABLE, bits(0), "Volunteering II", "V2", city.by_admin)
    city.issuer[11] = Person("issuer 11")
    city.ledger.setIssuerKey(11, city.issuer[11].address, True, city.by_admin)
    city.appropriate(11, 10**6)
    city.give(city.ana, token_id(11, NOW), 1_000)
    old = city.redeem_order(city.ana, [(token_id(VOLUNTEER, NOW), 1_000)])
    new = city.redeem_order(city.ana, [(token_id(11, NOW), 1_000)])
    tx = city.run_redeem(city.signed(city.ana, old), city.signed(city.ana, new))
    assert [e["fen"] for e in event_values(tx, "Redeemed")] == [200, 400]


# Expiry -----------------------------------------------------------------------------------------------------------


def test_a_lot_dies_with_its_quarter_in_utc_8(city: City) -> None:
    lot = token_id(GIFT, NOW)
    next_block_at(quarter_end(NOW) - 1)
    city.ledger.setRebirthCap(1, city.by_admin)
    assert city.ledger.isDead(lot) is False
    next_block_at(quarter_end(NOW))
    city.ledger.setRebirthCap(2, city.by_admin)
    assert city.ledger.isDead(lot) is True
    assert city.ledger.isDead(token_id(RESIDENCE, 0)) is False
    assert city.ledger.isDead(1 << 64) is True


def test_rebirth_cap_is_set(city: City) -> None:
    tx = city.ledger.setRebirthCap(777, city.by_admin)
    assert event_values(tx, "RebirthCapSet") == [{"capFen": 777}]
    assert city.ledger.rebirthCapFen() == 777


def test_the_constants_of_this_file_are_the_contracts(city: City) -> None:
    """Flags as the sample programmes use them."""
    assert city.ledger.programme(VOLUNTEER)[1] == SPENDABLE
    assert SPENDABLE & (EXCHANGE_IN | REDEEMABLE) == EXCHANGE_IN | REDEEMABLE
