"""Planted rings among honest records, on both databases and on a real chain: held, decided by two, revoked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import event, func, select

from issuers.rules.rulebook import RULEBOOKS, Rulebook, RulebookFile, compile_rulebook
from ledger.custody.signer import LocalSigner
from ledger.standard.ids import ProgrammeId
from ledger.store.models.issuance import IssuanceCertificationRow, IssuanceRecordRow
from tests.integration.issuers.chain import open_city
from tests.integration.issuers.lab import NOWHERE, PROGRAMMES, Desk, service_for
from tests.integration.issuers.test_chain import HEADER, VOLUNTEER

PEOPLE = [f"51010000000{n:02d}" for n in range(1, 6)]
ALICE, BOB, CAROL, DAVE, EVE = PEOPLE
CENTRE = "青羊区社区服务中心"


def book(**rule: Any) -> Rulebook:
    """The volunteers' next rulebook, with screens of certifiers."""
    content = Rulebook.load(RULEBOOKS / "volunteer-1.yaml").file.model_dump(mode="json")
    content["version"] = 2
    content["activities"][0]["certifier"] = rule
    return compile_rulebook(RulebookFile.model_validate(content))


def screened(desk: Desk, **rule: Any) -> Desk:
    """A desk whose volunteers' rulebook looks at certifiers."""
    signers = {number: LocalSigner(bytes([number]) * 32) for number in PROGRAMMES.values()}
    desk.service = service_for(desk, NOWHERE, signers, {ProgrammeId(1): (book(**rule),)})
    return desk


def export(folder: Path, name: str, *rows: tuple[str, str, str, int]) -> Path:
    """Write an export: (record id, volunteer, certifier, day of August), two hours each."""
    path = folder / name
    lines = [
        f"{record},{person},某,图书角,社区服务,2026-08-{day:02d} 09:00,2026-08-{day:02d} 11:00,2,{certifier}\n"
        for record, person, certifier, day in rows
    ]
    path.write_text(HEADER + "".join(lines), encoding="gb18030")
    return path


def held(desk: Desk) -> set[str]:
    """Natural ids cannot be read back; rows of the export can."""
    with desk.database.read() as session:
        rows = session.execute(
            select(IssuanceRecordRow.row_number, IssuanceRecordRow.reason).where(IssuanceRecordRow.status == "held")
        )
        return {f"{number} {reason}" for number, reason in rows}


def test_a_pair_and_a_ring_of_three_are_held_and_the_centre_is_not(any_desk: Desk, tmp_path: Path) -> None:
    """Across files and within one; the centre's many records are accepted; both reviewers see the reason."""
    desk = screened(any_desk)
    for number, person in enumerate(PEOPLE, 1):
        desk.resident(f"99000019540101{number:04d}", volunteer=person)
    service = desk.service
    first = export(
        tmp_path,
        "a.csv",
        *((f"ZY-1{day:03d}", BOB, ALICE, day) for day in (1, 2, 3)),
        *((f"ZY-2{day:03d}", CAROL, BOB, day) for day in (1, 2, 3)),
        *((f"ZY-3{day}{at}", person, CENTRE, day) for day in (10, 11, 12) for at, person in enumerate(PEOPLE)),
    )
    assert service.ingest_file("volunteer", first).statuses["held"] == 0
    second = export(
        tmp_path,
        "b.csv",
        ("ZY-4001", ALICE, BOB, 4),  # once: help among neighbours
        ("ZY-4002", ALICE, BOB, 5),  # twice: Alice and Bob certify each other
        ("ZY-4003", ALICE, CAROL, 6),
        ("ZY-4004", ALICE, CAROL, 7),  # Alice → Bob → Carol → Alice
        ("ZY-4005", DAVE, ALICE, 8),  # Dave is outside
        ("ZY-4006", DAVE, ALICE, 9),
        ("ZY-4007", DAVE, DAVE, 14),
    )
    report = service.ingest_file("volunteer", second)
    assert report.statuses == {"accepted": 4, "held": 3}
    assert held(desk) == {"2 certifier_ring", "4 certifier_ring", "7 certifier_self"}
    reviews = service.reviews("volunteer")
    assert {one.screen for one in reviews} == {"certifier_ring", "certifier_self"}
    assert all(one.reason_en and one.reason_zh for one in reviews)
    assert any("ring of 3" in one.reason_en for one in reviews)
    assert reviews[0].other_record_id is not None
    assert service.approve(reviews[0].review_id, "first") == "first"
    assert service.approve(reviews[0].review_id, "second") == "accepted", "an appeal that two people accept"
    service.reject(reviews[1].review_id, "first")
    again = service.ingest_file("volunteer", export(tmp_path, "c.csv", ("ZY-4008", BOB, CENTRE, 20)))
    assert again.statuses == {"accepted": 1}
    with desk.database.read() as session:
        row = session.scalars(select(IssuanceCertificationRow)).first()
        assert row is not None
        assert len(row.certifier) == len(row.subject) == 32
        assert session.scalar(select(func.count()).select_from(IssuanceCertificationRow)) == 29


