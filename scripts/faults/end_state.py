"""A city's end state, in terms that two runs of the same workload share, and how two of them differ.

Accounts, salts and keys are generated anew in every run, so people are named by their document's number, records
by their file and row, and grants by their record. A row's refusal is a fact like a grant is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from issuers.samples.people import Person
from issuers.states import BatchState, RevocationState
from ledger.outbox.states import MessageState
from ledger.standard.ids import address_bytes
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceDeliveryRow,
    IssuanceGrantRow,
    IssuanceRecordRow,
    IssuanceRefusalRow,
    IssuanceRevocationRow,
)
from ledger.store.models.outbox import OutboxMessageRow
from ledger.store.models.projection import BalanceRow, EntryRow, OrderOutcomeRow, RevocationRow
from ledger.store.models.redemption import RedemptionActRow, RedemptionOrderRow
from redemption.acts.book import ActState
from redemption.states import State
from tongdui.bootstrap import City

Place = tuple[int, str, int]
"""(programme, delivery, row)."""


@dataclass(frozen=True, slots=True)
class EndState:
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
    revoked: Counter[tuple[str, int, int]]
    """(document, taken, owed) of each revocation on chain, in minor units."""
    told: Counter[tuple[str, str]]
    """(document, state) of each redemption as its resident sees it."""
    acts: Counter[tuple[str, str, str, int]]
    """(document, act, state, fen) of each act on a redemption."""
    unended: int
    """Batches, revocations, messages, acts and holds that have no end, or one that is none: they failed."""


def end_state_of(city: City, people: Iterable[Person]) -> EndState:
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
            .where(IssuanceBatchRow.state == BatchState.LANDED)
        )
        mints = session.execute(
            select(EntryRow.account, EntryRow.delta_minor).where(EntryRow.kind == "mint", EntryRow.side == 0)
        )
        balances = session.execute(select(BalanceRow.account, BalanceRow.token_id, BalanceRow.amount_minor))
        outcomes = session.execute(select(OrderOutcomeRow.holder, OrderOutcomeRow.kind, OrderOutcomeRow.code))
        revoked = session.execute(select(RevocationRow.account, RevocationRow.taken_minor, RevocationRow.owed_minor))
        acts = session.execute(
            select(RedemptionOrderRow.holder, RedemptionActRow.act, RedemptionActRow.state, RedemptionActRow.fen).join(
                RedemptionActRow, RedemptionActRow.order_id == RedemptionOrderRow.order_id
            )
        )
        told = session.execute(select(RedemptionOrderRow.holder, RedemptionOrderRow.state))
        return EndState(
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
            revoked=Counter((documents.get(bytes(who), "?"), int(taken), int(short)) for who, taken, short in revoked),
            told=Counter((documents.get(bytes(who), "?"), state) for who, state in told),
            acts=Counter((documents.get(bytes(who), "?"), act, state, int(fen)) for who, act, state, fen in acts),
            unended=_unended(session),
        )


def _unended(session: Session) -> int:
    """Count what still waits, and what failed: the workload gives no cause for either."""
    batches = select(func.count()).where(IssuanceBatchRow.state != BatchState.LANDED)
    ended = (RevocationState.LANDED, RevocationState.MERGED)
    revocations = select(func.count()).where(IssuanceRevocationRow.state.not_in(ended))
    messages = select(func.count()).where(OutboxMessageRow.state != MessageState.DONE)
    acts = select(func.count()).where(RedemptionActRow.state != ActState.DONE)
    holds = select(func.count()).where(RedemptionOrderRow.state.in_([State.PLACED, State.HELD]))
    return sum(int(session.scalar(one) or 0) for one in (batches, revocations, messages, acts, holds))


@dataclass(frozen=True, slots=True)
class Damage:
    """What a round has to answer for; all zero is the only good answer."""

    lost: int
    duplicated: int
    unexplained: int
    details: tuple[str, ...] = field(default=(), compare=False)
    """What differs, by examples; documents are made-up people's."""

    @property
    def is_none(self) -> bool:
        """Whether nothing was damaged."""
        return not (self.lost or self.duplicated or self.unexplained)


def damage(undisturbed: EndState, found: EndState) -> Damage:
    """Compare a run with the undisturbed one, and its issuers' books with its chain."""
    told: list[str] = []

    def more(what: str, these: Counter[Any], those: Counter[Any]) -> int:
        extra = these - those
        if extra:
            told.append(f"{what}: {_some(extra)}")
        return extra.total()

    lost = more("not minted", undisturbed.minted, found.minted)
    lost += more("landed for the issuers, not on chain", found.granted, found.minted)
    duplicated = more("minted more", found.minted, undisturbed.minted)
    duplicated += more("on chain, not for the issuers", found.minted, found.granted)
    lost += more("orders missing", undisturbed.orders, found.orders)
    duplicated += more("orders more", found.orders, undisturbed.orders)
    lost += more("revocations missing", undisturbed.revoked, found.revoked)
    duplicated += more("revocations more", found.revoked, undisturbed.revoked)
    # Same mints and same orders, and yet somebody has more or less: an order's effect is missing, or came twice.
    less = _less(undisturbed.balances, found.balances)
    greater = _less(found.balances, undisturbed.balances)
    unexplained = more("records that ended otherwise", _differing(undisturbed.records, found.records), Counter())
    unexplained += more("deliveries", _differing(undisturbed.deliveries, found.deliveries), Counter())
    unexplained += more("refusals missing", undisturbed.refusals, found.refusals)
    unexplained += more("refusals more", found.refusals, undisturbed.refusals)
    lost += more("acts missing", undisturbed.acts, found.acts)
    duplicated += more("acts more", found.acts, undisturbed.acts)
    unexplained += more("residents were told otherwise", undisturbed.told, found.told)
    for what, count in (
        ("balances too small", less),
        ("balances too great", greater),
        ("refusals without a reason", found.unreasoned),
        ("batches, revocations, messages, acts or holds without an end", found.unended),
    ):
        if count:
            told.append(f"{what}: {count}")
    return Damage(lost + less, duplicated + greater, unexplained + found.unreasoned + found.unended, tuple(told))


def _less(these: Mapping[Any, int], those: Mapping[Any, int]) -> int:
    """Count where the second has less."""
    return sum(amount > those.get(key, 0) for key, amount in these.items())


def _differing(these: Mapping[Any, Any], those: Mapping[Any, Any]) -> Counter[Any]:
    keys = [key for key in these.keys() | those.keys() if these.get(key) != those.get(key)]
    return Counter((key, these.get(key), those.get(key)) for key in keys)


def _some(extra: Counter[Any]) -> str:
    shown = [f"{fact} ×{count}" for fact, count in list(extra.items())[:3]]
    return ", ".join(shown) + (f" and {len(extra) - 3} more" if len(extra) > 3 else "")


def _documents(city: City, session: Session, people: Iterable[Person]) -> dict[bytes, str]:
    return {
        address_bytes(city.registry.by_document(session, one.identity_number).account): one.identity_number
        for one in people
    }
