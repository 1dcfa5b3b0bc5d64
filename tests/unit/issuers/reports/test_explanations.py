"""Why a grant is what it is: the rule that rated it, its caps, its leaf and path, and whether the chain agrees."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from issuers.batches.packing import pack_batches, store_batches
from issuers.errors import GrantNotFound
from issuers.reports.explanations import explain
from issuers.rules.rulebook import Rulebook
from issuers.states import BatchState, DeliveryState, GrantState, RecordState, RevocationState
from ledger.standard.civil_time import day_text
from ledger.standard.evidence import verify
from ledger.standard.ids import ProgrammeId, ProgrammeSlug, split_token_id
from ledger.store.database import Database
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceDeliveryRow,
    IssuanceGrantRow,
    IssuanceRecordRow,
    IssuanceRevocationRow,
    IssuanceRulebookRow,
)
from ledger.store.models.projection import BatchRow as ChainBatchRow
from ledger.store.models.projection import ChainProgrammeRow
from tests.unit.issuers.build import DAY, NOW, leaves_of, rulebook

PROGRAMME = ProgrammeId(9)
SLUGS = {PROGRAMME: ProgrammeSlug("test")}
BOOK = rulebook(
    {
        "unit": "hour",
        "points_per_unit": "10",
        "caps": [{"per": "day", "quantity": "8"}, {"per": "month", "deeds": "20"}],
    },
    caps=[{"per": "year", "points": "200"}],
)
NEWER = rulebook({"unit": "hour", "points_per_unit": "11"}, version=2, effective_from="2026-07-01")
LEAVES = leaves_of(5)
KEY = LEAVES[2].grant_id


def keep_grant(session: Session, **changes: Any) -> None:
    """Keep a grant of 1.02 points with its record and its file."""
    session.add(
        IssuanceDeliveryRow(
            delivery_id=4,
            programme=PROGRAMME,
            kind="file",
            name="august.csv",
            content_sha256=bytes(32),
            mapping="test",
            mapping_hash=bytes(32),
            state=DeliveryState.DONE,
            rows_done=1,
            data_key=b"",
            repeats=0,
            created_at=NOW,
            updated_at=NOW,
        )
    )
    session.add(
        IssuanceRecordRow(
            record_id=7,
            programme=PROGRAMME,
            dedupe_key=bytes(32),
            content_hash=bytes(32),
            source_hmac=bytes(32),
            delivery_id=4,
            row_number=12,
            status=RecordState.ACCEPTED,
            activity="WORK",
            deed_day=DAY - 1,
            quantity_micro=360_000_000,
            granted_minor=102,
            counted_micro=0,
            grants_made=1,
            created_at=NOW,
            updated_at=NOW,
        )
    )
    values = {
        "grant_id": KEY,
        "programme": PROGRAMME,
        "record_id": 7,
        "resident_id": 1,
        "account": LEAVES[2].account,
        "amount_minor": 102,
        "revoked_minor": 0,
        "activity": "WORK",
        "rulebook_version": 1,
        "commitment": bytes(32),
        "explanation": "v=1;a=WORK;q=360000000;base=102",
        "state": GrantState.READY,
        "created_at": NOW,
    }
    session.add(IssuanceGrantRow(**values | changes))


def keep_batch(session: Session) -> IssuanceBatchRow:
    """Pack the grant with four others; return the batch."""
    made, _ = pack_batches(PROGRAMME, LEAVES, {1: 4}, NOW, flush=True)
    store_batches(session, PROGRAMME, made)
    row = session.get_one(IssuanceBatchRow, (PROGRAMME, made[0].number))
    packed = bytes(row.packed)
    accounts = [packed[start : start + 20] for start in range(0, len(packed), 28)]
    keep_grant(
        session,
        state=GrantState.BATCHED,
        batch_number=row.number,
        batch_position=accounts.index(LEAVES[2].account),
    )
    return row


def programme_on_chain(session: Session, book: Rulebook, rulebook_hash: bytes | None = None) -> None:
    session.add(
        ChainProgrammeRow(
            programme=PROGRAMME,
            par_microfen=1,
            flags=0,
            state=1,
            spend_scope=bytes(32),
            rulebook_version=book.version,
            rulebook_hash=rulebook_hash or book.hash,
            appropriated_fen=0,
            paid_fen=0,
            spendable_until=0,
        )
    )


def land(session: Session, row: IssuanceBatchRow, state: str = "landed", root: bytes | None = None) -> None:
    session.add(
        ChainBatchRow(
            programme=PROGRAMME,
            number=row.number,
            state=state,
            quarter=row.quarter,
            evidence_root=root or row.evidence_root,
            grants=row.grants,
            amount_minor=row.amount_minor,
            transaction_hash=b"\7" * 32,
            block_number=33,
            block_timestamp=NOW,
        )
    )


def test_a_grant_that_nobody_made_is_not_found(database: Database) -> None:
    with database.read() as session, pytest.raises(GrantNotFound):
        explain(session, KEY, {PROGRAMME: [BOOK]}, SLUGS)


def test_a_grant_that_waits_is_explained_by_its_rule_alone(database: Database) -> None:
    with database.transaction() as session:
        keep_grant(session)
    with database.read() as session:
        found = explain(session, KEY, {PROGRAMME: [BOOK, NEWER]}, SLUGS)
    assert (found.file, found.row, found.deed_day) == ("august.csv", 12, day_text(DAY - 1))
    assert (found.programme, found.amount_minor, found.state) == ("test", 102, GrantState.READY)
    assert (found.rulebook_version, found.rulebook_hash) == (1, "0x" + BOOK.hash.hex()), "not the newest, but its own"
    assert found.steps_en[0] == "Rulebook “Test”, version 1."
    assert len(found.steps_en) == len(found.steps_zh) == 4
    assert (found.batch_number, found.token_id, found.leaf, found.proof, found.evidence_root) == (
        None,
        None,
        None,
        (),
        None,
    )
    assert (found.rulebook_version_on_chain, found.rulebook_hash_on_chain) == (None, None)
    assert found.agrees_with_chain


def test_caps_say_how_much_of_what_in_which_time_and_whose(database: Database) -> None:
    with database.transaction() as session:
        keep_grant(session)
    with database.read() as session:
        found = explain(session, KEY, {PROGRAMME: [BOOK]}, SLUGS)
    assert set(found.caps_en) == {
        "At most 8 hour a day of this activity.",
        "At most 20 deeds a month of this activity.",
        "At most 200 points a year of the programme.",
    }
    assert set(found.caps_zh) == {
        "本活动每日上限 8 小时。",
        "本活动每月上限 20 次。",
        "本项目每年上限 200 积分。",
    }


def test_a_version_that_is_not_in_use_any_more_is_taken_from_where_it_was_kept(database: Database) -> None:
    with database.transaction() as session:
        keep_grant(session)
        session.add(
            IssuanceRulebookRow(
                programme=PROGRAMME,
                version=1,
                rulebook_hash=BOOK.hash,
                content=BOOK.canonical.decode(),
                created_at=NOW,
            )
        )
    with database.read() as session:
        found = explain(session, KEY, {PROGRAMME: [NEWER]}, SLUGS)
    assert (found.rulebook_version, found.rulebook_hash) == (1, "0x" + BOOK.hash.hex())


def test_a_batched_grant_has_a_leaf_whose_path_leads_to_the_root(database: Database) -> None:
    with database.transaction() as session:
        row = keep_batch(session)
        number, quarter, root = row.number, row.quarter, bytes(row.evidence_root)
    with database.read() as session:
        found = explain(session, KEY, {PROGRAMME: [BOOK]}, SLUGS)
    assert (found.batch_number, found.batch_state, found.expiry_quarter) == (number, BatchState.PREPARED, quarter)
    assert found.token_id is not None
    assert split_token_id(found.token_id) == (PROGRAMME, quarter)
    assert found.leaf == "0x" + LEAVES[2].leaf(found.token_id).hash().hex()
    assert found.evidence_root == "0x" + root.hex()
    assert verify(root, bytes.fromhex(found.leaf[2:]), [bytes.fromhex(node[2:]) for node in found.proof])
    assert (found.evidence_root_on_chain, found.transaction, found.block_number) == (None, None, None)


def test_a_landed_batch_is_compared_with_what_it_landed_with(database: Database) -> None:
    with database.transaction() as session:
        land(session, keep_batch(session))
        programme_on_chain(session, BOOK)
    with database.read() as session:
        found = explain(session, KEY, {PROGRAMME: [BOOK]}, SLUGS)
    assert (found.transaction, found.block_number) == ("0x" + "07" * 32, 33)
    assert found.evidence_root_on_chain == found.evidence_root
    assert found.rulebook_hash_on_chain == found.rulebook_hash
    assert found.agrees_with_chain


def test_another_root_or_another_rulebook_on_chain_is_said(database: Database) -> None:
    with database.transaction() as session:
        land(session, keep_batch(session), root=b"\1" * 32)
        programme_on_chain(session, BOOK)
    with database.read() as session:
        assert not explain(session, KEY, {PROGRAMME: [BOOK]}, SLUGS).agrees_with_chain
    with database.transaction() as session:
        session.get_one(ChainBatchRow, (PROGRAMME, 1)).evidence_root = session.get_one(
            IssuanceBatchRow, (PROGRAMME, 1)
        ).evidence_root
        session.get_one(ChainProgrammeRow, PROGRAMME).rulebook_hash = b"\2" * 32
    with database.read() as session:
        found = explain(session, KEY, {PROGRAMME: [BOOK]}, SLUGS)
    assert found.evidence_root_on_chain == found.evidence_root
    assert not found.agrees_with_chain


def test_a_rulebook_that_followed_on_chain_contradicts_nothing(database: Database) -> None:
    with database.transaction() as session:
        keep_grant(session)
        programme_on_chain(session, NEWER)
    with database.read() as session:
        found = explain(session, KEY, {PROGRAMME: [BOOK, NEWER]}, SLUGS)
    assert (found.rulebook_version_on_chain, found.rulebook_hash_on_chain) == (2, None)
    assert found.agrees_with_chain


def test_a_number_that_was_given_up_on_chain_is_not_where_the_grant_landed(database: Database) -> None:
    with database.transaction() as session:
        land(session, keep_batch(session), state="void")
    with database.read() as session:
        found = explain(session, KEY, {PROGRAMME: [BOOK]}, SLUGS)
    assert (found.transaction, found.block_number, found.evidence_root_on_chain) == (None, None, None)


def test_revocations_come_in_their_order(database: Database) -> None:
    with database.transaction() as session:
        keep_grant(session, revoked_minor=102)
        for total, reason, state in ((50, 2, RevocationState.LANDED), (102, 1, RevocationState.QUEUED)):
            session.add(
                IssuanceRevocationRow(
                    programme=PROGRAMME,
                    grant_id=KEY,
                    record_id=7,
                    revoked_total_minor=total,
                    reason_code=reason,
                    state=state,
                    created_at=NOW,
                    updated_at=NOW,
                )
            )
            session.flush()
    with database.read() as session:
        found = explain(session, KEY, {PROGRAMME: [BOOK]}, SLUGS)
    assert found.revoked_minor == 102
    assert found.revocations == ("50:2:landed", "102:1:queued")
