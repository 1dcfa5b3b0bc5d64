"""Council: proposals, approvals, delay, members and rules; and a city whose only admin it is."""

from __future__ import annotations

from typing import Any

import pytest
from brownie import accounts
from brownie.exceptions import VirtualMachineError
from city import (
    DAY,
    NOW,
    REDEMPTION,
    VOLUNTEER,
    City,
    Person,
    deploy_artifact,
    event_values,
    go_to,
    next_block_at,
    now,
    rejections,
    reverts,
)
from eth_abi import encode
from eth_utils import keccak
from reference import ZERO, token_id

DELAY = 2 * DAY
HOUR = 3_600
SALT = b"\x05" * 32
LOT = token_id(VOLUNTEER, NOW)


class Agencies:
    """A council of three that needs two, and is the AccessManager's only admin."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.members = [accounts[9], Person("agency 1").account, Person("agency 2").account]
        self.council = city.project.Council.deploy(self.members, 2, DELAY, city.by_admin)
        city.manager.grantRole(0, self.council, 0, city.by_admin)
        since = city.manager.getAccess(0, self.council)[0]
        if since > now():
            go_to(since)
        city.manager.renounceRole(0, city.admin, city.by_admin)

    def call(self, contract: Any, function: str, *args: Any) -> tuple[Any, bytes]:
        """Return (target, data) of a call."""
        return contract, bytes.fromhex(getattr(contract, function).encode_input(*args)[2:])

    def id_of(self, target: Any, data: bytes, salt: bytes = SALT) -> bytes:
        return keccak(encode(["address", "bytes", "bytes32"], [target.address, data, salt]))

    def propose(self, target: Any, data: bytes, salt: bytes = SALT, by: int = 0) -> Any:
        return self.council.propose(target, data, salt, {"from": self.members[by]})

    def approve(self, proposal: bytes, by: int) -> Any:
        return self.council.approve(proposal, {"from": self.members[by]})

    def execute(self, target: Any, data: bytes, salt: bytes = SALT) -> Any:
        return self.council.execute(target, data, salt, {"from": self.city.stranger})

    def enact(self, contract: Any, function: str, *args: Any, salt: bytes = SALT) -> Any:
        """Propose, approve, wait and carry out."""
        target, data = self.call(contract, function, *args)
        self.propose(target, data, salt)
        self.approve(self.id_of(target, data, salt), 1)
        go_to(now() + DELAY)
        return self.execute(target, data, salt)


@pytest.fixture
def agencies(city: City) -> Agencies:
    return Agencies(city)


@pytest.fixture
def cap(city: City, agencies: Agencies) -> tuple[Any, bytes]:
    """A call that the council might make."""
    return agencies.call(city.exchange, "setResidentCap", 77)


# Construction -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("members", "threshold"), [(0, 1), (2, 0), (2, 3), (33, 1)])
def test_a_council_that_could_not_act_is_not_made(city: City, members: int, threshold: int) -> None:
    who = [f"0x{i + 1:040x}" for i in range(members)]
    with reverts("CouncilBadRules", threshold, members, DELAY):
        city.project.Council.deploy(who, threshold, DELAY, city.by_admin)


def test_a_council_has_no_member_twice_and_none_that_is_nobody(city: City) -> None:
    for who in ([city.ana.address, city.ana.address], [ZERO]):
        with reverts("CouncilBadMember", who[-1]):
            city.project.Council.deploy(who, 1, DELAY, city.by_admin)


def test_a_new_council(agencies: Agencies) -> None:
    council = agencies.council
    assert (council.threshold(), council.delaySeconds()) == (2, DELAY)
    assert list(council.members()) == agencies.members
    assert [council.isMember(who) for who in (agencies.members[2], agencies.city.ana.address)] == [True, False]


# A proposal's life ------------------------------------------------------------------------------------------------


def test_only_members_propose_approve_and_withdraw(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    stranger = {"from": agencies.city.stranger}
    agencies.propose(*cap)
    for function, args in (
        (agencies.council.propose, (*cap, SALT)),
        (agencies.council.approve, (agencies.id_of(*cap),)),
        (agencies.council.withdrawApproval, (agencies.id_of(*cap),)),
    ):
        with reverts("CouncilNotMember", agencies.city.stranger.address):
            function(*args, stranger)


def test_nothing_is_proposed_twice_but_under_another_salt(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    tx = agencies.propose(*cap)
    proposal = agencies.id_of(*cap)
    assert bytes(tx.return_value) == proposal
    assert event_values(tx, "Proposed") == [
        {
            "id": "0x" + proposal.hex(),
            "member": agencies.members[0],
            "target": cap[0].address,
            "data": "0x" + cap[1].hex(),
            "salt": "0x" + SALT.hex(),
        }
    ]
    assert event_values(tx, "Approved") == [{"id": "0x" + proposal.hex(), "member": agencies.members[0]}]
    with reverts("CouncilProposalExists", proposal):
        agencies.propose(*cap, by=1)
    agencies.propose(*cap, salt=b"\6" * 32, by=1)


def test_an_approval_counts_once(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    proposal = agencies.id_of(*cap)
    with reverts("CouncilNoProposal", proposal):
        agencies.approve(proposal, 0)
    agencies.propose(*cap)
    with reverts("CouncilApprovalIs", proposal, agencies.members[0].address, True):
        agencies.approve(proposal, 0)
    with reverts("CouncilApprovalIs", proposal, agencies.members[1].address, False):
        agencies.council.withdrawApproval(proposal, {"from": agencies.members[1]})
    assert agencies.council.approvals(proposal) == 1
    assert agencies.council.executableFrom(proposal) == 0


def test_two_of_three_and_a_delay(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    """Too few, too early, in time, once."""
    city, proposal = agencies.city, agencies.id_of(*cap)
    with reverts("CouncilNoProposal", proposal):
        agencies.execute(*cap)
    agencies.propose(*cap)
    with reverts("CouncilNotApproved", proposal, 1, 2):
        agencies.execute(*cap)
    tx = agencies.approve(proposal, 1)
    ready = now() + DELAY
    assert event_values(tx, "Queued") == [{"id": "0x" + proposal.hex(), "from": ready}]
    assert agencies.council.executableFrom(proposal) == ready
    agencies.approve(proposal, 2)
    assert agencies.council.executableFrom(proposal) == ready
    next_block_at(ready - 1)
    with reverts("CouncilTooEarly", proposal, ready):
        agencies.execute(*cap)
    next_block_at(ready)
    tx = agencies.execute(*cap)
    assert event_values(tx, "Executed") == [{"id": "0x" + proposal.hex()}]
    assert city.exchange.outflow(city.ana.address)[0] == 77
    for act in (
        lambda: agencies.execute(*cap),
        lambda: agencies.council.approve(proposal, {"from": agencies.members[2]}),
    ):
        with reverts("CouncilNoProposal", proposal):
            act()
    with reverts("CouncilProposalExists", proposal):
        agencies.propose(*cap)


def test_a_proposal_lapses_after_30_days(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    proposal = agencies.id_of(*cap)
    agencies.propose(*cap)
    agencies.approve(proposal, 1)
    ends = now() + DELAY + 30 * DAY
    next_block_at(ends)
    with reverts("CouncilLapsed", proposal, ends):
        agencies.execute(*cap)
    agencies.propose(*cap, salt=b"\6" * 32)


def test_a_withdrawal_stops_the_delay_and_the_next_approval_starts_it_anew(
    agencies: Agencies, cap: tuple[Any, bytes]
) -> None:
    proposal = agencies.id_of(*cap)
    agencies.propose(*cap)
    agencies.approve(proposal, 1)
    go_to(now() + DELAY - 10)
    tx = agencies.council.withdrawApproval(proposal, {"from": agencies.members[0]})
    assert event_values(tx, "ApprovalWithdrawn") == [{"id": "0x" + proposal.hex(), "member": agencies.members[0]}]
    assert agencies.council.executableFrom(proposal) == 0
    go_to(now() + DELAY)
    with reverts("CouncilNotApproved", proposal, 1, 2):
        agencies.execute(*cap)
    agencies.approve(proposal, 2)
    ready = now() + DELAY
    with reverts("CouncilTooEarly", proposal, ready):
        agencies.execute(*cap)
    next_block_at(ready)
    agencies.execute(*cap)


def test_nothing_is_withdrawn_from_what_is_not_open(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    """Neither before it is proposed nor after it was carried out."""
    proposal = agencies.id_of(*cap)
    by = {"from": agencies.members[0]}
    with reverts("CouncilNoProposal", proposal):
        agencies.council.withdrawApproval(proposal, by)
    agencies.propose(*cap)
    agencies.approve(proposal, 1)
    go_to(now() + DELAY)
    agencies.execute(*cap)
    with reverts("CouncilNoProposal", proposal):
        agencies.council.withdrawApproval(proposal, by)


def test_one_of_three_may_withdraw_without_stopping_two(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    proposal = agencies.id_of(*cap)
    agencies.propose(*cap)
    agencies.approve(proposal, 1)
    ready = now() + DELAY
    agencies.approve(proposal, 2)
    agencies.council.withdrawApproval(proposal, {"from": agencies.members[0]})
    next_block_at(ready)
    agencies.execute(*cap)


def test_a_call_that_reverts_stays_open(agencies: Agencies) -> None:
    """The target's own error comes through, and the call may be tried again."""
    city = agencies.city
    target, data = agencies.call(city.ledger, "setRulebook", VOLUNTEER, 0, b"\1" * 32)
    agencies.propose(target, data)
    agencies.approve(agencies.id_of(target, data), 1)
    go_to(now() + DELAY)
    for _ in range(2):
        with reverts("PointsLedgerBadRulebook", 0, 0):
            agencies.execute(target, data)


