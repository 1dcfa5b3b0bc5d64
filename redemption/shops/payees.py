"""Where a shop's money goes, and how that changes: two people, three days, and both contacts told.

Whoever takes over one login of a shop turns no payment aside alone; and what two logins have agreed on takes effect
only three days later, in which the shop, the operator and the finance bureau can withdraw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.residents.persons import require_two
from ledger.standard.civil_time import DAY_S, city_moment
from ledger.standard.ids import MerchantId
from ledger.store.models.redemption import MerchantContactsRow, MerchantNoticeRow, MerchantPayeeRow
from ledger.webhooks.book import News, of_merchant, publish
from redemption.errors import NoPayeeChange, PayeeChangeWaits
from redemption.shops.sealing import Contact, Payee, ShopSeal

WAIT_S = 3 * DAY_S
"""From the second person's word until a change takes effect."""
PROPOSAL_LIFETIME_S = 7 * DAY_S
CONTACTS = (1, 2)


class PayeeState(StrEnum):
    """Where a bank account of a shop, or a change to it, stands."""

    PROPOSED = "proposed"
    """It waits for a second person."""
    CONFIRMED = "confirmed"
    """Money goes there from its time on, until a later one's."""
    WITHDRAWN = "withdrawn"


class NoticeKind(StrEnum):
    """What contacts are told."""

    REGISTERED = "registered"
    PAYEE_PROPOSED = "payee_proposed"
    PAYEE_CONFIRMED = "payee_confirmed"
    PAYEE_WITHDRAWN = "payee_withdrawn"


@dataclass(frozen=True, slots=True)
class PayeeChange:
    """A bank account that a shop is to be paid to; ``effective_at`` None: it waits for a second person."""

    payee_id: int
    payee: Payee
    state: PayeeState
    proposed_by: str
    proposed_at: int
    effective_at: int | None


