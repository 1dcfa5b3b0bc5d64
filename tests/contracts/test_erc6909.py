"""PointsLedger against EIP-6909, clause by clause (https://eips.ethereum.org/EIPS/eip-6909); quotes are the EIP's."""

from __future__ import annotations

from typing import Any

import pytest
from city import GIFT, NOW, VOLUNTEER, City, event_values, key_of, reverts, transfers
from reference import ZERO, expiry_end, token_id

LOT = token_id(GIFT, NOW)
MAX = 2**256 - 1


@pytest.fixture
def ana(city: City) -> Any:
    """A holder of 1,000 units of a lot that can be handed on."""
    city.give(city.ana, LOT, 1_000)
    return city.ana.account


def test_supports_interface(city: City) -> None:
    """EIP-165: "The interface ID for ERC-6909 is 0x0f632fb3"; metadata and token supply too, nothing else."""
    for interface, expected in (
        ("0x01ffc9a7", True),
        ("0x0f632fb3", True),
        (_interface("name(uint256)", "symbol(uint256)", "decimals(uint256)"), True),
        (_interface("totalSupply(uint256)"), True),
        ("0xffffffff", False),
        ("0xd9b67a26", False),
    ):
        assert city.ledger.supportsInterface(interface) is expected, interface


def _interface(*functions: str) -> str:
    from eth_utils import keccak

    value = 0
    for function in functions:
        value ^= int.from_bytes(keccak(text=function)[:4], "big")
    return "0x" + value.to_bytes(4, "big").hex()


def test_balance_of(city: City, ana: Any) -> None:
    """ "The total amount of a token id that an owner owns." Ids outside the scheme are owned by nobody."""
    assert city.ledger.balanceOf(ana, LOT) == 1_000
    assert city.ledger.balanceOf(ana, LOT + 1) == 0
    assert city.ledger.balanceOf(ana, LOT | 1 << 64) == 0
    assert city.ledger.balanceOf(ZERO, LOT) == 0


def test_total_supply(city: City, ana: Any) -> None:
    """Token supply extension: "The total supply for a token id." """
    assert city.ledger.totalSupply(LOT) == 1_000
    assert city.ledger.totalSupply(LOT | 1 << 64) == 0


def test_metadata(city: City) -> None:
    """Metadata extension: name, symbol, and decimals "that MUST be used" ; ids outside the scheme have no name."""
    assert city.ledger.name(LOT) == "Programme 6"
    assert city.ledger.symbol(LOT) == "P6"
    assert city.ledger.decimals(LOT) == 2
    assert (city.ledger.name(LOT | 1 << 64), city.ledger.symbol(LOT | 1 << 64)) == ("", "")


# transfer ---------------------------------------------------------------------------------------------------------


def test_transfer_reverts_for_an_id_outside_the_scheme(city: City, ana: Any) -> None:
    with reverts("PointsLedgerUnknownProgramme", 0):
        city.ledger.transfer(city.bo.address, LOT | 1 << 64, 0, {"from": ana})
    with reverts("PointsLedgerUnknownProgramme", 99):
        city.ledger.transfer(city.bo.address, token_id(99, NOW), 0, {"from": ana})


def test_transfer_reverts_where_the_programme_forbids_it(city: City, ana: Any) -> None:
    city.give(city.ana, token_id(VOLUNTEER, NOW), 10)
    with reverts("PointsLedgerNotTransferable", VOLUNTEER):
        city.ledger.transfer(city.bo.address, token_id(VOLUNTEER, NOW), 1, {"from": ana})


def test_transfer_reverts_for_a_dead_lot(city: City, ana: Any) -> None:
    from city import next_block_at

    next_block_at(expiry_end(NOW))
    with reverts("PointsLedgerLotDead", LOT):
        city.ledger.transfer(city.bo.address, LOT, 1, {"from": ana})


def test_transfer_reverts_to_nobody_and_to_the_escrow(city: City, ana: Any) -> None:
    for receiver in (ZERO, city.ledger.address):
        with reverts("PointsLedgerBadReceiver", receiver):
            city.ledger.transfer(receiver, LOT, 1, {"from": ana})


@pytest.mark.parametrize("amount", [1_001, 2**64 + 1, MAX])
def test_transfer_reverts_without_balance(city: City, ana: Any, amount: int) -> None:
    """ "MUST revert when the caller's balance for the token id is insufficient." """
    with reverts("PointsLedgerInsufficientBalance", ana.address, 1_000, amount, LOT):
        city.ledger.transfer(city.bo.address, LOT, amount, {"from": ana})


