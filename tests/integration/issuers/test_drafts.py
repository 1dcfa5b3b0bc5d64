"""A chunk that is judged before the write lock comes to what it would have come to behind it, whatever others do."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from issuers.intake.chunks import Pipeline
from issuers.intake.drafts import Chunk, Draft, Placed
from issuers.rules.rulebook import Rulebook, RulebookFile, compile_rulebook
from issuers.sources.mapping import Mapping
from ledger.custody.signer import LocalSigner
from ledger.standard.ids import ProgrammeId
from ledger.store.models.issuance import (
    IssuanceCertificationRow,
    IssuanceDeliveryRow,
    IssuanceGrantRow,
    IssuanceRecordRow,
    IssuanceRefusalRow,
    IssuanceReviewRow,
    IssuanceTallyRow,
    IssuanceUsageRow,
)
from tests.integration.issuers.lab import NOWHERE, PROGRAMMES, Desk, open_desk, service_for

PEOPLE = 6
WORK = {1: "WORK", 2: "CARE"}
TRIP = {1: "TRIP", 2: "RIDE"}
RING = {"ring_deeds_min": 1, "deeds_a_day_max": 4}
FREEZE = text("UPDATE residents SET status = 'frozen' WHERE resident_id = :one")
Row = dict[str, str]
Act = Callable[[Desk], None]


def book(programme: int, slug: str, certifier: dict[str, Any] | None) -> Rulebook:
    """Rules that hang on everything that a chunk looks up."""
    work = {
        "code": WORK[programme],
        "names": {"zh": "劳动", "en": "Work"},
        "unit": "hour",
        "points_per_unit": "10",
        "caps": [{"per": "day", "quantity": "4"}, {"per": "year", "quantity": "40"}],
        "screens": ["overlap", "repeat", "velocity", "device"],
        "velocity": "9",
        "device_people_max": 2,
        "certifier": certifier,
    }
    same = {
        "code": "SAME",
        "names": {"zh": "同名", "en": "Of one name in both programmes"},
        "unit": "hour",
        "points_per_unit": "1",
        "screens": ["velocity"],
        "velocity": "2",
    }
    trip = {
        "code": TRIP[programme],
        "names": {"zh": "出行", "en": "A trip"},
        "unit": "piece",
        "points": "7",
        "caps": [{"per": "day", "deeds": 2}],
        "same_deed": "CAR-FREE",
    }
    content = {
        "programme": programme,
        "slug": slug,
        "version": 2,
        "title": {"zh": "规则", "en": "Rules"},
        "effective_from": "2026-01-01",
        "approval": {"state": "approved", "by": ["测试"], "approved_on": "2025-12-15"},
        "validity_quarters": 4,
        "caps": [{"per": "year", "points": "300"}],
        "activities": [work, same, trip],
    }
    return compile_rulebook(RulebookFile.model_validate(content))


def mapping(programme: str) -> Mapping:
    return Mapping.model_validate(
        {
            "name": programme,
            "system": programme,
            "programme": programme,
            "format": "jsonl",
            "time_zone": "Asia/Shanghai",
            "fields": {
                "record_id": {"column": "id"},
                "source_id": {"column": "who"},
                "activity": {"column": "what", "pattern": "[A-Z]+"},
                "started_at": {"column": "from"},
                "ended_at": {"column": "to"},
                "device": {"column": "device", "optional": True},
                "certifier": {"column": "by", "optional": True},
            },
            "quantity": [
                {"activities": ["WORK", "CARE", "SAME"], "column": "amount", "unit": "hour"},
                {"activities": ["TRIP", "RIDE"], "column": "amount", "unit": "piece"},
            ],
        }
    )


class World:
    """A desk, and a second one over the same files: another process."""

    def __init__(
        self,
        folder: Path,
        certifier: dict[str, Any] | None = None,
        url: str | None = None,
        signer: type[LocalSigner] = LocalSigner,
    ) -> None:
        folder.mkdir()
        self.desk, self.other = open_desk(folder, url), open_desk(folder, url)
        books = {ProgrammeId(n): (book(n, slug, certifier),) for slug, n in PROGRAMMES.items() if n <= 2}
        signers = {number: signer(bytes([number]) * 32) for number in PROGRAMMES.values()}
        for one in (self.desk, self.other):
            one.service = service_for(one, NOWHERE, signers, books)
            one.service._intake._record_ids(1)  # records are decided again in the order of their ids
        self.residents = [
            self.desk.resident(f"99000019540101{n:04d}", volunteer=f"V{n}", environmental=f"E{n}")[0]
            for n in range(PEOPLE)
        ]

    def close(self) -> None:
        self.desk.database.close()
        self.other.database.close()


def take(desk: Desk, name: str, rows: Sequence[Row]) -> None:
    """Take a file in; the programme is the first letter of its people."""
    programme = "volunteer" if rows[0]["who"].startswith("V") else "environmental"
    path = desk.folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    desk.service.ingest_file(programme, path, mapping(programme))


def row(number: int, who: str, at: str, **more: str) -> Row:
    """An hour and a half of work from ``at`` ("day hour") on; the programme is the first letter of ``who``."""
    day, hour = at.split()
    programme = 1 if who.startswith("V") else 2
    start, end = f"2026-08-{int(day):02d} {int(hour):02d}:00", f"2026-08-{int(day):02d} {int(hour) + 1:02d}:30"
    one = {
        "id": f"{who[0]}-{number:04d}",
        "who": who,
        "what": WORK[programme],
        "from": start,
        "to": end,
        "amount": "1.5",
    }
    return one | more


def trip(number: int, who: str, at: str, **more: str) -> Row:
    return row(number, who, at, what=TRIP[1 if who.startswith("V") else 2], amount="1", **more)


def drawn(rng: random.Random, letter: str, count: int) -> list[Row]:
    """Rows of few people, days, hours, devices and numbers, so that much of it clashes, and not everything."""
    rows = []
    for _ in range(count):
        more = {"device": f"D{rng.randrange(3)}"} if rng.randrange(3) == 0 else {}
        if rng.randrange(2) == 0:
            more["by"] = f"{letter}{rng.randrange(PEOPLE)}"
        who, at = f"{letter}{rng.randrange(PEOPLE + 1)}", f"{rng.randint(1, 9)} {rng.randint(8, 18)}"
        rows.append(rng.choice((row, row, trip))(rng.randrange(400), who, at, **more))
    return rows


def drawn_act(rng: random.Random, name: str, residents: Sequence[int]) -> Act:
    """What another process does meanwhile."""
    kinds = ("nothing", "link", "claim", "erase", "review", "revoke", "freeze")
    kind = "file" if rng.randrange(3) else rng.choice(kinds)
    many = drawn(rng, rng.choice("VE"), rng.randint(1, 8))
    resident = residents[rng.randrange(len(residents))]
    claimed = rng.randrange(PEOPLE)

    def act(desk: Desk) -> None:
        service, registry = desk.service, desk.registry
        if kind == "file":
            take(desk, name, many)
        elif kind in ("link", "claim"):
            number = PEOPLE if kind == "link" else claimed
            with desk.database.transaction() as session:
                registry.link(session, resident, 1, f"V{number}")
            service.grant_linked("volunteer", [f"V{number}"])
        elif kind == "erase":
            desk.erase(resident)
        elif kind == "freeze":
            with desk.database.transaction() as session:
                session.execute(FREEZE, {"one": resident})
        elif kind == "review":
            with desk.database.read() as session:
                query = (
                    select(IssuanceReviewRow.review_id)
                    .join(IssuanceRecordRow, IssuanceRecordRow.record_id == IssuanceReviewRow.record_id)
                    .join(IssuanceDeliveryRow, IssuanceDeliveryRow.delivery_id == IssuanceRecordRow.delivery_id)
                    .where(IssuanceReviewRow.state == "open")
                    .order_by(IssuanceDeliveryRow.name, IssuanceRecordRow.row_number)
                )
                review = session.scalars(query).first()
            if review is not None:
                service.approve(review, "first")
                service.approve(review, "second")
        elif kind == "revoke":
            service.revoke_false("volunteer", [one["id"] for one in many], "tester")

    return act


@contextmanager
def meanwhile(world: World, act: Act, seen: Counter[str]) -> Iterator[None]:
    """Let another process act between the judging of the next chunk and its writing."""
    pipeline: Pipeline = world.desk.service._intake._pipeline
    real = pipeline.draft

    mine: list[Draft] = []

    def draft(session: Session, chunk: Chunk) -> Draft:
        mine.append(real(session, chunk))
        act(world.other)
        return mine[-1]

    def stale(self: Draft, session: Session) -> list[Placed] | None:
        found = look(self, session)
        if self in mine:
            seen["whole" if found is None else "part" if 0 < len(found) < len(self.placed) else "none"] += 1
        return found

    with pytest.MonkeyPatch.context() as patch:
        look = Draft.stale
        patch.setattr(pipeline, "draft", draft)
        patch.setattr(Draft, "stale", stale)
        yield


@contextmanager
def undrafted(world: World) -> Iterator[None]:
    """Judge the next chunk behind the lock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.desk.service._intake._pipeline, "draft", lambda *_: None)
        yield


