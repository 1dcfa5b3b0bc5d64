"""Giving up a batch number on a real chain: the void first, new numbers after, and old bytes never again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from issuers.batches import packing
from issuers.batches.batcher import mint_key
from issuers.batches.voiding import void_key
from issuers.errors import BatchLanded, BatchNotFound
from ledger.chain.transactions import sign_legacy
from ledger.custody.signer import LocalSigner
from ledger.custody.web3signer import Web3Signer
from ledger.deployment.contracts import Contracts, call_data, read
from ledger.standard.ids import address_bytes
from ledger.standard.signatures import SigningKey
from ledger.store.models.issuance import IssuanceBatchRow, IssuanceGrantRow
from ledger.store.models.outbox import OutboxMessageRow
from tests.integration.issuers.agency import Agency
from tests.integration.issuers.chain import City, key, open_city, secret
from tests.integration.issuers.lab import NOW
from tests.integration.issuers.test_chain import VOLUNTEER, volunteer_file

PERSON = "5101000000001"


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    """A city whose programmes are well funded, with one batch signed and queued."""
    city = open_city(tmp_path)
    yield city
    city.close()


@pytest.fixture
def account(city: City, tmp_path: Path) -> str:
    """Who gets 20 points in batch 1, which is queued and not sent."""
    return batched(city, tmp_path)


def batched(city: City, folder: Path, name: str = "a.csv", record: str = "ZY-0001") -> str:
    _, account = city.desk.resident("990000195401010011", volunteer=PERSON)
    city.desk.service.ingest_file("volunteer", volunteer_file(folder, name, (record, PERSON, "1", "2")))
    city.desk.service.make_batches()
    return account


def row(city: City, number: int = 1) -> IssuanceBatchRow:
    with city.desk.database.read() as session:
        found = session.get_one(IssuanceBatchRow, (1, number))
        session.expunge(found)
        return found


def numbers(city: City) -> set[int | None]:
    with city.desk.database.read() as session:
        return set(session.scalars(select(IssuanceGrantRow.batch_number)))


def payload(city: City, dedupe_key: str) -> bytes:
    with city.desk.database.read() as session:
        found = session.scalars(select(OutboxMessageRow).where(OutboxMessageRow.dedupe_key == dedupe_key)).one()
        return bytes(found.payload)


def relay(city: City, data: bytes, by: str = "stranger") -> bool:
    """Send calldata to the issuance from outside, as anybody who kept old bytes could; whether it was carried out."""
    sender = key(by)
    nonce = int(city.engine.rpc.call("eth_getTransactionCount", [sender.address, "latest"]), 16)
    target = city.deployment.address("PointsLedger")
    raw, digest = sign_legacy(sender, city.engine.chain_id, nonce, target, data, 2_000_000)
    assert city.engine.submit([raw])[0].in_pool
    city.engine.produce()
    receipt = city.engine.rpc.call("eth_getTransactionReceipt", ["0x" + digest.hex()])
    city.gateway.indexer.run_until_idle()
    return int(receipt["status"], 16) == 1


def go_on(city: City) -> None:
    """Rounds of the worker until nothing moves."""
    for _ in range(20):
        moved = city.desk.service.work()
        city.land()
        if not moved and not city.desk.service.work():
            return
    raise AssertionError(city.desk.service.unsettled())


def test_grants_get_new_numbers_only_after_the_void_is_final(city: City, account: str, tmp_path: Path) -> None:
    """Set aside, void, final, renumbered, landed; the old bytes are worth nothing; and nothing doubled."""
    old = payload(city, mint_key(1, 1))
    service = city.desk.service
    asked = service.void_batch("volunteer", 1, "clerk", "wrong month")
    assert (asked.state, row(city).state) == ("wanted", "voiding")
    assert service.void_batch("volunteer", 1, "clerk", "again") == asked, "asking twice changes nothing"
    assert service.make_batches() == [], "the grants are not ready before the void is final"
    assert service._voiding.send() == 1
    assert numbers(city) == {1}
    assert service._voiding.settle() == 0, "queued is not final"
    city.land()
    assert (service._voiding.settle(), numbers(city)) == (1, {None})
    found = service.void_status("volunteer", 1)
    assert found is not None
    assert (found.state, row(city).state) == ("final", "void")
    go_on(city)
    assert numbers(city) == {2}
    assert not relay(city, old), "old signed bytes can never mint"
    assert city.balance(account, VOLUNTEER) == 2000
    assert service.unsettled() == {}
    assert service.explain(service.grants_of(account)[0]).batch_number == 2
    assert city.audit().verdict == "PASS"
    counts = service.counts()["volunteer"]
    assert (counts.records, counts.accepted, counts.waiting) == (1, 1, 0)


def test_a_batch_is_not_signed_that_holds_a_grant_taken_back(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Intake fills a batch, and two people correct a record before it is signed: nothing wrong is ever minted."""
    monkeypatch.setattr(packing, "GRANTS_MAX", 2)
    service = city.desk.service
    _, first = city.desk.resident("990000195401010011", volunteer=PERSON)
    _, second = city.desk.resident("990000195401010022", volunteer="5101000000002")
    rows = [("ZY-0001", PERSON, "1", "2"), ("ZY-0002", PERSON, "2", "2")]
    service.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", *rows))
    assert row(city).state == "prepared"
    service.ingest_file("volunteer", volunteer_file(tmp_path, "b.csv", ("ZY-0002", "5101000000002", "2", "2")))
    (review,) = service.reviews("volunteer")
    assert service.approve(review.review_id, "Li", as_correction=True) == "first"
    assert service.approve(review.review_id, "Wang", as_correction=True) == "correction"
    assert service.make_batches() == [("volunteer", 2)], "the new grant, alone"
    assert (row(city).state, row(city).signature) == ("voiding", None)
    go_on(city)
    assert (city.balance(first, VOLUNTEER), city.balance(second, VOLUNTEER)) == (2000, 2000)
    assert city.flow(1, "mint") == 4000
    assert row(city).state == "void"
    assert numbers(city) == {None, 2, 3}
    assert service.unsettled() == {}
    assert city.audit().verdict == "PASS"


