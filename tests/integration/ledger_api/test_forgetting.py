"""An erasure, looked at by somebody who has everything but the key that was destroyed: the database with its log and
free pages, the state folder with all keys, what was logged, and the agency's own list."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import select

from issuers.records.vault import RecordKeys
from ledger.custody.keyring import IdentityHasher, SourceIdHasher
from ledger.standard.ids import ProgrammeId, address_bytes
from ledger.store.models.issuance import IssuanceGrantRow, IssuanceRecordRow, IssuanceUsageRow
from ledger.store.models.residents import TombstoneRow
from tests.eventually import eventually
from tests.integration.ledger_api.served import Served, served_city
from tests.integration.ledger_api.test_issuing import GREEN, row, wait_for_points

NAME, DOCUMENT, SOURCE = "诸葛寻常", "510107198803151234", "zd_0badcafe"
OTHER, OTHER_DOCUMENT = "zd_0a1b2c3d", "510107199901011234"
RECORDS = ("REC-9001", "REC-9002", "REC-9003")


class Found:
    """What somebody holds in hands after the erasure."""

    def __init__(self, served: Served, erased: dict[str, Any], logged: str) -> None:
        self.served = served
        self.resident_id = int(erased["resident_id"])
        self.account = erased["account"]
        self.logged = logged
        self.folder = served.city.settings.state_dir

    def bytes_of_database(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob("books.db*")))

    def rows(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield every row of every table, as sqlite3 has it."""
        with closing(sqlite3.connect(f"file:{self.folder}/books.db?mode=ro", uri=True)) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for found in database.execute(f'SELECT * FROM "{table}"').fetchall():
                    yield table, found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    """A resident earns, is refused a row, buys, is looked at by a desk, and is erased; another goes on."""
    lines = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=lines), cache_logger_on_first_use=False)
    try:
        with served_city(tmp_path_factory.mktemp("city")) as served:
            yield _lived_and_erased(served, lines)
    finally:
        structlog.reset_defaults()


def _lived_and_erased(served: Served, lines: io.StringIO) -> Found:
    drop = served.city.settings.state_dir / "drop" / "environmental"
    content = [row(name, "RECYCLE-PAPER", str(9 + at), user=SOURCE) for at, name in enumerate(RECORDS[:2])]
    content += [row("REC-9009", "UNHEARD-OF", "3", user=SOURCE), f'{{"id": "x", "user_id": "{SOURCE}", broken']
    content += [row("REC-8001", "RECYCLE-PAPER", "7", user=OTHER)]
    (drop / "green.jsonl.part").write_text("\n".join(content) + "\n")
    (drop / "green.jsonl.part").rename(drop / "green.jsonl")
    eventually(lambda: list((drop / ".returned").glob("*")) if (drop / ".returned").exists() else [])
    made = []
    for subject, name, document, source in (
        ("zhuge-login", NAME, DOCUMENT, SOURCE),
        ("other-login", "王五", OTHER_DOCUMENT, OTHER),
    ):
        headers = served.token(subject, "resident:self", "resident:register")
        links = [{"programme": GREEN, "source_id": source}]
        body = {"document_number": document, "name": name, "links": links}
        answer = served.post("/v1/residents", body, headers)
        assert answer.status_code == 201, answer.text
        made.append((headers, answer.json()))
    headers, mine = made[0]
    wait_for_points(served, headers, "190.00")
    served.post("/v1/residents/me/pin", {"pin": "481903"}, headers)
    ask = {"resident_id": mine["resident_id"], "offer": "rice-5kg", "quantity": 1}
    assert served.post("/v1/desk/approvals", ask, served.token("clerk", "desk:shuangnan")).status_code < 300
    bought = served.post("/v1/redemptions", {"offer": "metro-single", "programmes": [GREEN]}, headers)
    order = bought.json()["order_id"]
    assert served.wait(order, headers)["state"] == "paid"
    assert served.post(f"/v1/redemptions/{order}/code", {}, headers).status_code < 300
    _erase(served, headers)
    eventually(lambda: not list((drop / ".done").iterdir()), timeout_s=40)
    return Found(served, mine, lines.getvalue())


def _erase(served: Served, headers: dict[str, str]) -> None:
    blind = {"confirm": "erase", "loses": {"is_custodial": True, "points": [], "holds": [], "orders": []}}
    refused = served.post("/v1/residents/me/erase", blind, headers)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/erasure-differs")
    loses = served.get("/v1/residents/me/erasure", headers).json()
    assert refused.json()["loses"] == loses
    assert loses["points"], "something is lost"
    done = served.post("/v1/residents/me/erase", {"confirm": "erase", "loses": loses}, headers)
    assert done.status_code == 200, done.text


def test_no_file_of_the_state_folder_has_name_source_id_or_document_in_clear(found: Found) -> None:
    """Nor has the database's log, nor a free page, nor a line that was logged."""
    for path in found.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            for word in (NAME, DOCUMENT, SOURCE, "zhuge-login"):
                kept = word == "zhuge-login" and path.name.startswith("books.db")  # the answer to the erasure itself
                assert kept or word.encode() not in content, (path, word)
    assert not any(word in found.logged for word in (NAME, DOCUMENT, SOURCE, found.account, str(found.resident_id)))


