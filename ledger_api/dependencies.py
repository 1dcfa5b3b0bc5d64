"""What routes ask for: the services, who is asking, and the one way in which a write is done."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Path, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ledger.standard.ids import Address, GrantIdText, OrderId, OrderIdText, to_address
from ledger.store.models.api import ApiSubjectRow, IdentityLookRow
from ledger.store.models.residents import ResidentRow
from ledger_api.auth import scopes
from ledger_api.auth.sessions import PREFIX as SESSION_PREFIX
from ledger_api.auth.tokens import BadToken, Principal
from ledger_api.errors import (
    Forbidden,
    IdempotencyKeyReused,
    MalformedId,
    NotRegistered,
    TooManyRequests,
    Unauthenticated,
)
from ledger_api.http.answers import stored_response
from ledger_api.http.idempotency import (
    KEY_PATTERN,
    StoredAnswer,
    WriteRequest,
    run_apart,
    run_once,
    stored_answer,
    usable_key,
    write_request,
)
from ledger_api.http.paging import PAGE_SIZE, PAGE_SIZE_MAX
from ledger_api.http.standing import withdrawn, withdrawn_among
from ledger_api.schemas.common import HASH
from ledger_api.services import Services
from redemption.acts.book import ActRecord, Wish
from redemption.acts.table import Act
from redemption.fulfilment import Actor

_BEARER = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    scheme_name="bearer",
    description="A JWT with scopes, from the local issuer (`tongdui token`) or the identity provider; or the token of "
    "a session (`POST /v1/sessions`).",
)


_ACCOUNT = (
    select(ResidentRow.account)
    .join(ApiSubjectRow, ApiSubjectRow.resident_id == ResidentRow.resident_id)
    .where(ApiSubjectRow.subject == bindparam("subject"))
)


async def services_of(request: Request) -> Services:
    """Return the services of this application. As all here that never waits it is no thread's work."""
    services: Services = request.app.state.services
    return services


Deps = Annotated[Services, Depends(services_of)]


def count(request: Request, services: Services, policy: str, caller: str) -> None:
    """Count a request against a caller, whose standing every answer says from here on. Raises TooManyRequests."""
    quota = services.limiter.take(caller)
    request.state.quota = quota.headers(policy)
    if quota.is_exceeded:
        raise TooManyRequests(quota.next_s)


def limited_by_address(request: Request, services: Deps) -> None:
    """Count a request without a token against its address. Raises TooManyRequests."""
    count(request, services, "address", f"address {request.client.host if request.client else 'unknown'}")


Public = Depends(limited_by_address)