def test_transfer_of_all_there_is_fits_the_receiver(city: City, ana: Any) -> None:
    """A lot's supply fits a lane, so no receiver is ever full."""
    city.appropriate(GIFT, 9 * 10**14)
    city.give(city.bo, LOT, 2**48 - 1 - 1_000)
    city.give(city.bo, LOT + 1, 7)
    city.ledger.transfer(city.bo.address, LOT, 1_000, {"from": ana})
    assert city.balances(LOT, city.ana, city.bo) == [0, 2**48 - 1]
    assert city.balances(LOT + 1, city.bo) == [7]


def test_transfer(city: City, ana: Any) -> None:
    """ "MUST log the Transfer event", returns true, and moves exactly the amount, leaving supply and neighbours."""
    city.give(city.ana, LOT + 1, 77)
    assert city.ledger.transfer.call(city.bo.address, LOT, 400, {"from": ana}) is True
    tx = city.ledger.transfer(city.bo.address, LOT, 400, {"from": ana})
    (event,) = event_values(tx, "Transfer")
    assert event == {
        "caller": ana.address,
        "sender": ana.address,
        "receiver": city.bo.address,
        "id": LOT,
        "amount": 400,
    }
    assert city.balances(LOT, city.ana, city.bo) == [600, 400]
    assert city.balances(LOT + 1, city.ana, city.bo) == [77, 0]
    assert city.ledger.totalSupply(LOT) == 1_000


def test_transfer_of_nothing_and_to_oneself(city: City, ana: Any) -> None:
    """Both are transfers like others: they log, and balances stay."""
    for receiver, amount in ((city.bo.address, 0), (ana.address, 1_000)):
        tx = city.ledger.transfer(receiver, LOT, amount, {"from": ana})
        assert transfers(tx) == [(ana.address, receiver, LOT, amount)]
    assert city.balances(LOT, city.ana, city.bo) == [1_000, 0]


# transferFrom, allowances, operators ------------------------------------------------------------------------------


def test_transfer_from_reverts_without_permission(city: City, ana: Any) -> None:
    """ "MUST revert when the caller is neither the sender nor an operator for the sender and the caller's allowance
    for the token id for the sender is insufficient." """
    with reverts("PointsLedgerInsufficientAllowance", city.stranger.address, 0, 1, LOT):
        city.ledger.transferFrom(ana, city.bo.address, LOT, 1, {"from": city.stranger})
    city.ledger.approve(city.stranger, LOT, 5, {"from": ana})
    with reverts("PointsLedgerInsufficientAllowance", city.stranger.address, 5, 6, LOT):
        city.ledger.transferFrom(ana, city.bo.address, LOT, 6, {"from": city.stranger})
    city.give(city.ana, LOT + 1, 5)
    with reverts("PointsLedgerInsufficientAllowance", city.stranger.address, 0, 1, LOT + 1):
        city.ledger.transferFrom(ana, city.bo.address, LOT + 1, 1, {"from": city.stranger})


def test_transfer_from_reverts_without_balance(city: City, ana: Any) -> None:
    """ "MUST revert when the sender's balance for the token id is insufficient." """
    city.ledger.setOperator(city.stranger, True, {"from": ana})
    with reverts("PointsLedgerInsufficientBalance", ana.address, 1_000, 1_001, LOT):
        city.ledger.transferFrom(ana, city.bo.address, LOT, 1_001, {"from": city.stranger})


def test_approve(city: City, ana: Any) -> None:
    """approve "sets an amount of a token id that a spender can transfer on behalf of the caller" and "MUST log the
    Approval event"; the next one replaces it."""
    assert city.ledger.approve.call(city.stranger, LOT, 300, {"from": ana}) is True
    for amount in (300, 200, 0, MAX):
        tx = city.ledger.approve(city.stranger, LOT, amount, {"from": ana})
        (event,) = event_values(tx, "Approval")
        assert event == {"owner": ana.address, "spender": city.stranger.address, "id": LOT, "amount": amount}
        assert city.ledger.allowance(ana, city.stranger, LOT) == amount
    assert city.ledger.allowance(ana, city.stranger, LOT + 1) == 0
    assert city.ledger.allowance(city.stranger, ana, LOT) == 0


