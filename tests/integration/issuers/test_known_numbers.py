"""A record number that is known already, for another person or another day: held for two people, nobody loses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from issuers.errors import NoCorrection, SameApprover, SeveralDeeds
from issuers.sources.mapping import FOLDER as MAPPINGS
from issuers.sources.mapping import Mapping
from tests.integration.issuers.chain import City, open_city
from tests.integration.issuers.lab import Desk
from tests.integration.issuers.test_certifiers import export as certified
from tests.integration.issuers.test_certifiers import screened
from tests.integration.issuers.test_chain import HEADER, VOLUNTEER

ALICE, BOB = "5101000000001", "5101000000002"


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    """A city whose programmes are well funded."""
    city = open_city(tmp_path)
    yield city
    city.close()


def export(folder: Path, name: str, *rows: tuple[str, str, str, str]) -> Path:
    """Write an export: (record number, volunteer, day, hours credited)."""
    path = folder / name
    lines = [
        f"{record},{person},某,图书角,社区服务,{day} 09:00,{day} 17:00,{hours},协会\n"
        for record, person, day, hours in rows
    ]
    path.write_text(HEADER + "".join(lines), encoding="gb18030")
    return path


def people(desk: Desk) -> tuple[str, str]:
    """Register both; returns their accounts."""
    _, alice = desk.resident("990000195401010011", volunteer=ALICE)
    _, bob = desk.resident("990000195401010029", volunteer=BOB)
    return alice, bob


def net(desk: Desk) -> int:
    """What the programme granted less what it took back."""
    counts = desk.service.counts()["volunteer"]
    return counts.granted_minor - counts.revoked_minor


def test_numbers_that_begin_anew_take_nothing_from_anybody(city: City, tmp_path: Path) -> None:
    """From file to wallet: what the first quarter earned stays, and the second quarter's deed waits for two people."""
    alice, bob = people(city.desk)
    service = city.desk.service
    service.ingest_file("volunteer", export(tmp_path, "q2.csv", ("0001", ALICE, "2026-05-06", "2")))
    service.make_batches()
    city.land()
    report = service.ingest_file("volunteer", export(tmp_path, "q3.csv", ("0001", BOB, "2026-08-06", "3")))
    assert report.statuses == {"held": 1}
    assert service.send_revocations() == 0
    assert service.make_batches() == []
    assert (city.balance(alice, VOLUNTEER), city.balance(bob, VOLUNTEER)) == (2_000, 0)
    (review,) = service.reviews("volunteer")
    assert review.screen == "known_number"
    assert "另一次行为" in review.reason_zh
    assert service.approve(review.review_id, "Li") == "first"
    with pytest.raises(SameApprover):
        service.approve(review.review_id, "Li")
    assert service.approve(review.review_id, "Wang") == "accepted"
    service.make_batches()
    city.land()
    assert (city.balance(alice, VOLUNTEER), city.balance(bob, VOLUNTEER)) == (2_000, 3_000)
    counts = service.counts()["volunteer"]
    assert (counts.records, counts.accepted, counts.corrections, counts.revoked_minor) == (2, 2, 0, 0)
    assert city.audit().verdict == "PASS"


def test_two_people_may_say_that_it_is_a_correction(city: City, tmp_path: Path) -> None:
    """The agency had named the wrong person: all is revoked from one, whose caps are free, and granted to the other."""
    alice, bob = people(city.desk)
    service = city.desk.service
    service.ingest_file("volunteer", export(tmp_path, "a.csv", ("ZY-0001", ALICE, "2026-08-01", "8")))
    service.make_batches()
    city.land()
    corrected = export(tmp_path, "b.csv", ("ZY-0001", BOB, "2026-08-01", "8"))
    assert service.ingest_file("volunteer", corrected).statuses == {"held": 1}
    (review,) = service.reviews("volunteer")
    assert service.approve(review.review_id, "Li") == "first"
    assert service.approve(review.review_id, "Wang", as_correction=True) == "first", "they say different things"
    assert service.approve(review.review_id, "Li", as_correction=True) == "correction"
    later = export(tmp_path, "c.csv", ("ZY-0002", ALICE, "2026-08-01", "0.5"))
    assert service.ingest_file("volunteer", later).statuses == {"accepted": 1}, "the day's cap is free again"
    service.make_batches()
    assert service.send_revocations() == 1
    city.land()
    assert (city.balance(alice, VOLUNTEER), city.balance(bob, VOLUNTEER)) == (500, 8_000)
    counts = service.counts()["volunteer"]
    assert (counts.records, counts.accepted, counts.corrections, counts.held) == (3, 3, 1, 0)
    again = export(tmp_path, "d.csv", ("ZY-0001", BOB, "2026-08-01", "8"), ("ZY-0001", ALICE, "2026-08-01", "8"))
    assert service.ingest_file("volunteer", again).refusals == {"duplicate_record": 2}
    more = export(tmp_path, "e.csv", ("ZY-0001", BOB, "2026-08-01", "7"))
    assert service.ingest_file("volunteer", more).statuses == {"correction": 1}
    assert city.audit().verdict == "PASS"


