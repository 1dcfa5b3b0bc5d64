"""The gateway against an agency's signer in a process of its own: away, killed, lied to, and back again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import select

from issuers.agency.documents import leaf_document, mint_document, void_document
from issuers.agency.server import SignerServer
from issuers.agency.settings import load_settings
from issuers.batches.batcher import mint_key
from issuers.batches.evidence import leaf_rows
from ledger.clock import ManualClock
from ledger.custody.errors import SignerError, SignerReason
from ledger.custody.web3signer import DOCUMENT_PATH, KEYS_PATH, SIGN_PATH, Web3Signer
from ledger.errors import ConfigurationError
from ledger.standard.evidence import commitment
from ledger.standard.keccak import keccak256
from ledger.standard.quarters import expiry_quarter
from ledger.standard.signatures import recover
from ledger.store.models.issuance import IssuanceBatchRow
from tests import nursery
from tests.eventually import eventually
from tests.integration.issuers.agency import ROOT, Agency
from tests.integration.issuers.chain import City, open_city
from tests.integration.issuers.lab import NOW
from tests.integration.issuers.test_chain import VOLUNTEER, volunteer_file
from tests.integration.ledger.custody.certificates import Certificates
from tongdui.cli import signer as commands

PERSON = "5101000000001"
QUARTER = expiry_quarter(NOW.date(), 8)


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Agency]:
    """The agency's house; nobody works there yet."""
    agency = Agency.found(tmp_path / "agency", NOW)
    yield agency
    agency.kill()


@pytest.fixture
def city(tmp_path: Path, agency: Agency) -> Iterator[City]:
    """A city whose volunteers' agency signs in its own house."""
    remote = Web3Signer(agency.address, sleep=lambda _s: None)
    city = open_city(tmp_path, remote={1: remote})
    agency.give(city.deployment)
    yield city
    city.close()
    remote.close()


def batches(city: City) -> list[IssuanceBatchRow]:
    """All batches of the volunteers."""
    with city.desk.database.read() as session:
        rows = session.scalars(select(IssuanceBatchRow).order_by(IssuanceBatchRow.number)).all()
        session.expunge_all()
        return list(rows)


def work_until(city: City, state: str, seconds: float = 30.0) -> None:
    """Let the worker go round until all batches are in a state."""

    def go_round() -> list[tuple[int, str, str | None]]:
        city.desk.service.work()
        city.land()
        return [(batch.number, batch.state, batch.reason) for batch in batches(city)]

    eventually(go_round, lambda found: {each for _, each, _ in found} == {state}, timeout_s=seconds)


def document_of(city: City, number: int) -> dict[str, Any]:
    """The document that the gateway shows for a batch."""
    row = next(one for one in batches(city) if one.number == number)
    return city.desk.service._batcher._document(row)()


class Liar:
    """Whoever sits at the gateway and asks the signer directly."""

    def __init__(self, agency: Agency) -> None:
        self.key = "0x" + agency.key.public_key.hex()
        token = (agency.folder / "bearer").read_text().strip()
        self.http = httpx.Client(
            base_url=agency.address.url, headers={"authorization": f"Bearer {token}"}, trust_env=False
        )
        agency.closed_with.append(self.http.close)

    def show(self, document: Any, key: str | None = None) -> str:
        """Show a document; returns the objection, or the hash that the agency derived."""
        answer = self.http.post(DOCUMENT_PATH + (key or self.key), content=orjson.dumps(document))
        return str(answer.json()["hash" if answer.status_code == 200 else "reason"])

    def sign(self, preimage: bytes) -> httpx.Response:
        """Ask for a signature."""
        return self.http.post(SIGN_PATH + self.key, json={"data": "0x" + preimage.hex()})


def test_a_batch_is_signed_in_the_agencys_house_and_lands(city: City, agency: Agency, tmp_path: Path) -> None:
    """No key is here; the agency rates the records itself; the auditor agrees; a revocation is signed there too."""
    agency.start()
    _, account = city.desk.resident("990000195401010011", volunteer=PERSON)
    service = city.desk.service
    service.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", PERSON, "1", "2.5")))
    service.make_batches()
    city.land()
    assert city.balance(account, VOLUNTEER) == 2500
    (row,) = batches(city)
    assert row.signer == bytes.fromhex(agency.key.address[2:])
    assert agency.journal("SELECT number, grants, amount_minor FROM numbers") == [("1", 1, "2500")]
    service.revoke_false("volunteer", ["ZY-0001"], "inspector")
    assert service.send_revocations() == 1
    city.land()
    assert city.balance(account, VOLUNTEER) == 0
    assert city.audit().verdict == "PASS"