def test_transfer_from_spends_the_allowance(city: City, ana: Any) -> None:
    """ "MUST decrease the caller's allowance by the same amount of the sender's balance decrease if the caller is not
    an operator for the sender and the caller's allowance is not infinite." """
    city.ledger.approve(city.stranger, LOT, 300, {"from": ana})
    tx = city.ledger.transferFrom(ana, city.bo.address, LOT, 120, {"from": city.stranger})
    (event,) = event_values(tx, "Transfer")
    assert (event["caller"], event["sender"], event["receiver"]) == (city.stranger, ana, city.bo.address)
    assert city.ledger.allowance(ana, city.stranger, LOT) == 180
    assert city.balances(LOT, city.ana, city.bo) == [880, 120]


def test_infinite_allowance_stays(city: City, ana: Any) -> None:
    """ "SHOULD NOT decrease ... if the allowance is infinite." """
    city.ledger.approve(city.stranger, LOT, MAX, {"from": ana})
    city.ledger.transferFrom(ana, city.bo.address, LOT, 1_000, {"from": city.stranger})
    assert city.ledger.allowance(ana, city.stranger, LOT) == MAX
    assert city.balances(LOT, city.ana, city.bo) == [0, 1_000]


def test_an_operator_needs_no_allowance_and_spends_none(city: City, ana: Any) -> None:
    """ "SHOULD NOT decrease the caller's allowance ... if the caller is an operator." An operator acts for all ids."""
    city.ledger.approve(city.stranger, LOT, 10, {"from": ana})
    city.ledger.setOperator(city.stranger, True, {"from": ana})
    city.give(city.ana, LOT + 1, 5)
    city.ledger.transferFrom(ana, city.bo.address, LOT, 500, {"from": city.stranger})
    city.ledger.transferFrom(ana, city.bo.address, LOT + 1, 5, {"from": city.stranger})
    assert city.ledger.allowance(ana, city.stranger, LOT) == 10
    assert city.balances(LOT, city.ana, city.bo) == [500, 500]
    assert city.balances(LOT + 1, city.ana, city.bo) == [0, 5]


def test_the_sender_needs_no_allowance(city: City, ana: Any) -> None:
    """The caller is the sender: no permission needed, none spent."""
    city.ledger.approve(ana, LOT, 10, {"from": ana})
    city.ledger.transferFrom(ana, city.bo.address, LOT, 500, {"from": ana})
    assert city.ledger.allowance(ana, ana, LOT) == 10
    assert city.balances(LOT, city.ana, city.bo) == [500, 500]


def test_set_operator(city: City, ana: Any) -> None:
    """setOperator "grants or revokes unlimited transfer permissions" and "MUST log the OperatorSet event"."""
    assert city.ledger.isOperator(ana, city.stranger) is False
    for approved in (True, False):
        tx = city.ledger.setOperator(city.stranger, approved, {"from": ana})
        (event,) = event_values(tx, "OperatorSet")
        assert event == {"owner": ana.address, "spender": city.stranger.address, "approved": approved}
        assert city.ledger.isOperator(ana, city.stranger) is approved
        assert city.ledger.isOperator(city.stranger, ana) is False
    with reverts("PointsLedgerInsufficientAllowance", city.stranger.address, 0, 1, LOT):
        city.ledger.transferFrom(ana, city.bo.address, LOT, 1, {"from": city.stranger})


# mint and burn ----------------------------------------------------------------------------------------------------


def test_mint_logs_a_transfer_from_zero(city: City) -> None:
    """Transfer: "MUST be logged when a token is minted", the sender being the zero address."""
    tx = city.mint(GIFT, NOW, [(city.ana.address, 5), (city.bo.address, 6), (city.ana.address, 7)])
    assert [e["caller"] for e in event_values(tx, "Transfer")] == [city.operator.address] * 3
    assert transfers(tx) == [
        (ZERO, city.ana.address, LOT, 5),
        (ZERO, city.bo.address, LOT, 6),
        (ZERO, city.ana.address, LOT, 7),
    ]
    assert city.ledger.totalSupply(LOT) == 18


def test_burn_logs_a_transfer_to_zero(city: City, ana: Any) -> None:
    """Transfer: "MUST be logged when a token is burned", the receiver being the zero address."""
    tx = city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 400)])))
    assert transfers(tx) == [(ana.address, ZERO, LOT, 400)]
    assert event_values(tx, "Transfer")[0]["caller"] == city.redemption.address
    assert city.ledger.totalSupply(LOT) == 600


def test_an_account_that_never_was_has_nothing(city: City) -> None:
    """A fresh key owns nothing, approves nobody, and may still be read."""
    from reference import address_of

    nobody = address_of(key_of("nobody"))
    assert city.balances(LOT, nobody) == [0]
    assert city.ledger.allowance(nobody, city.ana.address, LOT) == 0
    assert city.ledger.isOperator(nobody, city.ana.address) is False