def test_both_records_are_shown_side_by_side(any_desk: Desk, tmp_path: Path) -> None:
    people(any_desk)
    service = any_desk.service
    rows = [("0001", ALICE, "2026-05-06", "2"), ("0001", BOB, "2026-08-06", "3")]
    service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows))
    (review,) = service.reviews("volunteer")
    pair = service.review_pair("volunteer", review.review_id)
    assert pair.other is not None
    assert (pair.held.file, pair.held.row, pair.held.deed_day) == ("a.csv", 2, "2026-08-06")
    assert (pair.other.row, pair.other.deed_day, pair.other.granted_minor) == (1, "2026-05-06", 2_000)
    assert pair.held.content is not None
    assert (pair.held.content["source_id"], pair.held.content["quantity"]) == (BOB, "3")
    assert pair.differing == ("day", "ended_at", "quantity", "source_id", "started_at")


def test_the_same_person_on_another_day_is_held_too(any_desk: Desk, tmp_path: Path) -> None:
    """And what comes again is known: the same row is a duplicate, another version of the second deed corrects it."""
    people(any_desk)
    service = any_desk.service
    first, second = ("0001", ALICE, "2026-05-06", "2"), ("0001", ALICE, "2026-08-06", "3")
    report = service.ingest_file("volunteer", export(tmp_path, "a.csv", first, second))
    assert report.statuses == {"accepted": 1, "held": 1}
    again = service.ingest_file("volunteer", export(tmp_path, "b.csv", second, first))
    assert again.refusals == {"duplicate_record": 2}
    (review,) = service.reviews("volunteer")
    assert service.approve(review.review_id, "Li") == "first"
    changed = ("0001", ALICE, "2026-08-06", "4")
    assert service.ingest_file("volunteer", export(tmp_path, "c.csv", changed)).statuses == {"correction": 1}
    assert service.approve(review.review_id, "Wang") == "first", "what was approved is not what would be granted"
    assert service.approve(review.review_id, "Li") == "accepted"
    assert net(any_desk) == 6_000
    less = service.ingest_file("volunteer", export(tmp_path, "d.csv", ("0001", ALICE, "2026-08-06", "1")))
    assert less.statuses == {"correction": 1}
    assert net(any_desk) == 3_000
    third = service.ingest_file("volunteer", export(tmp_path, "e.csv", ("0001", BOB, "2026-08-07", "1")))
    assert third.statuses == {"held": 1}


def test_what_was_rejected_is_held_again_when_it_comes_changed(any_desk: Desk, tmp_path: Path) -> None:
    people(any_desk)
    service = any_desk.service
    rows = [("0001", ALICE, "2026-05-06", "2"), ("0001", BOB, "2026-08-06", "3")]
    service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows))
    (review,) = service.reviews("volunteer")
    service.reject(review.review_id, "Li", "a slip")
    changed = export(tmp_path, "b.csv", ("0001", BOB, "2026-08-06", "4"))
    assert service.ingest_file("volunteer", changed).statuses == {"correction": 1}
    assert [one.screen for one in service.reviews("volunteer")] == ["known_number"]
    counts = service.counts()["volunteer"]
    assert (counts.records, counts.held, counts.refused, net(any_desk)) == (3, 1, 0, 2_000)


def test_a_refused_record_may_be_sent_again_with_another_person_or_day(any_desk: Desk, tmp_path: Path) -> None:
    """Nothing was earned under the number, so there is nothing to lose."""
    people(any_desk)
    service = any_desk.service
    old = service.ingest_file("volunteer", export(tmp_path, "a.csv", ("ZY-0001", "5101000000009", "2019-08-06", "3")))
    assert old.statuses == {"refused": 1}
    fixed = service.ingest_file("volunteer", export(tmp_path, "b.csv", ("ZY-0001", BOB, "2026-08-06", "3")))
    assert fixed.statuses == {"correction": 1}
    assert net(any_desk) == 3_000


