"""Builders of mappings, rulebooks, deeds and leaves for unit tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from issuers.batches.evidence import LeafRow
from issuers.rules.deeds import Deed
from issuers.rules.rulebook import Rulebook, RulebookFile, compile_rulebook
from issuers.rules.units import MICRO, UNITS
from issuers.sources.mapping import Mapping

NOW = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())
DAY = NOW // 86_400


def mapping(**changes: Any) -> Mapping:
    """A mapping with columns id, who, what, when, until, amount."""
    content: dict[str, Any] = {
        "name": "test",
        "system": "test",
        "programme": "test",
        "format": "csv",
        "fields": {
            "record_id": {"column": "id"},
            "source_id": {"column": "who"},
            "activity": {"column": "what", "values": {"work": "WORK"}},
            "started_at": {"column": "when"},
            "ended_at": {"column": "until", "optional": True},
        },
        "quantity": [{"column": "amount", "unit": "hour"}],
    }
    content.update(changes)
    return Mapping.model_validate(content)


def rulebook(*activities: dict[str, Any], **changes: Any) -> Rulebook:
    """A rulebook of programme 9 in force since 2020."""
    content: dict[str, Any] = {
        "programme": 9,
        "slug": "test",
        "version": 1,
        "title": {"zh": "测试", "en": "Test"},
        "effective_from": "2020-01-01",
        "approval": {"state": "approved"},
        "validity_quarters": 4,
        "activities": [{"code": "WORK", "names": {"zh": "劳动", "en": "Work"}, **one} for one in activities],
    }
    content.update(changes)
    return compile_rulebook(RulebookFile.model_validate(content))


def deed(quantity: str, unit: str = "hour", day: int = DAY - 1, **changes: Any) -> Deed:
    """A deed of so many units."""
    whole, _, part = quantity.partition(".")
    micro = (int(whole) * MICRO + int((part + "000000")[:6])) * UNITS[unit].factor
    made = Deed(
        1,
        None,
        "r1",
        "p1",
        "WORK",
        day,
        None,
        None,
        micro,
        UNITS[unit].dimension,
        None,
        None,
        b"{}",
        frozenset({"record_id"}),
    )
    return made._replace(**changes)


def leaves_of(count: int, version: int = 1, first: int = 0) -> list[LeafRow]:
    """Leaves of ``count`` grants, numbered from ``first``; each of another amount."""
    return [
        LeafRow(n.to_bytes(32, "big"), n.to_bytes(20, "big"), 100 + n, "WORK", version, bytes(32))
        for n in range(first, first + count)
    ]