async def claimed_by(
    request: Request, services: Deps, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Principal:
    """Return who a token speaks for, counted against their limit.

    Warning: it may have been withdrawn; see `principal_of` and `check_standing`.
    Raises Unauthenticated, BadToken, KeysUnavailable or TooManyRequests.
    """
    if bearer is None:
        # A caller without a valid token is counted by address, one with a token by subject.
        limited_by_address(request, services)
        raise Unauthenticated
    try:
        principal = await bearer_of(services, bearer.credentials)
    except BadToken:
        limited_by_address(request, services)
        raise
    count(request, services, "subject", principal.subject)
    return principal


async def bearer_of(services: Services, token: str) -> Principal:
    """Return who a bearer token speaks for, be it a JWT or a session's. Raises BadToken or KeysUnavailable."""
    if token.startswith(SESSION_PREFIX):
        return await run_in_threadpool(of_session, services, token)
    known = services.verifier.remembered(token)
    return await run_in_threadpool(services.verifier.verify, token) if known is None else known


_SESSION = "session "


def of_session(services: Services, secret: str) -> Principal:
    """Return who has signed in with this session, be it an app's or a browser's. Raises BadToken.

    Warning: as `claimed_by` it does not look whether the subject's tokens were withdrawn."""
    found = services.sessions.find(secret)
    if found is None:
        raise BadToken("its session has ended")
    return Principal(
        found.subject,
        found.scopes,
        f"{_SESSION}{found.session_id}",
        found.good_until,
        issued_at=found.created_at,
    )


def bearer_session_id(principal: Principal) -> str | None:
    """Return the id of the session that a request came with, if it came with one."""
    return principal.token_id.removeprefix(_SESSION) if principal.token_id.startswith(_SESSION) else None


def check_standing(session: Session, principal: Principal) -> None:
    """Raise BadToken if the token was withdrawn, by its id or with all of its subject."""
    if withdrawn_among(session, [principal]):
        raise withdrawn()


def principal_of(services: Deps, principal: Annotated[Principal, Depends(claimed_by)]) -> Principal:
    """Return who is asking. Raises what `claimed_by` raises, and BadToken for a withdrawn token."""
    with services.database.read() as session:
        check_standing(session, principal)
    return principal


Who = Annotated[Principal, Depends(principal_of)]


def require(principal: Principal, *needed: str) -> None:
    """Raise Forbidden unless the token carries one of the scopes."""
    if not any(principal.has(scope) for scope in needed):
        raise Forbidden(needed)


def allowed(*needed: str) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that demands one of the scopes."""

    async def check(principal: Who) -> Principal:
        require(principal, *needed)
        return principal

    return check


async def resident_to_check(services: Deps, principal: Annotated[Principal, Depends(claimed_by)]) -> Principal:
    """Return a resident whose token the route itself checks with `check_standing`, in the snapshot of its answer."""
    if not principal.has(scopes.RESIDENT):
        await run_in_threadpool(principal_of, services, principal)  # a withdrawn token is told so first
        require(principal, scopes.RESIDENT)
    return principal


UncheckedResident = Annotated[Principal, Depends(resident_to_check)]
ResidentToken = Annotated[Principal, Depends(allowed(scopes.RESIDENT))]
OperatorToken = Annotated[Principal, Depends(allowed(scopes.OPERATOR))]


def desk_of(principal: Principal) -> str:
    """Return the one desk a clerk works for. Raises Forbidden."""
    desks = scopes.desks(principal.scopes)
    if len(desks) != 1:
        raise Forbidden(("desk:{desk_id}",))
    return desks[0]


def actor_of(session: Session, principal: Principal) -> Actor:
    """Return a principal as the redemption services know one: with the resident that its subject is bound to, if any,
    for nobody serves himself."""
    return Actor(principal.subject, scopes.desks(principal.scopes), resident_of(session, principal))


def own_resident(session: Session, principal: Principal) -> int:
    """Return the resident that the token's subject is bound to. Raises NotRegistered."""
    found = resident_of(session, principal)
    if found is None:
        raise NotRegistered
    return found


def own_account(session: Session, principal: Principal) -> Address:
    """Return the account of the resident that the token's subject is bound to. Raises NotRegistered."""
    account = session.connection().execute(_ACCOUNT, {"subject": principal.subject}).scalar_one_or_none()
    if account is None:
        raise NotRegistered
    return to_address(bytes(account))


def resident_of(session: Session, principal: Principal) -> int | None:
    """Return the resident that the token's subject is bound to, if any."""
    row = session.get(ApiSubjectRow, principal.subject)
    return None if row is None else row.resident_id


NOBODY = 0
"""Stands for the resident in the log of looks where a record was looked at whose resident is not known."""


def note_look(session: Session, services: Services, principal: Principal, resident_id: int, operation: str) -> None:
    """Log that somebody looked at another person's account."""
    session.add(
        IdentityLookRow(
            subject=principal.subject,
            resident_id=resident_id,
            operation=operation,
            institution=scopes.institution(principal.scopes),
            looked_at=services.clock.timestamp(),
        )
    )


_HASH = re.compile(HASH)


def hash_of(field: str, text: str) -> bytes:
    """Return the 32 bytes of an id in a path. Raises MalformedId."""
    if not _HASH.fullmatch(text):  # one id in one form: `fromhex` alone would take blanks and capitals too
        raise MalformedId(field)
    return bytes.fromhex(text[2:])


def order_id_of(text: OrderIdText) -> OrderId:
    """Return the id of an order from a path. Raises MalformedId."""
    return OrderId(hash_of("order_id", text))


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Needed on every write: 8 to 160 printable characters, new for each intent. The same key with the "
        "same request gives the first answer again; with another request 409.",
        examples=["3f1c9a52-1f0e-4c1b-9a55-0d9d4d7e2c11"],
        json_schema_extra={"pattern": KEY_PATTERN},
    ),
]

