"""A shop's way in: applied, approved by a second person, registered on the chain.

An approval allots the number, keeps what people read, the payee and the contacts, has a key generated where the shop
holds none, and orders the registrar's call, all in one transaction. From there the registrar's office announces the
call and carries it out (`ledger.clearing.office`); `settle` sees from the projection when the chain knows the shop. So
a crash anywhere leaves an application where the next round finds it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ledger.clearing.office import ActState, FinanceOffice
from ledger.clock import Clock
from ledger.residents.persons import require_two
from ledger.standard.ids import Address, MerchantId, address_bytes, to_address
from ledger.store.models.projection import ChainMerchantRow
from ledger.store.models.redemption import MerchantApplicationRow, MerchantRow
from redemption.errors import (
    ApplicationExists,
    ApplicationStateConflict,
    TooManyApplications,
    UnknownApplication,
    UnknownShopScope,
)
from redemption.merchants import Merchant, MerchantDirectory
from redemption.shops.payees import NoticeKind, Payees
from redemption.shops.sealing import ShopSecrets

OPEN_MAX = 3
"""Applications of one login that wait at a time."""
_GAS = 200_000
_ALLOT_TRIES = 20
_REASON_MAX = 512


class ApplicationState(StrEnum):
    """Where an application stands."""

    APPLIED = "applied"
    """It waits for a second person."""
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    APPROVED = "approved"
    """The shop has its number; its registration is on the way to the chain."""
    ANNOUNCED = "announced"
    """The registration waits for its time, in which the supervisor can cancel it."""
    REGISTERED = "registered"
    """The chain knows the shop: it can be paid."""
    FAILED = "failed"
    """The chain, or the supervisor, said no (see the reason); `resume` orders the registration again."""


_UNDER_WAY = frozenset({ApplicationState.APPROVED, ApplicationState.ANNOUNCED})


class ShopKey(Protocol):
    """A key that signs for a shop."""

    @property
    def address(self) -> Address:
        """Its account."""
        ...


class ShopKeys(Protocol):
    """Where the keys of shops are kept that hold none themselves."""

    def get_or_create(self, name: str) -> ShopKey:
        """Return the key of a name, generated at the first time."""
        ...


@dataclass(frozen=True, slots=True)
class NewApplication:
    """What a shop says of itself."""

    licence: str
    name_zh: str
    name_en: str
    category: str
    address_zh: str
    address_en: str
    scopes: tuple[str, ...]
    own_key: Address | None
    """The account with which the shop signs its captures and refunds itself; None: the installation keeps a key."""
    said: ShopSecrets


@dataclass(frozen=True, slots=True)
class Application:
    """An application as it stands."""

    sequence: int
    application_id: str
    new: NewApplication
    state: ApplicationState
    reason: str | None
    applied_by: str
    applied_at: int
    decided_at: int | None
    merchant_id: MerchantId | None
    registered_at: int | None
    call: tuple[Address, bytes] | None
    """(to, data) of the call that the registrar sends itself, where this installation does not keep its key."""


class MerchantApplications:
    """The only writer of applications. Takes the session of the caller's transaction."""

    def __init__(
        self,
        office: FinanceOffice,
        merchants: MerchantDirectory,
        payees: Payees,
        keys: ShopKeys,
        scopes: Sequence[str],
        clock: Clock,
    ) -> None:
        """``office``: the registrar's. ``scopes``: the city's, in the order of their bits on chain."""
        self._office = office
        self._merchants = merchants
        self.payees = payees
        self._keys = keys
        self._scopes = tuple(scopes)
        self._clock = clock

    def apply(self, session: Session, new: NewApplication, subject: str) -> Application:
        """Keep an application, which waits for a second person.

        Raises UnknownShopScope, TooManyApplications, or ApplicationExists: the licence has one.
        """
        scope = self._bits(new.scopes)
        waiting = session.scalar(
            select(func.count())
            .select_from(MerchantApplicationRow)
            .where(
                MerchantApplicationRow.applied_by == subject,
                MerchantApplicationRow.state == ApplicationState.APPLIED,
            )
        )
        if (waiting or 0) >= OPEN_MAX:
            raise TooManyApplications(OPEN_MAX)
        application_id = f"app-{secrets.token_hex(12)}"
        row = MerchantApplicationRow(
            application_id=application_id,
            licence=new.licence,
            name_zh=new.name_zh,
            name_en=new.name_en,
            category=new.category,
            address_zh=new.address_zh,
            address_en=new.address_en,
            scope_names=" ".join(new.scopes),
            scope=scope,
            own_key=None if new.own_key is None else address_bytes(new.own_key),
            sealed=self.payees.seal.seal_application(application_id, new.said),
            state=ApplicationState.APPLIED,
            applied_by=subject,
            applied_at=self._clock.timestamp(),
            attempt=0,
        )
        try:
            with session.begin_nested():
                session.add(row)
        except IntegrityError:
            raise ApplicationExists from None
        return self._application(row)

    def approve(self, session: Session, application_id: str, subject: str) -> Application:
        """Take a shop in that another person applied for, and order its registration on the chain.

        Raises UnknownApplication, ApplicationStateConflict or OnePerson.
        """
        row = self._row(session, application_id)
        _must_be(row, "approve", ApplicationState.APPLIED)
        require_two(session, row.applied_by, subject)
        merchant_id = self._allot(session, row)
        signer_name = _signer_name(row, merchant_id)
        # Before the transaction is over, but a key without a shop opens nothing, and the next approval finds it again.
        key = to_address(bytes(row.own_key)) if row.own_key else self._keys.get_or_create(signer_name or "").address
        row.state, row.merchant_id, row.chain_key = ApplicationState.APPROVED, merchant_id, address_bytes(key)
        row.decided_by, row.decided_at = subject, self._clock.timestamp()
        said = self.payees.seal.open_application(application_id, bytes(row.sealed))
        self.payees.begin(session, merchant_id, said.payee, said.contacts, row.applied_by, subject)
        self._order(session, row, subject)
        return self._application(row)

    def refuse(self, session: Session, application_id: str, subject: str, reason: str) -> Application:
        """Turn a shop away. Raises UnknownApplication or ApplicationStateConflict."""
        row = self._row(session, application_id)
        _must_be(row, "refuse", ApplicationState.APPLIED)
        row.state, row.reason = ApplicationState.REFUSED, reason[:_REASON_MAX]
        row.decided_by, row.decided_at = subject, self._clock.timestamp()
        session.flush()
        return self._application(row)

    def withdraw(self, session: Session, application_id: str, subject: str) -> Application:
        """Take one's own application back before it is decided. Raises UnknownApplication or
        ApplicationStateConflict."""
        row = self._row(session, application_id)
        if row.applied_by != subject:
            raise UnknownApplication
        _must_be(row, "withdraw", ApplicationState.APPLIED)
        row.state = ApplicationState.WITHDRAWN
        session.flush()
        return self._application(row)

    def resume(self, session: Session, application_id: str, subject: str) -> Application:
        """Order a registration again that failed. Raises UnknownApplication or ApplicationStateConflict."""
        row = self._row(session, application_id)
        _must_be(row, "resume", ApplicationState.FAILED)
        row.state, row.reason = ApplicationState.APPROVED, None
        self._order(session, row, subject)
        return self._application(row)

    def settle(self, session: Session) -> list[Application]:
        """Take each registration that is under way to where the chain has it; return those that ended now."""
        rows = session.scalars(
            select(MerchantApplicationRow)
            .where(MerchantApplicationRow.state.in_(_UNDER_WAY))
            .order_by(MerchantApplicationRow.sequence)
            .with_for_update(skip_locked=True)
        ).all()
        acts = self._office.find(session, [_act_key(row) for row in rows])
        ended = []
        for row in rows:
            known = session.get(ChainMerchantRow, row.merchant_id)
            act = acts.get(_act_key(row))
            if known is not None and (known.key, known.scope) == (row.chain_key, row.scope):
                row.state, row.registered_at = ApplicationState.REGISTERED, self._clock.timestamp()
                self.payees.tell(session, MerchantId(known.merchant), NoticeKind.REGISTERED)
            elif act is not None and act.state in (ActState.FAILED, ActState.CANCELLED):
                row.state, row.reason = ApplicationState.FAILED, (act.reason or act.state.value)[:_REASON_MAX]
            elif act is not None and act.state in (ActState.ANNOUNCED, ActState.CALLED):
                row.state = ApplicationState.ANNOUNCED
            if row.state not in _UNDER_WAY:
                ended.append(self._application(row))
        session.flush()
        return ended

    def get(self, session: Session, application_id: str) -> Application:
        """Return an application. Raises UnknownApplication."""
        return self._application(self._row(session, application_id, locks=False))

    def page(
        self,
        session: Session,
        *,
        applied_by: str | None,
        state: ApplicationState | None,
        before: int | None,
        limit: int,
    ) -> list[Application]:
        """Return applications, newest first, those older than ``before``; everybody's, or one subject's."""
        query = select(MerchantApplicationRow).order_by(MerchantApplicationRow.sequence.desc()).limit(limit)
        if applied_by is not None:
            query = query.where(MerchantApplicationRow.applied_by == applied_by)
        if state is not None:
            query = query.where(MerchantApplicationRow.state == state)
        if before is not None:
            query = query.where(MerchantApplicationRow.sequence < before)
        return [self._application(row) for row in session.scalars(query)]

    def _order(self, session: Session, row: MerchantApplicationRow, subject: str) -> None:
        row.attempt += 1
        if self._office.keeps_key:
            self._office.order(session, _act_key(row), "registerMerchant", _args(row), _GAS, subject)
        session.flush()

    def _bits(self, names: Sequence[str]) -> bytes:
        bits = 0
        for name in names:
            if name not in self._scopes:
                raise UnknownShopScope(name, self._scopes)
            bits |= 1 << self._scopes.index(name)
        return bits.to_bytes(32, "big")

    def _allot(self, session: Session, row: MerchantApplicationRow) -> MerchantId:
        """Keep what people read under a number of its own; another approval may take the lowest one meanwhile."""
        for _ in range(_ALLOT_TRIES):
            merchant_id = self._free_number(session)
            try:
                with session.begin_nested():
                    self._merchants.save(session, _merchant(row, merchant_id, _signer_name(row, merchant_id)))
            except IntegrityError:
                continue
            return merchant_id
        raise ApplicationStateConflict(row.state, "approve")

    def _free_number(self, session: Session) -> MerchantId:
        """Return the lowest number that no shop ever had, here or on the chain."""
        used = set(session.scalars(select(MerchantRow.merchant_id)))
        used |= set(session.scalars(select(ChainMerchantRow.merchant)))
        number = 1
        while number in used:
            number += 1
        return MerchantId(number)

    def _row(self, session: Session, application_id: str, *, locks: bool = True) -> MerchantApplicationRow:
        query = select(MerchantApplicationRow).where(MerchantApplicationRow.application_id == application_id)
        row = session.scalar(query.with_for_update() if locks else query)
        if row is None:
            raise UnknownApplication
        return row

    def _application(self, row: MerchantApplicationRow) -> Application:
        state = ApplicationState(row.state)
        is_open_call = state in _UNDER_WAY and not self._office.keeps_key
        return Application(
            row.sequence,
            row.application_id,
            NewApplication(
                row.licence,
                row.name_zh,
                row.name_en,
                row.category,
                row.address_zh,
                row.address_en,
                tuple(row.scope_names.split()),
                None if row.own_key is None else to_address(bytes(row.own_key)),
                self.payees.seal.open_application(row.application_id, bytes(row.sealed)),
            ),
            state,
            row.reason,
            row.applied_by,
            row.applied_at,
            row.decided_at,
            row.merchant_id,
            row.registered_at,
            self._office.call("registerMerchant", _args(row)) if is_open_call else None,
        )


def _must_be(row: MerchantApplicationRow, act: str, state: ApplicationState) -> None:
    if row.state != state:
        raise ApplicationStateConflict(row.state, act)


def _signer_name(row: MerchantApplicationRow, merchant_id: MerchantId) -> str | None:
    return None if row.own_key is not None else f"merchants/shop-{merchant_id}"


def _act_key(row: MerchantApplicationRow) -> str:
    return f"merchant:{row.application_id}:{row.attempt}"


def _args(row: MerchantApplicationRow) -> list[Any]:
    return [row.merchant_id, to_address(bytes(row.chain_key or b"")), bytes(row.scope)]


def _merchant(row: MerchantApplicationRow, merchant_id: MerchantId, signer_name: str | None) -> Merchant:
    return Merchant(
        merchant_id,
        row.name_zh,
        row.name_en,
        row.category,
        row.address_zh,
        row.address_en,
        signer_name,
    )
