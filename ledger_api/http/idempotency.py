"""Writes that can be repeated: the answer is stored in the transaction of the effect, under the caller's key.

The row is claimed first, so that of two requests with one key that arrive together the second waits for the first and
then gets its answer. What fails leaves nothing behind: the same key can be tried again.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from pydantic import BaseModel
from sqlalchemy import ColumnElement, CursorResult, Delete, Table, Update, and_, delete, false, func, or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.store.database import Database, bulk_insert_new, fetch_by_pairs
from ledger.store.models.api import IdempotencyRow
from ledger_api.errors import IdempotencyKeyMissing, IdempotencyKeyReused

KEY_PATTERN = r"^[\x21-\x7e]{8,160}$"
KEY_FORM = re.compile(KEY_PATTERN)


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A write as it is compared with an earlier one of the same key."""

    subject: str
    key: str
    operation: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer as it was, or as it would be again: ``is_replay`` says which."""

    status: int
    content: bytes
    is_replay: bool


def usable_key(key: str | None) -> str:
    """Return the key of a write. Raises IdempotencyKeyMissing."""
    if key is None or not KEY_FORM.fullmatch(key):
        raise IdempotencyKeyMissing
    return key


def write_request(
    secret: bytes, subject: str, key: str | None, operation: str, path: str, body: BaseModel | None
) -> WriteRequest:
    """Return what identifies a write. Raises IdempotencyKeyMissing.

    The digest is keyed by ``secret``: bodies carry document numbers and PINs, and a reader of a plain hash of such a
    body could guess them.
    """
    key = usable_key(key)
    content = body.model_dump_json() if body is not None else ""
    digest = hmac.digest(secret, f"{operation}\0{path}\0{content}".encode(), "sha256")
    return WriteRequest(subject, key, operation, digest)


def run_once(
    database: Database, clock: Clock, request: WriteRequest, effect: Callable[[Session], tuple[int, BaseModel]]
) -> StoredAnswer:
    """Do ``effect`` in one transaction with its answer, or return the answer it gave before.

    Raises:
        IdempotencyKeyReused: the key belongs to a different request.
        TongduiError: what ``effect`` raises; nothing is stored then.
    """
    stored = stored_answer(database, request)
    if stored is not None:
        return stored
    try:
        with database.transaction() as session:
            row = _row(request, clock)
            session.add(row)
            _claim(session)
            status, answer = effect(session)
            content = answer.model_dump_json().encode()
            row.status = status
            row.answer = content
            return StoredAnswer(status, content, is_replay=False)
    except _Claimed:
        pass
    stored = stored_answer(database, request)
    if stored is None:  # the other request failed after we had waited for it, so the way is free
        return run_once(database, clock, request, effect)
    return stored


def run_apart(
    database: Database, clock: Clock, request: WriteRequest, effect: Callable[[bool], tuple[int, BaseModel]]
) -> StoredAnswer:
    """As `run_once` for services that keep their own transactions and are safe to call again.

    The key is claimed first and the answer stored last. ``effect`` hears whether an earlier run of this request may
    have done its work already and died before its answer was stored.

    Raises:
        IdempotencyKeyReused: the key belongs to a different request.
        TongduiError: what ``effect`` raises; the key is free again then, unless another run had claimed it.
    """
    was_begun = False
    try:
        with database.transaction() as session:
            row = session.get(IdempotencyRow, (request.subject, request.key))
            if row is not None and (row.request_hash != request.digest or row.operation != request.operation):
                raise IdempotencyKeyReused
            if row is not None and row.status != _CLAIMED:
                return StoredAnswer(row.status, row.answer, is_replay=True)
            was_begun = row is not None
            if row is None:
                session.add(_row(request, clock))
                _claim(session)
    except _Claimed:  # another request with this key came in between: what it has claimed is there now
        return run_apart(database, clock, request, effect)
    try:
        status, answer = effect(was_begun)
    except Exception:
        if not was_begun:  # else the caller that began it may be at work still, and its claim is not ours to drop
            with database.transaction() as session:
                session.execute(_mine(delete(IdempotencyRow), request).where(IdempotencyRow.status == _CLAIMED))
        raise
    content = answer.model_dump_json().encode()
    with database.transaction() as session:
        session.execute(_mine(update(IdempotencyRow), request).values(status=status, answer=content))
    return StoredAnswer(status, content, is_replay=False)


def forget_before(session: Session, moment: int) -> int:
    """Drop the answers given before a Unix time and return how many: keys are for retries, not for ever."""
    done = session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < moment))
    return done.rowcount if isinstance(done, CursorResult) else 0


def forget_answers(session: Session, subjects: Sequence[str], words: Sequence[bytes], keep: str | None) -> None:
    """Drop the answers that somebody got, and all others in which one of ``words`` stands (an id, an account), but the
    one under the key ``keep`` that is just being given."""
    row = IdempotencyRow
    find = func.instr if session.get_bind().dialect.name == "sqlite" else func.strpos
    answer = row.answer if session.get_bind().dialect.name == "sqlite" else func.encode(row.answer, "escape")
    names: list[ColumnElement[bool]] = [find(answer, _word(session, word)) > 0 for word in words]
    mine = row.subject.in_(subjects)
    kept = and_(mine, row.key == keep) if keep is not None else false()
    session.execute(delete(row).where(or_(mine, *names), ~kept).execution_options(synchronize_session=False))


def _word(session: Session, word: bytes) -> bytes | str:
    return word if session.get_bind().dialect.name == "sqlite" else word.decode("ascii")


_KEYS = cast(Table, IdempotencyRow.__table__)
_KEY_COLUMNS = ["subject", "key", "operation", "request_hash", "status", "answer", "created_at"]
_CLAIMED = 0
"""The status of a key whose request is under way."""


def _row(request: WriteRequest, clock: Clock) -> IdempotencyRow:
    return IdempotencyRow(
        subject=request.subject,
        key=request.key,
        operation=request.operation,
        request_hash=request.digest,
        status=_CLAIMED,
        answer=b"",
        created_at=clock.timestamp(),
    )


_Statement = TypeVar("_Statement", Update, Delete)


def _mine(statement: _Statement, request: WriteRequest) -> _Statement:
    return statement.where(IdempotencyRow.subject == request.subject, IdempotencyRow.key == request.key)


class _Claimed(Exception):
    """Another transaction holds the key."""


def _claim(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise _Claimed from error


def stored_answer(database: Database, request: WriteRequest) -> StoredAnswer | None:
    """Return the answer that a request got before. Raises IdempotencyKeyReused."""
    with database.read() as session:
        found = stored_answers(session, [request])[0]
    if isinstance(found, IdempotencyKeyReused):
        raise found
    return found


def stored_answers(
    session: Session, requests: Sequence[WriteRequest]
) -> list[StoredAnswer | IdempotencyKeyReused | None]:
    """Return for each request the answer that it got before, what is wrong with its key, or None: it is new, or under
    way."""
    columns = ["subject", "key", "operation", "request_hash", "status", "answer"]
    rows = fetch_by_pairs(session, _KEYS, columns, ("subject", "key"), [(one.subject, one.key) for one in requests])
    known = {(subject, key): (operation, bytes(digest), *rest) for subject, key, operation, digest, *rest in rows}
    found: list[StoredAnswer | IdempotencyKeyReused | None] = []
    for request in requests:
        row = known.get((request.subject, request.key))
        if row is None or row[2] == _CLAIMED:
            found.append(None)
        elif row[:2] != (request.operation, request.digest):
            found.append(IdempotencyKeyReused())
        else:
            found.append(StoredAnswer(row[2], bytes(row[3]), is_replay=True))
    return found


def store_answers(session: Session, clock: Clock, answers: Sequence[tuple[WriteRequest, int, bytes]]) -> bool:
    """Store (request, status, content) of requests that are new; return whether all of them were, for else another
    transaction has claimed one meanwhile and this one must not commit."""
    now = clock.timestamp()
    rows = [
        (request.subject, request.key, request.operation, request.digest, status, content, now)
        for request, status, content in answers
    ]
    return bulk_insert_new(session, _KEYS, _KEY_COLUMNS, rows) == len(rows)
