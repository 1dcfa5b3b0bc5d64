"""The five samples against the truth that was written beside them."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from sqlalchemy import func, select

from issuers.samples.generate import Samples
from issuers.samples.ticket_api import serve_tickets
from ledger.store.models.issuance import IssuanceGrantRow, IssuanceRecordRow
from tests.integration.issuers.lab import PROGRAMMES, Desk, ingest_all

NOT_REFUSALS = {"awaiting_link", "correction", "double_claim", "cap_partial"}


def test_every_planted_record_meets_its_code(any_desk: Desk, samples: Samples) -> None:
    """Counts by refusal code, by review and by status are those that were planted; nothing else is lost."""
    any_desk.register(samples.people)
    with serve_tickets(samples.culture_items) as api:
        ingest_all(any_desk, samples, (api.url, api.token))
    counts = any_desk.service.counts()
    for slug, plan in samples.plans.items():
        found, planted = counts[slug], plan.planted
        expected = {code: count for code, count in planted.items() if code not in NOT_REFUSALS}
        assert found.refusals == dict(sorted(expected.items())), slug
        assert found.awaiting_link == planted["awaiting_link"], slug
        assert found.reviews == ({"double_claim": planted["double_claim"]} if planted["double_claim"] else {}), slug
        assert found.corrections == planted["correction"], slug
        assert found.records == len(plan.rows), slug
        assert found.records == (found.accepted + found.refused + found.awaiting_link + found.held + found.waiting), (
            slug
        )
    assert counts["traffic"].repeated_deliveries == 2


def test_tallies_equal_the_rows_they_count(desk: Desk, samples: Samples) -> None:
    """The running counts are those of the records themselves, and what was granted is the grants' sum."""
    desk.register(samples.people)
    with serve_tickets(samples.culture_items) as api:
        ingest_all(desk, samples, (api.url, api.token))
    counts = desk.service.counts()
    with desk.database.read() as session:
        for slug, number in PROGRAMMES.items():
            rows = Counter(
                session.scalars(select(IssuanceRecordRow.status).where(IssuanceRecordRow.programme == number))
            )
            granted = session.scalar(
                select(func.sum(IssuanceGrantRow.amount_minor)).where(IssuanceGrantRow.programme == number)
            )
            assert counts[slug].accepted - counts[slug].corrections == rows["accepted"], slug
            assert counts[slug].awaiting_link == rows["awaiting_link"], slug
            assert counts[slug].held == rows["held"] + rows["pending"], slug
            assert counts[slug].granted_minor == granted, slug


def test_amounts_equal_an_independent_reckoning(desk: Desk, samples: Samples) -> None:
    """Volunteers get 10 points an hour, ticket buyers 15 or 20 % of the price: reckoned here from the rows."""
    desk.register(samples.people, only_linked=False)
    with serve_tickets(samples.culture_items) as api:
        ingest_all(desk, samples, (api.url, api.token))
    seen: set[str] = set()
    hours = Decimal(0)
    for row in samples.plans["volunteer"].rows:
        is_clean = row["记录编号"].startswith("ZY2026") and row["记录编号"] not in seen
        seen.add(row["记录编号"])
        hours += Decimal(row["服务时间（小时）"]) if is_clean else 0
    assert desk.service.counts()["volunteer"].granted_minor == hours * 1000
    minor = Decimal(0)
    for row in samples.plans["culture"].rows:
        if not row["order_no"].startswith("WH2026") or row["order_no"] in seen:
            continue
        seen.add(row["order_no"])
        if not row["order_no"].startswith("WH20265"):
            share = 20 if row["category"] in ("museum", "bookfair") else 15
            minor += Decimal(row["paid"]) * share
    assert desk.service.counts()["culture"].granted_minor == minor + 20_000, "the theatre lover gets 200 points in all"


def test_the_same_again_changes_nothing(desk: Desk, samples: Samples) -> None:
    """Every way in, run twice: the second run grants nothing, refuses nothing and counts nothing."""
    desk.register(samples.people)
    with serve_tickets(samples.culture_items) as api:
        ingest_all(desk, samples, (api.url, api.token))
        once = desk.service.counts()
        desk.service.make_batches()
        for path in samples.volunteer_files:
            assert desk.service.ingest_file("volunteer", path).outcome == "exists"
        assert desk.service.pull_rest("culture", api.url, api.token).statuses == Counter()
    assert desk.service.make_batches() == []
    again = desk.service.counts()
    assert again["volunteer"].repeated_deliveries == 3
    assert {slug: (c.records, c.granted_minor, c.refusals) for slug, c in again.items()} == {
        slug: (c.records, c.granted_minor, c.refusals) for slug, c in once.items()
    }


def test_links_made_later_grant_what_waited(desk: Desk, samples: Samples) -> None:
    """Records of unlinked source ids are granted when the link is made, as if it had been there."""
    with serve_tickets(samples.culture_items) as api:
        ingest_all(desk, samples, (api.url, api.token))
    nobody = desk.service.counts()
    assert nobody["volunteer"].accepted == 0
    assert nobody["volunteer"].awaiting_link > 0
    desk.register(samples.people)
    assert desk.service.grant_linked() > 0
    assert desk.service.grant_linked() == 0
    for slug, plan in samples.plans.items():
        found = desk.service.counts()[slug]
        assert found.awaiting_link == plan.planted["awaiting_link"], slug
        assert found.records == nobody[slug].records, slug
    # Whichever programme's records are decided first, each double claim is held once.
    held = sum(one.held for one in desk.service.counts().values())
    assert held == samples.plans["environmental"].planted["double_claim"]
