"""kill -9 anywhere, the same command again, the same result; and several workers at once never pass a cap."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from issuers.intake.deliveries import Intake
from ledger.store.models.issuance import IssuanceBatchRow, IssuanceGrantRow
from ledger.store.models.outbox import OutboxMessageRow
from tests import nursery
from tests.integration.issuers.lab import Desk, make_samples, open_desk

ROOT = Path(__file__).resolve().parents[3]
MOMENTS = [
    ("chunk written", 12),
    ("chunk committed", 7),
    ("file done", 8),
    ("batch prepared", 2),
    ("batch signed", 3),
    ("batch queued", 2),
]


def run(folder: Path, url: str, moment: str, which: int) -> int:
    """Run one life in a process of its own and return how it ended."""
    arguments = [str(folder), url, moment, str(which)]
    done = nursery.run("tests.integration.issuers.crash_worker", arguments, env=os.environ)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def begin(folder: Path, url: str) -> None:
    """Samples and residents: what is there before the first life."""
    folder.mkdir(exist_ok=True)
    samples = make_samples(folder, people=200, records=150)
    desk = open_desk(folder, url)
    desk.register(samples.people)
    desk.database.close()


def outcome(folder: Path, url: str) -> dict[str, object]:
    """Everything that must not depend on crashes: counts, what each resident was granted, and the batches' sums."""
    desk = open_desk(folder, url)
    with desk.database.read() as session:
        grants = session.scalars(select(IssuanceGrantRow)).all()
        batches = session.scalars(select(IssuanceBatchRow)).all()
        messages = session.scalars(select(OutboxMessageRow.dedupe_key)).all()
    counts = desk.service.counts()
    desk.database.close()
    assert all(grant.state == "batched" for grant in grants)
    assert all(batch.state == "queued" for batch in batches)
    assert sorted(messages) == sorted(f"mint:{batch.programme}:{batch.number}" for batch in batches)
    assert len({(grant.programme, grant.batch_number, grant.batch_position) for grant in grants}) == len(grants)
    assert sum(batch.amount_minor for batch in batches) == sum(grant.amount_minor for grant in grants)
    return {
        "counts": {
            slug: (one.records, one.accepted, one.refused, one.held, one.awaiting_link, one.granted_minor, one.refusals)
            for slug, one in counts.items()
        },
        "amounts": Counter((grant.programme, grant.amount_minor) for grant in grants),
        "batches": Counter(batch.programme for batch in batches),
    }


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation before its first life, to be copied."""
    folder = tmp_path_factory.mktemp("beginning")
    begin(folder, f"sqlite:///{folder}/books.db")
    return folder


@pytest.fixture(scope="module")
def undisturbed(beginning: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The outcome of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "desk"
    shutil.copytree(beginning, folder)
    url = f"sqlite:///{folder}/books.db"
    assert run(folder, url, "never", 0) == 0
    return outcome(folder, url)


@pytest.mark.parametrize(("moment", "which"), MOMENTS)
def test_a_killed_run_ends_like_an_undisturbed_one(
    tmp_path: Path, beginning: Path, undisturbed: dict[str, object], moment: str, which: int
) -> None:
    """One kill, then the same command again."""
    folder = tmp_path / "desk"
    shutil.copytree(beginning, folder)
    url = f"sqlite:///{folder}/books.db"
    assert run(folder, url, moment, which) == -signal.SIGKILL
    assert run(folder, url, "never", 0) == 0
    assert outcome(folder, url) == undisturbed


def test_parallel_workers_never_pass_a_cap_nor_count_twice(any_desk: Desk, tmp_path: Path) -> None:
    """Four workers take in overlapping files of one hungry resident: the year's 200 points hold, to the point."""
    any_desk.resident("990000195401010011", culture="WH-0000001")
    header = '{{"items": [{}]}}'
    files = []
    for number in range(8):
        tickets = [
            f'{{"order_no": "WH{ticket:06d}", "member_no": "WH-0000001", "category": "theatre", "paid": "40", '
            f'"currency_unit": "yuan", "used_at": "2026-08-{ticket % 28 + 1:02d}T19:30:00"}}'
            for ticket in range(number * 10, number * 10 + 20)
        ]
        path = tmp_path / f"{number}.json"
        path.write_text(header.format(",".join(tickets)), encoding="utf-8")
        files.append(path)
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda path: any_desk.service.ingest_file("culture", path, "culture-rest"), files))
    statuses: Counter[str] = sum((report.statuses for report in reports), Counter())
    counts = any_desk.service.counts()["culture"]
    assert counts.granted_minor == 20_000
    assert statuses["accepted"] == 34, "33 whole tickets of 6 points and one cut to 2"
    assert counts.refusals == {"cap_reached": 90 - 34, "duplicate_record": 70}
    assert counts.records == 160


def test_two_workers_on_one_file_share_it(any_desk: Desk, tmp_path: Path) -> None:
    """The same file given to two workers at the same moment is one delivery, and each row counts once."""
    header = "申报编号,用户编号,行为类型,行为日期,数量,申报时间\n"
    rows = [f"RX-{n:05d},RX{n % 90 + 1:08d},无车日,2026/08/03,1,2026/08/20 10:00:00\n" for n in range(900)]
    path = tmp_path / "a.csv"
    path.write_text(header + "".join(rows), encoding="utf-8")
    service = any_desk.service
    intake: Intake = service._intake
    intake._chunk_rows = 50
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: service.ingest_file("traffic", path), range(3)))
    counts = service.counts()["traffic"]
    assert (counts.records, counts.awaiting_link) == (900, 900)
