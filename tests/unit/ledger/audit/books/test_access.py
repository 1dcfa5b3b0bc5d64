"""Delays of AccessManager, and approvals of the council."""

from __future__ import annotations

from ledger.audit.books import AccessBook, CouncilBook, Member, Proposal
from ledger.audit.books.access import PUBLIC, delay_at, delay_updated
from ledger.standard.ids import AccountBytes

A, B = AccountBytes(b"\1" * 20), AccountBytes(b"\2" * 20)


def test_a_longer_delay_counts_after_the_setback_and_a_shorter_one_later_by_the_difference() -> None:
    delay, effect = delay_updated(0, 700, 500, 1_000)
    assert effect == 1_500
    assert (delay_at(delay, 1_499), delay_at(delay, 1_500)) == (0, 700)
    delay, effect = delay_updated(delay, 100, 500, 2_000)
    assert effect == 2_600
    assert (delay_at(delay, 2_599), delay_at(delay, 2_600)) == (700, 100)


def test_a_role_counts_from_its_time_on_and_the_public_one_always() -> None:
    access = AccessBook(members={(3, A): Member(since=50, delay=9)})
    assert access.role_of(A, 3, 49) == (False, 9)
    assert access.role_of(A, 3, 50) == (True, 9)
    assert access.role_of(B, 3, 50) == (False, 0)
    assert access.role_of(B, PUBLIC, 0) == (True, 0)


def test_an_approval_counts_while_its_giver_is_the_member_that_gave_it() -> None:
    council = CouncilBook(members=[A, B], joinings={A: 1, B: 2})
    proposal = Proposal(A, b"", approvals={A: 1, B: 2})
    assert council.approvals(proposal) == 2
    council.joinings[B] = 3
    assert council.approvals(proposal) == 1