def test_a_landed_number_is_not_given_up(city: City, account: str) -> None:
    city.land()
    with pytest.raises(BatchLanded):
        city.desk.service.void_batch("volunteer", 1, "clerk", "too late")
    with pytest.raises(BatchNotFound):
        city.desk.service.void_batch("volunteer", 9, "clerk", "never was")
    assert row(city).state == "landed"
    assert city.balance(account, VOLUNTEER) == 2000


def test_the_mint_lands_first(city: City, account: str) -> None:
    """Somebody relays the batch while its void is on the way: the void reverts, is reported, and the batch counts."""
    service = city.desk.service
    bytes_out = payload(city, mint_key(1, 1))
    service.void_batch("volunteer", 1, "clerk", "wrong month")
    service._voiding.send()
    assert relay(city, bytes_out)
    go_on(city)
    found = service.void_status("volunteer", 1)
    assert found is not None
    assert found.state == "failed"
    assert "landed first" in (found.problem or "")
    assert (row(city).state, numbers(city)) == ("landed", {1})
    assert city.balance(account, VOLUNTEER) == 2000
    assert (city.desk.folder / "leaves" / "1" / "1.json").exists()
    assert city.audit().verdict == "PASS"


def test_the_mint_is_already_sent_when_the_void_is_asked_for(city: City, account: str) -> None:
    """Both are in one block, in the order the sender chose: exactly one of them has effect."""
    service = city.desk.service
    city.gateway.sender.step()
    service.void_batch("volunteer", 1, "clerk", "wrong month")
    service._voiding.send()
    go_on(city)
    assert city.balance(account, VOLUNTEER) == 2000
    found = service.void_status("volunteer", 1)
    assert found is not None
    assert found.state in ("failed", "final")
    assert numbers(city) == ({1} if found.state == "failed" else {2})
    assert service.unsettled() == {}
    assert city.audit().verdict == "PASS"


def test_a_batch_that_waits_for_funding_is_given_up(tmp_path: Path, database_url: str) -> None:
    """Its records stop waiting, its grants wait under another number, and land once when money comes."""
    city = open_city(tmp_path, {1: 100}, url=database_url)
    try:
        account = batched(city, tmp_path)
        service = city.desk.service
        city.land()
        assert service.counts()["volunteer"].waiting == 1
        service.void_batch("volunteer", 1, "clerk", "wrong month")
        go_on(city)
        assert (row(city).state, row(city, 2).state) == ("void", "waiting")
        city.appropriate(1, 2027, 10_000)
        go_on(city)
        assert city.balance(account, VOLUNTEER) == 2000
        counts = service.counts()["volunteer"]
        assert (counts.records, counts.accepted, counts.waiting) == (1, 1, 0)
        assert city.audit().verdict == "PASS"
    finally:
        city.close()


def test_what_was_wholly_taken_back_gets_no_new_number(city: City, account: str) -> None:
    service = city.desk.service
    service.void_batch("volunteer", 1, "clerk", "wrong month")
    assert service.revoke_false("volunteer", ["ZY-0001"], "inspector") == 1
    go_on(city)
    with city.desk.database.read() as session:
        assert session.scalars(select(IssuanceGrantRow.state)).all() == ["cancelled"]
    assert (row(city).state, service.unsettled()) == ("void", {})
    assert city.balance(account, VOLUNTEER) == 0


