"""Residents on both databases: one person one account, one source id one owner, and erasure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from ledger.clock import ManualClock
from ledger.custody.custodian import Custodian
from ledger.custody.errors import NotCustodial
from ledger.custody.keyring import IDENTITY, SOURCE, IdentityHasher, Keyring, SourceIdHasher
from ledger.custody.master import Envelope
from ledger.residents.claims import CONTEST_S, LinkOutcome, Proof
from ledger.residents.decisions import ContestedId, SourceDecisions
from ledger.residents.errors import (
    EmptyIdentifier,
    NoSuchClaim,
    ResidentErased,
    ResidentNotFound,
    SameDecider,
    TooManyClaims,
)
from ledger.residents.registry import NewResident, Outcome, Resident, ResidentRegistry
from ledger.residents.thawing import thaw_overdue
from ledger.standard.signatures import SigningKey
from ledger.store.database import Database
from ledger.store.migrations import upgrade
from ledger.store.models.residents import ResidentRow, SourceClaimRow, SourceLinkEventRow, TombstoneRow
from tests.integration.ledger.gateway.lab import START
from tests.integration.ledger.scans import no_table_read_whole

LI, WANG, ZHANG = "51010119540307002X", "510101198001010011", "510101199002020022"
VOLUNTEER, TRAFFIC = 1, 3


class Desk(SimpleNamespace):
    """A registry, its database and its keys."""

    database: Database
    registry: ResidentRegistry
    keyring: Keyring
    sources: SourceIdHasher
    decisions: SourceDecisions
    clock: ManualClock

    def register(self, document: str) -> Resident:
        with self.database.transaction() as session:
            return self.registry.register(session, NewResident(document, {"name": document[-3:]})).resident

    def link(self, resident: Resident, programme: int, source_id: str, proof: Proof = Proof.BARE) -> LinkOutcome:
        with self.database.transaction() as session:
            return self.registry.link(session, resident.resident_id, programme, source_id, proof)

    def link_checked(self, resident: Resident, programme: int, source_id: str) -> None:
        with self.database.transaction() as session:
            self.registry.link(session, resident.resident_id, programme, source_id)
            self.registry.check_claims(session, resident.resident_id)

    def contested(self, programme: int) -> list[ContestedId]:
        with self.database.read() as session:
            return self.decisions.contested(session, programme)

    def decide(self, found: ContestedId, resident_id: int | None, decider: str) -> str:
        with self.database.transaction() as session:
            return self.decisions.decide(session, VOLUNTEER, found.source_hmac, resident_id, decider)

    def events(self) -> list[str]:
        with self.database.read() as session:
            return list(session.scalars(select(SourceLinkEventRow.event).order_by(SourceLinkEventRow.event_id)))

    def wait(self, seconds: int) -> None:
        self.clock.set(self.clock.now() + timedelta(seconds=seconds))

    def thaw(self) -> int:
        with self.database.transaction() as session:
            return thaw_overdue(session, self.clock.timestamp())

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
    clock, custodian = ManualClock(START), Custodian(envelope)
    registry = ResidentRegistry(custodian, IdentityHasher(ring), sources, clock)
    decisions = SourceDecisions(registry, custodian, clock)
    yield Desk(clock=clock, database=database, registry=registry, keyring=ring, sources=sources, decisions=decisions)
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


@pytest.mark.parametrize("count", [1, 400])
def test_a_link_costs_the_same_however_many_there_are(desk: Desk, count: int) -> None:
    """It is looked up by the tables' keys, which begin with the programme; by digest alone all would be read."""
    with desk.database.transaction() as session:
        people = desk.registry.register_many(session, [NewResident(f"99{number:016d}") for number in range(3_000)])
        ids = [one.resident.resident_id for one in people]
        for programme in (VOLUNTEER, TRAFFIC):
            desk.registry.link_many(session, [(one, programme, f"N{at}") for at, one in enumerate(ids)])
    tables = ("source_ids", "source_claims")
    with desk.database.transaction() as session, no_table_read_whole(session, *tables):
        desk.registry.link_many(session, [(ids[at], TRAFFIC, f"M{at}") for at in range(count)])
        desk.registry.unlink(session, ids[0], TRAFFIC, "M0")
    assert (desk.owner(TRAFFIC, "M0"), desk.owner(TRAFFIC, "N2999")) == (None, people[-1].resident.account)


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
    """Two people decide for one claimant; whoever never claimed cannot get it."""
    li, wang, zhang = desk.register(LI), desk.register(WANG), desk.register(ZHANG)
    desk.link(li, VOLUNTEER, "V1")
    assert desk.link(wang, VOLUNTEER, "V1") is LinkOutcome.FROZEN
    assert desk.link(li, VOLUNTEER, "V1") is LinkOutcome.FROZEN
    assert desk.owner(VOLUNTEER, "V1") is None
    [found] = desk.contested(VOLUNTEER)
    assert (found.state, found.source_id) == ("frozen", "V1")
    assert [(one.resident_id, one.name_masked) for one in found.claimants] == sorted(
        [(li.resident_id, "0**"), (wang.resident_id, "0**")], key=lambda one: one[0]
    )
    with pytest.raises(NoSuchClaim):
        desk.decide(found, zhang.resident_id, "Chen")
    assert desk.decide(found, wang.resident_id, "Chen") == "first"
    with pytest.raises(SameDecider):
        desk.decide(found, wang.resident_id, "Chen")
    assert desk.owner(VOLUNTEER, "V1") is None, "one person's word is not enough"
    assert desk.contested(VOLUNTEER)[0].proposal is not None
    assert desk.decide(found, wang.resident_id, "Zhou") == "decided"
    assert desk.contested(VOLUNTEER) == []
    assert desk.owner(VOLUNTEER, "V1") == wang.account
    assert desk.link(li, VOLUNTEER, "V1") is LinkOutcome.REFUSED
    assert desk.link(zhang, VOLUNTEER, "V1") is LinkOutcome.REFUSED
    assert desk.owner(VOLUNTEER, "V1") == wang.account
    assert desk.events() == ["frozen", "frozen", "proposed", "decided", "refused", "refused"]


