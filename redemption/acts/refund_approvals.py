"""Large refunds take two logins: one proposes, another carries it out.

What counts is what goes back of an order in all, so that many small parts are one large refund. Two logins that are
bound to one resident are one person, and so are an owner and the staff whose logins he made: the second one's login is
made by the operator (`ledger.residents.persons`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.residents.persons import are_one_person
from ledger.standard.civil_time import DAY_S
from ledger.standard.ids import MerchantId, OrderId, order_id_text
from ledger.store.models.redemption import RefundProposalRow
from redemption.errors import RefundNeedsSecond

PROPOSAL_LIFETIME_S = 7 * DAY_S


class Person(Protocol):
    """Who proposes or carries out: a login, and the resident it is bound to, if it is."""

    @property
    def subject(self) -> str:
        """The login."""
        ...

    @property
    def resident_id(self) -> int | None:
        """The resident."""
        ...


@dataclass(frozen=True, slots=True)
class RefundProposal:
    """A refund that waits for another login."""

    order_id: OrderId
    keep_fen: int
    reason: str
    proposed_by: str
    proposed_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class RefundApprovals:
    """Which refunds one login gives alone. Takes the session of the caller's transaction."""

    clock: Clock
    alone_max_fen: int | None = None
    """What one login gives back of an order alone; None: anything."""

    def propose(
        self,
        session: Session,
        merchant_id: MerchantId,
        order_id: OrderId,
        keep_fen: int,
        reason: str,
        person: Person,
    ) -> RefundProposal:
        """Propose a refund, in the place of any proposal that waits for this order."""
        now = self.clock.timestamp()
        row = session.merge(
            RefundProposalRow(
                order_id=order_id,
                merchant_id=merchant_id,
                keep_fen=keep_fen,
                reason=reason,
                proposed_by=person.subject,
                resident_id=person.resident_id,
                proposed_at=now,
            )
        )
        session.flush()
        return _proposal(row)

    def require(self, session: Session, order_id: OrderId, keep_fen: int, back_fen: int, person: Person) -> None:
        """Let a refund pass that is small, or that another login has proposed so; the proposal is used up.

        ``back_fen`` is what goes back of the order in all. Raises RefundNeedsSecond.
        """
        if self.alone_max_fen is None or back_fen <= self.alone_max_fen:
            return
        row = session.get(RefundProposalRow, order_id, with_for_update=True)
        if (
            row is None
            or self._is_over(row)
            or row.keep_fen != keep_fen
            or are_one_person(session, row.proposed_by, person.subject)
            or (row.resident_id is not None and row.resident_id == person.resident_id)
        ):
            raise RefundNeedsSecond(order_id_text(order_id), self.alone_max_fen)
        session.delete(row)

    def of_merchant(self, session: Session, merchant_id: MerchantId) -> Sequence[RefundProposal]:
        """Return what waits at a shop, the oldest first."""
        rows = session.scalars(
            select(RefundProposalRow)
            .where(RefundProposalRow.merchant_id == merchant_id)
            .order_by(RefundProposalRow.proposed_at, RefundProposalRow.order_id)
        )
        return [_proposal(row) for row in rows if not self._is_over(row)]

    def _is_over(self, row: RefundProposalRow) -> bool:
        return self.clock.timestamp() >= row.proposed_at + PROPOSAL_LIFETIME_S


def _proposal(row: RefundProposalRow) -> RefundProposal:
    return RefundProposal(
        row.order_id,
        row.keep_fen,
        row.reason,
        row.proposed_by,
        row.proposed_at,
        row.proposed_at + PROPOSAL_LIFETIME_S,
    )
