"""One number is one number wherever it enters; what was stored under an older form is brought to the present one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from issuers.errors import CaseDisagrees
from issuers.records import vault
from issuers.records.renormalising import Renormalised
from issuers.sources import normalise as source_normalise
from issuers.sources.mapping import FOLDER, Mapping, forms_of
from ledger.custody.custodian import Custodian
from ledger.custody.keyring import IdentityHasher, SourceIdHasher
from ledger.residents.claims import Proof
from ledger.residents.link_codes import LinkCodes
from ledger.residents.registry import ResidentRegistry
from ledger.residents.renormalising import renormalise_links
from ledger.standard import identifiers
from ledger.standard.identifiers import IdentifierForms
from ledger.standard.ids import ProgrammeId
from ledger.store.models.residents import SourceClaimRow, SourceIdRow, SourceLinkEventRow
from tests.integration.issuers.lab import NOWHERE, PROGRAMMES, Desk, service_for
from tests.integration.issuers.test_chain import HEADER
from tests.integration.issuers.test_ways_in import paged_api, ticket

ALICE, BOB = "5101000000001", "5101000000002"
SPELLINGS = (
    "5101000000001",
    "５１０１０００００００01",
    "5101\u200b000000001",
    "5101 0000 00001",
    "\ufeff5101000000001\u200e",
    "\u202a5101000000001\u202c",
    "5101\u00a0000000001\u3000",
)


def export(folder: Path, name: str, *rows: tuple[str, str, str]) -> Path:
    """Write an export: (record number, volunteer, day of August), one hour each."""
    path = folder / name
    lines = [
        f"{record},{person},某,图书角,社区服务,2026-08-{day} 09:00,2026-08-{day} 17:00,1,协会\n"
        for record, person, day in rows
    ]
    path.write_text(HEADER + "".join(lines), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_link_meets_the_records_however_both_are_written(desk: Desk, tmp_path: Path, spelling: str) -> None:
    """File and link, both ways round."""
    _, account = desk.resident("990000195401010011", volunteer=spelling)
    rows = [(f"ZY-{n:04d}", written, f"{n + 1:02d}") for n, written in enumerate(SPELLINGS)]
    report = desk.service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows), csv_utf8())
    assert report.statuses == {"accepted": len(SPELLINGS)}, desk.service.refusals("volunteer").items
    assert len(desk.service.grants_of(account)) == len(SPELLINGS)


def csv_utf8() -> Mapping:
    """The volunteers' mapping, for a file that can hold all characters."""
    mapping = Mapping.load(FOLDER / "volunteer-csv.yaml")
    return mapping.model_copy(update={"encodings": ("utf-8",)})


def test_a_record_number_is_one_however_it_is_written(any_desk: Desk, tmp_path: Path) -> None:
    """A second spelling of a known number is the same record again, and mints nothing."""
    any_desk.resident("990000195401010011", volunteer=ALICE)
    rows = [(written, ALICE, "01") for written in ("ZY-0001", "ZY\u200b-0001", "ＺＹ-0001", " ZY- 0001", "ZY-０００１")]
    report = any_desk.service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows), csv_utf8())
    assert report.statuses == {"accepted": 1, "refused": 4}
    assert report.refusals == {"duplicate_record": 4}
    assert any_desk.service.revoke_false("volunteer", ["ＺＹ-0001\u200b"], "inspector") == 1


def test_pushes_and_pulls_meet_the_same_people(desk: Desk, tmp_path: Path) -> None:
    desk.resident("990000195401010011", environmental="ｚｄ_00000001", culture="WH-000 0001\u200b")
    event = {
        "id": "ZD\u200b1234",
        "user_id": "zd_0000\u200b0001",
        "item": "RECYCLE-PAPER",
        "quantity": "2.5",
        "unit": "kg",
        "started_at": "2026-08-03T09:00:00+08:00",
    }
    path = tmp_path / "body"
    path.write_text(json.dumps(event), encoding="utf-8")
    assert desk.service.push("environmental", "a", path, "environmental-jsonl", is_lines=False).statuses == {
        "accepted": 1
    }
    path.write_text(json.dumps({**event, "id": "ZD1234", "user_id": "ZD_00000001".lower()}), encoding="utf-8")
    assert desk.service.push("environmental", "b", path, "environmental-jsonl", is_lines=False).refusals == {
        "duplicate_record": 1
    }
    with paged_api([{**ticket(1), "member_no": "ＷＨ-0000001"}], token_lives=9) as (url, seen):
        seen |= {"tokens": 1, "left": 9}
        assert desk.service.pull_rest("culture", url, "t1").statuses == {"accepted": 1}


