"""Lists for people: in order, of one programme, cut to a page, and nothing of another's."""

from __future__ import annotations

from typing import Any

import pytest

from issuers.batches.packing import pack_batches, store_batches
from issuers.errors import ReviewNotFound
from issuers.reports.listing import latest_grants, open_batches, refusal_page, refusals_of_delivery, review, reviews
from issuers.states import BatchState, DeliveryState, GrantState, RefusalState, ReviewState
from ledger.standard.ids import AccountBytes, ProgrammeId, ProgrammeSlug
from ledger.store.database import Database
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceDeliveryRow,
    IssuanceGrantRow,
    IssuanceRefusalRow,
    IssuanceReviewRow,
)
from ledger.store.models.residents import ResidentRow
from tests.unit.issuers.build import NOW, leaves_of

PROGRAMME, OTHER = ProgrammeId(9), ProgrammeId(8)
SLUGS = {PROGRAMME: ProgrammeSlug("test"), OTHER: ProgrammeSlug("other")}


def delivery(number: int) -> IssuanceDeliveryRow:
    return IssuanceDeliveryRow(
        delivery_id=number,
        programme=PROGRAMME,
        kind="file",
        name=f"{number}.csv",
        content_sha256=number.to_bytes(32, "big"),
        mapping="test",
        mapping_hash=bytes(32),
        state=DeliveryState.DONE,
        rows_done=1,
        data_key=b"",
        repeats=0,
        created_at=NOW,
        updated_at=NOW,
    )


def refusal(number: int, **changes: Any) -> IssuanceRefusalRow:
    values = {
        "refusal_id": number,
        "programme": PROGRAMME,
        "delivery_id": 1,
        "row_number": number,
        "line": number + 1,
        "field": "quantity",
        "code": "bad_number",
        "reason_en": "no number",
        "reason_zh": "不是数字",
        "state": RefusalState.OPEN,
        "created_at": NOW,
    }
    return IssuanceRefusalRow(**values | changes)


def held(number: int, **changes: Any) -> IssuanceReviewRow:
    values = {
        "review_id": number,
        "programme": PROGRAMME,
        "record_id": 100 + number,
        "screen": "overlap",
        "reason_en": "two places",
        "reason_zh": "同时两地",
        "state": ReviewState.OPEN,
        "created_at": NOW,
    }
    return IssuanceReviewRow(**values | changes)


@pytest.fixture
def refused(database: Database) -> Database:
    """Five refusals of a programme in two files, of which one was corrected, and one of another programme."""
    with database.transaction() as session:
        session.add_all([delivery(1), delivery(2)])
        session.add_all(refusal(number) for number in (1, 2))
        session.add(refusal(3, state=RefusalState.RESUBMITTED))
        session.add_all(refusal(number, delivery_id=2) for number in (4, 5))
        session.add(refusal(6, programme=OTHER))
    return database


def test_refusals_are_paged_oldest_first_until_there_is_no_more(refused: Database) -> None:
    cursor, pages = None, []
    with refused.read() as session:
        while True:
            page = refusal_page(session, SLUGS, PROGRAMME, cursor, 2, open_only=True)
            pages.append([one.refusal_id for one in page.items])
            cursor = page.next_cursor
            if cursor is None:
                break
    assert pages == [[1, 2], [4, 5]]


def test_a_page_may_hold_what_was_corrected_too(refused: Database) -> None:
    with refused.read() as session:
        page = refusal_page(session, SLUGS, PROGRAMME, None, 10, open_only=False)
        behind = refusal_page(session, SLUGS, PROGRAMME, 5, 10, open_only=False)
    assert [one.refusal_id for one in page.items] == [1, 2, 3, 4, 5]
    assert page.next_cursor is None
    assert (behind.items, behind.next_cursor) == ((), None)


def test_a_refusal_names_file_line_field_and_both_reasons(refused: Database) -> None:
    with refused.read() as session:
        [first, *_] = refusal_page(session, SLUGS, PROGRAMME, None, 1, open_only=True).items
    assert (first.programme, first.file, first.line, first.row) == ("test", "1.csv", 2, 1)
    assert (first.field, first.code, first.reason_en, first.reason_zh) == (
        "quantity",
        "bad_number",
        "no number",
        "不是数字",
    )


