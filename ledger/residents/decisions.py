"""An agency decides whose a source id is: what it sees of the claimants, and the decision of two people.

The agency knows its own members. So it sees the source id in clear, and of each claimant a reference, a masked name
and how the claim was proven; and it may name its member by identity document, which is matched here and shown nowhere.
What was granted before a decision stays; the agency takes it back record by record where it must.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.custody.custodian import Custodian
from ledger.residents.claims import ClaimState, Proof, SourceIdState
from ledger.residents.errors import NoSuchClaim, ResidentNotFound, SameDecider
from ledger.residents.registry import ResidentRegistry, log_link_event
from ledger.standard.ids import ProgrammeId
from ledger.store.models.residents import ResidentRow, SourceClaimRow, SourceDecisionRow, SourceIdRow


@dataclass(frozen=True, slots=True)
class Claimant:
    """One resident's claim, as the agency may see it."""

    resident_id: int
    name_masked: str
    """The first character of the name, the rest hidden; empty where no name is known."""
    state: str
    proof: str
    claimed_at: int
    is_holder: bool
    """Whether the id is linked to this one now."""


@dataclass(frozen=True, slots=True)
class ContestedId:
    """A source id that several residents claim."""

    source_hmac: bytes
    source_id: str
    """In clear, as the first claimant wrote it; empty where all claimants were erased."""
    state: str
    """``frozen``: nobody has it; ``linked``: a proven link stands and others claim it."""
    since: int
    claimants: tuple[Claimant, ...]
    proposal: Proposal | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one person has decided, until a second confirms it."""

    resident_id: int | None
    decider: str
    note: str | None
    at: int


class SourceDecisions:
    """Contested source ids of a programme, and their decision. Takes the session of the caller's transaction."""

    def __init__(self, registry: ResidentRegistry, custodian: Custodian, clock: Clock) -> None:
        self._registry = registry
        self._custodian = custodian
        self._clock = clock

    def contested(
        self, session: Session, programme: ProgrammeId, after: bytes | None = None, limit: int = 100
    ) -> list[ContestedId]:
        """Return contested source ids, by their HMAC, behind one; callers log the look."""
        waiting = select(SourceClaimRow.source_hmac).where(
            SourceClaimRow.programme == programme, SourceClaimRow.state == ClaimState.WAITING
        )
        query = (
            select(SourceIdRow)
            .where(
                SourceIdRow.programme == programme,
                (SourceIdRow.state == SourceIdState.FROZEN) | SourceIdRow.source_hmac.in_(waiting),
            )
            .order_by(SourceIdRow.source_hmac)
            .limit(limit)
        )
        if after is not None:
            query = query.where(SourceIdRow.source_hmac > after)
        return [self._shown(session, row) for row in session.scalars(query)]

    def get(self, session: Session, programme: ProgrammeId, source_hmac: bytes) -> ContestedId:
        """Return one source id with its claimants, contested or not. Raises NoSuchClaim."""
        row = session.get(SourceIdRow, (programme, source_hmac))
        if row is None:
            raise NoSuchClaim(0, programme)
        return self._shown(session, row)

    def claimant_by_document(
        self, session: Session, programme: ProgrammeId, source_hmac: bytes, document_number: str
    ) -> int:
        """Return which claimant has an identity document.

        Raises NoSuchClaim for everybody else: whether somebody is a resident at all is not the agency's to know.
        """
        claimants = {one.resident_id for one in self._claims(session, programme, source_hmac)}
        try:
            found = self._registry.by_document(session, document_number).resident_id
        except ResidentNotFound:
            raise NoSuchClaim(0, programme) from None
        if found not in claimants:
            raise NoSuchClaim(0, programme)
        return found

    def decide(
        self,
        session: Session,
        programme: ProgrammeId,
        source_hmac: bytes,
        resident_id: int | None,
        decider: str,
        note: str | None = None,
    ) -> str:
        """Decide for one claimant (None: for none of them). The second of two people puts it in force.

        Returns ``first`` or ``decided``. A second person who decides otherwise starts anew: theirs is the first then.
        Raises NoSuchClaim, or SameDecider if one person tries to be both.
        """
        now = self._clock.timestamp()
        key = (programme, source_hmac)
        row = session.scalar(
            select(SourceIdRow)
            .where(SourceIdRow.programme == programme, SourceIdRow.source_hmac == source_hmac)
            .with_for_update()
        )
        claims = self._claims(session, programme, source_hmac)
        candidates = {one.resident_id for one in claims if one.state != ClaimState.WITHDRAWN}
        if row is None or not claims or (resident_id is not None and resident_id not in candidates):
            raise NoSuchClaim(resident_id or 0, programme)
        proposed = self._open(session, programme, source_hmac)
        if proposed is not None and proposed.resident_id == resident_id:
            if proposed.decider_first == decider:
                raise SameDecider(decider)
            proposed.decider_second = decider
            proposed.state = "decided"
            proposed.decided_at = now
            self._put_in_force(session, row, claims, resident_id)
            log_link_event(session, key, resident_id, "decided", now, decider)
            session.flush()
            return "decided"
        if proposed is not None:
            proposed.state = "replaced"
            proposed.decider_second = decider
            proposed.decided_at = now
        session.add(
            SourceDecisionRow(
                programme=programme,
                source_hmac=source_hmac,
                resident_id=resident_id,
                state="open",
                decider_first=decider,
                note=note,
                created_at=now,
            )
        )
        log_link_event(session, key, resident_id, "proposed", now, decider)
        session.flush()
        return "first"

    def _put_in_force(
        self, session: Session, row: SourceIdRow, claims: Sequence[SourceClaimRow], resident_id: int | None
    ) -> None:
        for claim in claims:
            is_chosen = claim.resident_id == resident_id
            claim.state = ClaimState.LIVE if is_chosen else ClaimState.REFUSED
            if is_chosen:
                claim.proof = Proof.DECISION
        holder, state = (
            (row.resident_id, SourceIdState.UNLINKED) if resident_id is None else (resident_id, SourceIdState.LINKED)
        )
        self._registry.set_owner(session, row.programme, row.source_hmac, holder, state)

    def _open(self, session: Session, programme: ProgrammeId, source_hmac: bytes) -> SourceDecisionRow | None:
        return session.scalar(
            select(SourceDecisionRow).where(
                SourceDecisionRow.programme == programme,
                SourceDecisionRow.source_hmac == source_hmac,
                SourceDecisionRow.state == "open",
            )
        )

    def _claims(self, session: Session, programme: ProgrammeId, source_hmac: bytes) -> Sequence[SourceClaimRow]:
        return session.scalars(
            select(SourceClaimRow)
            .where(SourceClaimRow.programme == programme, SourceClaimRow.source_hmac == source_hmac)
            .order_by(SourceClaimRow.claimed_at, SourceClaimRow.resident_id)
        ).all()

    def _shown(self, session: Session, row: SourceIdRow) -> ContestedId:
        claims = self._claims(session, row.programme, row.source_hmac)
        source_id = ""
        claimants = []
        for claim in claims:
            resident = session.get_one(ResidentRow, claim.resident_id)
            if not source_id and resident.data_key is not None and claim.original is not None:
                source_id = self._custodian.unseal(
                    claim.resident_id, resident.data_key, claim.original, f"src{row.programme}"
                ).decode()
            claimants.append(
                Claimant(
                    claim.resident_id,
                    self._masked_name(resident),
                    claim.state,
                    claim.proof,
                    claim.claimed_at,
                    row.state == SourceIdState.LINKED and row.resident_id == claim.resident_id,
                )
            )
        proposed = self._open(session, row.programme, row.source_hmac)
        proposal = None
        if proposed is not None:
            proposal = Proposal(proposed.resident_id, proposed.decider_first, proposed.note, proposed.created_at)
        return ContestedId(row.source_hmac, source_id, row.state, row.updated_at, tuple(claimants), proposal)

    def _masked_name(self, resident: ResidentRow) -> str:
        if resident.data_key is None or resident.profile is None:
            return ""
        profile = self._custodian.unseal_profile(resident.resident_id, resident.data_key, resident.profile)
        name = profile.get("name", "")
        return name[:1] + "*" * (len(name) - 1)
