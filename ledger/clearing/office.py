"""The acts of the finance bureau and of the registrar: announced at the AccessManager, carried out when their time has
come, once each.

Either role has an execution delay, during which the supervisor can cancel what was announced. An act is ordered
with a key of its own in the caller's transaction; `FinanceOffice.advance` takes every open act one step further, so a
crash anywhere leaves an act where the next round finds it. Both calls are sent by the office's own key, through the
outbox; the contract refuses an act that it has had before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.chain.answers import hex_bytes
from ledger.chain.engine import Engine
from ledger.clearing.errors import NoFinanceKey, NothingWaits, SecondPersonNeeded
from ledger.clock import Clock
from ledger.deployment.artifacts import call_data, decode_result
from ledger.deployment.file import Deployment
from ledger.errors import InvariantViolation
from ledger.outbox.outbox import Outbox
from ledger.outbox.states import MessageState
from ledger.residents.persons import are_one_person
from ledger.standard.civil_time import DAY_S
from ledger.standard.ids import Address, address_bytes
from ledger.standard.keccak import keccak256
from ledger.store.database import Database
from ledger.store.models.outbox import FinanceActRow

KIND = "finance"
REGISTRAR = "registrar"
PROPOSAL_LIFETIME_S = 7 * DAY_S
_ANNOUNCE_GAS = 400_000
_PAD12 = bytes(12)


class ActState(StrEnum):
    """Where an act of the bureau stands."""

    PROPOSED = "proposed"
    """It waits for a second person; nothing is sent, and it can be withdrawn."""
    ORDERED = "ordered"
    """Its announcement is on its way."""
    ANNOUNCED = "announced"
    """It waits for its time; the supervisor can cancel it."""
    CALLED = "called"
    """The act itself is on its way."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """The supervisor cancelled it, or it was not carried out within a week of its time."""


OPEN = frozenset({ActState.ORDERED, ActState.ANNOUNCED, ActState.CALLED})


@dataclass(frozen=True, slots=True)
class Act:
    """An act; ``ready_at`` is the Unix time from which it can be carried out, as far as that is known."""

    key: str
    state: ActState
    ready_at: int | None
    reason: str | None
    created_at: int
    subject: str
    confirmed_by: str | None


class FinanceOffice:
    """Orders and carries out an office's calls to the clearing book: the finance bureau's, or the registrar's."""

    def __init__(
        self,
        database: Database,
        engine: Engine | None,
        deployment: Deployment,
        outbox: Outbox,
        clock: Clock,
        finance: Address | None,
        kind: str = KIND,
    ) -> None:
        """``engine``: None where acts are ordered only; the process that has the chain carries them out.
        ``finance``: the office's account if this installation keeps its key, else None. ``kind``: of its messages."""
        self._database = database
        self._engine = engine
        self._book = deployment.address("ClearingBook")
        self._manager = deployment.address("AccessManager")
        self._outbox = outbox
        self._clock = clock
        self._finance = finance
        self._kind = kind

    @property
    def keeps_key(self) -> bool:
        """Whether this installation can send the office's calls."""
        return self._finance is not None

    def call(self, function: str, args: Sequence[Any]) -> tuple[Address, bytes]:
        """Return (to, data) of a call, for an office that keeps its key itself."""
        return self._book, call_data("ClearingBook", function, args)

    def propose(self, session: Session, key: str, function: str, args: Sequence[Any], gas: int, subject: str) -> Act:
        """Have a call wait for a second person; the same key again changes nothing. Raises NoFinanceKey."""
        return self.order(session, key, function, args, gas, subject, ActState.PROPOSED)

    def confirm(self, session: Session, key: str, subject: str) -> Act:
        """Order what another person proposed, at most a week ago. Raises NothingWaits or SecondPersonNeeded."""
        row = self._proposed(session, key)
        if are_one_person(session, row.subject, subject):
            raise SecondPersonNeeded
        row.state, row.confirmed_by = ActState.ORDERED, subject
        session.flush()
        return _act(row)

    def withdraw(self, session: Session, key: str) -> None:
        """Forget what was proposed and not confirmed. Raises NothingWaits."""
        session.delete(self._proposed(session, key, even_late=True))
        session.flush()

    def is_late(self, act: Act) -> bool:
        """Return whether a proposal has waited too long to be confirmed."""
        return act.state is ActState.PROPOSED and self._clock.timestamp() >= act.created_at + PROPOSAL_LIFETIME_S

    def _proposed(self, session: Session, key: str, *, even_late: bool = False) -> FinanceActRow:
        row = session.get(FinanceActRow, key, with_for_update=True)
        if row is None or row.state != ActState.PROPOSED or (self.is_late(_act(row)) and not even_late):
            raise NothingWaits
        return row

    def order(
        self,
        session: Session,
        key: str,
        function: str,
        args: Sequence[Any],
        gas: int,
        subject: str,
        state: ActState = ActState.ORDERED,
    ) -> Act:
        """Order a call of the book's ``function``; the same key again changes nothing. Raises NoFinanceKey."""
        calldata = call_data("ClearingBook", function, args)
        if self._finance is None:
            raise NoFinanceKey(self._book, calldata)
        row = session.get(FinanceActRow, key)
        if row is None:
            row = FinanceActRow(
                act_key=key,
                office=self._kind,
                function=function,
                calldata=calldata,
                gas=gas,
                state=state,
                subject=subject,
                created_at=self._clock.timestamp(),
            )
            session.add(row)
            session.flush()
        return _act(row)

    def acts(self, session: Session, *, only_open: bool = False) -> list[Act]:
        """Return the acts in the order in which they were ordered."""
        query = select(FinanceActRow).order_by(FinanceActRow.created_at, FinanceActRow.act_key)
        query = query.where(FinanceActRow.office == self._kind)
        if only_open:
            query = query.where(FinanceActRow.state.in_(OPEN))
        return [_act(row) for row in session.scalars(query)]

    def find(self, session: Session, keys: Sequence[str]) -> dict[str, Act]:
        """Return the acts of these keys that were ordered."""
        rows = session.scalars(select(FinanceActRow).where(FinanceActRow.act_key.in_(keys)))
        return {row.act_key: _act(row) for row in rows}

    def advance(self) -> int:
        """Take every open act one step further where it can go; return how many calls were put into the outbox.

        Raises `RpcError` if the node cannot say when an act is ready.
        """
        with self._database.read() as session:
            rows = session.scalars(
                select(FinanceActRow)
                .where(FinanceActRow.office == self._kind, FinanceActRow.state.in_(OPEN))
                .order_by(FinanceActRow.created_at, FinanceActRow.act_key)
            ).all()
            session.expunge_all()
        return sum(self._advance(row) for row in rows)

    def _advance(self, seen: FinanceActRow) -> bool:
        """Return whether a call was enqueued. The node is asked outside the transaction."""
        ready_at = self._ready_at(seen) if seen.state == ActState.ANNOUNCED else None
        delay_s = self._delay_s(seen) if seen.state == ActState.ORDERED else 0
        with self._database.transaction() as session:
            row = session.get_one(FinanceActRow, seen.act_key, with_for_update=True)
            if row.state != seen.state:
                return False
            match ActState(row.state):
                case ActState.ORDERED:
                    return self._announce(session, row, delay_s)
                case ActState.ANNOUNCED:
                    return self._carry_out(session, row, ready_at)
                case _:
                    self._end(session, row)
                    return False

    def _announce(self, session: Session, row: FinanceActRow, delay_s: int) -> bool:
        if delay_s == 0:
            return self._call(session, row)
        key = announce_key(row.act_key)
        schedule = call_data("AccessManager", "schedule", [self._book, row.calldata, 0])
        self._outbox.enqueue_call(session, self._kind, key, self._manager, schedule, _ANNOUNCE_GAS + 40 * len(schedule))
        status = self._outbox.status(session, key)
        if status is not None and status.state is MessageState.DONE:
            row.state = ActState.ANNOUNCED
        elif status is not None and status.state is MessageState.FAILED:
            row.state, row.reason = ActState.FAILED, status.reason
        return status is None or status.state is MessageState.QUEUED

    def _carry_out(self, session: Session, row: FinanceActRow, ready_at: int | None) -> bool:
        row.ready_at = ready_at
        if ready_at is None:
            row.state = ActState.CANCELLED
            row.reason = "the supervisor cancelled it, or its week has passed"
            return False
        return ready_at <= self._clock.timestamp() and self._call(session, row)

    def _call(self, session: Session, row: FinanceActRow) -> bool:
        self._outbox.enqueue_call(session, self._kind, row.act_key, self._book, row.calldata, row.gas)
        row.state = ActState.CALLED
        return True

    def _end(self, session: Session, row: FinanceActRow) -> None:
        status = self._outbox.status(session, row.act_key)
        if status is not None and status.state is MessageState.DONE:
            row.state = ActState.DONE
        elif status is not None and status.state is MessageState.FAILED:
            row.state, row.reason = ActState.FAILED, status.reason

    # What the manager says -------------------------------------------------------------------------------------------

    def _delay_s(self, row: FinanceActRow) -> int:
        """How long the bureau's call has to be announced before; 0 for not at all."""
        immediate, delay_s = self._ask("canCall", [self._finance, self._book, row.calldata[:4]])
        return 0 if immediate else int(delay_s)

    def _ready_at(self, row: FinanceActRow) -> int | None:
        operation = operation_id(self._finance or "", self._book, row.calldata)
        return int(self._ask("getSchedule", [operation])) or None

    def _ask(self, function: str, args: Sequence[Any]) -> Any:
        if self._engine is None:
            raise InvariantViolation("an office without a chain carries nothing out")
        request = {"to": self._manager, "data": "0x" + call_data("AccessManager", function, args).hex()}
        answer = self._engine.rpc.call("eth_call", [request, hex(self._engine.final_height())])
        return decode_result("AccessManager", function, hex_bytes(answer, "eth_call"))


def announce_key(key: str) -> str:
    """Return the outbox key of an act's announcement."""
    return f"announce:{key}"


def operation_id(caller: str, target: str, calldata: bytes) -> bytes:
    """Return AccessManager's ``hashOperation``: keccak256(abi.encode(caller, target, data))."""
    padded = calldata + bytes(-len(calldata) % 32)
    return keccak256(
        _PAD12
        + address_bytes(caller)
        + _PAD12
        + address_bytes(target)
        + (96).to_bytes(32, "big")
        + len(calldata).to_bytes(32, "big")
        + padded
    )


def _act(row: FinanceActRow) -> Act:
    return Act(
        row.act_key,
        ActState(row.state),
        row.ready_at,
        row.reason,
        row.created_at,
        row.subject,
        row.confirmed_by,
    )
