"""Register residents, link their source ids, find accounts in bulk, erase.

Everything takes the session of the caller's transaction, so that it commits with what the caller does beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import Any, NewType, cast

from sqlalchemy import Table, func, select, update
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.custody.custodian import Custodian
from ledger.custody.errors import NotCustodial
from ledger.custody.keyring import IdentityHasher, SourceIdHasher
from ledger.custody.master import RandomBytes
from ledger.custody.signer import LocalSigner
from ledger.residents.claims import (
    CLAIM_STATES,
    OPEN_CLAIMS,
    Claim,
    ClaimState,
    LinkOutcome,
    Proof,
    SourceIdState,
    claim_outcome,
)
from ledger.residents.erasing import Erased, Stretched, forget_links, leave_tombstone, make_unreadable, recall
from ledger.residents.errors import EmptyIdentifier, NoSuchClaim, ResidentErased, ResidentNotFound, TooManyClaims
from ledger.standard.civil_time import DAY_S
from ledger.standard.identifiers import IdentifierForms, normalise
from ledger.standard.ids import Address, ProgrammeId, address_bytes, to_address
from ledger.store.database import bulk_insert_new, fetch_by_keys
from ledger.store.models.residents import (
    ResidentRow,
    SourceClaimRow,
    SourceIdRow,
    SourceLinkEventRow,
)

ResidentId = NewType("ResidentId", int)
"""63 random bits, so that an id says nothing about who came when, and fits a BIGINT."""

_RESIDENTS = cast(Table, ResidentRow.__table__)
SourceKey = tuple[ProgrammeId, bytes]
"""(programme, HMAC of a source id)."""
_SOURCE_IDS = cast(Table, SourceIdRow.__table__)
_CLAIMS = cast(Table, SourceClaimRow.__table__)

CLAIMS_A_DAY_MAX = 20
CONTESTED_MAX = 3


class Outcome(StrEnum):
    """The outcome of an idempotent request."""

    CREATED = "created"
    EXISTS = "exists"
    EXISTS_WITH_DIFFERENT_ACCOUNT = "exists_with_different_account"


@dataclass(frozen=True, slots=True)
class NewResident:
    """A person whose identity document was verified. ``account`` is given by residents who hold their own key;
    ``stretched`` comes from `erasing.stretch_document`."""

    document_number: str
    profile: Mapping[str, str] = field(default_factory=dict)
    account: Address | None = None
    stretched: Stretched = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Resident:
    """A resident as others may see one: no personal data."""

    resident_id: ResidentId
    account: Address
    is_custodial: bool
    status: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Registration:
    """The resident, and whether this call made it."""

    resident: Resident
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class LinkedAccount:
    """Where grants for a source id go."""

    resident_id: ResidentId
    account: Address


class ResidentRegistry:
    """The only writer of the residents' tables."""

    def __init__(
        self,
        custodian: Custodian,
        identities: IdentityHasher,
        sources: SourceIdHasher,
        clock: Clock,
        random: RandomBytes = os.urandom,
    ) -> None:
        self._custodian = custodian
        self.identities = identities
        self._sources = sources
        self._clock = clock
        self._random = random

    @property
    def forms(self) -> IdentifierForms:
        """How source ids are compared here."""
        return self._sources.forms

    def register(self, session: Session, person: NewResident) -> Registration:
        """Register one verified person; a second call for the same document finds the first's resident."""
        return self.register_many(session, [person])[0]

    def register_many(self, session: Session, people: Sequence[NewResident]) -> list[Registration]:
        """Register verified persons, in order. Raises EmptyIdentifier."""
        known = self._find_identities(session, [person.document_number for person in people])
        now = self._clock.timestamp()
        columns = [column.name for column in _RESIDENTS.columns]
        rows: list[tuple[Any, ...]] = []
        created: dict[bytes, Resident] = {}
        results: list[Registration | bytes] = []
        for person in people:
            version, identity = self.identities.hash(person.document_number)
            found = known.get(person.document_number) or created.get(identity)
            if found is not None:
                different = person.account is not None and person.account != found.account
                results.append(
                    Registration(found, Outcome.EXISTS_WITH_DIFFERENT_ACCOUNT if different else Outcome.EXISTS)
                )
                continue
            resident, row = self._new(session, person, version, identity, now)
            created[identity] = resident
            rows.append(tuple(row[name] for name in columns))
            results.append(identity)
        if bulk_insert_new(session, _RESIDENTS, columns, rows) != len(rows):
            # Another gateway registered some of these people since we looked: its residents count, not ours.
            return self._settle_race(session, people, created)
        return [
            one if isinstance(one, Registration) else Registration(created[one], Outcome.CREATED) for one in results
        ]

    def get(self, session: Session, resident_id: int) -> Resident:
        """Return a resident. Raises ResidentNotFound."""
        return _resident(self._row(session, resident_id))

    def by_account(self, session: Session, account: Address) -> Resident:
        """Return the resident of an account. Raises ResidentNotFound or BadAddress."""
        row = session.scalar(select(ResidentRow).where(ResidentRow.account == address_bytes(account)))
        if row is None:
            raise ResidentNotFound(account)
        return _resident(row)

    def by_document(self, session: Session, document_number: str) -> Resident:
        """Return the resident of an identity document. Raises ResidentNotFound."""
        found = self._find_identities(session, [document_number]).get(document_number)
        if found is None:
            raise ResidentNotFound("with this document")
        return found

    def profile(self, session: Session, resident_id: int) -> dict[str, str]:
        """Return the decrypted profile; callers log the look. Raises ResidentNotFound or ResidentErased."""
        row = self._row(session, resident_id)
        if row.data_key is None or row.profile is None:
            raise ResidentErased(resident_id)
        return self._custodian.unseal_profile(resident_id, row.data_key, row.profile)

    def signer(self, session: Session, resident_id: int) -> LocalSigner:
        """Return the custodial signer. Raises ResidentNotFound, ResidentErased or NotCustodial."""
        row = self._row(session, resident_id)
        if row.status == "erased":
            raise ResidentErased(resident_id)
        if row.account_key is None:
            raise NotCustodial(resident_id)
        return self._custodian.signer(resident_id, row.account_key)

    def signers(self, session: Session, resident_ids: Sequence[int]) -> dict[int, LocalSigner]:
        """Return the custodial signers of many residents; those erased, unknown or not custodial are left out."""
        rows = fetch_by_keys(session, _RESIDENTS, ["resident_id", "account_key"], "resident_id", resident_ids)
        return {one: self._custodian.signer(one, bytes(key)) for one, key in rows if key is not None}

    def link(
        self, session: Session, resident_id: int, programme: ProgrammeId, source_id: str, proof: Proof = Proof.BARE
    ) -> LinkOutcome:
        """Claim one source id for a resident; see ``link_many``."""
        return self.link_many(session, [(resident_id, programme, source_id)], [proof])[0]

    def link_many(
        self, session: Session, claims: Sequence[tuple[int, ProgrammeId, str]], proofs: Sequence[Proof] | None = None
    ) -> list[LinkOutcome]:
        """Claim source ids: (resident id, programme, source id), each with how it was proven (by default not at all).

        What a second resident's claim does is said in `ledger.residents.claims`. ``proofs`` are the caller's word: it
        has checked the link codes. Raises EmptyIdentifier, ResidentNotFound or ResidentErased.
        """
        now = self._clock.timestamp()
        data_keys = self._data_keys(session, {resident for resident, _, _ in claims})
        hashed = [self._known_hash(session, programme, source) for _, programme, source in claims]
        bulk_insert_new(
            session,
            _SOURCE_IDS,
            ["programme", "source_hmac", "key_version", "resident_id", "state", "linked_at", "updated_at"],
            sorted(
                (programme, digest, version, resident, SourceIdState.LINKED.value, now, now)
                for (resident, programme, _), (version, digest) in zip(claims, hashed, strict=True)
            ),
        )
        outcomes = []
        sealed: dict[tuple[ProgrammeId, bytes, int], bytes] = {}
        # Locked first: the claims that are read behind the lock are those that the decision is about.
        keys = {(programme, digest) for (_, programme, _), (_, digest) in zip(claims, hashed, strict=True)}
        owners = self._owners(session, keys)
        known = self._claims(session, keys)
        given = proofs or [Proof.BARE] * len(claims)
        for (resident, programme, source), (_, digest), proof in zip(claims, hashed, given, strict=True):
            key = (programme, digest)
            others = known.setdefault(key, {})
            mine = others.get(resident)
            outcome = claim_outcome(others, owners[key], resident, is_proven=proof is not Proof.BARE, now=now)
            claim = self._restated(mine, outcome, proof, now)
            if mine is None:
                sealed[programme, digest, resident] = self._custodian.seal(
                    resident, data_keys[resident], source.encode(), f"src{programme}"
                )
            elif claim != mine:
                self._set_claim(session, programme, digest, resident, claim)
            others[resident] = claim
            self._settle_claim(session, key, owners, others, resident, outcome, now)
            outcomes.append(outcome)
        bulk_insert_new(
            session,
            _CLAIMS,
            ["programme", "source_hmac", "resident_id", "original", "state", "proof", "claimed_at"],
            [(p, d, one, original, *known[p, d][one]) for (p, d, one), original in sealed.items()],
        )
        return outcomes

    def _restated(self, mine: Claim | None, outcome: LinkOutcome, proof: Proof, now: int) -> Claim:
        """Return what a resident's claim is after an outcome."""
        best = proof if mine is None or (proof is not Proof.BARE and not mine.is_proven) else mine.proof
        if outcome is LinkOutcome.REFUSED:
            # A new claim is kept, so that the agency can see that there were others; it can never win by itself.
            return mine or Claim(ClaimState.LIVE.value, best, now)
        return Claim(CLAIM_STATES.get(outcome, ClaimState.LIVE).value, best, now if mine is None else mine.since)

    def _settle_claim(
        self,
        session: Session,
        key: SourceKey,
        owners: dict[SourceKey, tuple[int, str]],
        claims: dict[int, Claim],
        resident: int,
        outcome: LinkOutcome,
        now: int,
    ) -> None:
        """Write what a claim changes for the id and for the other claimants."""
        programme, digest = key
        before = owners[key]
        if outcome is LinkOutcome.LINKED and before[1] != SourceIdState.UNLINKED:
            for other, claim in claims.items():
                if other != resident and claim.state in OPEN_CLAIMS:
                    # A code is the agency's word; a claimant with only the number has lost.
                    claims[other] = claim._replace(state=ClaimState.REFUSED.value)
                    self._set_claim(session, programme, digest, other, claims[other])
                    log_link_event(session, key, other, "taken_over", now)
        if outcome in (LinkOutcome.FROZEN, LinkOutcome.WAITING, LinkOutcome.REFUSED):
            log_link_event(session, key, resident, outcome.value, now)
        if outcome in (LinkOutcome.REFUSED, LinkOutcome.WAITING):
            return
        is_frozen = outcome is LinkOutcome.FROZEN
        after = (before[0], SourceIdState.FROZEN.value) if is_frozen else (resident, SourceIdState.LINKED.value)
        if after != before:
            self.set_owner(session, programme, digest, *after)
            owners[key] = after

    def check_claims(self, session: Session, resident_id: int) -> None:
        """Refuse a resident who claims more than a person has; call it after `link_many`, in its transaction.

        Raises TooManyClaims: more than 20 new claims in 24 hours, or more than 3 open ones to what others had linked.
        """
        session.flush()
        today = select(func.count()).where(
            SourceClaimRow.resident_id == resident_id, SourceClaimRow.claimed_at > self._clock.timestamp() - DAY_S
        )
        if (session.scalar(today) or 0) > CLAIMS_A_DAY_MAX:
            raise TooManyClaims(CLAIMS_A_DAY_MAX, "new claims in 24 hours")
        contested = (
            select(func.count())
            .select_from(SourceClaimRow)
            .join(
                SourceIdRow,
                (SourceIdRow.programme == SourceClaimRow.programme)
                & (SourceIdRow.source_hmac == SourceClaimRow.source_hmac),
            )
            .where(
                SourceClaimRow.resident_id == resident_id,
                SourceIdRow.resident_id != resident_id,
                (SourceClaimRow.state == ClaimState.WAITING)
                | ((SourceClaimRow.state == ClaimState.LIVE) & (SourceIdRow.state == SourceIdState.FROZEN)),
            )
        )
        if (session.scalar(contested) or 0) > CONTESTED_MAX:
            raise TooManyClaims(CONTESTED_MAX, "open claims to what others had linked")

    def unlink(self, session: Session, resident_id: int, programme: ProgrammeId, source_id: str) -> None:
        """Withdraw a resident's claim; an id with one open claim left goes to that one. Raises NoSuchClaim."""
        _, digest = self._known_hash(session, programme, source_id)
        self._withdraw(session, resident_id, programme, digest)

    def resolve(
        self, session: Session, programme: ProgrammeId, source_hmacs: Sequence[bytes]
    ) -> dict[bytes, LinkedAccount]:
        """Return the account of each linked source id (by HMAC); unknown, frozen and unlinked ones are left out."""
        rows = fetch_by_keys(
            session,
            _SOURCE_IDS,
            ["source_hmac", "resident_id", "state"],
            "source_hmac",
            source_hmacs,
            where={"programme": programme},
        )
        linked = {bytes(digest): resident for digest, resident, state in rows if state == SourceIdState.LINKED}
        accounts = {
            resident: (LinkedAccount(ResidentId(resident), to_address(bytes(account))))
            for resident, account, status in fetch_by_keys(
                session, _RESIDENTS, ["resident_id", "account", "status"], "resident_id", list(linked.values())
            )
            if status == "active"
        }
        return {digest: accounts[resident] for digest, resident in linked.items() if resident in accounts}

    def resolve_ids(
        self, session: Session, programme: ProgrammeId, source_ids: Iterable[str]
    ) -> dict[str, LinkedAccount]:
        """Return the account of each linked source id, trying every live key version."""
        tried = {one: self._sources.hash_live(programme, one) for one in source_ids}
        found = self.resolve(session, programme, [digest for many in tried.values() for _, digest in many])
        resolved = {}
        for one, many in tried.items():
            hit = next((found[digest] for _, digest in many if digest in found), None)
            if hit is not None:
                resolved[one] = hit
        return resolved

    def linked_sources(self, session: Session, resident_id: int) -> list[tuple[ProgrammeId, str, str]]:
        """Return (programme, source id in clear, state) of a resident's claims; callers log the look."""
        row = self._row(session, resident_id)
        if row.data_key is None:
            raise ResidentErased(resident_id)
        claims = session.execute(
            select(SourceClaimRow, SourceIdRow.state, SourceIdRow.resident_id)
            .join(
                SourceIdRow,
                (SourceIdRow.programme == SourceClaimRow.programme)
                & (SourceIdRow.source_hmac == SourceClaimRow.source_hmac),
            )
            .where(SourceClaimRow.resident_id == resident_id)
            .order_by(SourceClaimRow.programme, SourceClaimRow.claimed_at)
        )
        shown = []
        for claim, state, owner in claims:
            if claim.original is None:
                continue
            source = self._custodian.unseal(resident_id, row.data_key, claim.original, f"src{claim.programme}").decode()
            is_in_play = state == SourceIdState.FROZEN or owner == resident_id
            own = state if claim.state == ClaimState.LIVE and is_in_play else claim.state
            shown.append((claim.programme, source, own))
        return shown

    def erase(self, session: Session, resident_id: int, stretched: Stretched | None = None) -> Erased | None:
        """Destroy the data key, the account key and every link, and return what the other books have to forget (None:
        it was done before). The chain's history stays, and points to no person; a tombstone of the identity stays too.
        Warning: points left in a custodial account can never be spent again. Raises ResidentNotFound.
        """
        row = self._row(session, resident_id)
        if row.status == "erased":
            return None
        words = tuple((programme, source) for programme, source, _ in self.linked_sources(session, resident_id))
        person = ResidentId(int.from_bytes(self._random(8), "big") >> 1)
        if row.identity_hmac is not None:
            leave_tombstone(session, self.identities, bytes(row.identity_hmac), person, stretched or {})
        own = select(SourceClaimRow.programme, SourceClaimRow.source_hmac, SourceClaimRow.state)
        claims = session.execute(own.where(SourceClaimRow.resident_id == resident_id)).all()
        for programme, digest, state in claims:
            if state in OPEN_CLAIMS:
                self._withdraw(session, resident_id, programme, digest)
        session.flush()
        sources = tuple((ProgrammeId(programme), bytes(digest)) for programme, digest, _ in claims)
        forget_links(session, resident_id, sources)
        make_unreadable(row, self._clock.timestamp())
        session.flush()
        return Erased(resident_id, person, sources, words)

    def _withdraw(self, session: Session, resident_id: int, programme: ProgrammeId, digest: bytes) -> None:
        key = (programme, digest)
        owner = self._owners(session, {key}).get(key)
        claims = self._claims(session, {key}).get(key, {})
        if resident_id not in claims or owner is None:
            raise NoSuchClaim(resident_id, programme)
        now = self._clock.timestamp()
        withdrawn = claims[resident_id]._replace(state=ClaimState.WITHDRAWN.value)
        self._set_claim(session, programme, digest, resident_id, withdrawn)
        log_link_event(session, key, resident_id, "withdrawn", now)
        holder, state = owner
        left = [one for one, claim in claims.items() if claim.state in OPEN_CLAIMS and one != resident_id]
        if state == SourceIdState.LINKED and holder != resident_id:
            return  # a resident who only waited takes nothing along
        if not left:
            self.set_owner(session, programme, digest, resident_id, SourceIdState.UNLINKED)
            return
        for one in left:
            self._set_claim(session, programme, digest, one, claims[one]._replace(state=ClaimState.LIVE.value))
        follows = SourceIdState.LINKED if len(left) == 1 else SourceIdState.FROZEN
        self.set_owner(session, programme, digest, left[0], follows)

    def _new(
        self, session: Session, person: NewResident, version: int, identity: bytes, now: int
    ) -> tuple[Resident, dict[str, Any]]:
        known = recall(session, self.identities, person.document_number, person.stretched)
        resident_id = ResidentId(int.from_bytes(self._random(8), "big") >> 1 if known is None else known)
        data_key = self._custodian.new_data_key(resident_id)
        wrapped = None
        account = person.account
        if account is None:
            made = self._custodian.new_account(resident_id)
            account, wrapped = made.address, made.wrapped_key
        row = {
            "resident_id": resident_id,
            "identity_hmac": identity,
            "identity_key_version": version,
            "account": address_bytes(account),
            "account_key": wrapped,
            "data_key": data_key,
            "profile": self._custodian.seal_profile(resident_id, data_key, person.profile),
            "status": "active",
            "created_at": now,
            "erased_at": None,
        }
        return Resident(resident_id, account, wrapped is not None, "active", now), row

    def _find_identities(self, session: Session, documents: Sequence[str]) -> dict[str, Resident]:
        by_hmac: dict[bytes, str] = {}
        for document in documents:
            if not normalise(document):
                raise EmptyIdentifier("identity document number")
            for _, digest in self.identities.hash_live(document):
                by_hmac[digest] = document
        rows = fetch_by_keys(
            session,
            _RESIDENTS,
            ["identity_hmac", "resident_id", "account", "account_key", "status", "created_at"],
            "identity_hmac",
            list(by_hmac),
        )
        found = {
            bytes(digest): Resident(ResidentId(one), to_address(bytes(account)), key is not None, status, at)
            for digest, one, account, key, status, at in rows
        }
        # By HMAC, not by text: the same document may come written in two ways.
        return {
            document: found[digest]
            for document in documents
            for _, digest in self.identities.hash_live(document)
            if digest in found
        }

    def _settle_race(
        self, session: Session, people: Sequence[NewResident], created: Mapping[bytes, Resident]
    ) -> list[Registration]:
        known = self._find_identities(session, [person.document_number for person in people])
        ours = {resident.resident_id for resident in created.values()}
        settled = []
        for person in people:
            resident = known.get(person.document_number)
            if resident is None:
                raise ResidentNotFound("just registered: its account belongs to another resident")
            is_new = resident.resident_id in ours
            settled.append(Registration(resident, Outcome.CREATED if is_new else Outcome.EXISTS))
        return settled

    def _known_hash(self, session: Session, programme: ProgrammeId, source_id: str) -> tuple[int, bytes]:
        if not normalise(source_id):
            raise EmptyIdentifier("source id")
        live = self._sources.hash_live(programme, source_id)
        if len(live) > 1:
            known = fetch_by_keys(
                session,
                _SOURCE_IDS,
                ["source_hmac"],
                "source_hmac",
                [digest for _, digest in live],
                where={"programme": programme},
            )
            seen = {bytes(row[0]) for row in known}
            for version, digest in live:
                if digest in seen:
                    return version, digest
        return live[0]

    def _row(self, session: Session, resident_id: int) -> ResidentRow:
        row = session.get(ResidentRow, resident_id)
        if row is None:
            raise ResidentNotFound(resident_id)
        return row

    def _data_keys(self, session: Session, resident_ids: set[int]) -> dict[int, bytes]:
        rows = fetch_by_keys(session, _RESIDENTS, ["resident_id", "data_key"], "resident_id", list(resident_ids))
        keys: dict[int, bytes] = {}
        for resident, key in rows:
            if key is None:
                raise ResidentErased(resident)
            keys[resident] = bytes(key)
        for resident in resident_ids - keys.keys():
            raise ResidentNotFound(resident)
        return keys

    def _claims(self, session: Session, keys: Set[SourceKey]) -> dict[SourceKey, dict[int, Claim]]:
        claims: dict[SourceKey, dict[int, Claim]] = {}
        for programme, digests in _by_programme(keys):
            columns = ["source_hmac", "resident_id", "state", "proof", "claimed_at"]
            where = {"programme": programme}
            rows = fetch_by_keys(session, _CLAIMS, columns, "source_hmac", digests, where=where)
            for digest, resident, *claim in rows:
                claims.setdefault((programme, bytes(digest)), {})[resident] = Claim(*claim)
        return claims

    def _owners(self, session: Session, keys: Set[SourceKey]) -> dict[SourceKey, tuple[int, str]]:
        """Return whose source ids are, their rows locked in one order."""
        owners: dict[SourceKey, tuple[int, str]] = {}
        for programme, digests in _by_programme(keys):
            columns = ["source_hmac", "resident_id", "state"]
            where = {"programme": programme}
            rows = fetch_by_keys(session, _SOURCE_IDS, columns, "source_hmac", digests, where=where, lock=True)
            owners |= {(programme, bytes(digest)): (resident, state) for digest, resident, state in rows}
        return owners

    def set_owner(self, session: Session, programme: ProgrammeId, digest: bytes, resident: int, state: str) -> None:
        """Write whose a source id is. For this package: others claim and decide."""
        session.execute(
            update(SourceIdRow)
            .where(SourceIdRow.programme == programme, SourceIdRow.source_hmac == digest)
            .values(resident_id=resident, state=state, updated_at=self._clock.timestamp())
        )

    def _set_claim(self, session: Session, programme: ProgrammeId, digest: bytes, resident: int, claim: Claim) -> None:
        session.execute(
            update(SourceClaimRow)
            .where(
                SourceClaimRow.programme == programme,
                SourceClaimRow.source_hmac == digest,
                SourceClaimRow.resident_id == resident,
            )
            .values(state=claim.state, proof=claim.proof)
        )


def _by_programme(keys: Set[SourceKey]) -> Iterator[tuple[ProgrammeId, list[bytes]]]:
    """Yield each programme's digests, both in order. The tables' keys begin with the programme: asked for by digest
    alone, they would be read whole."""
    for programme, some in groupby(sorted(keys), key=itemgetter(0)):
        yield programme, [digest for _, digest in some]


def log_link_event(
    session: Session, key: SourceKey, resident: int | None, event: str, now: int, subject: str | None = None
) -> None:
    """Note what happened to a contested source id."""
    session.add(
        SourceLinkEventRow(
            programme=key[0], source_hmac=key[1], resident_id=resident, event=event, subject=subject, happened_at=now
        )
    )


def _resident(row: ResidentRow) -> Resident:
    return Resident(
        ResidentId(row.resident_id),
        to_address(row.account),
        row.account_key is not None,
        row.status,
        row.created_at,
    )