def state(world: World) -> dict[str, list[Any]]:
    """All that the chunks came to, in words that two worlds have in common."""
    with world.desk.database.read() as session:
        names = {one.delivery_id: one.name for one in session.scalars(select(IssuanceDeliveryRow))}
        people = {resident: number for number, resident in enumerate(world.residents)}
        records = session.scalars(select(IssuanceRecordRow)).all()
        place = {one.record_id: (names[one.delivery_id], one.row_number) for one in records}
        found: dict[str, list[Any]] = {
            "records": [
                (
                    *place[one.record_id],
                    one.programme,
                    one.status,
                    one.reason,
                    people.get(one.resident_id or -1),
                    one.granted_minor,
                    one.counted_micro,
                    one.grants_made,
                    one.fingerprint is None,
                    one.device_hmac is None,
                )
                for one in records
            ],
            "grants": [
                (
                    *place.get(one.record_id, ("erased", 0)),
                    one.amount_minor,
                    one.revoked_minor,
                    one.explanation,
                    one.state,
                )
                for one in session.scalars(select(IssuanceGrantRow))
            ],
            "usage": [
                (
                    people.get(one.resident_id, -1),
                    one.scope,
                    one.period,
                    one.points_minor,
                    one.quantity_micro,
                    one.deeds,
                )
                for one in session.scalars(select(IssuanceUsageRow))
                if one.deeds or one.points_minor
            ],
            "refusals": [
                (names[one.delivery_id], one.row_number, one.code, one.state, place.get(one.record_id or -1))
                for one in session.scalars(select(IssuanceRefusalRow))
            ],
            "reviews": [
                # Of several records that a deed clashes with, the first that is found is named.
                (place[one.record_id], one.screen, one.state, one.other_record_id is None)
                for one in session.scalars(select(IssuanceReviewRow))
            ],
            "certifications": [
                (place[one.record_id], one.deed_day) for one in session.scalars(select(IssuanceCertificationRow))
            ],
            "tallies": [
                (one.programme, one.kind, one.total) for one in session.scalars(select(IssuanceTallyRow)) if one.total
            ],
            "deliveries": [
                (one.name, one.rows_done, one.state) for one in session.scalars(select(IssuanceDeliveryRow))
            ],
        }
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def other_file(*rows: Row) -> Act:
    return lambda desk: take(desk, "other", rows)


