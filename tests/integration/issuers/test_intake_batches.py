"""What a chunk grants is in batches when it is committed, as far as it fills them; the rest waits for more."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from issuers.batches import batcher as batching
from issuers.batches import packing
from issuers.batches.evidence import grant_ids, leaf_rows, tree_of
from issuers.intake import chunks as pipeline
from ledger.custody.errors import SignerError, SignerReason
from ledger.custody.signer import Document, LocalSigner
from ledger.standard.ids import token_id
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceGrantRow,
    IssuanceReadyRow,
    IssuanceRecordRow,
    IssuanceRevocationRow,
)
from tests.integration.issuers.test_drafts import World, drawn, drawn_act, meanwhile, row, take, trip

FEW = 10


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "GRANTS_MAX", FEW)


def placed(world: World) -> Counter[str]:
    """Return how many grants are where; each must be in one batch, at its place and in its evidence, or wait once."""
    with world.desk.database.read() as session:
        grants = {bytes(one.grant_id): one for one in session.scalars(select(IssuanceGrantRow))}
        found: Counter[str] = Counter()
        for batch in session.scalars(select(IssuanceBatchRow)):
            leaves = leaf_rows(session, batch.programme, batch.number)
            assert batch.grants == len(leaves) == len(bytes(batch.packed)) // 28
            assert batch.amount_minor == sum(leaf.amount_minor for leaf in leaves)
            assert bytes(batch.evidence_root) == tree_of(leaves, token_id(batch.programme, batch.quarter)).root
            for at, leaf in enumerate(leaves):
                grant = grants.pop(leaf.grant_id)
                assert (grant.state, grant.batch_number, grant.batch_position) == ("batched", batch.number, at)
                assert (bytes(grant.account), grant.amount_minor) == (leaf.account, leaf.amount_minor)
                assert (grant.programme, bytes(grant.commitment)) == (batch.programme, leaf.commitment)
                found[batch.state] += 1
        for ready in session.scalars(select(IssuanceReadyRow)):
            for grant_id in grant_ids(bytes(ready.leaves)):
                assert grants[grant_id].state in ("ready", "cancelled")
                found["waits"] += grants.pop(grant_id).state == "ready"
        assert {one.state for one in grants.values()} <= {"cancelled"}
        return found


def test_a_file_is_in_batches_when_it_is_taken_in(tmp_path: Path, database_url: str) -> None:
    world = World(tmp_path / "world", url=database_url)
    rows = [row(number, f"V{number % 6}", f"{1 + number // 6} 8") for number in range(23)]
    take(world.desk, "file", rows)
    assert placed(world) == {"prepared": 20, "waits": 3}
    stages = {one.name: one.waits for one in world.desk.service.pipeline("volunteer")["volunteer"].stages}
    assert (stages["batch"], stages["sign"]) == ({"batch": 3}, {"signature": 2})
    assert [number for _, number in world.desk.service.make_batches(flush=False)] == [1, 2]
    assert placed(world) == {"queued": 20, "waits": 3}
    assert [number for _, number in world.desk.service.make_batches()] == [3]
    assert placed(world) == {"queued": 23}
    take(world.desk, "file again", [*rows, trip(99, "V0", "9 8")])
    assert placed(world) == {"queued": 23, "waits": 1}, "known records are in no second batch"
    world.close()


def test_what_the_same_chunk_takes_back_is_in_no_batch(tmp_path: Path, database_url: str) -> None:
    """The agency says a few rows later that the deed was worth nothing: the first grant never gets to the chain."""
    world = World(tmp_path / "world", url=database_url)
    rows = [trip(number, f"V{number % 6}", f"{1 + number // 6} 8") for number in range(13)]
    take(world.desk, "file", [*rows, row(3, "V3", "1 8", amount="0")])
    assert placed(world) == {"prepared": 10, "waits": 2}
    with world.desk.database.read() as session:
        assert session.scalar(select(func.count()).where(IssuanceGrantRow.state == "cancelled")) == 1
        assert session.scalar(select(func.count()).select_from(IssuanceRevocationRow)) == 0
    world.close()


def test_what_is_judged_again_and_then_taken_back_is_in_no_batch(tmp_path: Path) -> None:
    """The same, while another file changes what all records of the chunk rest on."""
    world = World(tmp_path / "world")
    rows = [trip(number, f"V{number % 6}", f"{1 + number // 6} 8") for number in range(13)]
    others = [trip(100 + number, f"V{number}", "8 8") for number in range(6)]
    with meanwhile(world, lambda desk: take(desk, "other", others), Counter()):
        take(world.desk, "file", [*rows, row(3, "V3", "1 8", amount="0")])
    assert placed(world) == {"prepared": 10, "waits": 8}
    with world.desk.database.read() as session:
        assert session.scalar(select(func.count()).where(IssuanceGrantRow.state == "cancelled")) == 1
        assert session.scalar(select(func.count()).select_from(IssuanceRevocationRow)) == 0
    world.close()


class Away(LocalSigner):
    """A signer that nobody reaches."""

    def sign_typed(self, preimage: bytes, document: Document) -> bytes:
        raise SignerError(SignerReason.UNREACHABLE, "nobody is there")


def test_while_the_signer_is_away_nothing_more_is_batched(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All batches say why they wait; what comes then waits as grants, which can still be taken back."""
    monkeypatch.setattr(batching, "_SIGNED_AT_ONCE", 1)
    world = World(tmp_path / "world", url=database_url, signer=Away)
    take(world.desk, "file", [trip(number, f"V{number % 6}", f"{1 + number // 6} 8") for number in range(33)])
    assert world.desk.service.make_batches() == []
    told = [one.reason or "" for one in world.desk.service.open_batches("volunteer")]
    assert ["nobody is there" in one for one in told] == [True] * 3
    take(world.desk, "later", [trip(100 + number, f"V{number % 6}", f"{10 + number // 6} 8") for number in range(12)])
    assert placed(world) == {"prepared": 30, "waits": 15}
    take(world.desk, "others", [trip(number, f"E{number % 6}", f"{20 + number // 6} 8") for number in range(12)])
    assert placed(world)["prepared"] == 40, "the other programme's signer has not been away yet"
    with monkeypatch.context() as patch:  # a chunk that was judged before the others said why they wait
        patch.setattr(pipeline, "waits_for_signer", lambda *_: False)
        take(
            world.desk, "late", [trip(200 + number, f"V{number % 6}", f"{14 + number // 6} 8") for number in range(12)]
        )
    world.desk.service._signing._rests.clear()
    assert world.desk.service.make_batches("volunteer") == []
    told = [one.reason or "" for one in world.desk.service.open_batches("volunteer")]
    assert ["nobody is there" in one for one in told] == [True] * 4
    world.close()


def test_batches_hold_what_was_judged_again_as_well(tmp_path: Path) -> None:
    """On a SQLite file other processes change the ground under a chunk that is judged and packed already."""
    seen: Counter[str] = Counter()
    for seed in range(8):
        world = World(tmp_path / str(seed))
        for step in range(5):
            rng = random.Random(f"{seed}/{step}")
            act = drawn_act(rng, f"other-{step}", world.residents)
            with meanwhile(world, act, seen):
                take(world.desk, f"file-{step}", drawn(rng, rng.choice("VE"), 40))
            placed(world)
        assert placed(world)["prepared"] >= 20
        world.desk.service.make_batches()
        assert set(placed(world)) <= {"queued", "voiding"}, "what was taken back before it was signed is given up"
        with world.desk.database.read() as session:
            numbers = session.scalars(select(IssuanceBatchRow.number).where(IssuanceBatchRow.programme == 1)).all()
            accepted = select(func.count()).where(IssuanceRecordRow.status == "accepted")
            assert sorted(numbers) == list(range(1, len(numbers) + 1))
            assert (session.scalar(accepted) or 0) > 0
        world.close()
    assert seen["part"] > 3
    assert seen["whole"] > 3
