"""With an agency's signer configured, nothing that the gateway can read mints for that agency."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from sqlalchemy import select

from issuers.agency.server import SignerServer
from issuers.agency.settings import load_settings
from ledger.clock import ManualClock
from ledger.custody.keystore import Keystore
from ledger.custody.master import load_master_key
from ledger.custody.web3signer import Web3Signer
from ledger.deployment.contracts import Contracts, read
from ledger.errors import ConfigurationError
from ledger.store.models.issuance import IssuanceBatchRow
from tests.integration.issuers.agency import Agency
from tests.integration.issuers.lab import NOW
from tests.integration.issuers.test_chain import volunteer_file
from tongdui.bootstrap import City, open_city
from tongdui.cli.agency import batches
from tongdui.clock import clock_of, let_time_run
from tongdui.settings import IssuerSignerSettings, Settings

PERSON = "5101000000001"


def settings(state: Path, agency: Agency) -> Settings:
    """The embedded default, but for one agency that signs in its own house."""
    at = agency.address
    signer = IssuerSignerSettings(
        url=at.url, public_key="0x" + at.public_key.hex(), bearer_file=at.bearer_file, timeout_s=5, attempts_max=1
    )
    return Settings(state_dir=state, workers=False, issuer_signers={"volunteer": signer})


def readable_accounts(state: Path) -> set[str]:
    """The accounts of all keys that somebody with the whole state directory and its master key can open."""
    store = Keystore(state / "keys" / "store", load_master_key(state / "master.key"))
    return {store.get(name).address for name in store.names()}


def test_the_gateway_holds_no_key_that_mints_for_the_agency(tmp_path: Path) -> None:
    """The whole state directory opened with its master key has no issuer key of the programme; batches land all the
    same, signed elsewhere; and a key left behind stops the start."""
    agency, state = Agency.found(tmp_path / "agency", NOW), tmp_path / "state"
    chosen = settings(state, agency)
    with open_city(chosen, ManualClock(NOW)) as city:
        agency.give(city.deployment)
        assert isinstance(city.issuers._signing._signers[1], Web3Signer)
        assert not any("private" in name or "secret" in name for name in dir(city.issuers._signing._signers[1]))
        register(city)
        city.issuers.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", PERSON, "1", "2")))
        city.work_until_idle()
        assert city.issuers.unsettled() == {"batches_prepared": 1}
        with SignerServer(agency.folder, load_settings(agency.folder), ManualClock(NOW), port=agency.port):
            city.issuers._signing._rests.clear()  # as if the pause after a vain attempt were over
            city.work_until_idle()
        assert city.issuers.unsettled() == {}
        with city.database.read() as session:
            signers = set(session.scalars(select(IssuanceBatchRow.signer)))
        assert signers == {bytes.fromhex(agency.key.address[2:])}
        accounts = readable_accounts(state)
        assert agency.key.address not in accounts
        is_issuer_key = Contracts.of(city.engine, city.deployment)["PointsLedger"].functions.isIssuerKey
        for account in accounts:
            assert not read(is_issuer_key(1, account), "latest"), account
        assert not (state / "keys" / "store" / "issuers" / "volunteer.key").exists()
        assert (state / "keys" / "store" / "issuers" / "culture.key").exists(), "the others keep the embedded default"
    Keystore(state / "keys" / "store", load_master_key(state / "master.key")).get_or_create("issuers/volunteer")
    with pytest.raises(ConfigurationError, match="keystore still holds issuers/volunteer"), open_city(chosen):
        pass


def test_a_number_is_given_up_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The signer is away: the void waits and says so; it comes: final; what has landed since is not given up."""
    agency, state = Agency.found(tmp_path / "agency", NOW), tmp_path / "state"
    chosen = settings(state, agency)
    with open_city(chosen, ManualClock(NOW)) as city:
        agency.give(city.deployment)
        register(city)
        city.issuers.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", PERSON, "1", "2")))
        city.work_until_idle()
    let_time_run(state, NOW)
    signers = {slug: one.model_dump(mode="json") for slug, one in chosen.issuer_signers.items()}
    monkeypatch.setenv("TONGDUI_ISSUER_SIGNERS", orjson.dumps(signers).decode())

    def said() -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(capsys.readouterr().out.splitlines()[-1])
        return found

    said_nothing = capsys.readouterr()
    assert "account" in said_nothing.out
    batches.batches(None, state, as_json=True)
    (waiting,) = said()["batches"]
    assert (waiting["programme"], waiting["number"], waiting["state"]) == ("volunteer", "1", "prepared")
    assert "unreachable" in waiting["reason"]
    batches.void("volunteer", 1, "wrong month", state, as_json=True)
    told = said()
    assert (told["ok"], told["state"], "unreachable" in told["problem"]) == (False, "wanted", True)
    with SignerServer(agency.folder, load_settings(agency.folder), clock_of(state), port=agency.port):
        batches.void("volunteer", 1, "wrong month", state, as_json=True)
        assert said()["state"] == "final"
        batches.batches("volunteer", state, as_json=True)
        assert said()["batches"] == [], "nothing was signed under the old number, so the grants have landed anew"
        with pytest.raises(typer.Exit) as left:
            batches.void("volunteer", 2, "too late", state, as_json=True)
        assert (left.value.exit_code, said()["state"]) == (1, "landed")


def test_a_number_is_given_up_beside_a_running_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command only asks; whoever runs the chain signs, sends and renumbers."""
    state = tmp_path / "state"
    clock = ManualClock(NOW)
    with open_city(Settings(state_dir=state, workers=False), clock) as city:
        register(city)
        city.issuers.ingest_file("volunteer", volunteer_file(tmp_path, "a.csv", ("ZY-0001", PERSON, "1", "2")))
        city.issuers.make_batches()
    let_time_run(state, NOW)
    with open_city(Settings(state_dir=state, workers=False), clock) as city:
        working = threading.Event()

        def work() -> None:
            while not working.wait(0.05):
                city.work_until_idle()

        with city.database.transaction() as session:
            city.gateway.outbox.withdraw(session, "mint:1:1", "held back until it is given up")
        worker = threading.Thread(target=work)
        worker.start()
        try:
            batches.void("volunteer", 1, "wrong month", state, as_json=True)
        finally:
            working.set()
            worker.join()
        told = orjson.loads(capsys.readouterr().out.splitlines()[-1])
        assert (told["ok"], told["state"]) == (True, "final")
        city.work_until_idle()
        assert city.issuers.unsettled() == {}


def register(city: City) -> None:
    """One volunteer."""
    from ledger.residents.registry import NewResident

    with city.database.transaction() as session:
        resident = city.registry.register(session, NewResident("990000195401010011")).resident
        city.registry.link(session, resident.resident_id, 1, PERSON)


def test_a_signer_for_nobody_is_refused(tmp_path: Path) -> None:
    agency = Agency.found(tmp_path / "agency", NOW)
    given = settings(tmp_path / "state", agency)
    wrong = given.model_copy(update={"issuer_signers": {"nobody": given.issuer_signers["volunteer"]}})
    with pytest.raises(ConfigurationError, match="no programme nobody"), open_city(wrong, ManualClock(NOW)):
        pass
