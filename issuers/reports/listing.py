"""Lists for people to look at: refusals, held records, batches that have not landed, the grants of a wallet.

``slugs``: the programmes' names by id.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from issuers.answers import OpenBatch, Refusal, RefusalPage, Review
from issuers.errors import ReviewNotFound
from issuers.states import BatchState, RefusalState, ReviewState
from ledger.standard.ids import AccountBytes, ProgrammeId, ProgrammeSlug
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceDeliveryRow,
    IssuanceGrantRow,
    IssuanceRefusalRow,
    IssuanceReviewRow,
)
from ledger.store.models.residents import ResidentRow

Slugs = Mapping[ProgrammeId, ProgrammeSlug]


def refusal_page(
    session: Session, slugs: Slugs, programme: ProgrammeId, cursor: int | None, limit: int, *, open_only: bool
) -> RefusalPage:
    """Return a page of a programme's refusals behind a cursor, oldest first."""
    query = _refusals().where(IssuanceRefusalRow.programme == programme, IssuanceRefusalRow.refusal_id > (cursor or 0))
    if open_only:
        query = query.where(IssuanceRefusalRow.state == RefusalState.OPEN)
    rows = session.execute(query.limit(limit + 1)).all()
    items = tuple(_refusal(row, name, slugs) for row, name in rows[:limit])
    return RefusalPage(items, items[-1].refusal_id if len(rows) > limit else None)


def refusals_of_delivery(session: Session, slugs: Slugs, delivery_id: int, limit: int) -> list[Refusal]:
    """Return the first refusals of one delivery, in its order."""
    query = _refusals().where(IssuanceRefusalRow.delivery_id == delivery_id).limit(limit)
    return [_refusal(row, name, slugs) for row, name in session.execute(query)]


def reviews(session: Session, slugs: Slugs, programme: ProgrammeId | None, state: str, limit: int) -> list[Review]:
    """Return records that screens have held, of one programme or of all, oldest first."""
    query = select(IssuanceReviewRow).where(IssuanceReviewRow.state == state)
    if programme is not None:
        query = query.where(IssuanceReviewRow.programme == programme)
    rows = session.scalars(query.order_by(IssuanceReviewRow.review_id).limit(limit))
    return [_review(row, slugs) for row in rows]


def review(session: Session, slugs: Slugs, programme: ProgrammeId, review_id: int) -> Review:
    """Return one held record of a programme. Raises ReviewNotFound."""
    row = session.get(IssuanceReviewRow, review_id)
    if row is None or row.programme != programme:
        raise ReviewNotFound(review_id)
    return _review(row, slugs)


def open_batches(session: Session, slugs: Slugs, programme: ProgrammeId | None) -> list[OpenBatch]:
    """Return the batches, of one programme or of all, that have not landed, and why, lowest number first."""
    query = select(IssuanceBatchRow).where(IssuanceBatchRow.state.not_in((BatchState.LANDED, BatchState.VOID)))
    if programme is not None:
        query = query.where(IssuanceBatchRow.programme == programme)
    return [
        OpenBatch(
            slugs[row.programme],
            row.number,
            BatchState(row.state),
            row.reason,
            row.grants,
            row.amount_minor,
            row.attempt,
            row.updated_at,
        )
        for row in session.scalars(query.order_by(IssuanceBatchRow.programme, IssuanceBatchRow.number))
    ]


def latest_grants(session: Session, account: AccountBytes, limit: int) -> list[str]:
    """Return ids of the latest grants of the resident whose account it is, newest first."""
    owner = select(ResidentRow.resident_id).where(ResidentRow.account == account).scalar_subquery()
    query = (
        select(IssuanceGrantRow.grant_id)
        .where(IssuanceGrantRow.resident_id == owner)
        .order_by(IssuanceGrantRow.created_at.desc())
    )
    return ["0x" + bytes(one).hex() for one in session.scalars(query.limit(limit))]


def _refusals() -> Select[IssuanceRefusalRow, str]:
    return (
        select(IssuanceRefusalRow, IssuanceDeliveryRow.name)
        .join(IssuanceDeliveryRow, IssuanceDeliveryRow.delivery_id == IssuanceRefusalRow.delivery_id)
        .order_by(IssuanceRefusalRow.refusal_id)
    )


def _refusal(row: IssuanceRefusalRow, name: str, slugs: Slugs) -> Refusal:
    return Refusal(
        row.refusal_id,
        slugs[row.programme],
        name,
        row.delivery_id,
        row.row_number,
        row.line,
        row.field,
        row.code,
        row.reason_en,
        row.reason_zh,
        RefusalState(row.state),
        row.created_at,
    )


def _review(row: IssuanceReviewRow, slugs: Slugs) -> Review:
    return Review(
        row.review_id,
        slugs[row.programme],
        row.record_id,
        row.screen,
        row.reason_en,
        row.reason_zh,
        None if row.other_programme is None else slugs.get(row.other_programme),
        row.other_record_id,
        ReviewState(row.state),
        tuple(one for one in (row.approver_first, row.approver_second) if one is not None),
        row.created_at,
    )