def test_a_call_that_reverts_without_a_word_stays_open(agencies: Agencies) -> None:
    """A function that the target does not have; its revert names nothing, so OpenZeppelin's own error stands for it."""
    target, data = agencies.city.probe, b"\x01\x02\x03\x04"
    agencies.propose(target, data)
    agencies.approve(agencies.id_of(target, data), 1)
    go_to(now() + DELAY)
    for _ in range(2):
        with pytest.raises(VirtualMachineError, match="FailedCall"):
            agencies.execute(target, data)


def test_the_authority_of_a_contract_is_the_manager_s_to_change(agencies: Agencies) -> None:
    """Not even the council turns a contract over but by the manager, which checks that there is an authority."""
    city = agencies.city
    for contract in (city.ledger, city.book, city.exchange, city.redemption, city.succession):
        assert contract.authority() == city.manager.address
        with reverts("AccessManagedUnauthorized", agencies.members[0].address):
            contract.setAuthority(city.ana.address, {"from": agencies.members[0]})
    target, data = agencies.call(city.ledger, "setAuthority", agencies.council)
    agencies.propose(target, data)
    agencies.approve(agencies.id_of(target, data), 1)
    go_to(now() + DELAY)
    with reverts("AccessManagedUnauthorized", agencies.council.address):
        agencies.execute(target, data)
    with pytest.raises(VirtualMachineError, match="AccessManagedInvalidAuthority"):
        agencies.enact(city.manager, "updateAuthority", city.ledger, city.ana.address, salt=b"\7" * 32)
    other = deploy_artifact("AccessManager", city.operator)
    tx = agencies.enact(city.manager, "updateAuthority", city.ledger, other, salt=b"\x08" * 32)
    assert event_values(tx, "AuthorityUpdated") == [{"authority": other.address}]


