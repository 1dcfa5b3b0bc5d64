"""From record to point on a real chain: batches land, corrections and revocations follow, funding is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from sqlalchemy import func, select

from issuers.samples.generate import Samples
from issuers.samples.ticket_api import serve_tickets
from ledger.standard.evidence import commitment, verify
from ledger.standard.ids import token_id
from ledger.standard.quarters import expiry_quarter
from ledger.store.models.issuance import IssuanceGrantRow
from tests.integration.issuers.chain import City, key, open_city
from tests.integration.issuers.lab import NOW, PROGRAMMES, ingest_all

HEADER = "记录编号,志愿者编号,姓名,志愿服务项目,服务类别,服务开始时间,服务结束时间,服务时间（小时）,记录单位\n"
VOLUNTEER = token_id(1, expiry_quarter(NOW.date(), 8))


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    """A city whose programmes are well funded."""
    city = open_city(tmp_path)
    yield city
    city.close()


def volunteer_file(folder: Path, name: str, *rows: tuple[str, str, str, str]) -> Path:
    """Write an export: (record id, volunteer, start hour, hours credited), all on one day."""
    path = folder / name
    lines = [
        f"{record},{person},某,社区图书角,社区服务,2026-08-0{hour} 09:00,2026-08-0{hour} 17:00,{hours},协会\n"
        for record, person, hour, hours in rows
    ]
    path.write_text(HEADER + "".join(lines), encoding="gb18030")
    return path


def test_all_samples_land_and_the_auditor_agrees(city: City, samples: Samples) -> None:
    """Everything granted is on chain, in the right lots, with published leaves; the audit passes."""
    city.desk.register(samples.people)
    with serve_tickets(samples.culture_items) as api:
        ingest_all(city.desk, samples, (api.url, api.token))
    city.desk.service.make_batches()
    city.land()
    assert city.desk.service.unsettled() == {}
    for slug, number in PROGRAMMES.items():
        assert city.flow(number, "mint") == city.desk.service.counts()[slug].granted_minor, slug
    report = city.audit()
    assert report.verdict == "PASS", report
    with city.desk.database.read() as session:
        assert report.leaves == session.scalar(select(func.count()).select_from(IssuanceGrantRow))


def test_a_grant_explains_and_proves_itself(city: City, tmp_path: Path) -> None:
    """Words, leaf, path and the opened record of one grant."""
    _, account = city.desk.resident("990000195401010011", volunteer="5101000000001")
    city.desk.service.ingest_file(
        "volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", "5101000000001", "1", "2.5"))
    )
    city.desk.service.make_batches()
    city.land()
    assert city.balance(account, VOLUNTEER) == 2500
    (grant,) = city.desk.service.grants_of(account)
    told = city.desk.service.explain(grant)
    assert told.amount_minor == 2500
    assert "Quantity: 2.5 hour." in told.steps_en
    assert "计 25 积分。" in told.steps_zh
    assert told.caps_en == (
        "At most 8 hour a day of this activity.",
        "At most 500 hour a year of this activity.",
        "At most 5000 points a year of the programme.",
    )
    assert "本项目每年上限 5000 积分。" in told.caps_zh
    assert told.evidence_root_on_chain == told.evidence_root
    assert told.agrees_with_chain
    assert (told.signer, told.expiry_quarter) == (key("issuer 1").address, VOLUNTEER & 0xFFFFFFFF)
    receipt = city.engine.rpc.call("eth_getTransactionReceipt", [told.transaction])
    assert int(receipt["blockNumber"], 16) == told.block_number
    leaves = orjson.loads((tmp_path / "leaves" / "1" / f"{told.batch_number}.json").read_bytes())
    assert told.leaf is not None
    root, leaf = bytes.fromhex(leaves["root"][2:]), bytes.fromhex(told.leaf[2:])
    assert "0x" + root.hex() == told.evidence_root
    assert verify(root, leaf, [bytes.fromhex(node[2:]) for node in told.proof])
    salt, record = city.desk.service.open_record(grant)
    assert "0x" + commitment(salt, orjson.loads(record)).hex() == leaves["leaves"][0]["commitment"]


def test_a_correction_grants_or_revokes_the_difference(city: City, tmp_path: Path) -> None:
    """Up: a second grant of the difference. Down: a signed revocation of the difference."""
    _, account = city.desk.resident("990000195401010011", volunteer="5101000000001")
    service = city.desk.service
    person = "5101000000001"
    service.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", person, "1", "2")))
    service.make_batches()
    city.land()
    service.ingest_file("volunteer", volunteer_file(tmp_path, "b.csv", ("ZY-0001", person, "1", "3.5")))
    service.make_batches()
    city.land()
    assert city.balance(account, VOLUNTEER) == 3500
    report = service.ingest_file("volunteer", volunteer_file(tmp_path, "c.csv", ("ZY-0001", person, "1", "0.5")))
    assert report.statuses["correction"] == 1
    assert service.send_revocations() == 2  # both grants gave; the later one is emptied first
    city.land()
    assert city.balance(account, VOLUNTEER) == 500
    assert service.unsettled() == {}
    late = volunteer_file(tmp_path, "d.csv", ("ZY-0001", person, "1", "2"), ("ZY-0002", person, "2", "1"))
    old = service.ingest_file("volunteer", late)
    assert old.refusals == {"duplicate_record": 1}, "a version that was replaced does not come back"
    counts = service.counts()["volunteer"]
    assert (counts.records, counts.accepted, counts.corrections, counts.refused) == (5, 4, 2, 1)
    assert counts.granted_minor - counts.revoked_minor == 1500


def test_a_false_declaration_is_revoked_once(city: City, tmp_path: Path) -> None:
    """What landed is taken back on chain; what did not land never gets there; a second request does nothing."""
    _, account = city.desk.resident("990000195401010011", volunteer="5101000000001")
    service = city.desk.service
    person = "5101000000001"
    service.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", person, "1", "2")))
    service.make_batches()
    city.land()
    service.ingest_file("volunteer", volunteer_file(tmp_path, "b.csv", ("ZY-0002", person, "2", "3")))
    assert service.revoke_false("volunteer", ["ZY-0001", "ZY-0002", "ZY-9999"], "inspector") == 2
    assert service.revoke_false("volunteer", ["ZY-0001", "ZY-0002"], "inspector") == 0
    assert service.make_batches() == []
    assert service.send_revocations() == 1
    city.land()
    assert city.balance(account, VOLUNTEER) == 0
    again = service.ingest_file("volunteer", volunteer_file(tmp_path, "c.csv", ("ZY-0002", person, "2", "4")))
    assert again.refusals == {"review_rejected": 1}
    assert city.audit().verdict == "PASS"


def test_what_funding_does_not_cover_waits_and_goes_on(tmp_path: Path) -> None:
    """A mint beyond the appropriation waits, its records say so, and the same batch lands when money comes."""
    city = open_city(tmp_path, {1: 100})  # 1 yuan: five points at 0.20
    try:
        _, account = city.desk.resident("990000195401010011", volunteer="5101000000001")
        service = city.desk.service
        service.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", "5101000000001", "1", "2")))
        ((_, number),) = service.make_batches()
        city.land()
        counts = service.counts()["volunteer"]
        assert (counts.waiting, counts.accepted, counts.records) == (1, 0, 1)
        assert service.unsettled() == {"batches_waiting": 1}
        assert city.balance(account, VOLUNTEER) == 0
        assert service.make_batches() == [], "its grants keep their batch"
        assert not service.work(), "without money nothing moves"
        city.appropriate(1, 2027, 10_000)
        assert service.work(), "the worker notices the appropriation"
        city.land()
        counts = service.counts()["volunteer"]
        assert (counts.waiting, counts.accepted, counts.records) == (0, 1, 1)
        assert city.balance(account, VOLUNTEER) == 2000
        (grant,) = service.grants_of(account)
        assert service.explain(grant).batch_number == number
        assert city.audit().verdict == "PASS"
    finally:
        city.close()


def test_a_waiting_batch_is_signed_again_for_the_quarter_in_which_it_goes_on(tmp_path: Path) -> None:
    """Number and grants stay; only the lot changes, and the evidence with it."""
    city = open_city(tmp_path, {1: 100})
    try:
        _, account = city.desk.resident("990000195401010011", volunteer="5101000000001")
        service = city.desk.service
        service.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", "5101000000001", "1", "2")))
        service.make_batches()
        city.land()
        city.desk.clock.set(NOW.replace(month=10, day=8))
        city.appropriate(1, 2027, 10_000)
        assert service.retry_waiting() == 1
        city.land()
        assert city.balance(account, VOLUNTEER + 1) == 2000
        assert city.balance(account, VOLUNTEER) == 0
        assert city.audit().verdict == "PASS"
    finally:
        city.close()
