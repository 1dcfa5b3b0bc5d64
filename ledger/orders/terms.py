"""The terms on which eligibility is decided, as the projection has them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.indexer.tables import table_of
from ledger.orders.eligibility import MerchantTerms, ProgrammeTerms, Terms, payment_refusal
from ledger.standard.contract import ProgrammeFlag, ProgrammeState
from ledger.standard.ids import ZERO_ACCOUNT, MerchantId, ProgrammeId
from ledger.store.models.projection import ChainEventRow, ChainMerchantRow, ChainProgrammeRow, ProjectionCursorRow

_PAUSE_EVENTS = ("Paused", "Unpaused")
_CURSOR = select(
    table_of(ProjectionCursorRow).c.block_number,
    table_of(ProjectionCursorRow).c.block_timestamp,
    table_of(ProjectionCursorRow).c.block_hash,
)


@dataclass(frozen=True, slots=True)
class Projected:
    """The final block that the projection has reached; number 0 at time 0, without a hash, before it starts."""

    number: int = 0
    timestamp: int = 0
    hash: bytes | None = None


class KnownTerms:
    """The terms of all programmes, loaded once a block: whatever changes them is in one, and is projected with it."""

    def __init__(self) -> None:
        self._known: tuple[Projected, Terms] | None = None

    def read(self, session: Session) -> tuple[Projected, Terms]:
        """Return how far the projection has come, and the terms there."""
        at, known = projected(session), self._known
        if known is not None and at.hash is not None and known[0] == at:
            return known
        loaded = at, load_terms(session)
        # Without a snapshot (a write on PostgreSQL) the next block may have come in between: then it is not kept.
        if projected(session) == at:
            self._known = loaded
        return loaded


def projected(session: Session) -> Projected:
    """Return how far the projection has come."""
    row = session.connection().execute(_CURSOR).one_or_none()
    return Projected() if row is None else Projected(row.block_number, row.block_timestamp, bytes(row.block_hash))


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
