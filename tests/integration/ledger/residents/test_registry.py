"""Residents on both databases: one person one account, one source id one owner, and erasure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from ledger.clock import ManualClock
from ledger.custody.custodian import Custodian
from ledger.custody.errors import NotCustodial
from ledger.custody.keyring import IDENTITY, SOURCE, IdentityHasher, Keyring, SourceIdHasher
from ledger.custody.master import Envelope
from ledger.residents.errors import EmptyIdentifier, NoSuchClaim, ResidentErased, ResidentNotFound
from ledger.residents.registry import LinkOutcome, NewResident, Outcome, Resident, ResidentRegistry
from ledger.standard.signatures import SigningKey
from ledger.store.database import Database
from ledger.store.migrations import upgrade
from ledger.store.models.residents import ResidentRow, SourceClaimRow, TombstoneRow
from tests.integration.ledger.gateway.lab import START

LI, WANG, ZHANG = "51010119540307002X", "510101198001010011", "510101199002020022"
VOLUNTEER, TRAFFIC = 1, 3


class Desk(SimpleNamespace):
    """A registry, its database and its keys."""

    database: Database
    registry: ResidentRegistry
    keyring: Keyring
    sources: SourceIdHasher

    def register(self, document: str) -> Resident:
        with self.database.transaction() as session:
            return self.registry.register(session, NewResident(document, {"name": document[-3:]})).resident

    def link(self, resident: Resident, programme: int, source_id: str) -> LinkOutcome:
        with self.database.transaction() as session:
            return self.registry.link(session, resident.resident_id, programme, source_id)

    def owner(self, programme: int, source_id: str) -> str | None:
        with self.database.read() as session:
            found = self.registry.resolve_ids(session, programme, [source_id])
        return found[source_id].account if source_id in found else None


@pytest.fixture
def desk(tmp_path: Path, database_url: str) -> Iterator[Desk]:
    database = Database(database_url)
    upgrade(database)
    envelope = Envelope(b"m" * 32)
    ring = Keyring(tmp_path / "keyring", envelope)
    sources = SourceIdHasher(ring)
    registry = ResidentRegistry(Custodian(envelope), IdentityHasher(ring), sources, ManualClock(START))
    yield Desk(database=database, registry=registry, keyring=ring, sources=sources)
    database.close()


def test_one_verified_person_is_one_resident(desk: Desk) -> None:
    with desk.database.transaction() as session:
        first = desk.registry.register(session, NewResident(LI, {"name": "Li"}))
        second = desk.registry.register(session, NewResident(" 51010119540307002x", {"name": "Other"}))
        assert (first.outcome, second.outcome) == (Outcome.CREATED, Outcome.EXISTS)
        assert first.resident == second.resident
        assert desk.registry.profile(session, first.resident.resident_id) == {"name": "Li"}
        assert desk.registry.by_document(session, LI) == first.resident
        assert desk.registry.by_account(session, first.resident.account) == first.resident


def test_many_are_registered_at_once_and_repeats_within_are_found(desk: Desk) -> None:
    with desk.database.transaction() as session:
        done = desk.registry.register_many(session, [NewResident(one) for one in (LI, WANG, LI.lower(), ZHANG)])
    assert [one.outcome for one in done] == [Outcome.CREATED, Outcome.CREATED, Outcome.EXISTS, Outcome.CREATED]
    assert done[0].resident == done[2].resident
    assert len({one.resident.account for one in done}) == 3


def test_a_rotated_identity_key_still_knows_everybody(desk: Desk) -> None:
    before = desk.register(LI)
    desk.keyring.rotate(IDENTITY)
    assert desk.register(LI) == before


def test_a_resident_with_an_own_key_is_not_signed_for(desk: Desk) -> None:
    own = SigningKey(b"k" * 32).address
    with desk.database.transaction() as session:
        done = desk.registry.register(session, NewResident(LI, account=own))
        assert (done.resident.account, done.resident.is_custodial) == (own, False)
        other = desk.registry.register(session, NewResident(LI, account=SigningKey(b"l" * 32).address))
        assert other.outcome is Outcome.EXISTS_WITH_DIFFERENT_ACCOUNT
        with pytest.raises(NotCustodial):
            desk.registry.signer(session, done.resident.resident_id)


def test_a_custodial_signer_signs_for_the_account(desk: Desk) -> None:
    li, wang = desk.register(LI), desk.register(WANG)
    with desk.database.read() as session:
        assert desk.registry.signer(session, li.resident_id).address == li.account
        signers = desk.registry.signers(session, [li.resident_id, wang.resident_id, 5])
    assert {one: signer.address for one, signer in signers.items()} == {
        li.resident_id: li.account,
        wang.resident_id: wang.account,
    }


def test_a_linked_source_id_leads_to_its_account(desk: Desk) -> None:
    li = desk.register(LI)
    assert desk.link(li, VOLUNTEER, "V-001") is LinkOutcome.LINKED
    assert desk.link(li, VOLUNTEER, " v-001") is LinkOutcome.EXISTS
    assert desk.owner(VOLUNTEER, "v-001") == li.account
    assert desk.owner(TRAFFIC, "V-001") is None
    with desk.database.read() as session:
        assert desk.registry.linked_sources(session, li.resident_id) == [(VOLUNTEER, "V-001", "linked")]


def test_a_source_id_claimed_by_two_is_frozen_until_the_agency_decides(desk: Desk) -> None:
    li, wang, zhang = desk.register(LI), desk.register(WANG), desk.register(ZHANG)
    desk.link(li, VOLUNTEER, "V1")
    assert desk.link(wang, VOLUNTEER, "V1") is LinkOutcome.FROZEN
    assert desk.link(li, VOLUNTEER, "V1") is LinkOutcome.FROZEN
    assert desk.owner(VOLUNTEER, "V1") is None
    with desk.database.transaction() as session:
        with pytest.raises(NoSuchClaim):
            desk.registry.decide(session, VOLUNTEER, "V1", zhang.resident_id)
        desk.registry.decide(session, VOLUNTEER, "V1", wang.resident_id)
    assert desk.owner(VOLUNTEER, "V1") == wang.account
    assert desk.link(li, VOLUNTEER, "V1") is LinkOutcome.REFUSED
    assert desk.link(zhang, VOLUNTEER, "V1") is LinkOutcome.REFUSED
    assert desk.owner(VOLUNTEER, "V1") == wang.account


def test_two_claims_in_one_call_freeze_too(desk: Desk) -> None:
    li, wang = desk.register(LI), desk.register(WANG)
    with desk.database.transaction() as session:
        claims = [(one.resident_id, VOLUNTEER, "V1") for one in (li, wang)]
        assert desk.registry.link_many(session, claims)[1] is LinkOutcome.FROZEN
    assert desk.owner(VOLUNTEER, "V1") is None


def test_a_claim_withdrawn_leaves_the_other(desk: Desk) -> None:
    li, wang = desk.register(LI), desk.register(WANG)
    desk.link(li, VOLUNTEER, "V1")
    desk.link(wang, VOLUNTEER, "V1")
    with desk.database.transaction() as session:
        desk.registry.unlink(session, li.resident_id, VOLUNTEER, "V1")
    assert desk.owner(VOLUNTEER, "V1") == wang.account
    with desk.database.transaction() as session:
        desk.registry.unlink(session, wang.resident_id, VOLUNTEER, "V1")
    assert desk.owner(VOLUNTEER, "V1") is None
    assert desk.link(li, VOLUNTEER, "V1") is LinkOutcome.LINKED
    assert desk.owner(VOLUNTEER, "V1") == li.account


def test_links_made_under_an_old_key_still_lead_there(desk: Desk) -> None:
    li, wang = desk.register(LI), desk.register(WANG)
    desk.link(li, VOLUNTEER, "V1")
    desk.keyring.rotate(SOURCE)
    assert desk.owner(VOLUNTEER, "V1") == li.account
    assert desk.link(wang, VOLUNTEER, "V1") is LinkOutcome.FROZEN


def test_bulk_resolution_leaves_out_who_is_unknown_frozen_or_erased(desk: Desk) -> None:
    li, wang, zhang = desk.register(LI), desk.register(WANG), desk.register(ZHANG)
    for resident, source in ((li, "A"), (wang, "B"), (li, "C"), (wang, "C"), (zhang, "D")):
        desk.link(resident, VOLUNTEER, source)
    with desk.database.transaction() as session:
        desk.registry.erase(session, zhang.resident_id)
        digests = desk.sources.hash_many(VOLUNTEER, ["A", "B", "C", "D", "E"])
        found = desk.registry.resolve(session, VOLUNTEER, digests)
    assert {digest: one.account for digest, one in found.items()} == {digests[0]: li.account, digests[1]: wang.account}


def test_an_erased_resident_leaves_a_tombstone_and_nothing_readable(desk: Desk) -> None:
    li = desk.register(LI)
    desk.link(li, VOLUNTEER, "V1")
    with desk.database.transaction() as session:
        desk.registry.erase(session, li.resident_id)
        desk.registry.erase(session, li.resident_id)
        row = session.get_one(ResidentRow, li.resident_id)
        assert (row.data_key, row.account_key, row.profile, row.identity_hmac) == (None, None, None, None)
        assert session.scalars(select(SourceClaimRow)).all() == []
        assert len(session.scalars(select(TombstoneRow)).all()) == 1
        for refused in (desk.registry.profile, desk.registry.signer, desk.registry.linked_sources):
            with pytest.raises(ResidentErased):
                refused(session, li.resident_id)
        with pytest.raises(ResidentErased):
            desk.registry.link(session, li.resident_id, VOLUNTEER, "V1")
    assert desk.register(LI) != li


def test_the_erasure_of_one_claimant_thaws_the_other(desk: Desk) -> None:
    li, wang = desk.register(LI), desk.register(WANG)
    desk.link(li, VOLUNTEER, "V1")
    desk.link(wang, VOLUNTEER, "V1")
    with desk.database.transaction() as session:
        desk.registry.erase(session, li.resident_id)
    assert desk.owner(VOLUNTEER, "V1") == wang.account


def test_empty_identifiers_and_unknown_residents_are_refused(desk: Desk) -> None:
    with desk.database.transaction() as session:
        with pytest.raises(EmptyIdentifier):
            desk.registry.register(session, NewResident("  "))
        with pytest.raises(ResidentNotFound):
            desk.registry.get(session, 5)
        with pytest.raises(ResidentNotFound):
            desk.registry.link(session, 5, VOLUNTEER, "V1")
    li = desk.register(LI)
    with pytest.raises(EmptyIdentifier):
        desk.link(li, VOLUNTEER, " ")
