"""docs/privacy.md names every table that can hold something of a person, and no table that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from ledger.store.base import Base
from ledger.store.database import import_models

PAGE = Path(__file__).resolve().parents[3] / "docs" / "privacy.md"
OTHERS = re.compile(
    r"merchants|offers|redemption_cursor|issuance_counters|issuance_rulebooks|issuance_tallies|webhook_|withdrawn_tokens"
)
"""With the chain's projections and the outbox, what the line of all others stands for: nothing that is one person's."""


def test_every_table_has_its_line() -> None:
    import_models()
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    named = {name for line in lines for name in re.findall(r"`([a-z_]+)`", line.split("|")[1])}
    tables = {
        str(one.local_table)
        for one in Base.registry.mappers
        if one.class_.__module__.rpartition(".")[2] not in ("projection", "outbox")
    }
    assert named <= set(Base.metadata.tables)
    rest = {name for name in tables - named if not OTHERS.match(name)}
    assert rest == set(), "a new table: say what it holds of a person, or add it to the others"
