"""For an issuing agency: the outcome of its records, what was refused and why, what waits for two people."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from issuers.answers import HeldRecord, Review
from issuers.errors import SameApprover
from issuers.reports.funding import FundingWait
from ledger.standard.ids import ProgrammeId
from ledger_api.auth import scopes
from ledger_api.dependencies import DEFAULT_LIMIT, NOBODY, Cursor, Deps, Limit, Who, Write, note_look, require
from ledger_api.errors import NotFound
from ledger_api.http.answers import cacheable
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.schemas.common import ProgrammeNumber, moment, money, points
from ledger_api.schemas.issuing import (
    DeliveryOut,
    FundingWaitOut,
    HeldPairOut,
    HeldRecordOut,
    IngestOut,
    PipelineOut,
    RecordCounts,
    RefusalList,
    RefusalOut,
    RefusedRow,
    ResubmitIn,
    ReviewList,
    ReviewOut,
    ReviewRejection,
    ReviewVerdict,
    StageOut,
)
from ledger_api.services import Services

router = APIRouter(prefix="/v1/issuers/{programme}", tags=["Issuing"])

Number = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("/records", operation_id="countRecords", response_model=RecordCounts)
def counts(programme: ProgrammeNumber, request: Request, services: Deps, principal: Who) -> Response:
    """Return where the programme's records stand."""
    require(principal, scopes.issuer(programme), scopes.AUDITOR)
    [(slug, found)] = services.issuers.counts(programme).items()
    wait = services.issuers.funding_waits().get(slug)
    answer = RecordCounts(
        programme=programme,
        slug=slug,
        records=str(found.records),
        accepted=str(found.accepted),
        refused=str(found.refused),
        awaiting_link=str(found.awaiting_link),
        held=str(found.held),
        waiting=str(found.waiting),
        funding=None if wait is None else _funding(wait),
        granted=points(found.granted_minor),
        revoked=points(found.revoked_minor),
        refusals=found.refusals,
    )
    return cacheable(request, answer)


@router.get("/pipeline", operation_id="getPipeline", response_model=PipelineOut)
def pipeline(programme: ProgrammeNumber, services: Deps, principal: Who) -> PipelineOut:
    """Return every stage's counts and refusals, and what is being read: while it runs, and after."""
    require(principal, scopes.issuer(programme), scopes.AUDITOR, scopes.OPERATOR)
    [found] = services.issuers.pipeline(programme).values()
    return PipelineOut(
        programme=programme,
        stages=[
            StageOut(
                stage=one.name,
                done=None if one.done is None else str(one.done),
                refused=str(one.refused),
                refusals=dict(one.refusals),
                waiting=str(one.waiting),
                waits=dict(one.waits),
            )
            for one in found.stages
        ],
        reading=[
            DeliveryOut(
                delivery=str(one.delivery_id),
                kind=one.kind,
                name=one.name,
                rows_done=str(one.rows_done),
                updated_at=moment(one.updated_at),
            )
            for one in found.reading
        ],
    )


