"""Rules that real cities have, from a file to grants: a mapping and a rulebook, and no code."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from issuers.rules.rulebook import Rulebook
from ledger.custody.signer import LocalSigner
from ledger.residents.registry import NewResident
from ledger.store.models.issuance import IssuanceGrantRow, IssuanceRecordRow, IssuanceRefusalRow
from tests.integration.issuers.lab import NOWHERE, Desk, service_for

HERE = Path(__file__).parent / "city_rules"

CASES: dict[str, tuple[list[str], list[int | str]]] = {
    # (activity,from,to,amount,photo of each deed, in order) → minor points of each, or why it was refused
    "1 volunteer hour = 10 points": (["VOLUNTEERING,2026-08-01T09:00,,2.5,"], [2_500]),
    "1 coin an hour up to 500 hours a year": (
        [
            "TIME-COIN,2026-03-01T09:00,,300,",
            "TIME-COIN,2026-08-01T09:00,,250,",
            "TIME-COIN,2026-08-02T09:00,,1,",
        ],
        [30_000, 20_000, "cap_reached"],
    ),
    "20 coins per 2 hours": (
        ["TWO-HOURS,2026-08-01T09:00,,5.9,", "TWO-HOURS,2026-08-02T09:00,,1.9,"],
        [4_000, "no_points"],
    ),
    "reading 1 an hour with check-in and check-out": (
        [
            "READING,2026-08-01T09:00,2026-08-01T10:30,,",
            "READING,2026-08-02T09:00,,,",
        ],
        [150, "missing_field"],
    ),
    "10 per book donated": (["BOOK,2026-08-01T09:00,,7,"], [7_000]),
    "50 per session taught": (["TEACHING,2026-08-01T09:00,,2,"], [10_000]),
    "per kilogram by material": (
        ["PAPER,2026-08-01T09:00,,12.5,", "METAL,2026-08-01T10:00,,1.25,"],
        [1_000, 250],
    ),
    "5 for a photo, once a day": (
        [
            "PHOTO,2026-08-01T09:00,,1,p1.jpg",
            "PHOTO,2026-08-01T17:00,,1,p2.jpg",
            "PHOTO,2026-08-02T09:00,,3,p3.jpg",
            "PHOTO,2026-08-03T09:00,,1,",
        ],
        [500, "cap_reached", 500, "missing_evidence"],
    ),
    "15 % of a ticket's price up to 200 a year": (
        [
            "TICKET,2026-02-01T19:30,,1000,",
            "TICKET,2026-05-01T19:30,,119.99,",
            "TICKET,2026-06-01T19:30,,400,",
            "TICKET,2026-07-01T19:30,,20,",
        ],
        [15_000, 1_799, 3_201, "cap_reached"],
    ),
}


@pytest.mark.parametrize("rule", CASES)
def test_a_citys_rule_is_a_rulebook_and_no_code(desk: Desk, tmp_path: Path, rule: str) -> None:
    deeds, expected = CASES[rule]
    book = Rulebook.load(HERE / "rulebook.yaml")
    service = service_for(desk, NOWHERE, {78: LocalSigner(b"\7" * 32)}, {book.programme: (book,)})
    with desk.database.transaction() as session:
        resident = desk.registry.register(session, NewResident("990000195401010011")).resident
        desk.registry.link(session, resident.resident_id, 78, "p1")
    path = tmp_path / "deeds.csv"
    rows = [f"r{number},p1,{one}" for number, one in enumerate(deeds, 1)]
    path.write_text("\n".join(["id,who,what,from,to,amount,photo", *rows]) + "\n", encoding="utf-8")
    service.ingest_file("city-rules", path, HERE / "mapping.yaml")
    with desk.database.read() as session:
        granted = session.execute(
            select(IssuanceRecordRow.row_number, IssuanceGrantRow.amount_minor).join(
                IssuanceGrantRow, IssuanceGrantRow.record_id == IssuanceRecordRow.record_id
            )
        ).all()
        refused = session.execute(select(IssuanceRefusalRow.row_number, IssuanceRefusalRow.code)).all()
    found = {row[0]: row[1] for row in [*granted, *refused]}
    assert [found[number] for number in range(1, len(deeds) + 1)] == expected