def linked(desk: Desk) -> None:
    desk.resident("990000195401019999", volunteer=f"V{PEOPLE}")


def frozen(desk: Desk) -> None:
    with desk.database.transaction() as session:
        session.execute(text("UPDATE residents SET status = 'frozen'"))


SCENES: dict[str, tuple[list[Row], Act, str]] = {
    "a cap is used up": (
        [row(1, "V0", "1 8"), row(2, "V1", "1 8")],
        other_file(row(3, "V0", "1 11"), row(4, "V0", "1 14")),
        "part",
    ),
    "the person was elsewhere": ([row(1, "V0", "1 8"), row(2, "V1", "1 8")], other_file(row(1, "E0", "1 9")), "part"),
    "more than a person does": (
        [row(1, "V0", "1 8", what="SAME"), row(2, "V1", "1 8")],
        other_file(row(1, "E0", "1 15", what="SAME")),
        "part",
    ),
    "the deed was claimed elsewhere": (
        [trip(1, "V0", "1 8"), row(2, "V1", "1 8")],
        other_file(trip(1, "E0", "1 15")),
        "part",
    ),
    "the device has had other people": (
        [trip(1, "V0", "1 8"), row(2, "V1", "1 8", device="D"), row(3, "V2", "1 8", device="D")],
        other_file(trip(1, "E3", "1 15", device="D")),
        "part",
    ),
    "who comes first on a device": (
        [
            row(1, "V0", "1 8", device="D"),
            row(2, "V1", "1 8", device="D"),
            row(3, "V2", "1 8", device="D"),
            row(4, "V3", "1 8"),
        ],
        other_file(row(5, "V0", "1 11"), row(6, "V0", "1 14")),
        "part",
    ),
    "a ring was closed": ([row(1, "V0", "1 8", by="V1")], other_file(row(2, "V1", "2 8", by="V0")), "whole"),
    "a ring of the chunk's own": (
        [row(1, "V3", "1 8", by="V1", device="D"), row(2, "V1", "2 8", by="V2"), row(3, "V2", "3 8", by="V3")],
        other_file(trip(1, "E4", "1 15", device="D")),
        "whole",
    ),
    "the record is known": ([row(1, "V0", "1 8")], other_file(row(1, "V0", "1 8"), row(2, "V1", "1 8")), "whole"),
    "the source id was linked": ([row(1, f"V{PEOPLE}", "1 8")], linked, "whole"),
    "the resident was frozen": ([row(1, "V0", "1 8")], frozen, "whole"),
    "the record is corrected by a later row": (
        [row(1, "V0", "1 8"), row(1, "V0", "1 8", amount="1"), row(2, "V1", "1 8")],
        other_file(row(1, "E0", "1 9")),
        "part",
    ),
    "nothing that matters": (
        [row(1, "V0", "1 8"), trip(2, "V1", "1 8")],
        other_file(row(1, "E0", "1 11"), row(2, "E1", "1 18")),
        "none",
    ),
}