def test_while_the_signer_is_away_batches_wait_and_go_on_by_themselves(
    city: City, agency: Agency, tmp_path: Path
) -> None:
    """The reason is told; other programmes go on; nothing is dropped and nothing doubled."""
    _, account = city.desk.resident("990000195401010011", volunteer=PERSON)
    service = city.desk.service
    service.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", PERSON, "1", "2")))
    assert service.work()
    (row,) = batches(city)
    assert (row.state, row.signature) == ("prepared", None)
    assert (row.reason or "").startswith("the issuer's signer: unreachable")
    service.ingest_file("volunteer", volunteer_file(tmp_path, "b.csv", ("ZY-0002", PERSON, "2", "3")))
    assert not service.work(), "what comes meanwhile waits unbatched, and the signer is left alone for a while"
    assert len(batches(city)) == 1
    assert service.unsettled() == {"batches_prepared": 1}
    agency.start()
    work_until(city, "landed")
    work_until(city, "landed")
    assert city.balance(account, VOLUNTEER) == 5000
    assert [one.number for one in batches(city)] == [1, 2]
    assert city.audit().verdict == "PASS"


def test_a_gateway_killed_after_the_signature_asks_again_and_gets_the_same(
    city: City, agency: Agency, tmp_path: Path
) -> None:
    """kill -9 between signing and storing: one number, one content, one signature, one mint."""
    agency.start()
    _, account = city.desk.resident("990000195401010011", volunteer=PERSON)
    city.desk.service.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", PERSON, "1", "2")))
    city.deployment.write(tmp_path / "deployment.json")
    signatures = tmp_path / "signatures"
    bearer, public_key = str(agency.folder / "bearer"), agency.key.public_key.hex()
    arguments = [str(tmp_path), str(signatures), agency.address.url, bearer, public_key]
    done = nursery.run("tests.integration.issuers.signing_worker", arguments, env=os.environ, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (row,) = batches(city)
    assert (row.state, row.signature) == ("prepared", None)
    work_until(city, "landed")
    (row,) = batches(city)
    assert [(row.signature or b"").hex()] == signatures.read_text().split()
    assert city.balance(account, VOLUNTEER) == 2000
    assert agency.journal("SELECT number, kind FROM digests") == [("1", "mint")]


def test_a_signer_killed_between_document_and_signature_remembers(city: City, agency: Agency, tmp_path: Path) -> None:
    """The approval is durable before it is told; after the restart the preimage is signed, and another is not."""
    city.desk.resident("990000195401010011", volunteer=PERSON)
    service = city.desk.service
    service.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", PERSON, "1", "2")))
    service.make_batches()
    agency.start()
    liar, document = Liar(agency), document_of(city, 1)
    derived = liar.show(document)
    agency.kill()
    agency.start()
    liar = Liar(agency)
    (row,) = batches(city)
    preimage = city.deployment.domain().preimage(service._batcher._message(row).struct_hash())
    assert "0x" + keccak256(preimage).hex() == derived
    answer = liar.sign(preimage)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert recover(keccak256(preimage), bytes.fromhex(answer.text[2:])) == agency.key.address
    assert liar.sign(preimage).text == answer.text
    work_until(city, "landed")
    (row,) = batches(city)
    assert "0x" + (row.signature or b"").hex() == answer.text


def test_a_lying_gateway_gets_no_signature(city: City, agency: Agency, tmp_path: Path) -> None:
    """Every lie has its name: changed amounts, a second batch under a number, a grant under two numbers, invented
    records, other places and times, and bytes that were never shown."""
    agency.set(day_minor_max=20_000, batch_minor_max=15_000, grant_minor_max=12_000)
    agency.start()
    city.desk.resident("990000195401010011", volunteer=PERSON)
    service = city.desk.service
    service.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", PERSON, "1", "2")))
    service.make_batches()
    liar, honest = Liar(agency), document_of(city, 1)
    (leaf,) = honest["leaves"]
    domain = city.deployment.domain()

    def batch(number: int = 2, quarter: int = QUARTER, **changes: Any) -> dict[str, Any]:
        fresh = {"grant_id": "0x" + keccak256(b"another").hex()}
        return mint_document(domain, 1, quarter, number, [{**leaf, **fresh, **changes}])

    record = orjson.loads(leaf["record"])
    salt = bytes.fromhex(leaf["salt"][2:])

    def invented(**changes: str) -> dict[str, Any]:
        told = {**record, **changes}
        canonical = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
        return {"record": canonical.decode(), "commitment": "0x" + commitment(salt, told).hex()}

    assert liar.show(honest).startswith("0x"), "the same again is the same"
    more = {**leaf, "amount_minor": "2001"}
    assert liar.show({**honest, "leaves": [more]}) == "number_taken"
    assert liar.show({**honest, "leaves": [leaf, {**leaf, "grant_id": "0x" + "07" * 32}]}) == "number_taken"
    assert liar.show({**honest, "number": "2"}) == "grant_taken", "one grant has one number"
    assert liar.show(batch(amount_minor="2001")) == "worth_less", "2 hours are 20 points"
    assert liar.show(batch(amount_minor="0")) == "amount_invalid"
    assert liar.show(batch(account="0x" + "00" * 20)) == "account_invalid"
    assert liar.show(batch(commitment="0x" + "01" * 32)) == "record_differs"
    assert liar.show(batch(activity="BLOOD")) == "activity_unknown"
    assert liar.show(batch(rulebook_version=9)) == "rulebook_unknown"
    assert liar.show(batch(quarter=QUARTER + 1)) == "quarter_wrong"
    assert liar.show(batch(salt=None, record=None)) == "record_missing"
    assert liar.show(batch(amount_minor="12001", **invented(quantity="20"))) == "grant_too_large"
    assert liar.show({**batch(), "programme": 2}) == "other_programme"
    assert liar.show({**batch(), "domain": {**honest["domain"], "chain_id": 1}}) == "other_installation"
    assert liar.show({**batch(), "grants": []}) == "malformed_document"
    twice = [{**leaf, "grant_id": "0x" + "08" * 32}] * 2
    assert liar.show({**batch(), "leaves": twice}) == "duplicate_grant"
    many = [{**leaf, **invented(quantity="8"), "amount_minor": "8000", "grant_id": f"0x{at:064x}"} for at in (1, 2, 3)]
    assert liar.show({**batch(), "leaves": many[:2]}) == "batch_too_large"
    assert liar.show({**batch(), "leaves": many[:1]}).startswith("0x")
    assert liar.show({**batch(number=3), "leaves": many[1:2]}).startswith("0x")
    assert liar.show({**batch(number=4), "leaves": many[2:]}) == "day_limit"
    assert liar.sign(b"\x19\x01" + domain.separator + keccak256(b"blind")).json()["reason"] == "not_derived"
    assert liar.sign(b"transfer everything").json()["reason"] == "not_derived"
    assert liar.show(void_document(domain, 1, 9)).startswith("0x")
    assert liar.show(batch(number=9)) == "number_void"
    assert agency.journal("SELECT count(*) FROM numbers WHERE is_void = 0") == [(3,)]


def test_only_the_gateway_is_let_in(city: City, agency: Agency) -> None:
    """Without the token nothing but /upcheck answers; another key is not here; big and odd requests are refused."""
    agency.start()
    at = agency.address
    with httpx.Client(base_url=at.url, trust_env=False) as stranger:
        assert stranger.get("/upcheck").text == "OK"
        assert stranger.get(KEYS_PATH).status_code == 401
        assert stranger.post(SIGN_PATH + "0x" + at.public_key.hex(), json={"data": "0x00"}).status_code == 401
    liar = Liar(agency)
    assert liar.http.get(KEYS_PATH).json() == ["0x" + at.public_key.hex()]
    assert liar.http.post(SIGN_PATH + "0x" + "11" * 64, json={"data": "0x00"}).status_code == 404
    for body in (b"", b"{}", b'{"data": 5}', b'{"data": "0xzz"}', b"[1"):
        assert liar.http.post(SIGN_PATH + liar.key, content=body).status_code == 400
    assert liar.http.post("/reload").status_code == 404
    signer = Web3Signer(at)
    signer.check()
    signer.close()
    unknown = Web3Signer(type(at)(at.url, b"\x11" * 64, bearer_file=at.bearer_file, attempts_max=1))
    with pytest.raises(SignerError) as caught:
        unknown.check()
    assert caught.value.reason is SignerReason.UNKNOWN_KEY
    unknown.close()


def test_the_agencys_door_opens_to_our_certificate_alone(city: City, agency: Agency, tmp_path: Path) -> None:
    """Mutual TLS instead of a token."""
    ours = Certificates(agency.folder / "tls")
    ours.issue("signer")
    ours.issue("gateway")
    tls = {"certificate": "tls/signer.crt", "key": "tls/signer.key", "client_ca": "tls/ca.crt"}
    agency.set(bearer_file=None, tls=tls)
    with SignerServer(agency.folder, load_settings(agency.folder), ManualClock(NOW), port=0) as server:
        known = replace(
            agency.address,
            url=server.url,
            bearer_file=None,
            ca_file=ours.folder / "ca.crt",
            certificate_file=ours.folder / "gateway.crt",
            key_file=ours.folder / "gateway.key",
        )
        client, stranger = Web3Signer(known), Web3Signer(replace(known, certificate_file=None, key_file=None))
        client.check()
        with pytest.raises(SignerError) as caught:
            stranger.check()
        assert caught.value.reason is SignerReason.UNREACHABLE
        client.check()
        client.close()
        stranger.close()
    for unguarded in ({"bearer_file": None, "tls": None}, {"bearer_file": "bearer", "tls": None, "host": "0.0.0.0"}):
        agency.set(**unguarded)
        with pytest.raises(ConfigurationError):
            load_settings(agency.folder)


def test_a_new_signer_signs_only_for_records_that_it_was_shown(tmp_path: Path) -> None:
    commands.init(tmp_path / "signer", 1, [ROOT / "issuers/rules/rulebooks/volunteer-1.yaml"], port=9000)
    assert load_settings(tmp_path / "signer").requires_known_records


def test_an_agency_that_knows_its_records_signs_for_no_others(city: City, agency: Agency, tmp_path: Path) -> None:
    """With the agency's own exports learnt, a record that never was is refused, and its neighbours' batches go on."""
    export = volunteer_file(tmp_path, "a.csv", ("ZY-0001", PERSON, "1", "2"))
    agency.set(requires_known_records=True)
    mapping = ROOT / "issuers/sources/mappings/volunteer-csv.yaml"
    command = ["signer", "learn", str(agency.folder), str(export), "--mapping", str(mapping), "--json"]
    done = nursery.run("tongdui", command, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert orjson.loads(done.stdout.splitlines()[-1])["new"] == 1
    agency.start()
    _, account = city.desk.resident("990000195401010011", volunteer=PERSON)
    service = city.desk.service
    forged = volunteer_file(tmp_path, "b.csv", ("ZY-0666", PERSON, "2", "8"))
    service.ingest_file("volunteer", forged)
    service.make_batches()
    service.ingest_file("volunteer", export)
    service.make_batches()
    city.land()
    states = {one.number: (one.state, one.reason) for one in batches(city)}
    assert states[2] == ("landed", None)
    assert states[1][0] == "prepared"
    assert "refused (record_unknown)" in (states[1][1] or "")
    assert city.balance(account, VOLUNTEER) == 2000
    with city.desk.database.read() as session:
        assert city.gateway.outbox.status(session, mint_key(1, 1)) is None
        assert len(leaf_rows(session, 1, 1)) == 1


def test_leaf_documents_have_no_more_than_they_say() -> None:
    """What goes to the agency: the leaf, and on purpose its own record."""
    plain = leaf_document(b"\1" * 32, b"\2" * 20, 5, "SERVICE", 1, b"\3" * 32)
    assert set(plain) == {"grant_id", "account", "amount_minor", "activity", "rulebook_version", "commitment"}
