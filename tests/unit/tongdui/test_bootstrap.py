"""What a new deployment names on its chain."""

from __future__ import annotations

from ledger.deployment.city import RulebookRef
from ledger.standard.ids import ProgrammeId
from tests.unit.issuers.build import rulebook
from tongdui.bootstrap import rulebooks_in_force

RATE = {"unit": "hour", "points_per_unit": "10"}


def test_the_chain_names_the_newest_approved_rulebook_and_no_draft() -> None:
    first, second = rulebook(RATE), rulebook(RATE, version=2, effective_from="2026-07-01")
    draft = rulebook(RATE, version=3, effective_from="2026-10-01", approval={"state": "draft"})
    approved, drafts = ProgrammeId(9), ProgrammeId(10)
    named = rulebooks_in_force({approved: (first, second, draft), drafts: (draft,)})
    assert named == {approved: RulebookRef(2, second.hash)}


def test_each_programme_of_the_city_has_one() -> None:
    assert set(rulebooks_in_force()) == {ProgrammeId(number) for number in range(1, 6)}
