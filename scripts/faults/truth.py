"""What a city came to, in terms that two runs of the same play share, and how two of them differ.

Accounts, salts and keys are drawn anew in every run, so people are named by their document's number, records by their
file and row, and grants by their record. A row's refusal is a fact like a grant is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from issuers.samples.people import Person
from ledger.standard.ids import address_bytes
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceDeliveryRow,
    IssuanceGrantRow,
    IssuanceRecordRow,
    IssuanceRefusalRow,
)
from ledger.store.models.projection import BalanceRow, EntryRow, OrderOutcomeRow
from ledger_api.bootstrap import City

Place = tuple[int, str, int]
"""(programme, delivery, row)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything that must be the same however often things broke."""

    records: dict[Place, tuple[str, str | None, int]]
    """(status, reason, granted in minor units) of each record."""
    refusals: Counter[tuple[Place, str]]
    """Refusals by row and code; each has a reason in both languages."""
    unreasoned: int
    """Refusals without a code or without a reason in both languages."""
    deliveries: dict[tuple[int, str], tuple[str, int]]
    """(state, rows read) of each delivery."""
    granted: Counter[tuple[str, int]]
    """(document, minor units) of each grant that the issuers believe landed."""
    minted: Counter[tuple[str, int]]
    """(document, minor units) of each mint on chain."""
    balances: dict[tuple[str, int], int]
    """Minor units by document and lot."""
    orders: Counter[tuple[str, str, int]]
    """(document, kind, code) of each order's outcome on chain."""


def truth_of(city: City, people: Iterable[Person]) -> Truth:
    """Read what a city came to from its issuers' books and its projection of the chain."""
    with city.database.read() as session:
        documents = _documents(city, session, people)
        records: dict[Place, tuple[str, str | None, int]] = {}
        deliveries = {one.delivery_id: one for one in session.scalars(select(IssuanceDeliveryRow))}
        for row in session.scalars(select(IssuanceRecordRow)):
            place = (row.programme, deliveries[row.delivery_id].name, row.row_number)
            records[place] = (row.status, row.reason, row.granted_minor)
        refusals: Counter[tuple[Place, str]] = Counter()
        unreasoned = 0
        for refusal in session.scalars(select(IssuanceRefusalRow)):
            place = (refusal.programme, deliveries[refusal.delivery_id].name, refusal.row_number)
            refusals[place, refusal.code] += 1
            unreasoned += not (refusal.code and refusal.reason_en and refusal.reason_zh)
        grants = session.execute(
            select(IssuanceGrantRow.account, IssuanceGrantRow.amount_minor)
            .join(
                IssuanceBatchRow,
                (IssuanceBatchRow.programme == IssuanceGrantRow.programme)
                & (IssuanceBatchRow.number == IssuanceGrantRow.batch_number),
            )
            .where(IssuanceBatchRow.state == "landed")
        )
        mints = session.execute(
            select(EntryRow.account, EntryRow.delta_minor).where(EntryRow.kind == "mint", EntryRow.side == 0)
        )
        balances = session.execute(select(BalanceRow.account, BalanceRow.token_id, BalanceRow.amount_minor))
        outcomes = session.execute(select(OrderOutcomeRow.holder, OrderOutcomeRow.kind, OrderOutcomeRow.code))
        return Truth(
            records=records,
            refusals=refusals,
            unreasoned=unreasoned,
            deliveries={(one.programme, one.name): (one.state, one.rows_done) for one in deliveries.values()},
            granted=Counter((documents.get(bytes(account), "?"), int(minor)) for account, minor in grants),
            minted=Counter((documents.get(bytes(account), "?"), int(minor)) for account, minor in mints),
            balances={
                (documents[bytes(account)], int(token)): int(minor)
                for account, token, minor in balances
                if minor and bytes(account) in documents
            },
            orders=Counter((documents.get(bytes(who or b""), "?"), kind, code) for who, kind, code in outcomes),
        )


@dataclass(frozen=True, slots=True)
class Damage:
    """What a round has to answer for; all zero is the only good answer."""

    lost: int
    duplicated: int
    unexplained: int

    @property
    def is_none(self) -> bool:
        """Whether nothing was damaged."""
        return not (self.lost or self.duplicated or self.unexplained)


def damage(undisturbed: Truth, found: Truth) -> Damage:
    """Compare a run with the undisturbed one, and its issuers' books with its chain."""
    lost = _more(undisturbed.minted, found.minted) + _more(found.granted, found.minted)
    duplicated = _more(found.minted, undisturbed.minted) + _more(found.minted, found.granted)
    lost += _more(undisturbed.orders, found.orders)
    duplicated += _more(found.orders, undisturbed.orders)
    # Same mints and same orders, and yet somebody has more or less: an order's effect is missing, or came twice.
    for key in undisturbed.balances.keys() | found.balances.keys():
        before, after = undisturbed.balances.get(key, 0), found.balances.get(key, 0)
        lost += before > after
        duplicated += after > before
    differing = _differing(undisturbed.records, found.records) + _differing(undisturbed.deliveries, found.deliveries)
    refused = _more(undisturbed.refusals, found.refusals) + _more(found.refusals, undisturbed.refusals)
    return Damage(lost, duplicated, differing + refused + found.unreasoned)


def _more(these: Counter[Any], those: Counter[Any]) -> int:
    return (these - those).total()


def _differing(these: Mapping[Any, Any], those: Mapping[Any, Any]) -> int:
    return sum(these.get(key) != those.get(key) for key in these.keys() | those.keys())


def _documents(city: City, session: Session, people: Iterable[Person]) -> dict[bytes, str]:
    return {
        address_bytes(city.registry.by_document(session, one.identity_number).account): one.identity_number
        for one in people
    }
