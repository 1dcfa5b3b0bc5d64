"""Every refusal belongs to one stage, and the stages' figures follow from tallies and batches."""

from __future__ import annotations

import pytest

from issuers.batches.packing import pack_batches, store_batches
from issuers.records import sql
from issuers.reports.stages import STAGES, Stage, pipeline_views, stage_of
from issuers.rules.refusals import RefusalCode
from issuers.states import BatchState, DeliveryState, RecordState
from ledger.standard.ids import ProgrammeId
from ledger.store.database import Database
from ledger.store.models.issuance import IssuanceBatchRow, IssuanceDeliveryRow
from tests.unit.issuers.build import NOW, leaves_of

PROGRAMME, OTHER = ProgrammeId(9), ProgrammeId(8)


@pytest.mark.parametrize("code", list(RefusalCode))
def test_every_refusal_belongs_to_a_stage(code: RefusalCode) -> None:
    assert stage_of(code) in STAGES


def test_a_programme_without_records_has_all_its_stages_at_nothing(database: Database) -> None:
    with database.read() as session:
        [view] = pipeline_views(session, [PROGRAMME])
    assert [stage.name for stage in view.stages] == list(STAGES)
    assert {(stage.done or 0, stage.refused, stage.waiting) for stage in view.stages} == {(0, 0, 0)}
    assert view.reading == ()


def test_each_figure_stands_in_its_stage(database: Database) -> None:
    tallies = {
        RecordState.ACCEPTED: 5,
        RecordState.WAITING: 1,
        RecordState.AWAITING_LINK: 2,
        RecordState.PENDING: 3,
        RecordState.HELD: 4,
        RecordState.REFUSED: 9,
        "refused:bad_date": 6,
        "refused:cap_reached": 2,
        "refused:duplicate_record": 1,
        "refused:superseded": 0,
    }
    states = [BatchState.PREPARED, BatchState.QUEUED, BatchState.QUEUED, BatchState.WAITING, BatchState.LANDED]
    with database.transaction() as session:
        sql.add_tallies(session, PROGRAMME, {str(kind): count for kind, count in tallies.items()})
        sql.add_tallies(session, OTHER, {RecordState.ACCEPTED: 100})
        sql.add_ready(session, PROGRAMME, [leaf.pack() for leaf in leaves_of(3)])
        for state in (*states, BatchState.FAILED):
            made, _ = pack_batches(PROGRAMME, leaves_of(2), {1: 4}, NOW, flush=True)
            store_batches(session, PROGRAMME, made)
            session.get_one(IssuanceBatchRow, (PROGRAMME, made[0].number)).state = state
        for at, (kind, state) in enumerate([("file", DeliveryState.READING), ("rest", DeliveryState.READING)]):
            session.add(delivery(at, kind, state))
        session.add(delivery(2, "file", DeliveryState.DONE))
    with database.read() as session:
        [view] = pipeline_views(session, [PROGRAMME])
    stages = {stage.name: stage for stage in view.stages}
    assert stages["read"] == Stage("read", 30, 0, 0)
    assert stages["map"] == Stage("map", None, 6, 0, {"bad_date": 6})
    assert stages["dedupe"] == Stage("dedupe", None, 1, 0, {"duplicate_record": 1})
    assert stages["rate"] == Stage("rate", None, 2, 5, {"cap_reached": 2}, {"link": 2, "time": 3})
    assert stages["screen"] == Stage("screen", None, 0, 4, {}, {"review": 4})
    assert stages["grant"] == Stage("grant", 6, 0, 0)
    assert stages["batch"] == Stage("batch", 12, 0, 3, {}, {"batch": 3})
    assert stages["sign"] == Stage("sign", 5, 0, 1, {}, {"signature": 1})
    assert stages["chain"] == Stage("chain", 1, 1, 3, {}, {"sending": 2, "funding": 1})
    assert [(one.kind, one.name) for one in view.reading] == [("file", "delivery 0")], "a page run is never at its end"


def delivery(at: int, kind: str, state: DeliveryState) -> IssuanceDeliveryRow:
    return IssuanceDeliveryRow(
        programme=PROGRAMME,
        kind=kind,
        name=f"delivery {at}",
        content_sha256=bytes([at]) * 32,
        mapping="test",
        mapping_hash=bytes(32),
        state=state,
        rows_done=10,
        cursor=None,
        data_key=b"",
        repeats=0,
        created_at=NOW,
        updated_at=NOW,
    )
