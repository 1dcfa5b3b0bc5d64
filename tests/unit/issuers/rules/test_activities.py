"""The activity catalogue: what deviates from it, and that nothing outside it is in force unapproved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml

from issuers.rules.activities import ACTIVITIES, Catalogue, Entry, approved_rulebooks, check_approval, deviations
from issuers.rules.rulebook import RULEBOOKS, load_rulebooks
from ledger.errors import ConfigurationError
from tests.unit.issuers.build import rulebook

CATALOGUE = Catalogue(programmes={"test": (Entry(code="WORK", unit="hour", low="5", high="20"),)})
HOURLY = {"unit": "hour", "points_per_unit": "10"}


@pytest.mark.parametrize(
    "activity",
    [
        {"unit": "hour", "points_per_unit": "5"},
        {"unit": "hour", "points_per_unit": "20"},
        {"unit": "minute", "points_per_unit": "0.1"},
        {"unit": "hour", "points": "20", "step": "2"},
        {"unit": "hour", "bands": [{"up_to": "2", "points_per_unit": "20"}, {"points_per_unit": "5"}]},
    ],
)
def test_a_rate_within_its_range_is_no_deviation(activity: dict[str, Any]) -> None:
    """Both ends belong to the range; other units of the same dimension are converted exactly."""
    assert deviations(rulebook(activity), CATALOGUE) == []


@pytest.mark.parametrize(
    ("activity", "rate"),
    [
        ({"unit": "hour", "points_per_unit": "4.999999"}, "4.999999"),
        ({"unit": "hour", "points_per_unit": "20.000001"}, "20.000001"),
        ({"unit": "minute", "points_per_unit": "0.4"}, "0.4"),
        ({"unit": "hour", "points": "50", "step": "2"}, "25"),
        ({"unit": "hour", "points": "2"}, "2"),
        ({"unit": "hour", "bands": [{"up_to": "2", "points_per_unit": "10"}, {"points_per_unit": "1"}]}, "1"),
        ({"unit": "trip", "points_per_unit": "10"}, "10"),
        ({**HOURLY, "code": "REST"}, "10"),
    ],
)
def test_a_rate_outside_is_a_deviation(activity: dict[str, Any], rate: str) -> None:
    """Below, above, in one band only, of another dimension, or of a code that the catalogue does not have."""
    [found] = deviations(rulebook(activity), CATALOGUE)
    assert found.rate == rate
    assert found.code in found.reason_en
    assert found.code in found.reason_zh


def test_a_programme_without_entries_deviates_whole() -> None:
    """What the catalogue does not know needs approval, rate by rate."""
    assert len(deviations(rulebook(HOURLY), Catalogue(programmes={}))) == 1


def test_only_an_express_approval_of_that_rate_lets_it_pass() -> None:
    """Drafts may deviate; an exception names code and rate, so that it covers no later change."""
    dear = {**HOURLY, "points_per_unit": "30"}
    exception = {"code": "WORK", "rate": "30.0", "reason": "flood relief", "resolution": "2026-7"}
    check_approval(rulebook(dear, approval={"state": "draft"}), CATALOGUE)
    check_approval(rulebook(dear, approval={"state": "approved", "exceptions": [exception]}), CATALOGUE)
    with pytest.raises(
        ConfigurationError, match=r"30 points per hour of WORK lie outside 5 to 20.*approval\.exceptions"
    ):
        check_approval(rulebook(dear), CATALOGUE)
    other = rulebook(dear, approval={"state": "approved", "exceptions": [{**exception, "rate": "29"}]})
    with pytest.raises(ConfigurationError, match="WORK"):
        check_approval(other, CATALOGUE)


def test_the_citys_rulebooks_need_no_exception() -> None:
    """And so load as they are."""
    assert approved_rulebooks() == load_rulebooks()


def test_an_unapproved_rate_keeps_the_city_from_opening(tmp_path: Path) -> None:
    """The folder is refused as a whole, before any deed is rated."""
    content = yaml.safe_load((RULEBOOKS / "volunteer-1.yaml").read_text(encoding="utf-8"))
    content["activities"][0]["points_per_unit"] = "21"
    (tmp_path / "volunteer-1.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="21 points per hour of SERVICE"):
        approved_rulebooks(tmp_path)
    generous = Catalogue(programmes={"volunteer": (Entry(code="SERVICE", unit="hour", low="1", high="21"),)})
    assert len(approved_rulebooks(tmp_path, generous)) == 1


@pytest.mark.parametrize("change", [{"unit": "parsec"}, {"low": "21"}, {"low": "-1"}, {"code": "work"}])
def test_nonsense_in_a_catalogue_is_refused(change: dict[str, str]) -> None:
    """A range that cannot be meant so does not load."""
    with pytest.raises(pydantic.ValidationError):
        Entry.model_validate({"code": "WORK", "unit": "hour", "low": "5", "high": "20", **change})


def test_the_packages_catalogue_has_every_code_once() -> None:
    """A code means one thing in a programme."""
    for entries in Catalogue.load(ACTIVITIES).programmes.values():
        codes = [one.code for one in entries]
        assert len(set(codes)) == len(codes)
