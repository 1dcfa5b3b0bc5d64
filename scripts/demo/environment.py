"""The demo's environment: the open city, its movable clock, and steps that happen just once.

A step's effect and the note that it happened commit together (the API's own idempotency table), so a run that was
killed anywhere goes on where it was. Each round of orders asks of every resident something that depends on that
resident alone, and nothing else happens until the round has settled: the result is the same as of an undisturbed run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy.orm import Session

from issuers.samples.generate import Samples
from issuers.samples.people import Person
from ledger.clock import Clock, ManualClock
from ledger.errors import TongduiError
from ledger.residents.registry import Resident
from ledger.standard.civil_time import CITY_TZ
from ledger.store.models.api import IdempotencyRow
from ledger_api.http.idempotency import WriteRequest, run_once
from tongdui.bootstrap import City
from tongdui.cli.console import Bars

T = TypeVar("T")

FIRST_DAY = date(2026, 9, 1)
"""The morning on which every sample export was made: contracts are deployed, residents register, records come in."""
DESK_DAY = date(2026, 9, 2)
EXCHANGE_DAY = date(2026, 9, 3)
SPENDING_DAY = date(2026, 9, 4)
RETURN_DAY = date(2026, 9, 8)
"""Somebody brings something back to a shop."""
DISPUTE_DAY = date(2026, 9, 10)
"""Somebody complains, and the arbiter locks the shop's value."""
DECISION_DAY = date(2026, 9, 12)
REVOCATION_DAY = date(2026, 9, 15)
"""False declarations have been found out and are revoked."""
CYCLE_DAY = date(2026, 9, 18)
"""What merchants earned in the first days of September has matured."""
FUNDED_DAY = date(2026, 9, 19)
PAID_DAY = date(2026, 9, 20)
"""The last of the demo's days."""

CHUNK = 40

_FOR_GOOD = ManualClock(datetime(2999, 1, 1, tzinfo=CITY_TZ))
"""Dates the notes: a served city forgets answers after a week, and must not forget these."""


class DemoStepFailed(TongduiError):
    """A step of the demo did not go as expected; the message names it."""

    def __init__(self, step: str, detail: str) -> None:
        self.step = step
        self.detail = detail
        super().__init__(f"the demo stopped at {step}: {detail}")


class Note(BaseModel):
    """What a step leaves behind for later runs."""

    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Citizen:
    """A made-up person and the resident that the city knows."""

    person: Person
    resident: Resident


@dataclass(slots=True)
class Environment:
    """Everything that an act needs."""

    city: City
    clock: Clock
    samples: Samples
    bars: Bars
    citizens: Sequence[Citizen] = ()

    def at(self, day: date, hour: int = 9, minute: int = 0) -> None:
        """Move the clock to a moment of a day, city time; a network's time is nobody's to move."""
        if isinstance(self.clock, ManualClock):
            self.clock.set(datetime.combine(day, time(hour, minute), CITY_TZ))

    def once(self, step: str, effect: Callable[[Session], Mapping[str, Any]]) -> dict[str, Any]:
        """Do a step in one transaction, or return what it left behind when it was done."""
        request = WriteRequest("demo", _key(step), "demo", hashlib.sha256(step.encode()).digest())
        stored = run_once(
            self.city.database, _FOR_GOOD, request, lambda session: (200, Note(result=dict(effect(session))))
        )
        return Note.model_validate_json(stored.content).result

    def note(self, step: str, result: Mapping[str, Any]) -> None:
        """Remember what a step that commits by itself came to."""
        self.once(step, lambda _session: result)

    def noted(self, step: str) -> dict[str, Any] | None:
        """Return what a step left behind, or None if it has not been done."""
        with self.city.database.read() as session:
            row = session.get(IdempotencyRow, ("demo", _key(step)))
            return None if row is None else Note.model_validate_json(row.answer).result

    def settle(self) -> None:
        """Send, make blocks, project and settle until nothing is under way."""
        self.city.run_until_idle()

    def work(self) -> None:
        """Let the issuers grant, batch and revoke all they can, and settle it."""
        self.city.work_until_idle()

    def round(self, name: str, each: Callable[[Session, Citizen], bool]) -> int:
        """Let every resident do one thing, in chunks that are done or not done; return how many did it."""
        done = 0
        chunks = list(_chunks(self.citizens, CHUNK))
        for number, chunk in enumerate(chunks):

            def effect(session: Session, chunk: Sequence[Citizen] = chunk) -> Mapping[str, Any]:
                return {"orders": sum(each(session, citizen) for citizen in chunk)}

            done += int(self.once(f"{name} {number}", effect)["orders"])
            self.bars.set(name, number + 1, len(chunks))
        self.settle()
        self.bars.done(name, f"{done}")
        return done


def _key(step: str) -> str:
    return f"demo-{hashlib.sha256(step.encode()).hexdigest()}"


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
