"""What waits for funding, and how much is missing, in the fen and to the fen."""

from __future__ import annotations

import pytest

from issuers.batches.packing import pack_batches, store_batches
from issuers.reports.funding import FundingWait, funding_waits
from issuers.states import BatchState
from ledger.standard.ids import ProgrammeId, programme_participant
from ledger.store.database import Database
from ledger.store.models.issuance import IssuanceBatchRow
from ledger.store.models.projection import ChainProgrammeRow, PositionRow, SupplyRow
from tests.unit.issuers.build import NOW, leaves_of

PROGRAMME = ProgrammeId(9)


def test_the_reason_names_what_is_missing_in_both_languages() -> None:
    wait = FundingWait(1, 100, missing_fen=123_450, available_fen=0)
    assert wait.reason_en == "the appropriations do not cover it: 1234.50 yuan are missing"
    assert "1234.50" in wait.reason_zh


def test_what_is_covered_says_that_it_goes_on_and_not_that_nothing_is_missing() -> None:
    wait = FundingWait(1, 100, missing_fen=0, available_fen=100)
    assert "missing" not in wait.reason_en
    assert "0.00" not in wait.reason_en + wait.reason_zh
    assert "goes on" in wait.reason_en


def test_a_programme_that_waits_for_nothing_is_left_out(database: Database) -> None:
    with database.read() as session:
        assert funding_waits(session) == {}


@pytest.mark.parametrize(
    ("par_microfen", "appropriated_fen", "paid_fen", "position_fen", "missing_fen", "available_fen"),
    [
        # 1,000 minor points are minted and 201 wait: at 1 yuan a point all of it is worth 1,201 fen.
        (100_000_000, 1_000, 0, 0, 201, 1_000),
        (100_000_000, 1_000, 0, 150, 51, 1_150),
        (100_000_000, 1_300, 200, 0, 101, 1_100),
        (100_000_000, 1_201, 0, 0, 0, 1_201),
        (100_000_000, 9_000, 0, 0, 0, 9_000),
        # 600.50001201 fen: a part of a fen that is not covered is a fen that is missing.
        (50_000_001, 600, 0, 0, 1, 600),
        (50_000_001, 601, 0, 0, 0, 601),
    ],
)
def test_what_is_missing_is_what_the_contract_would_miss(
    database: Database,
    par_microfen: int,
    appropriated_fen: int,
    paid_fen: int,
    position_fen: int,
    missing_fen: int,
    available_fen: int,
) -> None:
    with database.transaction() as session:
        session.add(
            ChainProgrammeRow(
                programme=PROGRAMME,
                par_microfen=par_microfen,
                flags=0,
                state=1,
                spend_scope=bytes(32),
                rulebook_version=1,
                rulebook_hash=None,
                appropriated_fen=appropriated_fen,
                paid_fen=paid_fen,
                spendable_until=0,
            )
        )
        session.add(SupplyRow(token_id=1, programme=PROGRAMME, supply_minor=1_000, escrowed_minor=0))
        participant = programme_participant(PROGRAMME)
        session.add(PositionRow(participant=participant, position_fen=position_fen, block_number=1))
        for state in (BatchState.WAITING, BatchState.QUEUED, BatchState.FAILED):
            made, _ = pack_batches(PROGRAMME, leaves_of(2), {1: 4}, NOW, flush=True)
            store_batches(session, PROGRAMME, made)
            session.get_one(IssuanceBatchRow, (PROGRAMME, made[0].number)).state = state
    with database.read() as session:
        assert funding_waits(session) == {PROGRAMME: FundingWait(1, 201, missing_fen, available_fen)}