def test_keys_and_guesses_lead_from_the_agencys_list_to_no_account(found: Found) -> None:
    """With all keys: each HMAC of what the list has is looked for everywhere; what stands beside it is followed."""
    keyring = found.served.city.keys.keyring
    identities, sources = IdentityHasher(keyring), SourceIdHasher(keyring)
    keys = RecordKeys(keyring, found.served.city.registry.forms)
    known = {digest for _, digest in identities.hash_live(DOCUMENT)}
    known |= {digest for _, digest in sources.hash_live(ProgrammeId(GREEN), SOURCE)}
    known |= {sources.dedupe("identity", digest.hex()) for digest in list(known)}
    content = found.bytes_of_database()
    assert not any(digest in content for digest in known), "a guess is confirmed"
    mapping = found.served.city.issuers.mapping(GREEN, None, Path("a.jsonl"))
    seen = 0
    for name in RECORDS[:2]:
        dedupe = keys.dedupe(ProgrammeId(GREEN), mapping.system, name)
        with found.served.city.database.read() as session:
            record = session.scalars(select(IssuanceRecordRow).where(IssuanceRecordRow.dedupe_key == dedupe)).one()
            seen += 1
            assert (record.resident_id, record.sealed, record.device_hmac, record.reason) == (
                None,
                None,
                None,
                "erased",
            )
            beside = session.scalars(
                select(IssuanceGrantRow).where(IssuanceGrantRow.record_id == record.record_id)
            ).all()
            assert beside == []
        for salt in (b"", bytes(32)):
            assert keys.grant_id(dedupe, 1, salt) not in content
    assert seen == 2
    published = b"".join(path.read_bytes() for path in (found.folder / "leaves").rglob("*.json*"))
    assert address_bytes(found.account).hex().encode() in published, "what was minted is evidence still"


def test_from_account_or_resident_no_row_leads_to_a_person(found: Found) -> None:
    """Every row that names the resident or the account is followed: nothing beside it is a login, a seal or an HMAC."""
    number, account = found.resident_id, address_bytes(found.account)
    near = [(table, one) for table, one in found.rows() if number in one or account in one]
    tables = {table for table, _ in near}
    assert not tables & {
        "source_ids",
        "source_claims",
        "source_link_events",
        "source_decisions",
        "api_subjects",
        "issuance_records",
        "issuance_usage",
        "issuance_certifications",
        "desk_pins",
        "desk_approvals",
        "tombstones",
    }
    for table, one in near:
        assert not any(isinstance(value, str) and "zhuge" in value for value in one), (table, one)
    [resident] = [one for table, one in near if table == "residents"]
    assert resident.count(None) >= 4, "keys, profile and identity are gone"
    for table, one in found.rows():
        for value in one:
            if table == "idempotency_keys" and isinstance(value, bytes):
                assert found.account.encode() not in value
                assert str(number).encode() not in value


def test_time_and_order_do_not_tie_a_tombstone_to_a_resident(found: Found) -> None:
    with found.served.city.database.read() as session:
        [stone] = session.scalars(select(TombstoneRow)).all()
    assert TombstoneRow.__table__.columns.keys() == ["tag", "sealed"]
    with closing(sqlite3.connect(f"file:{found.folder}/books.db?mode=ro", uri=True)) as database:
        [(made,)] = database.execute("SELECT sql FROM sqlite_master WHERE name = 'tombstones'").fetchall()
        assert "WITHOUT ROWID" in made, "no number says which came when"
        erased = database.execute("SELECT erased_at FROM residents WHERE erased_at IS NOT NULL").fetchall()
        changed = database.execute("SELECT updated_at FROM issuance_records WHERE reason = 'erased'").fetchall()
    assert not set(erased) & set(changed)
    assert len(stone.tag) == 32


def test_the_other_residents_rows_are_as_they_were(found: Found) -> None:
    headers = found.served.token("other-login", "resident:self")
    wait_for_points(found.served, headers, "70.00")
    assert found.served.get("/v1/residents/me/sources", headers).json()["items"][0]["source_id"] == OTHER


def test_who_comes_back_is_new_and_keeps_the_caps_and_no_deed_counts_twice(found: Found, tmp_path: Path) -> None:
    """Last, for it changes what the others look at."""
    served = found.served
    headers = served.token("zhuge-again", "resident:self", "resident:register")
    body = {"document_number": DOCUMENT, "links": [{"programme": GREEN, "source_id": SOURCE}]}
    made = served.post("/v1/residents", body, headers).json()
    assert made["account"] != found.account
    assert int(made["resident_id"]) != found.resident_id
    with served.city.database.read() as session:
        assert session.scalars(select(TombstoneRow)).all() == []
        used = session.scalars(select(IssuanceUsageRow).where(IssuanceUsageRow.resident_id == int(made["resident_id"])))
        assert any(one.points_minor for one in used), "what was used of the caps is used still"
    again = tmp_path / "again.jsonl"
    again.write_text(row(RECORDS[0], "RECYCLE-PAPER", "9", user=SOURCE) + "\n")
    report = served.city.issuers.ingest_file(GREEN, again)
    assert dict(report.refusals) == {"duplicate_record": 1}
    changed = json.loads(row(RECORDS[1], "RECYCLE-PAPER", "99", user=SOURCE))
    again.write_text(json.dumps(changed) + "\n")
    assert dict(served.city.issuers.ingest_file(GREEN, again).refusals) == {"duplicate_record": 1}
