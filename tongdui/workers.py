"""The threads beside the gateway's own: upkeep of orders, the issuers' rounds, and the watch over what waits."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from issuers.intake.originals import remove_originals
from issuers.service import IssuerService
from ledger.chain.errors import ClockJumped
from ledger.clock import Clock
from ledger.errors import ConfigurationError, InvariantViolation, TongduiError
from ledger.gateway import Gateway
from ledger.outgoing import Outgoing
from ledger.residents.erasing import Erased
from ledger.residents.thawing import thaw_overdue
from ledger.standard.civil_time import DAY_S
from ledger.standard.ids import ProgrammeId, ProgrammeSlug
from ledger.store.database import Database
from ledger.store.forgetting import forget_deleted
from ledger.store.models.residents import ErasureRow
from ledger.webhooks.book import WebhookBook
from ledger.webhooks.sending import WebhookSender
from ledger_api.auth.sessions import sweep_sessions
from ledger_api.auth.throttle import sweep_marks
from ledger_api.http.idempotency import forget_before
from tongdui.invariants import InvariantWatch
from tongdui.settings import Settings

_LOG = logging.getLogger(__name__)

_KEYS_FOR_ANSWERS_S = 7 * DAY_S
_POLL_S = 0.05
_UPKEEP_S = 10.0
_ISSUE_S = 1.0
_DROPS_S = 1.0
_WATCH_S = 1.0
_TELL_S = 1.0
_CATCH_UP_S = 60.0
_SETTLED_S = 1.0
"""A dropped file that changed less long ago may still be being written."""
# A server that dies in the middle of a COPY is psycopg's own error, which SQLAlchemy has not seen.
_PASSING = (TongduiError, OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError, OSError)


class Workplace(Protocol):
    """What the threads work on: an open city."""

    @property
    def settings(self) -> Settings:
        """What the installation chose."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def database(self) -> Database:
        """Where everything is kept."""
        ...

    @property
    def gateway(self) -> Gateway:
        """Sender and indexer."""
        ...

    @property
    def issuers(self) -> IssuerService:
        """The issuers' front door."""
        ...

    @property
    def invariants(self) -> InvariantWatch:
        """The running check."""
        ...

    @property
    def webhook_book(self) -> WebhookBook:
        """Whom to tell what is final."""
        ...

    @property
    def news(self) -> threading.Event:
        """Set when there is something to tell."""
        ...

    def upkeep(self) -> bool:
        """Settle orders; see `City.upkeep`."""
        ...


def start_workers(stack: ExitStack, city: Workplace, links: threading.Event) -> None:
    """Run sender, indexer, upkeep and the issuers in threads until the city closes; they end before what they use."""
    stopping = threading.Event()
    last = _LastUpkeep()

    def upkeep() -> None:
        block = city.gateway.indexer.cursor().block_number
        is_due = time.monotonic() - last.at_s >= _UPKEEP_S
        if block != last.block or is_due:
            city.upkeep()
            last.block = block
        if is_due:
            last.at_s = time.monotonic()
            _forget_old_answers(city)
            _thaw(city, links)
            sweep_erasures(city)
            _forget_old_rows(city, last)
            city.invariants.refresh_if_due()
        stopping.wait(_POLL_S)

    def issue() -> None:
        if city.issuers.work():
            city.gateway.wake()
        else:
            links.wait(_ISSUE_S)
            links.clear()

    folders = drop_folders(city)

    def take_drops() -> None:
        if _take_drops(city, folders):
            links.set()
        else:
            stopping.wait(_DROPS_S)

    def watch() -> None:
        city.gateway.look()
        stopping.wait(_WATCH_S)

    threads = [
        threading.Thread(target=_loop, args=(city, stopping, name, once), name=name, daemon=True)
        for name, once in (
            ("upkeep", upkeep),
            ("issuers", issue),
            ("drops", take_drops),
            ("watch", watch),
            ("webhooks", _teller(city)),
        )
    ]

    def stop() -> None:
        stopping.set()
        links.set()
        city.news.set()
        for thread in threads:
            thread.join(30)

    # The first request must not see a city without programmes, or yesterday's balances.
    _catch_up(city)
    city.gateway.start()
    stack.callback(city.gateway.stop)
    for thread in threads:
        thread.start()
    stack.callback(stop)


def _teller(city: Workplace) -> Callable[[], None]:
    """Return what sends the webhooks that are due, and else waits for news."""
    outgoing = Outgoing.of(city.settings.outgoing_networks)
    sender = WebhookSender(city.database, city.webhook_book, outgoing, city.clock)

    def tell() -> None:
        if not sender.send_due():
            city.news.wait(_TELL_S)
            city.news.clear()

    return tell