# Clauses that say what is answered and logged ---------------------------------------------------------------------


def test_each_method_returns_true(city: City, ana: Any) -> None:
    """ "MUST return True": transfer, transferFrom, approve and setOperator."""
    by = {"from": ana}
    city.ledger.approve(city.stranger, LOT, 5, by)
    assert city.ledger.transfer.call(city.bo.address, LOT, 1, by) is True
    assert city.ledger.transferFrom.call(ana, city.bo.address, LOT, 5, {"from": city.stranger}) is True
    assert city.ledger.approve.call(city.stranger, LOT, 1, by) is True
    assert city.ledger.setOperator.call(city.stranger, True, by) is True


def test_transfer_from_logs_the_transfer(city: City, ana: Any) -> None:
    """ "MUST log the Transfer event": the caller is who moved it, the sender who had it."""
    city.ledger.setOperator(city.stranger, True, {"from": ana})
    tx = city.ledger.transferFrom(ana, city.bo.address, LOT, 7, {"from": city.stranger})
    assert event_values(tx, "Transfer") == [
        {
            "caller": city.stranger.address,
            "sender": ana.address,
            "receiver": city.bo.address,
            "id": LOT,
            "amount": 7,
        }
    ]


def test_an_allowance_is_finite_up_to_one_below_the_infinite(city: City, ana: Any) -> None:
    """Only type(uint256).max is infinite; one less is spent like any other."""
    city.ledger.approve(city.stranger, LOT, MAX - 1, {"from": ana})
    city.ledger.transferFrom(ana, city.bo.address, LOT, 9, {"from": city.stranger})
    assert city.ledger.allowance(ana, city.stranger, LOT) == MAX - 10


def test_an_allowance_is_spent_by_no_transfer_that_reverts(city: City, ana: Any) -> None:
    """ "by the same amount of the sender's balance decrease": none where there was none."""
    city.ledger.approve(city.stranger, LOT, 5_000, {"from": ana})
    with reverts("PointsLedgerInsufficientBalance", ana.address, 1_000, 1_001, LOT):
        city.ledger.transferFrom(ana, city.bo.address, LOT, 1_001, {"from": city.stranger})
    assert city.ledger.allowance(ana, city.stranger, LOT) == 5_000


def test_an_allowance_needs_no_balance_and_an_operator_none_to_be_set(city: City) -> None:
    """approve and setOperator bind what will be owned: who has nothing may set both."""
    bo = {"from": city.bo.account}
    city.ledger.approve(city.stranger, LOT, 50, bo)
    city.give(city.bo, LOT, 60)
    city.ledger.transferFrom(city.bo.address, city.ana.address, LOT, 50, {"from": city.stranger})
    assert city.balances(LOT, city.ana, city.bo) == [50, 10]


def test_operator_set_is_logged_where_nothing_changes(city: City, ana: Any) -> None:
    """ "MAY be logged when the operator status is set to the same status it was before"."""
    for _ in range(2):
        tx = city.ledger.setOperator(city.stranger, True, {"from": ana})
        assert event_values(tx, "OperatorSet") == [
            {"owner": ana.address, "spender": city.stranger.address, "approved": True}
        ]


def test_an_operator_may_not_approve_or_appoint_for_the_owner(city: City, ana: Any) -> None:
    """An operator's permission is for transfers: allowances and operators it sets are its own."""
    city.ledger.setOperator(city.stranger, True, {"from": ana})
    city.ledger.approve(city.bo.address, LOT, 50, {"from": city.stranger})
    city.ledger.setOperator(city.bo.address, True, {"from": city.stranger})
    assert city.ledger.allowance(ana, city.bo.address, LOT) == 0
    assert city.ledger.isOperator(ana, city.bo.address) is False


def test_permissions_outlive_no_succession(city: City, ana: Any) -> None:
    """They are the old account's: whoever was its spender or operator has no hand in the successor's points."""
    city.ledger.setOperator(city.stranger, True, {"from": ana})
    city.ledger.approve(city.stranger, LOT, MAX, {"from": ana})
    city.succeed(city.ana, city.heir, [LOT])
    with reverts("PointsLedgerInsufficientAllowance", city.stranger.address, 0, 1, LOT):
        city.ledger.transferFrom(city.heir.address, city.bo.address, LOT, 1, {"from": city.stranger})