@dataclass(frozen=True, slots=True)
class Notice:
    """What one of a shop's contacts has to be told."""

    notice_id: int
    contact: int
    kind: NoticeKind
    effective_at: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Payees:
    """The only writer of payees, contacts and notices. Takes the session of the caller's transaction."""

    seal: ShopSeal
    clock: Clock

    def begin(
        self,
        session: Session,
        merchant_id: MerchantId,
        payee: Payee,
        contacts: tuple[Contact, Contact],
        by: str,
        then: str,
    ) -> None:
        """Keep the payee and contacts that an application named and a second person approved."""
        now = self.clock.timestamp()
        sealed = self.seal.seal_contacts(merchant_id, contacts)
        session.add(MerchantContactsRow(merchant_id=merchant_id, sealed=sealed))
        session.add(
            MerchantPayeeRow(
                merchant_id=merchant_id,
                sealed=self.seal.seal_payee(merchant_id, payee),
                state=PayeeState.CONFIRMED,
                proposed_by=by,
                proposed_at=now,
                confirmed_by=then,
                effective_at=now,
            )
        )
        session.flush()

    def propose(self, session: Session, merchant_id: MerchantId, payee: Payee, by: str) -> PayeeChange:
        """Propose another payee, in the place of any that waits for a second person.

        Raises PayeeChangeWaits: one is confirmed and waits for its time.
        """
        now = self.clock.timestamp()
        waiting = self._waiting(session, merchant_id)
        if waiting is not None and waiting.state == PayeeState.CONFIRMED:
            raise PayeeChangeWaits(merchant_id, waiting.effective_at or 0)
        session.execute(  # those too for which nobody came in time
            update(MerchantPayeeRow)
            .where(MerchantPayeeRow.merchant_id == merchant_id, MerchantPayeeRow.state == PayeeState.PROPOSED)
            .values(state=PayeeState.WITHDRAWN, ended_by=by)
        )
        row = MerchantPayeeRow(
            merchant_id=merchant_id,
            sealed=self.seal.seal_payee(merchant_id, payee),
            state=PayeeState.PROPOSED,
            proposed_by=by,
            proposed_at=now,
        )
        session.add(row)
        self.tell(session, merchant_id, NoticeKind.PAYEE_PROPOSED)
        return self._change(row)

    def confirm(self, session: Session, merchant_id: MerchantId, payee_id: int, by: str) -> PayeeChange:
        """Let a change take effect in three days. Raises NoPayeeChange or OnePerson.

        ``payee_id`` names what was looked at: a proposal that took its place meanwhile is not what is confirmed.
        """
        row = self._waiting(session, merchant_id)
        if row is None or row.payee_id != payee_id or row.state != PayeeState.PROPOSED:
            raise NoPayeeChange(merchant_id)
        require_two(session, row.proposed_by, by)
        row.state, row.confirmed_by = PayeeState.CONFIRMED, by
        row.effective_at = self.clock.timestamp() + WAIT_S
        self.tell(session, merchant_id, NoticeKind.PAYEE_CONFIRMED, row.effective_at)
        return self._change(row)

    def withdraw(self, session: Session, merchant_id: MerchantId, by: str) -> PayeeChange:
        """Take back a change that has not taken effect: any one person may. Raises NoPayeeChange."""
        row = self._waiting(session, merchant_id)
        if row is None:
            raise NoPayeeChange(merchant_id)
        row.state, row.ended_by = PayeeState.WITHDRAWN, by
        self.tell(session, merchant_id, NoticeKind.PAYEE_WITHDRAWN)
        return self._change(row)

    def current(self, session: Session, merchant_id: MerchantId) -> Payee | None:
        """Return where money goes now."""
        sealed = session.scalar(
            select(MerchantPayeeRow.sealed)
            .where(
                MerchantPayeeRow.merchant_id == merchant_id,
                MerchantPayeeRow.state == PayeeState.CONFIRMED,
                MerchantPayeeRow.effective_at <= self.clock.timestamp(),
            )
            .order_by(MerchantPayeeRow.effective_at.desc(), MerchantPayeeRow.payee_id.desc())
            .limit(1)
        )
        return None if sealed is None else self.seal.open_payee(merchant_id, bytes(sealed))

    def waiting(self, session: Session, merchant_id: MerchantId) -> PayeeChange | None:
        """Return the change that waits for a second person, or for its time."""
        row = self._waiting(session, merchant_id, locks=False)
        return None if row is None else self._change(row)

    def contacts(self, session: Session, merchant_id: MerchantId) -> tuple[Contact, Contact] | None:
        """Return a shop's contacts; None for a shop that never applied."""
        row = session.get(MerchantContactsRow, merchant_id)
        return None if row is None else self.seal.open_contacts(merchant_id, bytes(row.sealed))

    def tell(
        self, session: Session, merchant_id: MerchantId, kind: NoticeKind, effective_at: int | None = None
    ) -> None:
        """Note that both contacts have to be told."""
        now = self.clock.timestamp()
        for contact in CONTACTS:
            session.add(
                MerchantNoticeRow(
                    merchant_id=merchant_id, contact=contact, kind=kind, effective_at=effective_at, created_at=now
                )
            )
        data = {
            "merchant": merchant_id,
            "effective_at": None if effective_at is None else city_moment(effective_at).isoformat(),
        }
        publish(session, [News(of_merchant(merchant_id), f"merchant.{kind}", data)], now)
        session.flush()

    def notices(self, session: Session, merchant_id: MerchantId, before: int | None, limit: int) -> Sequence[Notice]:
        """Return a shop's notices, newest first, those older than ``before``."""
        query = (
            select(MerchantNoticeRow)
            .where(MerchantNoticeRow.merchant_id == merchant_id)
            .order_by(MerchantNoticeRow.notice_id.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(MerchantNoticeRow.notice_id < before)
        return [
            Notice(row.notice_id, row.contact, NoticeKind(row.kind), row.effective_at, row.created_at)
            for row in session.scalars(query)
        ]

    def _waiting(self, session: Session, merchant_id: MerchantId, *, locks: bool = True) -> MerchantPayeeRow | None:
        """Return the row that waits, locked; proposals that nobody came for do not wait."""
        now = self.clock.timestamp()
        query = (
            select(MerchantPayeeRow)
            .where(
                MerchantPayeeRow.merchant_id == merchant_id,
                or_(
                    (MerchantPayeeRow.state == PayeeState.PROPOSED)
                    & (MerchantPayeeRow.proposed_at > now - PROPOSAL_LIFETIME_S),
                    (MerchantPayeeRow.state == PayeeState.CONFIRMED) & (MerchantPayeeRow.effective_at > now),
                ),
            )
            .limit(1)
        )
        return session.scalar(query.with_for_update() if locks else query)

    def _change(self, row: MerchantPayeeRow) -> PayeeChange:
        payee = self.seal.open_payee(row.merchant_id, bytes(row.sealed))
        state = PayeeState(row.state)
        return PayeeChange(row.payee_id, payee, state, row.proposed_by, row.proposed_at, row.effective_at)