def test_a_target_without_code_is_refused(agencies: Agencies) -> None:
    class Nowhere:
        address = "0x" + "ab" * 20

    data = b"\1\2\3\4"
    proposal = agencies.id_of(Nowhere, data)
    agencies.council.propose(Nowhere.address, data, SALT, {"from": agencies.members[0]})
    agencies.approve(proposal, 1)
    go_to(now() + DELAY)
    with reverts("CouncilNoContract", Nowhere.address):
        agencies.council.execute(Nowhere.address, data, SALT, {"from": agencies.members[0]})


# Members and rules ------------------------------------------------------------------------------------------------


def test_members_and_rules_change_only_by_a_proposal(agencies: Agencies) -> None:
    for function, args in (
        (agencies.council.setMember, (agencies.city.ana.address, True)),
        (agencies.council.setRules, (1, 0)),
    ):
        for caller in (agencies.members[0], agencies.city.admin):
            with reverts("CouncilOnlySelf"):
                function(*args, {"from": caller})


def test_a_member_joins_and_leaves(agencies: Agencies) -> None:
    ana, council = agencies.city.ana.address, agencies.council
    tx = agencies.enact(council, "setMember", ana, True)
    assert event_values(tx, "MemberSet") == [{"account": ana, "member": True}]
    assert council.isMember(ana)
    with reverts("CouncilBadMember", ana):
        agencies.enact(council, "setMember", ana, True, salt=b"\6" * 32)
    agencies.enact(council, "setMember", agencies.members[0], False, salt=b"\7" * 32)
    assert set(council.members()) == {agencies.members[1].address, agencies.members[2].address, ana}


