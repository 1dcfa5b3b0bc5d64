"""Rulebooks: what they refuse, what their hash covers, which version rates a day."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pydantic
import pytest
import rfc8785
import yaml

from issuers.rules.rulebook import RULEBOOKS, Rulebook, RulebookFile, check_versions, in_force, load_rulebooks
from ledger.errors import ConfigurationError
from ledger.standard.keccak import keccak256
from tests.unit.issuers.build import rulebook

RATE = {"unit": "hour", "points_per_unit": "10"}


def day(year: int, month: int, number: int) -> int:
    """Days since 1970."""
    return date(year, month, number).toordinal() - date(1970, 1, 1).toordinal()


def test_the_citys_rulebooks_load_and_cover_the_five_programmes() -> None:
    """One approved version each; culture grants at most 200 a year, residence never expires and replaces."""
    books = load_rulebooks()
    assert {many[-1].file.slug for many in books.values()} == {
        "volunteer",
        "environmental",
        "traffic",
        "culture",
        "residence",
    }
    by_slug = {many[-1].file.slug: many[-1] for many in books.values()}
    assert [(cap.per, cap.points) for cap in by_slug["culture"].file.caps] == [("year", "200")]
    assert by_slug["residence"].file.is_replacement
    assert by_slug["residence"].file.validity_quarters == "never"
    assert all(book.file.approval.state == "approved" for book in by_slug.values())


def test_the_hash_is_keccak_of_the_canonical_json() -> None:
    """Another reader of the YAML file's content comes to the same hash; a changed rate changes it."""
    one, two = rulebook(RATE), rulebook({**RATE, "points_per_unit": "11"})
    assert one.hash == keccak256(one.canonical)
    assert one.hash != two.hash
    assert rfc8785.dumps(RulebookFile.model_validate_json(one.canonical).model_dump(mode="json", exclude_none=True))
    assert Rulebook.load(RULEBOOKS / "culture-1.yaml").hash == Rulebook.load(RULEBOOKS / "culture-1.yaml").hash


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"unit": "parsec"}, "unknown unit"),
        ({"points": "5"}, "exactly one of points_per_unit"),
        ({"points_per_unit": "-1"}, "pattern"),
        ({"points_per_unit": "1e3"}, "pattern"),
        ({"caps": [{"per": "day"}]}, "exactly one of points, quantity and deeds"),
        ({"caps": [{"per": "decade", "points": "5"}]}, "day"),
        ({"screens": ["velocity"]}, "velocity"),
        ({"round_to": "0.001"}, "multiple of 0.01"),
        ({"points_per_unit": None, "bands": [{"points_per_unit": "3"}, {"points_per_unit": "1"}]}, "bands rise"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], complaint: str) -> None:
    """A rulebook that cannot be meant so does not load."""
    with pytest.raises(pydantic.ValidationError, match=complaint):
        rulebook({**RATE, **changes})


def test_the_newest_approved_version_of_the_day_rates() -> None:
    """Versions by the deed's date; drafts never rate."""
    first = rulebook(RATE, effective_until="2026-06-30")
    second = rulebook(RATE, version=2, effective_from="2026-07-01")
    draft = rulebook(RATE, version=3, effective_from="2026-07-01", approval={"state": "draft"})
    books = check_versions([draft, second, first])
    assert in_force(books, day(2026, 6, 30)) is first
    assert in_force(books, day(2026, 7, 1)) is second
    assert in_force(books, day(2019, 12, 31)) is None
    with pytest.raises(ConfigurationError, match="twice"):
        check_versions([first, rulebook(RATE)])


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """File and place, in one line."""
    path = tmp_path / "broken.yaml"
    path.write_text(yaml.safe_dump({"programme": 1}), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"broken\.yaml, line 1: slug is missing; add it"):
        Rulebook.load(path)
    path.write_text("a: [", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"broken.yaml cannot be read"):
        Rulebook.load(path)