def test_desk_and_codes_meet_the_same_people(desk: Desk) -> None:
    """A document number at the counter, a link code at home: how it is typed makes no difference."""
    resident, _ = desk.resident("51010119540307002X")
    with desk.database.read() as session:
        assert desk.registry.by_document(session, "\u200e５１０１01 19540307 002x\u200b").resident_id == resident
    codes = LinkCodes(b"k" * 32, desk.clock)
    code, _ = codes.make(ProgrammeId(1), ALICE)
    codes.check(ProgrammeId(1), " 5101\u200b000000001", code)


# ---------------------------------------------------------------------------------------------- what case means


def test_where_case_parts_people_nobody_gets_anothers_points(desk: Desk, tmp_path: Path) -> None:
    """Ids of a messenger differ by case alone: the mapping says so, and links and records keep to it."""
    forms = IdentifierForms(frozenset({ProgrammeId(1)}))
    sources = SourceIdHasher(desk.keyring, forms)
    desk.registry = ResidentRegistry(Custodian(desk.envelope), IdentityHasher(desk.keyring), sources, desk.clock)
    desk.service = service_for(desk, NOWHERE, {})
    content = csv_utf8().model_dump(mode="json")
    content["fields"]["source_id"] = {"column": "志愿者编号", "case": "keep", "pattern": "o[A-Za-z0-9]{4}"}
    mapping = Mapping.model_validate(content)
    _, small = desk.resident("990000195401010011", volunteer="oabCd")
    _, large = desk.resident("990000195401010029", volunteer="oABCd")
    rows = [("ZY-0001", "oabCd", "01"), ("ZY-0002", "oABCd", "01"), ("ZY-0003", "oABC\u200bd", "02")]
    assert desk.service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows), mapping).statuses == {"accepted": 3}
    assert (len(desk.service.grants_of(small)), len(desk.service.grants_of(large))) == (1, 2)
    with pytest.raises(CaseDisagrees):
        desk.service.ingest_file("volunteer", tmp_path / "a.csv", csv_utf8())
    codes = LinkCodes(b"k" * 32, desk.clock, forms)
    code, _ = codes.make(ProgrammeId(1), "oabCd")
    with pytest.raises(Exception, match="code"):
        codes.check(ProgrammeId(1), "oABCd", code)


def test_a_programme_has_one_rule_for_case(desk: Desk, tmp_path: Path) -> None:
    mapping = csv_utf8()
    keeping = mapping.fields["source_id"].model_copy(update={"case": "keep"})
    other = mapping.model_copy(update={"name": "other", "fields": {**mapping.fields, "source_id": keeping}})
    number = (ProgrammeId(1), mapping.programme)
    assert forms_of([mapping], [number]).case_kept == frozenset()
    assert forms_of([other], [number]).case_kept == {1}
    with pytest.raises(CaseDisagrees, match="other keeps the case"):
        forms_of([mapping, other], [number])
    with pytest.raises(CaseDisagrees):
        desk.service.ingest_file("volunteer", tmp_path / "a.csv", other)


# ------------------------------------------------------------------------------------- what is stored already


