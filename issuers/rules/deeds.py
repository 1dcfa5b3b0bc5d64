"""A deed: one record of a source system after mapping and validation, before any rule."""

from __future__ import annotations

from typing import NamedTuple


class Deed(NamedTuple):
    """What somebody did, in canonical units. A NamedTuple: millions are made, none changes."""

    row: int
    line: int | None
    record_id: str
    """Natural id within the source system."""
    source_id: str
    """Whose record it is, in the source system's own words: personal data, in memory only."""
    activity: str
    day: int
    """Civil day (UTC+8) of the deed, as days since 1970-01-01."""
    started_at: int | None
    """Unix seconds; None where the source gives a day only."""
    ended_at: int | None
    quantity_micro: int
    """Millionths of the base unit of ``dimension``."""
    dimension: str
    revision: int | None
    """Version of the record in its source: higher replaces lower."""
    device: str | None
    canonical: bytes
    """The record in RFC 8785 form: what the commitment is made of and what is sealed."""
    present: frozenset[str]
    """Names of the fields that the source filled."""