def test_a_record_that_awaits_its_link_is_not_given_to_another(any_desk: Desk, tmp_path: Path) -> None:
    service = any_desk.service
    _, bob = any_desk.resident("990000195401010029", volunteer=BOB)
    rows = [("0001", ALICE, "2026-05-06", "2"), ("0001", BOB, "2026-08-06", "3")]
    assert service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows)).statuses == {
        "awaiting_link": 1,
        "held": 1,
    }
    _, alice = any_desk.resident("990000195401010011", volunteer=ALICE)
    assert service.grant_linked("volunteer", [ALICE]) == 1
    assert (len(service.grants_of(alice)), len(service.grants_of(bob))) == (1, 0)


def test_no_rule_fits_no_hold(any_desk: Desk, tmp_path: Path) -> None:
    """A deed that no rule was in force for is refused, whatever its number."""
    people(any_desk)
    rows = [("0001", ALICE, "2026-05-06", "2"), ("0001", BOB, "2019-08-06", "3")]
    report = any_desk.service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows))
    assert report.refusals == {"not_effective": 1}


def test_a_key_of_several_columns_parts_what_restarts(any_desk: Desk, tmp_path: Path) -> None:
    """Number and day together: nothing is held, and the same file again changes nothing."""
    people(any_desk)
    content = yaml.safe_load((MAPPINGS / "volunteer-csv.yaml").read_text(encoding="utf-8"))
    content["fields"]["record_id"] = {"columns": ["记录编号", "服务开始时间"]}
    mapping = Mapping.model_validate(content)
    rows = [("0001", ALICE, "2026-05-06", "2"), ("0001", BOB, "2026-08-06", "3")]
    service = any_desk.service
    report = service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows), mapping)
    assert report.statuses == {"accepted": 2}
    again = service.ingest_file("volunteer", export(tmp_path, "b.csv", *reversed(rows)), mapping)
    assert again.refusals == {"duplicate_record": 2}


def test_only_a_known_number_is_corrected_by_a_review(any_desk: Desk, tmp_path: Path) -> None:
    desk = screened(any_desk)
    people(desk)
    rows = [(f"ZY-1{day:03d}", BOB, ALICE, day) for day in (1, 2)]
    rows += [(f"ZY-2{day:03d}", ALICE, BOB, day) for day in (1, 2)]
    desk.service.ingest_file("volunteer", certified(tmp_path, "a.csv", *rows))
    (review,) = desk.service.reviews("volunteer")
    with pytest.raises(NoCorrection):
        desk.service.approve(review.review_id, "Li", as_correction=True)
    assert desk.service.review_pair("volunteer", review.review_id).held.content is not None


def test_a_key_that_was_rotated_makes_nobody_another_person(any_desk: Desk, tmp_path: Path) -> None:
    people(any_desk)
    service = any_desk.service
    service.ingest_file("volunteer", export(tmp_path, "a.csv", ("ZY-0001", ALICE, "2026-05-06", "2")))
    any_desk.keyring.rotate("source")
    report = service.ingest_file("volunteer", export(tmp_path, "b.csv", ("ZY-0001", ALICE, "2026-05-06", "3")))
    assert report.statuses == {"correction": 1}
    counts = service.counts()["volunteer"]
    assert (counts.granted_minor, counts.revoked_minor) == (3_000, 0)


def test_several_deeds_under_one_number_are_held_each(any_desk: Desk, tmp_path: Path) -> None:
    """Within one file too, and each is decided on its own."""
    people(any_desk)
    service = any_desk.service
    days = ("2026-05-06", "2026-06-06", "2026-07-06")
    rows = [("0001", person, day, "1") for day in days for person in (ALICE, BOB)]
    report = service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows))
    assert report.statuses == {"accepted": 1, "held": 5}
    for review in service.reviews("volunteer"):
        service.approve(review.review_id, "Li")
        assert service.approve(review.review_id, "Wang") == "accepted"
    assert net(any_desk) == 6_000


def test_a_false_declaration_under_a_shared_number_takes_from_nobody_else(any_desk: Desk, tmp_path: Path) -> None:
    """The number alone does not say whose deed was false: it has to be said, and the other keeps theirs."""
    people(any_desk)
    service = any_desk.service
    rows = [("0001", ALICE, "2026-05-06", "2"), ("0001", BOB, "2026-08-06", "3")]
    service.ingest_file("volunteer", export(tmp_path, "a.csv", *rows))
    (review,) = service.reviews("volunteer")
    service.approve(review.review_id, "Li")
    service.approve(review.review_id, "Wang")
    with pytest.raises(SeveralDeeds, match="0001 stands for 2 deeds"):
        service.revoke_false("volunteer", ["0001"], "inspector")
    assert net(any_desk) == 5_000
    assert service.revoke_false("volunteer", ["0001"], "inspector", source_id=BOB) == 1
    assert net(any_desk) == 2_000
    assert service.revoke_false("volunteer", ["0001"], "inspector", source_id=BOB) == 0
