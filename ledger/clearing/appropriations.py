"""The finance bureau records what a programme may spend: through the outbox, once for each document and programme.

The chain adds what it is told, every time it is told; so a document counts once here, and what others have recorded
under it is looked for in the projection first. The call is sent by the bureau's own key, which relayers do not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.clearing.errors import AppropriationDiffers, NoFinanceKey, ProgrammeUnknown
from ledger.clock import Clock
from ledger.deployment.artifacts import call_data
from ledger.outbox.outbox import Outbox
from ledger.outbox.states import MessageState
from ledger.standard.ids import Address, ProgrammeId
from ledger.standard.keccak import keccak256
from ledger.store.models.outbox import AppropriationRow
from ledger.store.models.projection import ChainProgrammeRow, FundingEventRow

KIND = "appropriation"
_GAS = 300_000


@dataclass(frozen=True, slots=True)
class Appropriation:
    """One appropriation, ordered here or found on the chain."""

    programme: ProgrammeId
    document_hash: bytes
    document: str | None
    """Its title; None where others recorded it and only the hash is known."""
    fiscal_year: int
    amount_fen: int
    state: str
    """``ordered``, ``recorded`` (in a final block) or ``failed``."""
    reason: str | None
    recorded_at: int | None


class Appropriations:
    """Orders and lists appropriations. Takes the session of the caller's transaction."""

    def __init__(self, outbox: Outbox, book: Address, clock: Clock, *, has_key: bool) -> None:
        """``book``: the ClearingBook; ``has_key``: whether this installation keeps the finance bureau's key."""
        self._outbox = outbox
        self._book = book
        self._clock = clock
        self._has_key = has_key

    def record(
        self, session: Session, programme: ProgrammeId, fiscal_year: int, amount_fen: int, document: str, subject: str
    ) -> Appropriation:
        """Order an appropriation to be recorded; the same document again changes nothing.

        Raises ProgrammeUnknown, AppropriationDiffers (the document was recorded with another amount or year), or
        NoFinanceKey (the bureau keeps its key itself: it sends the call that the error carries).
        """
        if session.get(ChainProgrammeRow, programme) is None:
            raise ProgrammeUnknown(programme)
        document_hash = keccak256(document.encode())
        for known in self.page(session, programme):
            if known.document_hash == document_hash:
                if (known.amount_fen, known.fiscal_year) != (amount_fen, fiscal_year):
                    raise AppropriationDiffers(programme, document)
                return known
        calldata = call_data("ClearingBook", "recordAppropriation", [programme, fiscal_year, amount_fen, document_hash])
        if not self._has_key:
            raise NoFinanceKey(self._book, calldata)
        now = self._clock.timestamp()
        session.add(
            AppropriationRow(
                programme=programme,
                document_hash=document_hash,
                document=document,
                fiscal_year=fiscal_year,
                amount_fen=amount_fen,
                subject=subject,
                created_at=now,
            )
        )
        self._outbox.enqueue_call(session, KIND, _key(programme, document_hash), self._book, calldata, _GAS)
        session.flush()
        return Appropriation(programme, document_hash, document, fiscal_year, amount_fen, "ordered", None, None)

    def page(self, session: Session, programme: ProgrammeId) -> list[Appropriation]:
        """Return a programme's appropriations: those on the chain in its order, then those under way."""
        rows = {bytes(row.document_hash): row for row in self._ordered(session, programme)}
        recorded = session.scalars(
            select(FundingEventRow)
            .where(FundingEventRow.programme == programme, FundingEventRow.kind == "recorded")
            .order_by(FundingEventRow.block_number, FundingEventRow.log_index)
        )
        found = []
        for event in recorded:
            digest = bytes(event.document_hash or b"")
            row = rows.pop(digest, None)
            found.append(
                Appropriation(
                    programme,
                    digest,
                    None if row is None else row.document,
                    event.fiscal_year,
                    event.amount_fen,
                    "recorded",
                    None,
                    event.block_timestamp,
                )
            )
        statuses = self._outbox.statuses(session, [_key(programme, digest) for digest in rows])
        for digest, row in rows.items():
            status = statuses.get(_key(programme, digest))
            has_failed = status is not None and status.state is MessageState.FAILED
            found.append(
                Appropriation(
                    programme,
                    digest,
                    row.document,
                    row.fiscal_year,
                    row.amount_fen,
                    "failed" if has_failed else "ordered",
                    status.reason if status is not None and has_failed else None,
                    None,
                )
            )
        return found

    def _ordered(self, session: Session, programme: ProgrammeId) -> Sequence[AppropriationRow]:
        return session.scalars(
            select(AppropriationRow)
            .where(AppropriationRow.programme == programme)
            .order_by(AppropriationRow.created_at, AppropriationRow.document_hash)
        ).all()


def _key(programme: ProgrammeId, document_hash: bytes) -> str:
    return f"appropriation:{programme}:{document_hash.hex()}"