def test_captives_and_tireless_certifiers_are_counted_across_deliveries(any_desk: Desk, tmp_path: Path) -> None:
    desk = screened(any_desk, share_percent=90, share_deeds_min=6, deeds_a_day_max=3)
    for number, person in enumerate(PEOPLE, 1):
        desk.resident(f"99000019540101{number:04d}", volunteer=person)
    service = desk.service
    for day in range(1, 7):
        rows = [(f"ZY-1{day:03d}", BOB, ALICE, day)]
        if day < 4:
            rows += [(f"ZY-2{day:03d}", CAROL, CENTRE, day), (f"ZY-3{day:03d}", DAVE, CENTRE, day)]
        report = service.ingest_file("volunteer", export(tmp_path, f"{day}.csv", *rows))
        assert report.statuses["held"] == (1 if day == 6 else 0)
    assert held(desk) == {"1 certifier_share"}
    busy = export(
        tmp_path,
        "busy.csv",
        *((f"ZY-5{at:03d}", person, DAVE, 20) for at, person in enumerate((ALICE, BOB, CAROL))),
    )
    assert service.ingest_file("volunteer", busy).statuses == {"accepted": 3}
    late = export(tmp_path, "late.csv", ("ZY-6001", EVE, DAVE, 20))
    assert service.ingest_file("volunteer", late).statuses == {"held": 1}
    assert [one.screen for one in service.reviews("volunteer")] == ["certifier_share", "certifier_day"]


def test_who_has_no_rule_pays_nothing(any_desk: Desk, tmp_path: Path) -> None:
    """The certifier is in the records; nothing of it is hashed, looked up or written."""
    any_desk.resident("990000195401010001", volunteer=ALICE)
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(any_desk.database.engine, "before_cursor_execute", note)
    any_desk.service.ingest_file("volunteer", export(tmp_path, "a.csv", ("ZY-0001", ALICE, ALICE, 1)))
    assert statements
    assert not [one for one in statements if "certification" in one]
    assert any_desk.service.counts("volunteer")["volunteer"].accepted == 1


def test_an_erased_person_leaves_no_certification(desk: Desk, tmp_path: Path) -> None:
    desk = screened(desk)
    resident, _ = desk.resident("990000195401010001", volunteer=ALICE)
    desk.service.ingest_file("volunteer", export(tmp_path, "a.csv", ("ZY-0001", ALICE, CENTRE, 1)))
    desk.erase(resident)
    with desk.database.read() as session:
        assert session.scalars(select(IssuanceCertificationRow)).all() == []


def test_what_a_ring_earned_before_it_was_seen_is_revoked_on_chain(tmp_path: Path) -> None:
    """The first deeds were accepted and minted; when reviewers see the ring, they are revoked."""
    city = open_city(tmp_path)
    try:
        desk = city.desk
        signers = city.desk.service._signing._signers
        desk.service = service_for(desk, city.deployment, dict(signers), {ProgrammeId(1): (book(),)})
        accounts = {}
        for number, person in enumerate((ALICE, BOB), 1):
            _, accounts[person] = desk.resident(f"99000019540101{number:04d}", volunteer=person)
        rows = [(f"ZY-1{day:03d}", BOB, ALICE, day) for day in (1, 2)]
        rows += [(f"ZY-2{day:03d}", ALICE, BOB, day) for day in (1, 2)]
        report = desk.service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows))
        assert report.statuses == {"accepted": 3, "held": 1}
        desk.service.make_batches()
        city.land()
        assert (city.balance(accounts[BOB], VOLUNTEER), city.balance(accounts[ALICE], VOLUNTEER)) == (4000, 2000)
        (review,) = desk.service.reviews("volunteer")
        desk.service.reject(review.review_id, "first", "a ring")
        natural = ["ZY-1001", "ZY-1002", "ZY-2001"]
        assert desk.service.revoke_false("volunteer", natural, "second", "a ring") == 3
        assert desk.service.send_revocations() == 3
        city.land()
        assert {city.balance(account, VOLUNTEER) for account in accounts.values()} == {0}
        assert city.audit().verdict == "PASS"
    finally:
        city.close()