def test_two_people_who_differ_have_decided_nothing(desk: Desk) -> None:
    """The second's other word is a new first; for nobody at all is a decision too."""
    li, wang = desk.register(LI), desk.register(WANG)
    desk.link(li, VOLUNTEER, "V1")
    desk.link(wang, VOLUNTEER, "V1")
    [found] = desk.contested(VOLUNTEER)
    assert desk.decide(found, wang.resident_id, "Chen") == "first"
    assert desk.decide(found, None, "Zhou") == "first"
    assert desk.owner(VOLUNTEER, "V1") is None
    assert desk.decide(found, None, "Chen") == "decided"
    assert desk.link(li, VOLUNTEER, "V1") is LinkOutcome.REFUSED
    zhang = desk.register(ZHANG)
    assert desk.link(zhang, VOLUNTEER, "V1") is LinkOutcome.LINKED


def test_a_bare_number_never_takes_what_was_linked_with_proof(desk: Desk) -> None:
    """It waits for the agency, and the link keeps working; the agency may still decide for it."""
    li, wang = desk.register(LI), desk.register(WANG)
    assert desk.link(li, VOLUNTEER, "V1", Proof.CODE) is LinkOutcome.LINKED
    assert desk.link(wang, VOLUNTEER, "V1") is LinkOutcome.WAITING
    assert desk.link(wang, VOLUNTEER, "V1") is LinkOutcome.WAITING
    assert desk.owner(VOLUNTEER, "V1") == li.account
    with desk.database.read() as session:
        assert desk.registry.linked_sources(session, wang.resident_id) == [(VOLUNTEER, "V1", "waiting")]
    [found] = desk.contested(VOLUNTEER)
    assert [(one.resident_id, one.proof, one.is_holder) for one in found.claimants if one.is_holder] == [
        (li.resident_id, "code", True)
    ]
    desk.decide(found, wang.resident_id, "Chen")
    desk.decide(found, wang.resident_id, "Zhou")
    assert desk.owner(VOLUNTEER, "V1") == wang.account


def test_a_link_code_beats_a_bare_number(desk: Desk) -> None:
    """Whoever typed the number first loses to whom the agency knows, and thaws what two bare claims froze."""
    li, wang, zhang = desk.register(LI), desk.register(WANG), desk.register(ZHANG)
    desk.link(wang, VOLUNTEER, "V1")
    assert desk.link(li, VOLUNTEER, "V1", Proof.CODE) is LinkOutcome.LINKED
    assert desk.owner(VOLUNTEER, "V1") == li.account
    assert desk.link(wang, VOLUNTEER, "V1") is LinkOutcome.REFUSED
    desk.link(wang, VOLUNTEER, "V2")
    assert desk.link(zhang, VOLUNTEER, "V2") is LinkOutcome.FROZEN
    assert desk.link(li, VOLUNTEER, "V2", Proof.CODE) is LinkOutcome.LINKED
    assert desk.contested(VOLUNTEER) == []


