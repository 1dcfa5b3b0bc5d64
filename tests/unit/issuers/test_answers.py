"""A programme's counts add up, and an explanation agrees with the chain until the chain says otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from issuers.answers import Explanation, ProgrammeCounts
from issuers.states import GrantState
from ledger.standard.ids import ProgrammeSlug, to_address

EXPLAINED = Explanation(
    grant_id="0x01",
    programme=ProgrammeSlug("test"),
    account=to_address(b"\x11" * 20),
    amount_minor=100,
    revoked_minor=0,
    activity="WORK",
    rulebook_version=1,
    rulebook_hash="0xaa",
    rulebook_hash_on_chain=None,
    rulebook_version_on_chain=None,
    steps_en=(),
    steps_zh=(),
    caps_en=(),
    caps_zh=(),
    file="a.csv",
    row=1,
    deed_day="2026-08-31",
    state=GrantState.READY,
    batch_number=None,
    batch_state=None,
    batch_reason=None,
    signer=None,
    token_id=None,
    expiry_quarter=None,
    leaf=None,
    proof=(),
    evidence_root="0xbb",
    evidence_root_on_chain=None,
    transaction=None,
    block_number=None,
    revocations=(),
)


def test_nothing_counted_is_nothing() -> None:
    counts = ProgrammeCounts.of({}, 0)
    assert (counts.records, counts.granted_minor, counts.refusals, counts.reviews) == (0, 0, {}, {})


def test_records_are_the_sum_of_where_they_stand() -> None:
    """Corrections count as accepted and what is pending as held; codes and screens are no records of their own."""
    counts = ProgrammeCounts.of(
        {
            "accepted": 5,
            "corrections": 1,
            "refused": 4,
            "awaiting_link": 3,
            "held": 2,
            "pending": 7,
            "waiting": 6,
            "granted_minor": 900,
            "revoked_minor": 30,
            "refused:bad_date": 3,
            "refused:cap_reached": 0,
            "held:overlap": 2,
        },
        repeats=8,
    )
    assert counts.records == counts.accepted + counts.refused + counts.awaiting_link + counts.held + counts.waiting
    assert (counts.accepted, counts.refused, counts.awaiting_link, counts.held, counts.waiting) == (6, 4, 3, 9, 6)
    assert (counts.pending, counts.corrections, counts.repeated_deliveries) == (7, 1, 8)
    assert (counts.granted_minor, counts.revoked_minor) == (900, 30)
    assert (counts.refusals, counts.reviews) == ({"bad_date": 3}, {"overlap": 2})


@pytest.mark.parametrize(
    ("rulebook", "root", "agrees"),
    [
        (None, None, True),
        ("0xaa", "0xbb", True),
        ("0xab", "0xbb", False),
        ("0xaa", "0xbc", False),
    ],
)
def test_what_the_chain_has_not_said_is_no_contradiction(rulebook: str | None, root: str | None, agrees: bool) -> None:
    found = replace(EXPLAINED, rulebook_hash_on_chain=rulebook, evidence_root_on_chain=root)
    assert found.agrees_with_chain is agrees
