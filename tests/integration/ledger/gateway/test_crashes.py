"""kill -9 anywhere, start again, and everything is as if nothing had happened."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from ledger.outbox.states import MessageState
from ledger.store.models.outbox import OutboxMessageRow
from ledger.store.models.projection import BalanceRow, BatchRow, EntryRow
from tests import nursery
from tests.eventually import eventually
from tests.integration.ledger import postgres
from tests.integration.ledger.gateway import crash_worker
from tests.integration.ledger.gateway.lab import GatewayLab, key, open_lab

ROOT = Path(__file__).resolve().parents[4]
MOMENTS = ["persisted", "broadcast", "mined", "journaled", "settled", "projecting"]


def live(state: Path, url: str, moment: str, which: int) -> int:
    """Run one life of the gateway; return how it ended."""
    arguments = [str(state), url, moment, str(which)]
    ended = nursery.run("tests.integration.ledger.gateway.crash_worker", arguments, env=os.environ)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr[-3_000:]
    return ended.returncode


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_is_lost_and_nothing_lands_twice(moment: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/desk.sqlite3"
    assert live(tmp_path, url, moment, 1) == -signal.SIGKILL
    assert live(tmp_path, url, moment, 10_000) == 0
    check_everything_landed_once(tmp_path, url)


def test_many_deaths_in_a_row_change_nothing(tmp_path: Path, database_url: str) -> None:
    for moment in MOMENTS:
        live(tmp_path, database_url, moment, 1)
    assert live(tmp_path, database_url, "mined", 10_000) == 0
    check_everything_landed_once(tmp_path, database_url)


@pytest.mark.postgres
def test_a_database_server_that_crashes_under_load_loses_nothing(tmp_path: Path) -> None:
    if postgres.programs() is None:
        pytest.skip("no PostgreSQL server programs on this machine")
    with postgres.running(durable=True) as server:
        lab = open_lab(tmp_path, server.url)
        lab.gateway.start()
        for number in range(1, 61):
            _enqueue_stubbornly(lab, number)
            if number % 20 == 0:
                server.crash_and_restart()
        eventually(lambda: _is_quiet(lab), timeout_s=60, context=lab.gateway.health)
        lab.gateway.stop()
        lab.gateway.run_until_idle()
        assert lab.gateway.check_projection().differences == ()
        with lab.database.read() as session:
            numbers = session.scalars(select(BatchRow.number).order_by(BatchRow.number)).all()
        assert numbers == list(range(1, 61))
        lab.close()


def _enqueue_stubbornly(lab: GatewayLab, number: int) -> None:
    """As any client of the outbox: try again until the commit is known; the key makes repeats harmless."""
    for _ in range(50):
        try:
            lab.enqueue_mint(1, [(key("holder 0").address, number)], number)
        except SQLAlchemyError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the database never came back")


def _is_quiet(lab: GatewayLab) -> bool:
    try:
        return lab.gateway.sender.unsettled() == 0
    except SQLAlchemyError:
        return False


def check_everything_landed_once(state: Path, url: str) -> None:
    lab = open_lab(state, url)
    try:
        lab.gateway.run_until_idle()
        assert lab.gateway.check_projection().differences == ()
        with lab.database.read() as session:
            assert set(session.scalars(select(OutboxMessageRow.state))) == {MessageState.DONE.value}
            numbers = session.scalars(select(BatchRow.number).order_by(BatchRow.number)).all()
            assert numbers == list(range(1, crash_worker.BATCHES + 1))
            minted = session.scalar(select(func.count()).select_from(EntryRow).where(EntryRow.kind == "mint"))
            assert minted == crash_worker.BATCHES * crash_worker.GRANTS
            for n in range(crash_worker.GRANTS):
                granted = sum(100 * number + n for number in range(1, crash_worker.BATCHES + 1))
                account = bytes.fromhex(key(f"holder {n}").address[2:])
                amounts = dict(
                    session.execute(
                        select(BalanceRow.token_id, BalanceRow.amount_minor).where(BalanceRow.account == account)
                    ).all()
                )
                given = 100 if n == 0 else 0  # the exchange, 100 minor units to 400
                assert amounts == {lab.lot(1): granted - given} | ({lab.lot(2): 400} if n == 0 else {})
    finally:
        lab.close()