def rotate(city: City, new: SigningKey) -> None:
    """The council's decisions: the new key in, which may sign 7 days later; then the old one out, at once."""
    ledger = Contracts.of(city.engine, city.deployment)["PointsLedger"]
    old = key("issuer 1").address
    decisions = (
        (call_data(ledger.functions.addIssuerKey(1, new.address)), timedelta(days=1, minutes=1)),
        (call_data(ledger.functions.removeIssuerKey(1, old)), timedelta(days=7, minutes=1)),
    )
    for data, wait in decisions:
        proposal = (str(ledger.address), data, bytes(32))
        council(city, "propose", proposal)
        city.desk.clock.set(city.desk.clock.now() + wait)
        council(city, "execute", proposal)
    for account, active in ((new.address, True), (old, False)):
        assert read(ledger.functions.isIssuerKey(1, account), "latest") is active


def council(city: City, function: str, proposal: tuple[str, bytes, bytes]) -> None:
    """Let the city's council of one act."""
    engine, member = city.engine, key("council")
    data = call_data(Contracts.of(engine, city.deployment)["Council"].functions[function](*proposal))
    nonce = int(engine.rpc.call("eth_getTransactionCount", [member.address, "latest"]), 16)
    target = city.deployment.address("Council")
    raw, digest = sign_legacy(member, engine.chain_id, nonce, target, data, 2_000_000)
    assert engine.submit([raw])[0].in_pool
    engine.produce()
    receipt = engine.rpc.call("eth_getTransactionReceipt", ["0x" + digest.hex()])
    assert int(receipt["status"], 16) == 1, receipt


def test_a_key_is_rotated_with_a_batch_a_void_and_a_revocation_in_flight(
    city: City, account: str, tmp_path: Path
) -> None:
    """What the old key signed reverts and is signed again by the new one, under the same numbers; nothing is lost."""
    service = city.desk.service
    city.land()
    service.ingest_file("volunteer", volunteer_file(tmp_path, "b.csv", ("ZY-0002", PERSON, "2", "3")))
    service.make_batches()
    service.ingest_file("volunteer", volunteer_file(tmp_path, "c.csv", ("ZY-0003", PERSON, "3", "1")))
    service.make_batches()
    service.void_batch("volunteer", 3, "clerk", "wrong month")
    service._voiding.send()
    service.revoke_false("volunteer", ["ZY-0001"], "inspector")
    assert service.send_revocations() == 1
    old = [payload(city, mint_key(1, 2)), payload(city, mint_key(1, 3)), payload(city, void_key(1, 3))]
    new = LocalSigner(secret("issuer 1, second key"))
    rotate(city, SigningKey(secret("issuer 1, second key")))
    city.land()
    service.settle()
    assert (row(city, 2).state, (row(city, 2).reason or "").split("(")[0]) == ("failed", "PointsLedgerBadIssuer")
    service._signing._signers[1] = new  # type: ignore[index]  # the gateway is set to the new key
    go_on(city)
    go_on(city)
    assert row(city, 2).signer == address_bytes(new.address)
    assert {one: row(city, one).state for one in (1, 2, 3, 4)} == {1: "landed", 2: "landed", 3: "void", 4: "landed"}
    assert service.unsettled() == {}
    assert city.balance(account, VOLUNTEER) == 3000 + 1000, "the first two hours were revoked"
    assert not any(relay(city, data) for data in old)
    assert city.audit().verdict == "PASS"


def test_an_agency_gives_grants_a_new_number_only_when_its_own_node_says_void(tmp_path: Path) -> None:
    """The signer signs the void; but grants under two numbers only once its node shows that the first is void."""
    agency = Agency.found(tmp_path / "agency", NOW)
    remote = Web3Signer(agency.address, sleep=lambda _s: None)
    city = open_city(tmp_path, remote={1: remote})
    try:
        agency.give(city.deployment)
        agency.start()
        account = batched(city, tmp_path)
        service = city.desk.service
        service.void_batch("volunteer", 1, "clerk", "wrong month")
        go_on(city)
        assert (row(city).state, row(city, 2).state) == ("void", "prepared")
        assert "refused (grant_taken)" in (row(city, 2).reason or "")
        agency.kill()
        agency.set(node=city.engine.url)
        agency.start()
        service._signing._rests.clear()  # as if the pause after a refusal were over
        go_on(city)
        assert row(city, 2).state == "landed"
        assert city.balance(account, VOLUNTEER) == 2000
        assert agency.journal("SELECT number, is_void FROM numbers ORDER BY number") == [("1", 1), ("2", 0)]
        assert city.audit().verdict == "PASS"
    finally:
        agency.kill()
        remote.close()
        city.close()
