"""``POST /v1/redemptions``: the orders that come while others are being stored are stored together.

One transaction, one fsync, and the same statements for sixty orders as for one. An order's answer is sent after the
commit of its group, and is stored in it. Where a group cannot commit (the last piece went to another process, a key was
claimed twice), each of its orders is placed by itself, so that none fails for its neighbours' sake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as DatabaseTimeout
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.errors import InvariantViolation, TongduiError
from ledger_api.auth import scopes
from ledger_api.auth.tokens import Principal
from ledger_api.hot.layer import HotRoute, Plain
from ledger_api.http.answers import stored_response
from ledger_api.http.groups import Group
from ledger_api.http.idempotency import (
    KEY_FORM,
    StoredAnswer,
    WriteRequest,
    store_answers,
    stored_answers,
    write_request,
)
from ledger_api.http.standing import withdrawn, withdrawn_among
from ledger_api.http.strict_json import is_json
from ledger_api.own.orders import PLACED, place_together
from ledger_api.schemas.redemption import RedeemIn
from ledger_api.services import Services

_TOGETHER_MAX = 64
_DEADLOCK = "40P01"
_TRIES = 5


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a request asks for."""

    key: str
    body: RedeemIn


@dataclass(frozen=True, slots=True)
class _Ask:
    """A request on its way into a group."""

    principal: Principal
    body: RedeemIn
    request: WriteRequest


def _is_contest(error: DBAPIError) -> bool:
    """Return whether another transaction was faster, or PostgreSQL ended this one so that the other could go on."""
    return isinstance(error, IntegrityError) or getattr(error.orig, "sqlstate", None) == _DEADLOCK


class _Claimed(Exception):
    """Another transaction has claimed an idempotency key of this group."""


class HotOrders(HotRoute):
    """Places redemption orders."""

    method, path, has_body, scope = "POST", "/v1/redemptions", True, scopes.RESIDENT

    def __init__(self, services: Services) -> None:
        self._services = services
        self._group: Group[_Ask, StoredAnswer] = Group(
            "orders", self._place, size_max=_TOGETHER_MAX, alone=lambda ask: ask.principal.subject
        )

    def understand(self, plain: Plain) -> _Wanted | None:
        """Return what is wanted, or None where key or body are not what they have to be."""
        key = plain.headers.get(b"idempotency-key", b"").decode("latin-1")
        if not KEY_FORM.fullmatch(key) or not is_json(plain.headers.get(b"content-type", b"").decode("latin-1")):
            return None
        try:
            return _Wanted(key, RedeemIn.model_validate(orjson.loads(plain.body)))
        except (ValidationError, orjson.JSONDecodeError):
            return None

    async def answer(self, plain: Plain, principal: Principal, asked: _Wanted) -> Response:  # noqa: ARG002
        """Return the placed order, or the answer that this request got before. Raises TongduiError."""
        operation = f"{self.method} {self.path}"
        request = write_request(
            self._services.request_secret, principal.subject, asked.key, operation, self.path, asked.body
        )
        answer = await self._group.ask(_Ask(principal, asked.body, request))
        if not answer.is_replay:
            self._services.after_write()
        return stored_response(answer)

    def close(self) -> None:
        """Store what was begun, and end the group's thread."""
        self._group.close()

    def _place(self, asks: Sequence[_Ask]) -> list[StoredAnswer | Exception]:
        try:
            with self._services.database.transaction() as session:
                return self._together(session, asks)
        except (TongduiError, DBAPIError, _Claimed) as error:
            if isinstance(error, InvariantViolation) or (isinstance(error, DBAPIError) and not _is_contest(error)):
                raise
            return [self._alone(ask) for ask in asks]

    def _together(self, session: Session, asks: Sequence[_Ask]) -> list[StoredAnswer | Exception]:
        gone = withdrawn_among(session, [ask.principal for ask in asks])
        known = stored_answers(session, [ask.request for ask in asks])
        found: list[StoredAnswer | Exception | None] = [
            withdrawn() if ask.principal in gone else stored for ask, stored in zip(asks, known, strict=True)
        ]
        new = [ask for ask, one in zip(asks, found, strict=True) if one is None]
        placed = place_together(session, self._services, [(ask.principal, ask.body) for ask in new])
        answers: list[StoredAnswer | Exception] = []
        to_store: list[tuple[WriteRequest, int, bytes]] = []
        for ask, one in zip(new, placed, strict=True):
            if isinstance(one, TongduiError):
                answers.append(one)
                continue
            content = one.model_dump_json().encode()
            to_store.append((ask.request, PLACED, content))
            answers.append(StoredAnswer(PLACED, content, is_replay=False))
        if not store_answers(session, self._services.clock, to_store):
            raise _Claimed
        rest = iter(answers)
        return [next(rest) if one is None else one for one in found]

    def _alone(self, ask: _Ask) -> StoredAnswer | Exception:
        """Place one order in a transaction of its own.

        It locks in a group's order, holder before key: another process's group may be waiting with the same key.
        """
        failure: Exception = DatabaseTimeout("another request with this key is not done")
        for _ in range(_TRIES):
            try:
                with self._services.database.transaction() as session:
                    [answer] = self._together(session, [ask])
                    return answer
            except TongduiError as error:
                return error
            except _Claimed:
                continue  # whoever has claimed it has committed by now: its answer is there
            except DBAPIError as error:
                failure = error
                if not _is_contest(error):
                    break
        return failure
