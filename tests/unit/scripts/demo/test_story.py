"""A story that does not add up is never told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.demo.story import Intake, Story, StoryDoesNotAddUp, check, contradictions
from tests.unit.scripts.demo.story_sample import sample_story


@pytest.fixture
def story() -> Story:
    return sample_story()


def test_a_story_that_adds_up_is_told(story: Story) -> None:
    assert contradictions(story) == []
    assert check(story) is story


def test_a_lost_record_is_found(story: Story) -> None:
    first = replace(story.programmes[0], intake=Intake(3000, 2800, 150, 20, 24, 5))
    broken = replace(story, programmes=(first, *story.programmes[1:]))
    assert contradictions(broken) == ["volunteer: 3000 records, but their outcomes add up to 2999"]
    with pytest.raises(StoryDoesNotAddUp, match="2999"):
        check(broken)


@pytest.mark.parametrize("part", ["granted", "exchanged_in", "refunded", "exchanged_out", "redeemed", "outstanding"])
def test_every_movement_counts(story: Story, part: str) -> None:
    first = story.programmes[0]
    movement = replace(first.movement, **{part: getattr(first.movement, part) + 1})
    broken = replace(story, programmes=(replace(first, movement=movement), *story.programmes[1:]))
    assert [text.split(":")[0] for text in contradictions(broken)] == ["volunteer"]


def test_points_without_value_never_cross(story: Story) -> None:
    residence = story.programmes[-1]
    movement = replace(residence.movement, exchanged_in=100, outstanding=residence.movement.outstanding + 100)
    broken = replace(story, programmes=(*story.programmes[:-1], replace(residence, movement=movement)))
    assert contradictions(broken) == ["residence: points without value were exchanged or cleared"]


def test_positions_add_up_to_nothing_and_follow_from_the_flows(story: Story) -> None:
    shop = replace(story.merchants[0], position_fen=story.merchants[0].position_fen + 1)
    broken = replace(story, merchants=(shop, *story.merchants[1:]))
    assert [text.split(" fen")[0] for text in contradictions(broken)] == [
        "positions add up to 1",
        f"merchant 1: took {shop.position_fen - 1}",
        f"merchant 1: would get {shop.position_fen - 1}",
    ]


def test_a_flow_that_no_position_knows_is_found(story: Story) -> None:
    flow = replace(story.exchanges[0], fen=story.exchanges[0].fen + 5)
    broken = replace(story, exchanges=(flow, *story.exchanges[1:]))
    assert [text.split(":")[0] for text in contradictions(broken)] == ["environmental", "culture"]


def test_the_transfers_settle_exactly_what_shops_are_owed(story: Story) -> None:
    assert sum(payment.fen for payment in story.payments) == sum(shop.position_fen for shop in story.merchants)
    first = replace(story.payments[0], fen=story.payments[0].fen - 7)
    broken = replace(story, payments=(first, *story.payments[1:]))
    assert contradictions(broken) == ["merchant 1: would get 47293 fen, its position is 47300 fen"]


def test_nobody_pays_more_than_it_owes(story: Story) -> None:
    first = replace(story.payments[0], slug="culture")
    broken = replace(story, payments=(first, *story.payments[1:]))
    assert [text.split(":")[0] for text in contradictions(broken)] == ["culture"]


def test_the_verdicts_are_part_of_the_story(story: Story) -> None:
    broken = replace(story, audit=replace(story.audit, verdict="FAIL"), forgery=replace(story.forgery, verdict="PASS"))
    assert contradictions(broken) == [
        "the auditor says FAIL on the chain",
        "the auditor says PASS on the forged copy",
    ]