def drop_paths(city: Workplace) -> dict[ProgrammeSlug, Path]:
    """Return each programme's drop folder by slug, made or not."""
    root = city.settings.drop_dir or city.settings.state_dir / "drop"
    return {slug: root / slug for slug in city.issuers.rulebooks()}


def _catch_up(city: Workplace) -> None:
    """Project what is final. One answer of a node that is wrong or away ends no start; a minute of them does."""
    until = time.monotonic() + _CATCH_UP_S
    while True:
        try:
            city.gateway.indexer.run_until_idle()
            return
        except InvariantViolation:
            raise
        except _PASSING as error:
            if time.monotonic() > until:
                raise
            _LOG.warning("catching up is tried again: %s", error)
            time.sleep(_POLL_S)


def drop_folders(city: Workplace) -> dict[ProgrammeSlug, Path]:
    """Make each programme's drop folder where there is none, for its agency to write to; return them by slug."""
    folders = drop_paths(city)
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folders


def _take_drops(city: Workplace, folders: Mapping[ProgrammeSlug, Path]) -> int:
    """Take in what was dropped; returns how many files."""
    taken = 0
    for slug, folder in folders.items():
        try:
            taken += len(city.issuers.ingest_drop_folder(slug, folder, min_age_s=_SETTLED_S))
        except (ConfigurationError, OSError) as error:
            # A broken mapping or a folder without permission is one agency's trouble, not the others'.
            _LOG.warning("the drop folder of %s is tried again: %s", slug, error)
    return taken


@dataclass(slots=True)
class _LastUpkeep:
    """When the books were last put in order."""

    block: int = -1
    at_s: float = float("-inf")
    day_s: float = float("-inf")
    """When rows past their time were looked for."""


def _loop(city: Workplace, stopping: threading.Event, name: str, once: Callable[[], None]) -> None:
    """Repeat until the city closes. What passes is tried again; a broken invariant ends the loop with an alarm."""
    while not stopping.is_set():
        try:
            once()
        except (InvariantViolation, ClockJumped) as error:
            _LOG.critical("%s stopped: %s", name, error)
            city.invariants.alarm(str(error))
            return
        except _PASSING as error:
            # The node or the database is away or busy, or the disk is full: nothing is lost.
            _LOG.warning("%s is tried again: %s", name, error)
            stopping.wait(1.0)
        except Exception as error:  # noqa: BLE001  (whatever it is, a person has to look)
            # A thread that dies in silence would look like a city in which nothing happens.
            _LOG.exception("%s stopped", name)
            city.invariants.alarm(f"{name} stopped: {type(error).__name__}")
            return


def _forget_old_rows(city: Workplace, last: _LastUpkeep) -> None:
    """Once a day, for it reads the whole table."""
    if time.monotonic() - last.day_s >= DAY_S:
        last.day_s = time.monotonic()
        city.issuers.forget_refused_rows(city.clock.timestamp() - city.settings.originals_days * DAY_S)


def sweep_erasures(city: Workplace) -> int:
    """Do for erasures what a transaction cannot: remove originals, forget again what was under way, cut the database's
    log. Returns how many were gone over. Originals past their time are removed too."""
    now = city.clock.timestamp()
    folders = drop_paths(city)
    for folder in folders.values():
        remove_originals(folder, time.time() - city.settings.originals_days * DAY_S)
    with city.database.read() as session:
        due = session.scalars(
            select(ErasureRow).where(or_(ErasureRow.is_swept.is_(False), ErasureRow.again_at <= now))
        ).all()
    if not due:
        return 0
    for row in due:
        for number in row.programmes.split(","):
            slug = city.issuers.slug(ProgrammeId(int(number))) if number else None
            if slug is not None:
                remove_originals(folders[slug])
        with city.database.transaction() as session:
            # What was being taken in when the erasure was made may name the resident anew.
            city.issuers.erase(session, Erased(row.resident_id, secrets.randbits(63), (), ()))
    if forget_deleted(city.database):
        with city.database.transaction() as session:
            for row in due:
                if row.is_swept:
                    session.execute(delete(ErasureRow).where(ErasureRow.resident_id == row.resident_id))
                else:
                    session.execute(
                        update(ErasureRow).where(ErasureRow.resident_id == row.resident_id).values(is_swept=True)
                    )
    return len(due)


def _thaw(city: Workplace, links: threading.Event) -> None:
    """End what bare claims froze long ago, and wake the issuers where records can be granted now."""
    with city.database.transaction() as session:
        thawed = thaw_overdue(session, city.clock.timestamp())
    if thawed:
        links.set()


def _forget_old_answers(city: Workplace) -> None:
    with city.database.transaction() as session:
        now = city.clock.timestamp()
        forget_before(session, now - _KEYS_FOR_ANSWERS_S)
        sweep_sessions(session, now)
        sweep_marks(session, now)
