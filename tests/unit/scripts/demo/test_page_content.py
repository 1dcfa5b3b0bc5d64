"""A story that does not add up is never told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.demo.page_content import ContradictoryFigures, Intake, PageContent, check, contradictions
from tests.unit.scripts.demo.page_sample import sample_page


@pytest.fixture
def page_content() -> PageContent:
    return sample_page()


def test_a_story_that_adds_up_is_told(page_content: PageContent) -> None:
    assert contradictions(page_content) == []
    assert check(page_content) is page_content


def test_a_lost_record_is_found(page_content: PageContent) -> None:
    first = replace(page_content.programmes[0], intake=Intake(3000, 2800, 150, 20, 24, 5))
    broken = replace(page_content, programmes=(first, *page_content.programmes[1:]))
    assert contradictions(broken) == ["volunteer: 3000 records, but their outcomes add up to 2999"]
    with pytest.raises(ContradictoryFigures, match="2999"):
        check(broken)


@pytest.mark.parametrize("part", ["granted", "exchanged_in", "refunded", "exchanged_out", "redeemed", "outstanding"])
def test_every_movement_counts(page_content: PageContent, part: str) -> None:
    first = page_content.programmes[0]
    movement = replace(first.movement, **{part: getattr(first.movement, part) + 1})
    broken = replace(page_content, programmes=(replace(first, movement=movement), *page_content.programmes[1:]))
    assert [text.split(":")[0] for text in contradictions(broken)] == ["volunteer"]


def test_points_without_value_never_cross(page_content: PageContent) -> None:
    residence = page_content.programmes[-1]
    movement = replace(residence.movement, exchanged_in=100, outstanding=residence.movement.outstanding + 100)
    broken = replace(page_content, programmes=(*page_content.programmes[:-1], replace(residence, movement=movement)))
    assert contradictions(broken) == ["residence: points without value were exchanged or cleared"]


def test_positions_add_up_to_nothing_and_follow_from_the_flows(page_content: PageContent) -> None:
    shop = replace(page_content.merchants[0], position_fen=page_content.merchants[0].position_fen + 1)
    broken = replace(page_content, merchants=(shop, *page_content.merchants[1:]))
    assert [text.split(" fen")[0] for text in contradictions(broken)] == [
        "positions add up to 1",
        f"merchant 1: took {shop.position_fen - 1}",
        f"merchant 1: would get {shop.position_fen - 1}",
    ]


def test_a_flow_that_no_position_knows_is_found(page_content: PageContent) -> None:
    flow = replace(page_content.exchanges[0], fen=page_content.exchanges[0].fen + 5)
    broken = replace(page_content, exchanges=(flow, *page_content.exchanges[1:]))
    assert [text.split(":")[0] for text in contradictions(broken)] == ["environmental", "culture"]


def test_the_transfers_settle_exactly_what_shops_are_owed(page_content: PageContent) -> None:
    assert sum(payment.fen for payment in page_content.payments) == sum(
        shop.position_fen for shop in page_content.merchants
    )
    first = replace(page_content.payments[0], fen=page_content.payments[0].fen - 7)
    broken = replace(page_content, payments=(first, *page_content.payments[1:]))
    assert contradictions(broken) == ["merchant 1: would get 47293 fen, its position is 47300 fen"]


def test_nobody_pays_more_than_it_owes(page_content: PageContent) -> None:
    first = replace(page_content.payments[0], slug="culture")
    broken = replace(page_content, payments=(first, *page_content.payments[1:]))
    assert [text.split(":")[0] for text in contradictions(broken)] == ["culture"]


def test_the_verdicts_are_part_of_the_story(page_content: PageContent) -> None:
    broken = replace(
        page_content,
        audit=replace(page_content.audit, verdict="FAIL"),
        forgery=replace(page_content.forgery, verdict="PASS"),
    )
    assert contradictions(broken) == [
        "the auditor says FAIL on the chain",
        "the auditor says PASS on the forged copy",
    ]
