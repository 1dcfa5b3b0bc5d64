"""The finance bureau records what a programme may spend: announced and then carried out by its office, once for each
document, programme and fiscal year, which the contract sees to as well. What others have recorded under a document is
looked for in the projection first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ledger.clearing.errors import AppropriationDiffers, ProgrammeUnknown, YearFull
from ledger.clearing.office import Act, ActState, FinanceOffice
from ledger.clock import Clock
from ledger.standard.contract import YEAR_FEN_MAX
from ledger.standard.ids import ProgrammeId
from ledger.standard.keccak import keccak256
from ledger.store.models.outbox import AppropriationRow
from ledger.store.models.projection import ChainProgrammeRow, FundingEventRow

_GAS = 300_000
EXPIRED = "expired"
_OVER = frozenset({EXPIRED, ActState.CANCELLED.value, ActState.FAILED.value})


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
    """``proposed`` (waits for a second person), ``expired`` (nobody came), ``ordered``, ``announced`` (waits for its
    time), ``recorded`` (in a final block), ``cancelled`` or ``failed``."""
    reason: str | None
    recorded_at: int | None


class Appropriations:
    """Orders and lists appropriations. Takes the session of the caller's transaction."""

    def __init__(self, office: FinanceOffice, clock: Clock) -> None:
        self._office = office
        self._clock = clock

    def record(
        self, session: Session, programme: ProgrammeId, fiscal_year: int, amount_fen: int, document: str, subject: str
    ) -> Appropriation:
        """Propose an appropriation, which a second person confirms; the same document again changes nothing.

        Raises ProgrammeUnknown, AppropriationDiffers (the document was recorded with another amount or year), YearFull,
        or NoFinanceKey (the bureau keeps its key itself: it sends the call that the error carries).
        """
        if session.get(ChainProgrammeRow, programme) is None:
            raise ProgrammeUnknown(programme)
        document_hash = keccak256(document.encode())
        known_ones = self.page(session, programme)
        for known in known_ones:
            if known.document_hash == document_hash and known.state == EXPIRED:
                self.withdraw(session, programme, document_hash)
            elif known.document_hash == document_hash:
                if (known.amount_fen, known.fiscal_year) != (amount_fen, fiscal_year):
                    raise AppropriationDiffers(programme, document)
                return known
        counted = sum(one.amount_fen for one in known_ones if one.fiscal_year == fiscal_year and one.state not in _OVER)
        if counted + amount_fen > YEAR_FEN_MAX:
            raise YearFull(programme, max(0, YEAR_FEN_MAX - counted))
        act = self._office.propose(
            session,
            _key(programme, document_hash),
            "recordAppropriation",
            [programme, fiscal_year, amount_fen, document_hash],
            _GAS,
            subject,
        )
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
        session.flush()
        return Appropriation(programme, document_hash, document, fiscal_year, amount_fen, *self._standing(act), None)

    def confirm(self, session: Session, programme: ProgrammeId, document_hash: bytes, subject: str) -> Appropriation:
        """Have what another person proposed sent. Raises NothingWaits or SecondPersonNeeded."""
        self._office.confirm(session, _key(programme, document_hash), subject)
        return next(one for one in self.page(session, programme) if one.document_hash == document_hash)

    def withdraw(self, session: Session, programme: ProgrammeId, document_hash: bytes) -> None:
        """Forget a proposal before it is confirmed: nothing was sent. Raises NothingWaits."""
        self._office.withdraw(session, _key(programme, document_hash))
        session.execute(
            delete(AppropriationRow).where(
                AppropriationRow.programme == programme, AppropriationRow.document_hash == document_hash
            )
        )

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
        acts = self._office.find(session, [_key(programme, digest) for digest in rows])
        for digest, row in rows.items():
            standing = self._standing(acts.get(_key(programme, digest)))
            found.append(
                Appropriation(programme, digest, row.document, row.fiscal_year, row.amount_fen, *standing, None)
            )
        return found

    def _ordered(self, session: Session, programme: ProgrammeId) -> Sequence[AppropriationRow]:
        return session.scalars(
            select(AppropriationRow)
            .where(AppropriationRow.programme == programme)
            .order_by(AppropriationRow.created_at, AppropriationRow.document_hash)
        ).all()

    def _standing(self, act: Act | None) -> tuple[str, str | None]:
        """Return (state, reason) of an appropriation that is not in the projection yet."""
        if act is None:
            return ("ordered", None)
        if self._office.is_late(act):
            return (EXPIRED, None)
        if act.state in (ActState.CALLED, ActState.DONE):
            return ("announced", None)
        return (act.state.value, act.reason)


def _key(programme: ProgrammeId, document_hash: bytes) -> str:
    return f"appropriation:{programme}:{document_hash.hex()}"