def test_a_deliverys_refusals_are_its_own_and_no_more_than_asked_for(refused: Database) -> None:
    with refused.read() as session:
        assert [one.refusal_id for one in refusals_of_delivery(session, SLUGS, 1, 2)] == [1, 2]
        assert [one.refusal_id for one in refusals_of_delivery(session, SLUGS, 2, 10)] == [4, 5]
        assert refusals_of_delivery(session, SLUGS, 3, 10) == []


def test_held_records_are_listed_by_state_and_programme(database: Database) -> None:
    with database.transaction() as session:
        session.add_all([held(1), held(2, programme=OTHER), held(3, state=ReviewState.APPROVED), held(4)])
    with database.read() as session:
        assert [one.review_id for one in reviews(session, SLUGS, PROGRAMME, ReviewState.OPEN, 10)] == [1, 4]
        assert [one.review_id for one in reviews(session, SLUGS, None, ReviewState.OPEN, 10)] == [1, 2, 4]
        assert [one.review_id for one in reviews(session, SLUGS, None, ReviewState.OPEN, 2)] == [1, 2]


def test_a_held_record_names_its_approvers_and_the_other_programme_that_is_known(database: Database) -> None:
    with database.transaction() as session:
        session.add(held(1, other_programme=OTHER, other_record_id=7, approver_first="Chen"))
        session.add(held(2, other_programme=ProgrammeId(5), other_record_id=7))
    with database.read() as session:
        first, second = (review(session, SLUGS, PROGRAMME, number) for number in (1, 2))
    assert (first.other_programme, first.other_record_id, first.approvals) == ("other", 7, ("Chen",))
    assert (second.other_programme, second.approvals) == (None, ())


def test_a_held_record_of_another_programme_is_not_found(database: Database) -> None:
    with database.transaction() as session:
        session.add(held(1))
    with database.read() as session:
        for programme, number in ((OTHER, 1), (PROGRAMME, 2)):
            with pytest.raises(ReviewNotFound):
                review(session, SLUGS, programme, number)


def test_batches_are_open_until_they_have_landed_or_are_void(database: Database) -> None:
    with database.transaction() as session:
        for programme in (PROGRAMME, OTHER):
            for state in BatchState:
                made, _ = pack_batches(programme, leaves_of(2), {1: 4}, NOW, flush=True)
                store_batches(session, programme, made)
                row = session.get_one(IssuanceBatchRow, (programme, made[0].number))
                row.state, row.reason = state, f"because {state}"
    with database.read() as session:
        ours, all_of_them = open_batches(session, SLUGS, PROGRAMME), open_batches(session, SLUGS, None)
    assert {one.state for one in ours} == set(BatchState) - {BatchState.LANDED, BatchState.VOID}
    assert {one.programme for one in ours} == {"test"}
    assert [one.number for one in ours] == sorted(one.number for one in ours)
    assert all(one.reason == f"because {one.state}" and (one.grants, one.amount_minor) == (2, 201) for one in ours)
    assert len(all_of_them) == 2 * len(ours)


def test_a_wallets_grants_come_newest_first_and_are_nobody_elses(database: Database) -> None:
    mine, theirs = AccountBytes(b"\1" * 20), AccountBytes(b"\2" * 20)
    with database.transaction() as session:
        for resident_id, account in ((1, mine), (2, theirs)):
            session.add(
                ResidentRow(
                    resident_id=resident_id, identity_key_version=1, account=account, status="active", created_at=NOW
                )
            )
        for number, resident_id in enumerate((1, 2, 1, 1)):
            session.add(
                IssuanceGrantRow(
                    grant_id=number.to_bytes(32, "big"),
                    programme=PROGRAMME,
                    record_id=number,
                    resident_id=resident_id,
                    account=mine if resident_id == 1 else theirs,
                    amount_minor=100,
                    revoked_minor=0,
                    activity="WORK",
                    rulebook_version=1,
                    commitment=bytes(32),
                    explanation="",
                    state=GrantState.READY,
                    created_at=NOW + number,
                )
            )
    with database.read() as session:
        assert [int(one, 16) for one in latest_grants(session, mine, 10)] == [3, 2, 0]
        assert [int(one, 16) for one in latest_grants(session, mine, 2)] == [3, 2]
        assert latest_grants(session, AccountBytes(b"\3" * 20), 10) == []
