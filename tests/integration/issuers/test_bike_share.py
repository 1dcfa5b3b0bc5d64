"""A source that nobody here wrote, onboarded by a mapping and a rulebook alone."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from issuers.intake.dry_run import dry_run
from issuers.rules.rulebook import Rulebook
from issuers.sources.mapping import Mapping
from ledger.custody.signer import LocalSigner
from ledger.residents.registry import NewResident
from ledger.store.models.issuance import IssuanceGrantRow
from tests.e2e.runs import tongdui
from tests.integration.issuers.lab import NOW, NOWHERE, Desk, service_for

HERE = Path(__file__).parent / "bike_share"
PLACES = [parent / "shared" / "data" / "bay-area-bike-share-2013.csv" for parent in Path(__file__).resolve().parents]


@pytest.fixture
def trips() -> Path:
    """The published file, in the folder ``shared`` beside the repository."""
    found = next((path for path in PLACES if path.is_file()), None)
    if found is None:
        pytest.skip("shared/data/bay-area-bike-share-2013.csv is not beside this repository")
    return found


def reckon(path: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Points by bicycle and refusals by code, reckoned here in another way than the engine's.

    Ten of the published trips end before they start: somebody's clock was months ahead. The engine finds them too.
    """
    earned: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    refused = {"ended_before_started": 0, "below_minimum": 0}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            seconds = int(row["duration"])
            civil, ended = (datetime.strptime(row[name], "%m/%d/%y %H:%M") for name in ("start_date", "end_date"))  # noqa: DTZ007
            if ended < civil or seconds < 120:
                refused["ended_before_started" if ended < civil else "below_minimum"] += 1
                continue
            local = civil.replace(tzinfo=ZoneInfo("America/Los_Angeles"))
            day = (local.astimezone(UTC) + timedelta(hours=8)).strftime("%Y-%m-%d")
            minor = Fraction(min(seconds, 3600), 60) * 20
            earned[row["bike_id"], day] = min(earned[row["bike_id"], day] + minor // 1, Fraction(2000))
    totals: dict[str, int] = defaultdict(int)
    for (bike, _), minor in earned.items():
        totals[bike] += int(minor)
    return dict(totals), refused


def test_a_dry_run_shows_what_would_be_minted(trips: Path) -> None:
    """674 trips; the preview explains grants and refusals and stores nothing."""
    mapping, rulebook = Mapping.load(HERE / "mapping.yaml"), Rulebook.load(HERE / "rulebook.yaml")
    report = dry_run(mapping, [rulebook], trips, int(NOW.timestamp()))
    totals, refused = reckon(trips)
    assert report.rows == 674
    assert report.would_grant_minor == sum(totals.values())
    assert report.refusals == refused
    assert refused["ended_before_started"] == 10
    assert report.would_grant + sum(report.refusals.values()) == 674
    assert "0.2 points a minute" in report.first_grants[0]["explanation_en"]


def test_the_command_shows_first_grants_refusals_and_what_would_be_minted(trips: Path, tmp_path: Path) -> None:
    """``tongdui issuers check``, as an agency runs it on its own export: for people, and for machines."""
    command = ["issuers", "check", str(trips), "--mapping", str(HERE / "mapping.yaml")]
    command += ["--rules", str(HERE / "rulebook.yaml"), "--state-dir", str(tmp_path)]
    totals, refused = reckon(trips)
    shown = tongdui(*command)
    assert shown.code == 1, "some trips would be refused"
    minor = sum(totals.values())
    assert f"would be granted {minor // 100}.{minor % 100:02d} points" in shown.out
    assert "the first grants" in shown.out
    assert "0.2 points a minute" in shown.out
    assert "the first refusals" in shown.out
    assert "ended_before_started" in shown.out
    found = tongdui(*command, "--json").last
    assert (found["rows"], found["would_grant_minor"], found["refusals"]) == (674, str(minor), refused)
    assert list(tmp_path.iterdir()) == [], "nothing is stored"


def test_trips_become_grants(desk: Desk, trips: Path) -> None:
    """The whole pipeline, one resident a bicycle: each gets what an independent reckoning says."""
    rulebook = Rulebook.load(HERE / "rulebook.yaml")
    service = service_for(desk, NOWHERE, {77: LocalSigner(b"\7" * 32)}, {rulebook.programme: (rulebook,)})
    totals, _ = reckon(trips)
    accounts = {}
    with desk.database.transaction() as session:
        for bike in totals:
            resident = desk.registry.register(session, NewResident(f"99{int(bike):016d}")).resident
            desk.registry.link(session, resident.resident_id, 77, bike)
            accounts[bike] = resident.resident_id
    report = service.ingest_file("bike-share", trips, HERE / "mapping.yaml")
    assert report.rows == 674
    assert report.granted_minor == sum(totals.values())
    found: dict[int, int] = defaultdict(int)
    with desk.database.read() as session:
        for resident_id, amount in session.execute(select(IssuanceGrantRow.resident_id, IssuanceGrantRow.amount_minor)):
            found[resident_id] += amount
    assert found == {accounts[bike]: total for bike, total in totals.items() if total}
    assert len(service.make_batches()) == 2
