"""Intake beside running gateways, by real processes: one gateway on SQLite, several on PostgreSQL."""

from __future__ import annotations

import secrets
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.residents.registry import NewResident
from tests.e2e.processes import (
    GREEN,
    LINE_MINOR,
    RECORDS,
    ended,
    gateway,
    network,
    register_people,
    start_ingest,
    token,
    wait_for_supply,
    write_records,
)
from tests.e2e.runs import tongdui_here
from tests.eventually import eventually
from tests.integration.ledger import postgres
from tongdui.offline import open_books
from tongdui.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def contest(state_dir: Path) -> int:
    """Let two people claim one number; return whose it is."""
    with open_books(Settings(state_dir=state_dir, _env_file=None)) as books, books.database.transaction() as session:
        made = books.registry.register_many(session, [NewResident("thief"), NewResident("owner")])
        claims = [(one.resident.resident_id, GREEN, "zd_contested") for one in made]
        books.registry.link_many(session, claims)
        return made[1].resident.resident_id


def test_three_intakes_beside_a_gateway_on_sqlite(tmp_path: Path) -> None:
    """Overlapping files, one of them twice, while the API answers: each record counts once, and all is minted."""
    state = tmp_path / "state"
    with gateway(state) as city:
        register_people(Settings(state_dir=state, _env_file=None))
        files = [
            write_records(tmp_path / "a.jsonl", 0, 240),
            write_records(tmp_path / "b.jsonl", 120, RECORDS),
            write_records(tmp_path / "c.jsonl", 0, 240),
        ]
        intakes = [start_ingest(state, file) for file in files]
        agency = token(state, f"issuer:{GREEN}")
        while any(one.poll() is None for one in intakes):
            answer = city.client.get(f"/v1/issuers/{GREEN}/records", headers=agency)
            assert answer.status_code == 200, answer.text
            time.sleep(0.2)
        results = [ended(one) for one in intakes]
        assert sum(one["outcome"] == "exists" for result in results for one in result["deliveries"]) <= 1
        counts = city.client.get(f"/v1/issuers/{GREEN}/records", headers=agency).json()
        assert (counts["accepted"], counts["waiting"], counts["held"]) == (str(RECORDS), "0", "0")
        wait_for_supply(city.client, RECORDS * LINE_MINOR)
        assert city.client.get("/v1/invariants").json()["ok"] is True
        shown = tongdui_here("issuers", "counts", "--state-dir", str(state), "--json")
        assert shown.code == 0, shown.err
        assert shown.last["programmes"]["environmental"]["accepted"] == RECORDS
        stages = tongdui_here("issuers", "stages", str(GREEN), "--state-dir", str(state), "--json").last["stages"]
        assert [one["done"] for one in stages if one["name"] == "grant"] == [RECORDS]
        contested = contest(state)
        where = ("--state-dir", str(state), "--json")
        [claim] = tongdui_here("issuers", "claims", str(GREEN), "--by", "Chen", *where).last["items"]
        assert (claim["source_id"], claim["state"]) == ("zd_contested", "frozen")
        decide = ("issuers", "decide", str(GREEN), claim["claim"], "--for", str(contested), *where)
        assert tongdui_here(*decide, "--by", "Chen").last["status"] == "first"
        assert tongdui_here(*decide, "--by", "Chen").code == 3, "one person is not two"
        assert tongdui_here(*decide, "--by", "Zhou").last["status"] == "decided"
        assert tongdui_here("issuers", "claims", str(GREEN), "--by", "Chen", *where).last["items"] == []


def test_intakes_without_a_gateway_carry_each_other_out(tmp_path: Path) -> None:
    """Two at once on one state directory: one takes the chain, the other waits for it, and both end."""
    state = tmp_path / "state"
    assert tongdui_here("deploy", "--state-dir", str(state)).code == 0
    register_people(Settings(state_dir=state, _env_file=None))
    intakes = [
        start_ingest(state, write_records(tmp_path / "a.jsonl", 0, 120)),
        start_ingest(state, write_records(tmp_path / "b.jsonl", 120, 240)),
    ]
    results = [ended(one) for one in intakes]
    assert [one["ok"] for one in results] == [True, True]
    shown = tongdui_here("issuers", "counts", "--state-dir", str(state), "--json").last["programmes"]["environmental"]
    assert (shown["accepted"], shown["granted_minor"]) == (240, str(240 * LINE_MINOR))
    with gateway(state) as city:
        wait_for_supply(city.client, 240 * LINE_MINOR)


@pytest.mark.postgres
def test_several_gateways_and_intakes_on_postgresql(tmp_path: Path) -> None:
    """Two gateways share database and node; one is killed in the middle, and its work is taken over."""
    state = tmp_path / "state"
    with ExitStack() as stack:
        server = stack.enter_context(postgres.server())
        database = stack.enter_context(postgres.fresh_database(server, "b" + secrets.token_hex(6)))
        node = stack.enter_context(network(tmp_path / "node"))
        shared = {"TONGDUI_DATABASE_URL": database, "TONGDUI_RPC_URL": node}
        deployed = tongdui_here("deploy", "--state-dir", str(state), **shared)
        assert deployed.code == 0, deployed.err[-3000:]
        settings = Settings(state_dir=state, _env_file=None, database_url=database, rpc_url=node)
        register_people(settings)
        first = stack.enter_context(gateway(state, **shared))
        second = stack.enter_context(gateway(state, **shared))
        intakes = [
            start_ingest(state, write_records(tmp_path / "a.jsonl", 0, 240), **shared),
            start_ingest(state, write_records(tmp_path / "b.jsonl", 120, RECORDS), **shared),
        ]
        agency = token(state, f"issuer:{GREEN}")
        eventually(
            lambda: second.client.get(f"/v1/issuers/{GREEN}/records", headers=agency).json(),
            lambda shown: int(shown["accepted"]) >= 120,
            timeout_s=120,
            poll_s=0.05,
        )
        first.kill()
        for one in intakes:
            ended(one)
        counts = second.client.get(f"/v1/issuers/{GREEN}/records", headers=agency).json()
        assert (counts["accepted"], counts["waiting"], counts["held"]) == (str(RECORDS), "0", "0")
        wait_for_supply(second.client, RECORDS * LINE_MINOR)
        assert second.client.get("/v1/invariants").json()["ok"] is True
        batches = second.client.get("/metrics", headers=token(state, "operator")).text
        assert "tongdui_alarms 0.0" in batches
