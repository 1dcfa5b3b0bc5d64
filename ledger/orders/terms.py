"""The terms on which eligibility is decided, as the projection has them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.orders.eligibility import MerchantTerms, ProgrammeTerms, Terms, payment_refusal
from ledger.standard.contract import ProgrammeFlag, ProgrammeState
from ledger.standard.ids import ZERO_ACCOUNT, MerchantId, ProgrammeId
from ledger.store.models.projection import ChainEventRow, ChainMerchantRow, ChainProgrammeRow

_PAUSE_EVENTS = ("Paused", "Unpaused")


def load_terms(session: Session) -> Terms:
    """Return the terms of all programmes, and the modules' pauses."""
    return Terms(_programmes(session), _paused_until(session, "Exchange"), _paused_until(session, "Redemption"))


def load_merchant(session: Session, merchant: MerchantId) -> MerchantTerms | None:
    """Return a merchant's terms; None if the chain does not know it, or it has retired."""
    row = session.get(ChainMerchantRow, merchant)
    if row is None or row.key == ZERO_ACCOUNT:
        return None
    return MerchantTerms(int.from_bytes(row.scope, "big"))


def pars(session: Session) -> dict[ProgrammeId, int]:
    """Return the par of each programme in micro-fen a point."""
    return dict(session.execute(select(ChainProgrammeRow.programme, ChainProgrammeRow.par_microfen)).all())


def accepted_programmes(
    session: Session, merchant: MerchantId, now: int, among: Collection[ProgrammeId] | None = None
) -> dict[ProgrammeId, int]:
    """Return the par of each programme whose points may pay the merchant, pauses aside; of ``among`` where given."""
    shop = load_merchant(session, merchant)
    return {
        number: terms.par_microfen
        for number, terms in _programmes(session).items()
        if (among is None or number in among) and payment_refusal(terms, shop, now) is None
    }


def _programmes(session: Session) -> dict[ProgrammeId, ProgrammeTerms]:
    return {
        row.programme: ProgrammeTerms(
            programme=row.programme,
            par_microfen=row.par_microfen,
            flags=ProgrammeFlag(row.flags),
            state=ProgrammeState(row.state),
            spend_scope=int.from_bytes(row.spend_scope, "big"),
            spendable_until=row.spendable_until,
            frozen_until=row.frozen_until,
        )
        for row in session.scalars(select(ChainProgrammeRow).order_by(ChainProgrammeRow.programme))
    }


def _paused_until(session: Session, module: str) -> int:
    event = ChainEventRow
    last = session.execute(
        select(event.name, event.data)
        .where(event.contract == module, event.name.in_(_PAUSE_EVENTS))
        .order_by(event.block_number.desc(), event.log_index.desc())
        .limit(1)
    ).one_or_none()
    return int.from_bytes(last.data[:32], "big") if last is not None and last.name == "Paused" else 0
