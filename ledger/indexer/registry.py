"""Programmes, issuer keys, merchants and successions, computed anew from the rare events: there are few of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ledger.indexer.errors import ProjectionBroken
from ledger.indexer.tables import insert
from ledger.standard.contract import SPENDING_AFTER_CLOSING_S, ProgrammeState, SuccessionState
from ledger.standard.ids import AccountBytes, MerchantId, ProgrammeId
from ledger.store.models import projection as tables


@dataclass(slots=True)
class _Programme:
    """A row of `ChainProgrammeRow`, in the order of its columns."""

    programme: ProgrammeId
    par_microfen: int
    flags: int
    state: int
    spend_scope: bytes
    rulebook_version: int = 0
    rulebook_hash: bytes | None = None
    appropriated_fen: int = 0
    paid_fen: int = 0
    spendable_until: int = 0
    frozen_until: int = 0
    mint_ceiling_fen: int = 0
    revoke_ceiling_fen: int = 0
    due_fen: int = 0
    due_older_fen: int = 0
    waived_until: int = 0

    def pay(self, fen: int) -> None:
        """What a debtor paid lowers what has been due for longest first."""
        from_older = min(fen, self.due_older_fen)
        self.due_older_fen -= from_older
        self.due_fen = max(0, self.due_fen - (fen - from_older))


@dataclass(slots=True)
class _Succession:
    """A row of `SuccessionRow`, in the order of its columns."""

    account: AccountBytes
    new_account: AccountBytes
    state: int
    since: int
    requested_by: bytes
    confirmed_by: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Event:
    """A raw event: indexed fields and 32-byte words of the data."""

    topics: bytes
    data: bytes
    time: int

    def topic(self, place: int) -> int:
        """An indexed field as a number."""
        return int.from_bytes(self.topics[32 * place : 32 * place + 32], "big")

    def account(self, place: int) -> AccountBytes:
        """An indexed field as an account."""
        return AccountBytes(self.topics[32 * place + 12 : 32 * place + 32])

    def word(self, place: int) -> int:
        """A field of the data as a number."""
        return int.from_bytes(self.bytes32(place), "big")

    def bytes32(self, place: int) -> bytes:
        """A field of the data."""
        return self.data[32 * place : 32 * place + 32]


@dataclass(slots=True)
class _Registry:
    """What the events say so far."""

    programmes: dict[ProgrammeId, _Programme] = field(default_factory=dict)
    keys: dict[tuple[int, bytes], int] = field(default_factory=dict)
    merchants: dict[MerchantId, tuple[bytes, bytes]] = field(default_factory=dict)
    successions: dict[bytes, _Succession] = field(default_factory=dict)

    def programme(self, event: _Event) -> _Programme:
        """The programme that an event's first indexed field names."""
        return self.programmes[ProgrammeId(event.topic(1))]

    def programme_registered(self, event: _Event) -> None:
        """Par, flags, scope."""
        number = ProgrammeId(event.topic(1))
        self.programmes[number] = _Programme(
            number, event.word(0), event.word(1), ProgrammeState.ACTIVE.value, event.bytes32(2)
        )

    def programme_state_set(self, event: _Event) -> None:
        """Previous state, state."""
        row = self.programme(event)
        row.state = event.word(1)
        if row.state == ProgrammeState.CLOSING:  # the event names the state; the ledger counts from its block
            row.spendable_until = event.time + SPENDING_AFTER_CLOSING_S

    def rulebook_set(self, event: _Event) -> None:
        """Previous version and hash, version, hash."""
        row = self.programme(event)
        row.rulebook_version, row.rulebook_hash = event.word(2), event.bytes32(3)

    def issuer_key_set(self, event: _Event) -> None:
        """Previous time, time."""
        self.keys[event.topic(1), event.account(2)] = event.word(1)

    def frozen_until_set(self, event: _Event) -> None:
        """Previous time, time."""
        self.programme(event).frozen_until = event.word(1)

    def ceilings_set(self, event: _Event) -> None:
        """Previous ceilings of minting and revoking, ceilings."""
        row = self.programme(event)
        row.mint_ceiling_fen, row.revoke_ceiling_fen = event.word(2), event.word(3)

    def waiver_set(self, event: _Event) -> None:
        """Previous time, time."""
        self.programme(event).waived_until = event.word(1)

    def merchant_registered(self, event: _Event) -> None:
        """Previous key and scope, key, scope."""
        self.merchants[MerchantId(event.topic(1))] = (event.bytes32(2)[12:], event.bytes32(3))

    def succession_requested(self, event: _Event) -> None:
        """Holder, new account and desk, indexed."""
        holder = event.account(1)
        self.successions[holder] = _Succession(
            holder, event.account(2), SuccessionState.REQUESTED.value, event.time, event.account(3)
        )

    def succession_confirmed(self, event: _Event) -> None:
        """Holder and desk, indexed."""
        row = self.successions[event.account(1)]
        row.state, row.since, row.confirmed_by = SuccessionState.CONFIRMED.value, event.time, event.account(2)

    def succession_objected(self, event: _Event) -> None:
        """Holder, indexed."""
        row = self.successions[event.account(1)]
        row.state, row.since = SuccessionState.OBJECTED.value, event.time

    def succession_decided(self, event: _Event) -> None:
        """Holder, indexed; whether it is allowed."""
        row = self.successions[event.account(1)]
        row.state, row.since = SuccessionState.ALLOWED.value, event.time
        if not event.word(0):
            del self.successions[event.account(1)]

    def succession_executed(self, event: _Event) -> None:
        """Holder and new account, indexed."""
        del self.successions[event.account(1)]


