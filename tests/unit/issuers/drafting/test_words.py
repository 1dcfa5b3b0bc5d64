"""Names of columns and units, as they stand in real headers."""

from __future__ import annotations

import pytest

from issuers.drafting.words import EXTRAS, ROLES, UNITS_SAID, rank, unit_in, unit_named
from issuers.rules.units import UNITS
from issuers.sources.normalise import RESERVED


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("记录编号", "record_id"),
        ("Order No", "record_id"),
        ("读者证号", "source_id"),
        ("user_id", "source_id"),
        ("服务类别", "activity"),
        ("结束 时间", "ended_at"),
        ("AssessedOn", "day"),
        ("申报时间", "declared_at"),
        ("服务时间（小时）", "quantity"),
        ("单位", "unit"),
    ],
)
def test_a_name_says_its_role_best(name: str, role: str) -> None:
    assert max(ROLES, key=lambda one: rank(ROLES[one], name) / len(ROLES[one])) == role


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("服务时间（小时）", "hour"),
        ("时长(分钟)", "minute"),
        ("重量[kg]", "kilogram"),
        ("weight_kg", "kilogram"),
        ("Distance (km)", "kilometre"),
        ("实付金额", "yuan"),
        ("数量", None),
        ("记录单位", None),
    ],
)
def test_a_header_may_name_the_unit(name: str, unit: str | None) -> None:
    assert unit_in(name) == unit


def test_units_are_known_and_named_once() -> None:
    assert set(UNITS_SAID) <= set(UNITS)
    names = [name for many in UNITS_SAID.values() for name in many]
    assert len(names) == len(set(names))
    assert unit_named(" KG ") == "kilogram"
    assert unit_named("furlong") is None


def test_roles_are_fields() -> None:
    assert set(ROLES) - RESERVED == {"declared_at", "quantity", "unit"}
    assert not set(EXTRAS) & RESERVED
