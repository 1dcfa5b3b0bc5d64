"""For an issuing agency: link codes for its members, and source ids that several residents claim."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from issuers.service import IssuerService
from ledger.residents.decisions import ContestedId
from ledger.standard.ids import ProgrammeId
from ledger_api.auth import scopes
from ledger_api.dependencies import (
    DEFAULT_LIMIT,
    Cursor,
    Deps,
    Limit,
    Who,
    Write,
    hash_of,
    note_look,
    require,
)
from ledger_api.errors import BadCursor
from ledger_api.schemas.common import HashText, ProgrammeNumber, hex_text, moment
from ledger_api.schemas.issuing import (
    ClaimantOut,
    ClaimDecisionIn,
    ClaimList,
    ClaimOut,
    ClaimVerdict,
    LinkCodeIn,
    LinkCodeOut,
)

router = APIRouter(prefix="/v1/issuers/{programme}", tags=["Issuing"])

NOBODY = "nobody"


@router.post("/link-codes", operation_id="makeLinkCode", response_model=LinkCodeOut)
def link_code(programme: ProgrammeNumber, body: LinkCodeIn, services: Deps, principal: Who) -> LinkCodeOut:
    """Make a link code for a member whom the agency has checked. The person who shows it links the number with proof.

    Nothing is stored, so this needs no Idempotency-Key; each call's code is good until its own end.
    """
    require(principal, scopes.issuer(programme))
    code, expires_at = services.link_codes.make(programme, body.source_id, body.lifetime_s)
    return LinkCodeOut(code=code, expires_at=moment(expires_at))


@router.get("/claims", operation_id="listClaims", response_model=ClaimList)
def claims(
    programme: ProgrammeNumber,
    services: Deps,
    principal: Who,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> ClaimList:
    """Return source ids that several residents claim. Each look at a claimant is logged."""
    require(principal, scopes.issuer(programme))
    after = None if cursor is None else _place(cursor)
    with services.database.transaction() as session:
        found = services.decisions.contested(session, programme, after, limit + 1)
        for one in found[:limit]:
            for claimant in one.claimants:
                note_look(session, services, principal, claimant.resident_id, "listClaims")
    items = [claim_out(programme, one, services.issuers) for one in found[:limit]]
    return ClaimList(items=items, next_cursor=items[-1].claim if len(found) > limit else None)


@router.post("/claims/{claim}/decide", operation_id="decideClaim", response_model=ClaimVerdict)
def decide(programme: ProgrammeNumber, claim: HashText, body: ClaimDecisionIn, write: Write) -> Response:
    """Decide whose a source id is. The second of two different people puts it in force, and its records are granted.

    A second person who decides otherwise starts anew. What was granted before stays until it is revoked.
    """
    require(write.principal, scopes.issuer(programme))
    services, digest = write.services, hash_of("claim", claim)

    def effect(session: Session) -> tuple[int, BaseModel]:
        chosen = None if body.claimant is None else int(body.claimant)
        if body.document_number is not None:
            chosen = services.decisions.claimant_by_document(session, programme, digest, body.document_number)
        status = services.decisions.decide(session, programme, digest, chosen, write.principal.subject, body.note)
        return 200, ClaimVerdict(claim=claim, status=status)

    response = write.once(body, effect)
    services.after_link()
    return response


def claim_out(programme: ProgrammeId, found: ContestedId, issuers: IssuerService) -> ClaimOut:
    """Return a contested source id as its agency sees it."""
    proposal = found.proposal
    proposed_for = None
    if proposal is not None:
        proposed_for = NOBODY if proposal.resident_id is None else str(proposal.resident_id)
    return ClaimOut(
        claim=hex_text(found.source_hmac),
        source_id=found.source_id,
        state=found.state,
        since=moment(found.since),
        records_waiting=issuers.records_awaiting(programme, found.source_hmac),
        claimants=[
            ClaimantOut(
                claimant=str(one.resident_id),
                name_masked=one.name_masked,
                proof=one.proof,
                state=one.state,
                is_holder=one.is_holder,
                claimed_at=moment(one.claimed_at),
            )
            for one in found.claimants
        ],
        proposed_for=proposed_for,
        proposed_by=None if proposal is None else proposal.decider,
        note=None if proposal is None else proposal.note,
    )


def _place(cursor: str) -> bytes:
    try:
        place = bytes.fromhex(cursor.removeprefix("0x"))
    except ValueError:
        raise BadCursor from None
    if len(place) != 32:
        raise BadCursor
    return place