@contextmanager
def older_form(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Identifiers as they were: full-width and blanks made no difference in source ids, and nothing else."""
    with monkeypatch.context() as patch:
        patch.setattr(identifiers, "_UNSEEN", re.compile("(?!)"))
        patch.setattr(vault, "record_number", lambda text: text)
        patch.setattr(source_normalise, "normalise", lambda text, keep_case: text)
        yield


def moved(desk: Desk) -> Renormalised:
    sources, custodian = SourceIdHasher(desk.keyring), Custodian(desk.envelope)
    links = partial(renormalise_links, registry=desk.registry, sources=sources, custodian=custodian)
    return desk.service.bring_identifiers_up_to_date(links)


def loose() -> Mapping:
    """A mapping that asks for no pattern."""
    content = csv_utf8().model_dump(mode="json")
    for name in ("record_id", "source_id"):
        content["fields"][name]["pattern"] = None
    return Mapping.model_validate(content)


def test_stored_numbers_are_recognised_after_the_form_changed(
    any_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links, records that wait, record numbers: all is found again, and nothing is minted twice."""
    service = any_desk.service
    with older_form(monkeypatch):
        _, account = any_desk.resident("990000195401010011", volunteer="5101\u200b000000001")
        rows = [
            ("ZY- 0001", "5101\u200b000000001", "01"),
            ("ZY-0002", ALICE, "02"),
            ("ZY-0003", "５101000000002\u200b", "03"),
        ]
        assert service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows), loose()).statuses == {
            "accepted": 1,
            "awaiting_link": 2,
        }
    assert moved(any_desk) == Renormalised(records=2, links=1)
    assert moved(any_desk) == Renormalised(), "once for each form"
    assert service.grant_linked("volunteer") == 1, "the link and the record that waited for it were two spellings"
    _, bob = any_desk.resident("990000195401010029", volunteer=BOB)
    assert service.grant_linked("volunteer", [BOB]) == 1
    again = [("ZY-0001", ALICE, "01"), ("ZY-0002", ALICE, "02"), ("ZY-0003", BOB, "03")]
    report = service.ingest_file("volunteer", export(tmp_path, "b.csv", *again), loose())
    assert report.refusals == {"duplicate_record": 3}
    assert (len(service.grants_of(account)), len(service.grants_of(bob))) == (2, 1)
    grant = service.grants_of(account)[-1]
    assert service.open_record(grant)[1], "the seal opens under the new key"


def test_two_who_linked_one_number_in_two_spellings_contest_it(any_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with older_form(monkeypatch):
        first, _ = any_desk.resident("990000195401010011", volunteer=ALICE)
        second, _ = any_desk.resident("990000195401010029", volunteer="5101\u200b000000001")
        with any_desk.database.transaction() as session:
            any_desk.registry.link(session, second, ProgrammeId(1), "51010\u200b00000009", Proof.DECISION)
            any_desk.registry.link(session, first, ProgrammeId(1), "51010\u200b00000009")
            any_desk.registry.unlink(session, first, ProgrammeId(1), "51010\u200b00000009")
    assert moved(any_desk).links == 2
    with any_desk.database.read() as session:
        states = {
            any_desk.registry.resolve_ids(session, ProgrammeId(1), [one]).get(one) is None
            for one in (ALICE, "5101\u200b000000001")
        }
        assert states == {True}, "frozen until the agency decides"
        decided = any_desk.registry.resolve_ids(session, ProgrammeId(1), ["5101000000009"])["5101000000009"]
        assert decided.resident_id == second
        claims = session.scalars(select(SourceClaimRow.state).order_by(SourceClaimRow.state)).all()
        assert claims == ["live", "live", "live", "withdrawn"]
        hashes = {bytes(one) for one in session.scalars(select(SourceIdRow.source_hmac))}
        events = {bytes(one) for one in session.scalars(select(SourceLinkEventRow.source_hmac))}
        assert events <= hashes
        assert len(hashes) == 2


def test_two_records_that_were_one_number_stay_two(
    any_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both were granted; neither is touched, and it is said how many there are."""
    any_desk.resident("990000195401010011", volunteer=ALICE)
    with older_form(monkeypatch):
        rows = [("ZY-0001", ALICE, "01"), ("ZY -0001", ALICE, "02")]
        any_desk.service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows), loose())
    assert moved(any_desk) == Renormalised(clashes=1)
    report = any_desk.service.ingest_file("volunteer", export(tmp_path, "b.csv", ("ZY-0001", ALICE, "01")), loose())
    assert report.refusals == {"duplicate_record": 1}


def test_an_erased_record_is_left(any_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resident, _ = any_desk.resident("990000195401010011", volunteer=ALICE)
    with older_form(monkeypatch):
        any_desk.service.ingest_file("volunteer", export(tmp_path, "a.csv", ("ZY -0001", ALICE, "01")), loose())
        any_desk.erase(resident)
    assert moved(any_desk) == Renormalised()
    assert PROGRAMMES["volunteer"] == 1