def test_a_code_shown_again_by_another_stops_nobodys_points(desk: Desk) -> None:
    """A code can be seen and shown again: the link stands and earns, and the agency decides."""
    li, wang = desk.register(LI), desk.register(WANG)
    desk.link(li, VOLUNTEER, "V1", Proof.CODE)
    assert desk.link(wang, VOLUNTEER, "V1", Proof.CODE) is LinkOutcome.WAITING
    assert desk.link(li, VOLUNTEER, "V1", Proof.CODE) is LinkOutcome.EXISTS
    assert desk.owner(VOLUNTEER, "V1") == li.account
    [found] = desk.contested(VOLUNTEER)
    assert (found.state, len(found.claimants)) == ("linked", 2)
    desk.decide(found, wang.resident_id, "Chen")
    assert desk.owner(VOLUNTEER, "V1") == li.account, "one person's word is not enough"
    desk.decide(found, wang.resident_id, "Zhou")
    assert desk.owner(VOLUNTEER, "V1") == wang.account


def test_a_bare_claim_freezes_for_a_fortnight_at_most(desk: Desk) -> None:
    """Then the first has it again, the other waits, and nobody's bare word freezes it once more."""
    li, wang, zhang = desk.register(LI), desk.register(WANG), desk.register(ZHANG)
    desk.link(li, VOLUNTEER, "V1")
    assert desk.link(wang, VOLUNTEER, "V1") is LinkOutcome.FROZEN
    desk.wait(CONTEST_S - 1)
    assert desk.thaw() == 0
    desk.wait(1)
    assert desk.thaw() == 1
    assert desk.owner(VOLUNTEER, "V1") == li.account
    for other in (wang, zhang):
        assert desk.link(other, VOLUNTEER, "V1") is LinkOutcome.WAITING
    assert desk.owner(VOLUNTEER, "V1") == li.account
    [found] = desk.contested(VOLUNTEER)
    for decider in ("Chen", "Zhou"):
        desk.decide(found, wang.resident_id, decider)
    assert desk.owner(VOLUNTEER, "V1") == wang.account, "the agency decides as before"


def test_a_bare_link_that_has_stood_for_a_fortnight_is_not_frozen_and_a_code_still_takes_it(desk: Desk) -> None:
    li, wang, zhang = desk.register(LI), desk.register(WANG), desk.register(ZHANG)
    desk.link(li, VOLUNTEER, "V1")
    desk.wait(CONTEST_S)
    assert desk.link(wang, VOLUNTEER, "V1") is LinkOutcome.WAITING
    assert desk.owner(VOLUNTEER, "V1") == li.account
    assert desk.link(zhang, VOLUNTEER, "V1", Proof.CODE) is LinkOutcome.LINKED
    assert desk.owner(VOLUNTEER, "V1") == zhang.account


def test_whoever_waited_follows_when_the_link_is_withdrawn(desk: Desk) -> None:
    li, wang = desk.register(LI), desk.register(WANG)
    desk.link(li, VOLUNTEER, "V1", Proof.CODE)
    desk.link(wang, VOLUNTEER, "V1")
    with desk.database.transaction() as session:
        desk.registry.unlink(session, li.resident_id, VOLUNTEER, "V1")
    assert desk.owner(VOLUNTEER, "V1") == wang.account


def test_the_erasure_of_one_of_three_leaves_the_id_frozen(desk: Desk) -> None:
    li, wang, zhang = desk.register(LI), desk.register(WANG), desk.register(ZHANG)
    for one in (li, wang, zhang):
        desk.link(one, VOLUNTEER, "V1")
    with desk.database.transaction() as session:
        desk.registry.erase(session, li.resident_id)
    [found] = desk.contested(VOLUNTEER)
    assert {one.resident_id for one in found.claimants} == {wang.resident_id, zhang.resident_id}
    assert desk.owner(VOLUNTEER, "V1") is None


def test_nobody_claims_more_than_a_person_has(desk: Desk) -> None:
    """Three open claims to what others had linked, twenty new claims a day."""
    li, wang = desk.register(LI), desk.register(WANG)
    for number in range(4):
        desk.link(li, VOLUNTEER, f"V{number}")
    for number in range(3):
        desk.link(wang, VOLUNTEER, f"V{number}")
    with desk.database.transaction() as session:
        desk.registry.check_claims(session, wang.resident_id)
        desk.registry.check_claims(session, li.resident_id)
    with pytest.raises(TooManyClaims, match="more than 3 open claims"):
        desk.link_checked(wang, VOLUNTEER, "V3")
    assert desk.owner(VOLUNTEER, "V3") == li.account
    for number in range(4, 20):
        desk.link(li, TRAFFIC, f"T{number}")
    with pytest.raises(TooManyClaims, match="more than 20 new claims"):
        desk.link_checked(li, TRAFFIC, "T99")


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
