"""Rules over time: pending deeds, versions by the deed's date, a rulebook that was changed behind our back."""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from issuers.rules.rulebook import Rulebook, RulebookFile, compile_rulebook
from issuers.service import IssuerService
from ledger.custody.signer import LocalSigner
from ledger.errors import InvariantViolation
from ledger.standard.ids import ProgrammeId
from tests.integration.issuers.lab import NOW, NOWHERE, Desk, service_for


def book(version: int, rate: str, **changes: Any) -> Rulebook:
    """An environmental rulebook of one activity."""
    activity = {
        "code": "RECYCLE-PAPER",
        "names": {"zh": "废纸回收", "en": "Paper"},
        "unit": "kilogram",
        "points_per_unit": rate,
        **changes.pop("activity", {}),
    }
    content = {
        "programme": 2,
        "slug": "environmental",
        "version": 100 + version,  # the desk keeps the city's own version 1
        "title": {"zh": "规则", "en": "Rules"},
        "effective_from": "2026-01-01",
        "approval": {"state": "approved"},
        "validity_quarters": 4,
        "activities": [activity],
        **changes,
    }
    return compile_rulebook(RulebookFile.model_validate(content))


def service(desk: Desk, *books: Rulebook) -> IssuerService:
    """A service of these rulebooks alone."""
    return service_for(desk, NOWHERE, {2: LocalSigner(b"\2" * 32)}, {ProgrammeId(2): books})


def push(one: IssuerService, record: str, day: str, weight: str = "1") -> Any:
    """Deliver one record of paper."""
    event = {"id": record, "user_id": "zd_00000001", "item": "RECYCLE-PAPER", "quantity": weight, "unit": "kg",
             "started_at": f"{day}T09:00:00+08:00"}  # fmt: skip
    return deliver(one, record, [event])


def deliver(one: IssuerService, name: str, events: list[dict[str, str]]) -> Any:
    """Push events under a name."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        json.dump(events, body)
        body.flush()
        return one.push("environmental", name, Path(body.name), "environmental-jsonl", is_lines=False)


def test_a_self_reported_deed_waits_its_time(desk: Desk) -> None:
    """Pending counts as held; when the time is over it is rated, by the caps of its own day."""
    desk.resident("990000195401010011", environmental="zd_00000001")
    one = service(desk, book(1, "10", activity={"pending_days": 3, "caps": [{"per": "day", "deeds": 1}]}))
    push(one, "ZD0001", "2026-08-30")
    push(one, "ZD0002", "2026-08-30")
    counts = one.counts()["environmental"]
    assert (counts.pending, counts.held, counts.accepted, counts.records) == (2, 2, 0, 2)
    assert one.release_due() == 0
    desk.clock.set(NOW + timedelta(days=2))
    assert one.release_due() == 2
    counts = one.counts()["environmental"]
    assert (counts.pending, counts.accepted, counts.refused, counts.granted_minor) == (0, 1, 1, 1_000)
    assert one.release_due() == 0


def test_the_deeds_date_chooses_the_version(desk: Desk) -> None:
    """A late delivery is rated by the rule of its day, and every grant names its version."""
    _, account = desk.resident("990000195401010011", environmental="zd_00000001")
    one = service(desk, book(1, "10", effective_until="2026-06-30"), book(2, "20", effective_from="2026-07-01"))
    push(one, "ZD0001", "2026-07-01")
    push(one, "ZD0002", "2026-06-30")
    assert push(one, "ZD0003", "2025-12-31").refusals == {"not_effective": 1}
    told = [one.explain(grant) for grant in one.grants_of(account)]
    assert {(grant.rulebook_version, grant.amount_minor) for grant in told} == {(101, 1_000), (102, 2_000)}
    later = service(desk, book(2, "20", effective_from="2026-07-01"))
    assert [later.explain(one.grant_id) for one in told] == told, "a version out of use is kept to explain by"


def test_a_rule_in_force_cannot_be_changed_in_silence(desk: Desk) -> None:
    """The same version with another content does not start."""
    service(desk, book(1, "10"))
    service(desk, book(1, "10"))
    with pytest.raises(InvariantViolation, match="give it a new version"):
        service(desk, book(1, "12"))


def test_a_correction_by_no_rule_leaves_the_last_good_version(desk: Desk) -> None:
    """An unknown unit in a later version says nothing about the deed; less than the minimum says it earned nothing."""
    desk.resident("990000195401010011", environmental="zd_00000001")
    one = service(desk, book(1, "10", activity={"minimum": "0.5"}))
    push(one, "ZD0001", "2026-08-03", "2")
    event = {"id": "ZD0001", "user_id": "zd_00000001", "item": "RECYCLE-MOON", "quantity": "1", "unit": "kg",
             "started_at": "2026-08-03T09:00:00+08:00"}  # fmt: skip
    refused = deliver(one, "x", [event])
    assert refused.refusals == {"unknown_activity": 1}
    assert one.counts()["environmental"].revoked_minor == 0
    corrected = deliver(one, "y", [{**event, "item": "RECYCLE-PAPER", "quantity": "0.1"}])
    assert corrected.statuses == {"correction": 1}
    counts = one.counts()["environmental"]
    assert (counts.granted_minor, counts.revoked_minor) == (2_000, 2_000)
    assert one.make_batches() == [], "the grant had not reached a batch: it is cancelled"


def test_a_dry_run_stores_nothing(desk: Desk, tmp_path: Path) -> None:
    """`check` shows grants and refusals of a file and leaves no trace."""
    one = service(desk, book(1, "10"))
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"id": "ZD0001", "user_id": "zd_00000001", "item": "RECYCLE-PAPER", "quantity": 2, "unit": "kg", '
        '"started_at": "2026-08-03T09:00:00+08:00"}\n{"id": 5}\n',
        encoding="utf-8",
    )
    report = one.check("environmental-jsonl", None, path)
    assert (report.rows, report.would_grant, report.would_grant_minor) == (2, 1, 2_000)
    assert report.refusals == {"bad_identifier": 1}
    assert one.counts()["environmental"].records == 0


def test_a_dry_run_tries_a_draft_as_if_it_were_approved(desk: Desk, tmp_path: Path) -> None:
    """Of a draft an agency sees what it would grant; where no rulebook is named, only approved ones count."""
    draft = book(2, "20", approval={"state": "draft"})
    one = service(desk, book(1, "10"), draft)
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"id": "ZD0001", "user_id": "zd_00000001", "item": "RECYCLE-PAPER", "quantity": 2, "unit": "kg", '
        '"started_at": "2026-08-03T09:00:00+08:00"}\n',
        encoding="utf-8",
    )
    assert one.check("environmental-jsonl", draft, path).would_grant_minor == 4_000
    assert one.check("environmental-jsonl", None, path).would_grant_minor == 2_000
