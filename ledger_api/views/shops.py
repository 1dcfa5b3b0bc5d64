"""Applications of shops, their payees and notices, as the API shows them. Pure functions."""

from __future__ import annotations

from ledger.errors import InvariantViolation
from ledger_api.schemas.common import hex_text, moment
from ledger_api.schemas.merchants import (
    ApplicationOut,
    ChainCallOut,
    ContactOut,
    NoticeOut,
    PayeeChangeOut,
    PayeeOut,
)
from redemption.shops.applications import Application, ApplicationState
from redemption.shops.payees import Notice, PayeeChange
from redemption.shops.sealing import Contact, Payee


def application_out(found: Application, *, names_people: bool = False, for_operator: bool = False) -> ApplicationOut:
    """Return an application; the whole account is for who has to decide about it, and until then.

    Warning: ``names_people`` is for reads alone. The answer to a write is kept for its repeats, in clear.
    """
    new, call = found.new, found.call
    is_whole = for_operator and found.state is ApplicationState.APPLIED
    return ApplicationOut(
        application_id=found.application_id,
        state=found.state.value,
        reason=found.reason,
        licence=new.licence,
        name_zh=new.name_zh,
        name_en=new.name_en,
        category=new.category,
        address_zh=new.address_zh,
        address_en=new.address_en,
        scopes=list(new.scopes),
        own_key=new.own_key,
        contacts=[contact_out(one) for one in new.said.contacts] if names_people else None,
        payee=payee_out(new.said.payee, whole=is_whole) if names_people else None,
        applied_at=moment(found.applied_at),
        decided_at=None if found.decided_at is None else moment(found.decided_at),
        merchant=found.merchant_id,
        registered_at=None if found.registered_at is None else moment(found.registered_at),
        call=None if call is None else ChainCallOut(to=call[0], data=hex_text(call[1])),
    )


def contact_out(contact: Contact) -> ContactOut:
    """Return a contact."""
    return ContactOut(name=contact.name, address=contact.address)


def payee_out(payee: Payee, *, whole: bool = False) -> PayeeOut:
    """Return a payee; with ``whole`` its account's number too."""
    return PayeeOut(
        holder=payee.holder,
        bank=payee.bank,
        number_end=payee.number_end,
        bank_account=payee.bank_account if whole else None,
    )


def payee_change_out(change: PayeeChange, *, names_people: bool = False, whole: bool = False) -> PayeeChangeOut:
    """Return a change of a payee; ``names_people`` is for reads alone, as of `application_out`."""
    return PayeeChangeOut(
        change_id=str(change.payee_id),
        state=change.state.value,
        number_end=change.payee.number_end,
        payee=payee_out(change.payee, whole=whole) if names_people else None,
        proposed_at=moment(change.proposed_at),
        effective_at=None if change.effective_at is None else moment(change.effective_at),
    )


def notice_out(notice: Notice) -> NoticeOut:
    """Return a notice."""
    if notice.contact not in (1, 2):
        raise InvariantViolation(f"notice {notice.notice_id} is for contact {notice.contact}")
    return NoticeOut(
        notice_id=str(notice.notice_id),
        contact=1 if notice.contact == 1 else 2,
        kind=notice.kind.value,
        effective_at=None if notice.effective_at is None else moment(notice.effective_at),
        created_at=moment(notice.created_at),
    )