OrderIdPath = Annotated[OrderIdText, Path(description="0x and 64 digits.", json_schema_extra={"pattern": HASH})]
GrantIdPath = Annotated[GrantIdText, Path(description="0x and 64 digits.", json_schema_extra={"pattern": HASH})]
"""What is malformed is refused by `hash_of`, with a problem of its own; the pattern is for who generates a client."""

Cursor = Annotated[str | None, Query(max_length=120, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="Items a page.")]
DEFAULT_LIMIT = PAGE_SIZE


class Writer:
    """The one way in which a write is done: once a key, with its answer stored beside its effect."""

    def __init__(self, request: Request, services: Deps, principal: Who, key: IdempotencyKey = None) -> None:
        self.services = services
        self.principal = principal
        self._request = request
        self._key = key

    @property
    def key(self) -> str | None:
        """The request's own key."""
        return self._key

    def once(self, body: BaseModel | None, effect: Callable[[Session], tuple[int, BaseModel]]) -> Response:
        """Run ``effect`` in one transaction and answer with its (status, model), now and at every repeat."""
        services = self.services
        return self._answer(run_once(services.database, services.clock, self._request_of(body), effect))

    def answered(self, body: BaseModel | None) -> Response | None:
        """Return the answer that this very request got before, if it did. Raises IdempotencyKeyReused."""
        found = stored_answer(self.services.database, self._request_of(body))
        return None if found is None else stored_response(found)

    def apart(self, body: BaseModel | None, effect: Callable[[bool], tuple[int, BaseModel]]) -> Response:
        """As `once`, for a service that keeps its own transactions; see `run_apart`."""
        services = self.services
        return self._answer(run_apart(services.database, services.clock, self._request_of(body), effect))

    def act(
        self,
        body: BaseModel | None,
        wish: Wish,
        effect: Callable[[Session], tuple[int, BaseModel]],
        again: Callable[[Session, ActRecord], BaseModel],
        *,
        status: int = 202,
    ) -> Response:
        """Run an act on an order once a key, and answer a repeat with the act as it stands by then.

        ``again`` makes that answer, with ``status``. A key that stands for another act raises
        ActExistsDifferently, however long ago it was used.
        """
        request = self._request_of(body)
        found = self.acted(wish, again, status)
        if found is not None:
            return found
        services = self.services
        try:
            answer = run_once(services.database, services.clock, request, effect)
        except IdempotencyKeyReused:  # used meanwhile, or for something that is no act on an order
            found = self.acted(wish, again, status)
            if found is None:
                raise
            return found
        if answer.is_replay and (found := self.acted(wish, again, status)) is not None:
            return found
        return self._answer(answer)

    def wish(self, act: Act, order_id: OrderId, reason: str, keep_fen: int | None = None) -> Wish:
        """Return an act as this caller asks for it. Raises IdempotencyKeyMissing."""
        return Wish(act, order_id, self.principal.subject, reason, usable_key(self._key), keep_fen)

    def acted(self, wish: Wish, again: Callable[[Session, ActRecord], BaseModel], status: int = 202) -> Response | None:
        """Return the answer to a repeat, or None where the act is new. Raises ActExistsDifferently."""
        with self.services.database.read() as session:
            known = self.services.acts.known(session, wish)
            if known is None:
                return None
            content = again(session, known).model_dump_json().encode()
        return stored_response(StoredAnswer(status, content, is_replay=True))

    def _request_of(self, body: BaseModel | None) -> WriteRequest:
        route = self._request.scope["route"]
        return write_request(
            self.services.request_secret,
            self.principal.subject,
            self._key,
            f"{self._request.method} {route.path}",
            self._request.url.path,
            body,
        )

    def _answer(self, answer: StoredAnswer) -> Response:
        if not answer.is_replay:
            self.services.after_write()
        return stored_response(answer)


Write = Annotated[Writer, Depends()]