_HANDLERS: dict[str, Callable[[_Registry, _Event], None]] = {
    "ProgrammeRegistered": _Registry.programme_registered,
    "ProgrammeStateSet": _Registry.programme_state_set,
    "RulebookSet": _Registry.rulebook_set,
    "IssuerKeySet": _Registry.issuer_key_set,
    "FrozenUntilSet": _Registry.frozen_until_set,
    "CeilingsSet": _Registry.ceilings_set,
    "WaiverSet": _Registry.waiver_set,
    "MerchantRegistered": _Registry.merchant_registered,
    "SuccessionRequested": _Registry.succession_requested,
    "SuccessionConfirmed": _Registry.succession_confirmed,
    "SuccessionObjected": _Registry.succession_objected,
    "SuccessionDecided": _Registry.succession_decided,
    "SuccessionExecuted": _Registry.succession_executed,
}


def rebuild(session: Session) -> None:
    """Write the tables of programmes, keys, merchants and successions anew. Raises ProjectionBroken."""
    found = _Registry()
    event = tables.ChainEventRow
    rows = session.execute(
        select(event.name, event.topics, event.data, event.block_timestamp)
        .where(event.name.in_(_HANDLERS))
        .order_by(event.block_number, event.log_index)
    )
    try:
        for name, topics, data, time in rows:
            _HANDLERS[name](found, _Event(bytes(topics), bytes(data), time))
        _fund(session, found.programmes)
    except KeyError as error:
        raise ProjectionBroken("chain_events", f"an event names {error}, which no event before it does") from error
    _replace(session, tables.ChainProgrammeRow, [astuple(row) for row in found.programmes.values()])
    _replace(session, tables.IssuerKeyRow, [(*key, active_from) for key, active_from in found.keys.items()])
    _replace(session, tables.ChainMerchantRow, [(merchant, *row) for merchant, row in found.merchants.items()])
    _replace(session, tables.SuccessionRow, [astuple(row) for row in found.successions.values()])


def _replace(session: Session, row_class: type[Any], rows: list[tuple[Any, ...]]) -> None:
    session.execute(delete(row_class))
    insert(session, row_class, rows)


def _fund(session: Session, programmes: dict[ProgrammeId, _Programme]) -> None:
    """Appropriations, payments and dues, in the chain's order."""
    event, due = tables.FundingEventRow, tables.DueRow
    funding = session.execute(
        select(event.block_number, event.log_index, event.programme, event.kind, event.amount_fen, event.total_fen)
    )
    dues = session.execute(select(due.block_number, due.log_index, due.programme, due.fen, due.older_fen))
    moves = [(row[:2], row[2], row[3], row[4], row[5]) for row in funding]
    moves += [(row[:2], row[2], "due", row[3], row[4]) for row in dues]
    for _, number, kind, fen, other in sorted(moves, key=lambda move: tuple(move[0])):
        row = programmes[ProgrammeId(number)]
        match kind:
            case "due":
                row.due_fen, row.due_older_fen = fen, other
            case "paid":
                row.paid_fen = other
                row.pay(fen)
            case _:
                row.appropriated_fen = other