def test_a_member_that_is_not_there_cannot_leave(agencies: Agencies) -> None:
    with reverts("CouncilBadMember", agencies.city.ana.address):
        agencies.enact(agencies.council, "setMember", agencies.city.ana.address, False)


def test_nobody_may_leave_whom_the_threshold_needs(agencies: Agencies) -> None:
    agencies.enact(agencies.council, "setMember", agencies.members[2], False)
    agencies.members.pop()
    with reverts("CouncilBadRules", 2, 1, DELAY):
        agencies.enact(agencies.council, "setMember", agencies.members[1], False)


def test_approvals_of_who_has_left_do_not_count(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    proposal = agencies.id_of(*cap)
    agencies.propose(*cap, by=2)
    agencies.approve(proposal, 1)
    agencies.enact(agencies.council, "setMember", agencies.members[2], False)
    assert agencies.council.approvals(proposal) == 1
    with reverts("CouncilNotApproved", proposal, 1, 2):
        agencies.execute(*cap)


def test_an_approval_after_a_member_left_starts_the_delay_anew(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    """The delay runs between the last approval that was needed and the act, whoever left meanwhile."""
    proposal = agencies.id_of(*cap)
    agencies.propose(*cap, by=2)
    agencies.approve(proposal, 1)
    agencies.enact(agencies.council, "setMember", agencies.members[2], False)
    agencies.approve(proposal, 0)
    with reverts("CouncilTooEarly", proposal, now() + DELAY):
        agencies.execute(*cap)


def test_who_comes_back_has_approved_nothing(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    """Approvals end with the membership in which they were given, and the delay with them."""
    proposal, member = agencies.id_of(*cap), agencies.members[2]
    agencies.propose(*cap, by=2)
    agencies.approve(proposal, 1)
    for joins, salt in ((False, b"\6" * 32), (True, b"\7" * 32)):
        agencies.enact(agencies.council, "setMember", member, joins, salt=salt)
    assert agencies.council.approvals(proposal) == 1
    assert agencies.council.hasApproved(proposal, member) is False
    with reverts("CouncilNotApproved", proposal, 1, 2):
        agencies.execute(*cap)
    agencies.approve(proposal, 2)
    with reverts("CouncilTooEarly", proposal, now() + DELAY):
        agencies.execute(*cap)


def test_a_lowered_threshold_brings_no_old_delay_back(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    """The delay began with three approvals; with two of them left it begins anew, though two are enough by now."""
    agencies.enact(agencies.council, "setRules", 3, DELAY, salt=b"\6" * 32)
    proposal = agencies.id_of(*cap)
    agencies.propose(*cap)
    agencies.approve(proposal, 1)
    agencies.approve(proposal, 2)
    ana = agencies.city.ana
    for function, args in (("setMember", (ana.address, True)), ("setRules", (2, DELAY))):
        target, data = agencies.call(agencies.council, function, *args)
        agencies.propose(target, data)
        agencies.approve(agencies.id_of(target, data), 1)
        agencies.approve(agencies.id_of(target, data), 2)
        go_to(now() + DELAY)
        agencies.execute(target, data)
    agencies.enact(agencies.council, "setMember", agencies.members[2], False, salt=b"\7" * 32)
    assert agencies.council.approvals(proposal) == 2
    with reverts("CouncilNotApproved", proposal, 2, 2):
        agencies.execute(*cap)
    agencies.council.approve(proposal, {"from": ana.account})
    with reverts("CouncilTooEarly", proposal, now() + DELAY):
        agencies.execute(*cap)


@pytest.mark.parametrize("delay", [0, HOUR - 1, 30 * DAY + 1])
def test_a_delay_that_hides_or_paralyses_is_refused(agencies: Agencies, delay: int) -> None:
    target, data = agencies.call(agencies.council, "setRules", 2, delay)
    agencies.propose(target, data)
    agencies.approve(agencies.id_of(target, data), 1)
    go_to(now() + DELAY)
    with reverts("CouncilBadRules", 2, 3, delay):
        agencies.execute(target, data)


def test_the_longest_delay_is_thirty_days(agencies: Agencies) -> None:
    agencies.enact(agencies.council, "setRules", 2, 30 * DAY)
    assert agencies.council.delaySeconds() == 30 * DAY


def test_rules(agencies: Agencies) -> None:
    tx = agencies.enact(agencies.council, "setRules", 3, HOUR)
    assert event_values(tx, "RulesSet") == [{"threshold": 3, "delaySeconds": HOUR}]
    for threshold in (0, 4):
        target, data = agencies.call(agencies.council, "setRules", threshold, HOUR)
        agencies.propose(target, data)
        for by in (1, 2):
            agencies.approve(agencies.id_of(target, data), by)
        go_to(now() + HOUR)
        with reverts("CouncilBadRules", threshold, 3, HOUR):
            agencies.execute(target, data)


def test_a_risen_threshold_counts_for_what_is_under_way(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    proposal = agencies.id_of(*cap)
    agencies.propose(*cap)
    agencies.approve(proposal, 1)
    agencies.enact(agencies.council, "setRules", 3, DELAY)
    with reverts("CouncilNotApproved", proposal, 2, 3):
        agencies.execute(*cap)
    agencies.approve(proposal, 2)
    agencies.execute(*cap)


def test_a_delay_that_would_silence_the_council_for_ever_is_refused(agencies: Agencies, cap: tuple[Any, bytes]) -> None:
    """With a delay near 2^40 seconds no time could be reckoned any more, and nothing could ever be decided again."""
    target, data = agencies.call(agencies.council, "setRules", 2, 2**40 - 1)
    agencies.propose(target, data)
    agencies.approve(agencies.id_of(target, data), 1)
    go_to(now() + DELAY)
    with pytest.raises(Exception, match="CouncilBadRules"):
        agencies.execute(target, data)


# The city under it ------------------------------------------------------------------------------------------------


def test_the_deployer_has_no_power_left(agencies: Agencies) -> None:
    city = agencies.city
    assert city.manager.hasRole(0, city.admin)[0] is False
    assert city.manager.hasRole(0, agencies.council)[0] is True
    with reverts("AccessManagedUnauthorized", city.admin.address):
        city.ledger.setState(VOLUNTEER, 2, city.by_admin)
    with reverts("AccessManagerUnauthorizedAccount", city.admin.address, 0):
        city.manager.grantRole(1, city.admin, 0, city.by_admin)


def test_issuer_keys_rotate_by_the_council_with_a_batch_in_flight(agencies: Agencies) -> None:
    city = agencies.city
    agencies.enact(city.ledger, "addIssuerKey", VOLUNTEER, city.chen.address)
    old = city.issuer[VOLUNTEER]
    city.give(city.ana, LOT, 100)
    go_to(now() + 7 * DAY)
    agencies.enact(city.ledger, "removeIssuerKey", VOLUNTEER, old.address, salt=b"\6" * 32)
    with reverts("PointsLedgerBadIssuer", VOLUNTEER, old.address):
        city.give(city.ana, LOT, 100)
    city.issuer[VOLUNTEER] = city.chen
    try:
        city.give(city.ana, LOT, 100)
    finally:
        city.issuer[VOLUNTEER] = old
    assert city.balances(LOT, city.ana) == [200]


def test_a_module_is_replaced_live_by_moving_its_role(agencies: Agencies) -> None:
    """Orders signed before land on the new module after; the old one is dead; nothing else changes."""
    city = agencies.city
    city.give(city.ana, LOT, 1_000)
    held = city.place_hold(city.ana, [(LOT, 300)], captureBy=now() + 20 * DAY)
    order = city.redeem_order(city.ana, [(LOT, 100)], deadline=now() + 20 * DAY)
    in_flight = city.signed(city.ana, order)
    old = city.redemption
    new = city.project.Redemption.deploy(city.manager, city.ledger, city.by_operator)
    agencies.enact(city.manager, "grantRole", REDEMPTION, new, 0)
    assert (
        rejections(old.execute(city.signed(city.ana, city.redeem_order(city.ana, [(LOT, 50)])), city.by_operator)) == []
    )
    agencies.enact(city.manager, "revokeRole", REDEMPTION, old, salt=b"\6" * 32)
    with reverts("AccessManagedUnauthorized", old.address):
        old.execute(in_flight, city.by_operator)
    assert event_values(new.execute(in_flight, city.by_operator), "Redeemed")[0]["fen"] == 20
    assert event_values(new.capture(city.signed_capture(held), city.by_operator), "Captured")[0]["fen"] == 60
    assert rejections(new.execute(in_flight, city.by_operator))[0][2] == 3
    assert city.balances(LOT, city.ana) == [550]
    city.assert_zero_sum()