@router.get("/refusals", operation_id="listRefusals", response_model=RefusalList)
def refusals(
    programme: ProgrammeNumber, services: Deps, principal: Who, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> RefusalList:
    """Return open refusals, oldest first: file, row, field and reason."""
    require(principal, scopes.issuer(programme))
    place = decode_cursor(cursor, 1)
    page = services.issuers.refusals(programme, place[0] if place else None, limit)
    items = [
        RefusalOut(
            refusal_id=str(one.refusal_id),
            file=one.file,
            row=one.row,
            line=one.line,
            field=one.field,
            code=one.code,
            reason_en=one.reason_en,
            reason_zh=one.reason_zh,
            state=one.state,
            refused_at=moment(one.created_at),
        )
        for one in page.items
    ]
    return RefusalList(items=items, next_cursor=None if page.next_cursor is None else encode_cursor(page.next_cursor))


@router.get("/refusals/{refusal_id}/row", operation_id="getRefusedRow", response_model=RefusedRow)
def refused_row(programme: ProgrammeNumber, refusal_id: Number, services: Deps, principal: Who) -> RefusedRow:
    """Return a refused row as it came. It is personal data: for its agency alone, and the look is logged."""
    require(principal, scopes.issuer(programme))
    _own_refusal(services, programme, refusal_id)
    with services.database.transaction() as session:
        note_look(session, services, principal, NOBODY, f"getRefusedRow {refusal_id}")
    return RefusedRow(refusal_id=str(refusal_id), row=services.issuers.refused_row(refusal_id))


@router.post("/refusals/{refusal_id}/resubmit", operation_id="resubmitRefusal", response_model=IngestOut)
def resubmit(programme: ProgrammeNumber, refusal_id: Number, body: ResubmitIn, write: Write) -> Response:
    """Resubmit a refused row with corrected values; the refusal closes if it is taken."""
    require(write.principal, scopes.issuer(programme))
    issuers = write.services.issuers
    _own_refusal(write.services, programme, refusal_id)

    def effect(_was_begun: bool) -> tuple[int, BaseModel]:
        report = issuers.resubmit(refusal_id, body.values)
        return 200, IngestOut(
            outcome=report.outcome,
            rows=report.rows,
            statuses=dict(report.statuses),
            refusals=dict(report.refusals),
            granted=points(report.granted_minor),
        )

    response = write.apart(body, effect)
    write.services.after_link()
    return response


@router.get("/reviews", operation_id="listReviews", response_model=ReviewList)
def reviews(
    programme: ProgrammeNumber,
    services: Deps,
    principal: Who,
    state: Annotated[str, Query(pattern="^(open|approved|rejected)$")] = "open",
    limit: Limit = DEFAULT_LIMIT,
) -> ReviewList:
    """Return records that a screen held, with the reason; oldest first."""
    require(principal, scopes.issuer(programme))
    return ReviewList(items=[_review(one) for one in services.issuers.reviews(programme, state, limit)])


@router.get("/reviews/{review_id}/records", operation_id="getHeldRecords", response_model=HeldPairOut)
def held_records(programme: ProgrammeNumber, review_id: Number, services: Deps, principal: Who) -> HeldPairOut:
    """Return a held record beside the one that it clashes with: personal data, and the look is logged."""
    require(principal, scopes.issuer(programme))
    pair = services.issuers.review_pair(programme, review_id)
    with services.database.transaction() as session:
        note_look(session, services, principal, NOBODY, f"getHeldRecords {review_id}")
    return HeldPairOut(
        review=_review(pair.review),
        held=_held(pair.held),
        other=None if pair.other is None else _held(pair.other),
        differing=list(pair.differing),
    )


@router.post("/reviews/{review_id}/approve", operation_id="approveReview", response_model=ReviewVerdict)
def approve(programme: ProgrammeNumber, review_id: Number, write: Write) -> Response:
    """Approve a held record as a deed of its own. The second of two different people releases it to the rules."""
    return _approve(programme, review_id, write, as_correction=False)


@router.post("/reviews/{review_id}/correct", operation_id="approveCorrection", response_model=ReviewVerdict)
def approve_correction(programme: ProgrammeNumber, review_id: Number, write: Write) -> Response:
    """Approve a record held for its known number as a correction of the record that has it.

    What that record earned is taken back as far as it differs. Two different people must say so; `approveReview` in
    between begins anew.
    """
    return _approve(programme, review_id, write, as_correction=True)


def _approve(programme: ProgrammeId, review_id: int, write: Write, *, as_correction: bool) -> Response:
    require(write.principal, scopes.issuer(programme))
    services, person = write.services, write.principal.subject
    services.issuers.review(programme, review_id)  # another programme's does not exist for it

    def effect(was_begun: bool) -> tuple[int, BaseModel]:
        try:
            status = services.issuers.approve(review_id, person, as_correction=as_correction)
        except SameApprover:
            if not was_begun:
                raise
            status = "first"  # an earlier run of this request did it and died before it could say so
        return 200, ReviewVerdict(review_id=str(review_id), status=status)

    response = write.apart(None, effect)
    services.after_link()
    return response


@router.post("/reviews/{review_id}/reject", operation_id="rejectReview", response_model=ReviewVerdict)
def reject(programme: ProgrammeNumber, review_id: Number, body: ReviewRejection, write: Write) -> Response:
    """Reject a held record: it is refused, with the note."""
    require(write.principal, scopes.issuer(programme))
    services = write.services
    services.issuers.review(programme, review_id)  # another programme's does not exist for it

    def effect(_was_begun: bool) -> tuple[int, BaseModel]:
        services.issuers.reject(review_id, write.principal.subject, body.note)
        return 200, ReviewVerdict(review_id=str(review_id), status="refused")

    return write.apart(body, effect)


def _funding(wait: FundingWait) -> FundingWaitOut:
    return FundingWaitOut(
        batches=wait.batches,
        amount=points(wait.amount_minor),
        missing=money(wait.missing_fen),
        available=money(wait.available_fen),
        reason_en=wait.reason_en,
        reason_zh=wait.reason_zh,
    )


def _own_refusal(services: Services, programme: ProgrammeId, refusal_id: int) -> None:
    """An agency sees its own refusals only: those of others do not exist for it."""
    page = services.issuers.refusals(programme, refusal_id - 1, 1, open_only=False)
    if not page.items or page.items[0].refusal_id != refusal_id:
        raise NotFound("refusal", str(refusal_id))


def _held(found: HeldRecord) -> HeldRecordOut:
    return HeldRecordOut(
        file=found.file,
        row=found.row,
        status=found.status,
        deed_day=found.deed_day,
        activity=found.activity,
        granted=points(found.granted_minor),
        content=found.content,
    )


def _review(found: Review) -> ReviewOut:
    return ReviewOut(
        review_id=str(found.review_id),
        programme=found.programme,
        screen=found.screen,
        reason_en=found.reason_en,
        reason_zh=found.reason_zh,
        other_programme=found.other_programme,
        state=found.state,
        approvals=len(found.approvals),
        held_at=moment(found.created_at),
    )