UNCHANGED = {"nothing that matters", "a ring of the chunk's own"}
"""Where what was decided on the snapshot is right; in the second, another order would not be."""


@pytest.mark.parametrize("scene", SCENES)
def test_what_changes_a_decision_is_noticed(tmp_path: Path, scene: str) -> None:
    """Each reason alone; and mostly the decision is another one than it was on the snapshot."""
    rows, act, expected = SCENES[scene]
    certifier = RING if "ring" in scene else None
    drafted, plain, undisturbed = (World(tmp_path / name, certifier) for name in ("drafted", "plain", "undisturbed"))
    seen: Counter[str] = Counter()
    with meanwhile(drafted, act, seen):
        take(drafted.desk, "file", rows)
    act(plain.other)
    with undrafted(plain):
        take(plain.desk, "file", rows)
    with undrafted(undisturbed):
        take(undisturbed.desk, "file", rows)
    assert state(drafted) == state(plain)
    assert seen == {expected: 1}
    mine = [
        [(one[3], one[4], one[6]) for one in state(world)["records"] if one[0] == "file"]
        for world in (plain, undisturbed)
    ]
    assert (mine[0] == mine[1]) is (scene in UNCHANGED)
    for world in (drafted, plain, undisturbed):
        world.close()


SEEDS = int(os.environ.get("TONGDUI_SEEDS", "10"))
"""How many towns are played; 10 in each run, more by hand."""


@pytest.mark.parametrize("certifier", [None, RING])
def test_a_draft_comes_to_what_the_chunk_would_have_come_to_behind_the_lock(
    tmp_path: Path, certifier: dict[str, Any] | None
) -> None:
    """Random files beside random acts of another process: other files, links, disputes, erasures, reviews, freezes."""
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        drafted, plain = World(tmp_path / f"{seed}-drafted", certifier), World(tmp_path / f"{seed}-plain", certifier)
        for step in range(5):
            rngs = [random.Random(f"{seed}/{step}") for _ in range(2)]
            acts = [
                drawn_act(rng, f"other-{step}", one.residents) for rng, one in zip(rngs, (drafted, plain), strict=True)
            ]
            letter = rngs[0].choice("VE")
            rows = drawn(rngs[0], letter, 25)
            with meanwhile(drafted, acts[0], seen):
                take(drafted.desk, f"file-{step}", rows)
            with undrafted(plain):
                acts[1](plain.other)
                take(plain.desk, f"file-{step}", rows)
            left, right = state(drafted), state(plain)
            for name, rows_found in left.items():
                assert rows_found == right[name], f"seed {seed}, step {step}: {name}"
        drafted.close()
        plain.close()
    assert seen["whole"] > SEEDS / 2
    if certifier is None:
        assert seen["part"] > SEEDS / 2
        assert seen["none"] > SEEDS / 2
