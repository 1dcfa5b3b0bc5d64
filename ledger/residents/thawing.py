"""Ends what bare claims froze: nobody's bare word stops another's points for long (see `ledger.residents.claims`)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.residents.claims import CONTEST_S, ClaimState, Proof, SourceIdState
from ledger.residents.registry import log_link_event
from ledger.store.models.residents import SourceClaimRow, SourceIdRow


def thaw_overdue(session: Session, now: int) -> int:
    """Give source ids that were frozen for `CONTEST_S` back to who claimed them first, and return how many.

    The other claims wait for the agency, which may still decide for any of them. Where the agency's own codes
    contradict each other only the agency thaws.
    """
    frozen = session.scalars(
        select(SourceIdRow)
        .where(SourceIdRow.state == SourceIdState.FROZEN, SourceIdRow.updated_at <= now - CONTEST_S)
        .with_for_update()
    ).all()
    return sum(_thaw(session, row, now) for row in frozen)


def _thaw(session: Session, row: SourceIdRow, now: int) -> bool:
    claims = session.scalars(
        select(SourceClaimRow).where(
            SourceClaimRow.programme == row.programme,
            SourceClaimRow.source_hmac == row.source_hmac,
            SourceClaimRow.state == ClaimState.LIVE,
        )
    ).all()
    holds = any(claim.resident_id == row.resident_id for claim in claims)
    if not holds or any(claim.proof != Proof.BARE for claim in claims):
        return False
    row.state = SourceIdState.LINKED
    for claim in claims:
        if claim.resident_id != row.resident_id:
            claim.state = ClaimState.WAITING
    log_link_event(session, (row.programme, row.source_hmac), row.resident_id, "thawed", now)
    session.flush()
    return True
