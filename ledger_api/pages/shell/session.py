"""Who has signed in, as a page knows it: the session's cookie, the forms' token, and what a caller may do.

How a signed-in page is written:

* ``Resident = Annotated[Caller, Depends(signed_in(scopes.RESIDENT))]`` names the scopes of which one is needed, and a
  route takes ``caller: Resident``. `Caller.principal` is what the API's routes get; where the scope depends on the path
  the route calls `ledger_api.dependencies.require` as they do. There is no other set of rules.
* ``caller.page("wallet.html", section="wallet", …)`` renders it; nothing of it is stored anywhere.
* Every form begins with ``{{ own_fields() }}``: the session's token and an idempotency key, new for each rendered form.
* Its route takes ``posted: Annotated[Posting, Depends(posting(…))]``: by then the token is checked. Writes go through
  ``posted.write.once(…)`` as the API's do, so a second tap gets the first answer; then ``posted.see("/path")``.
* What is hard to take back calls ``posted.confirm_password()`` first, for which the form has a field ``password``; when
  it is done ``posted.see("/path", posted.renewed())`` gives the session a new id.
* Who has not signed in, or no longer, is led to sign in and back by `PageRoute`.
* A route's row in tests/unit/ledger_api/pages/test_room.py says who may call it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Depends
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ledger.errors import TongduiError
from ledger_api.auth.errors import UnknownSession
from ledger_api.auth.sessions import Begun
from ledger_api.auth.tokens import BadToken, Principal
from ledger_api.dependencies import (
    Deps,
    Writer,
    check_standing,
    count,
    limited_by_address,
    of_session,
    require,
)
from ledger_api.errors import CrossSite, Unauthenticated
from ledger_api.http import problems
from ledger_api.pages.shell.forms import Form, Posted
from ledger_api.pages.shell.guard import is_https, own_path
from ledger_api.pages.shell.homes import homes_of
from ledger_api.pages.shell.policy import Surface
from ledger_api.pages.shell.rendering import Shell
from ledger_api.pages.shell.route import shell_of
from ledger_api.ports import PageSettings
from ledger_api.services import Services

SECURE_COOKIE = "__Host-tongdui"
LOOPBACK_COOKIE = "tongdui_here"
"""Over plain http on this machine. Chromium (156, tried) takes Secure cookies there and Safari does not: this one goes
without."""

TOKEN_FIELD, KEY_FIELD = "token", "key"


def cookie_name(request: Request, settings: PageSettings) -> str:
    """Return the name of the session's cookie: `PageRoute` lets no page be asked for beyond TLS and loopback."""
    return SECURE_COOKIE if is_https(request, settings) else LOOPBACK_COOKIE


def form_token(secret: str) -> str:
    """Return the token that a session's forms carry: it follows from the cookie, and not the other way round."""
    return hmac.digest(secret.encode(), b"tongdui form", hashlib.sha256).hex()


def address_of(request: Request) -> str:
    """Return the address by which attempts to sign in are counted."""
    return request.client.host if request.client else "unknown"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who has signed in, and what a page of theirs is made with."""

    request: Request
    services: Services
    principal: Principal
    secret: str

    @property
    def shell(self) -> Shell:
        """What pages are made with."""
        return shell_of(self.request)

    def text(self, key: str, **values: object) -> str:
        """Return a text of the catalogue in the reader's language."""
        return self.shell.words[self.shell.preferences(self.request).language].text(key, **values)

    @property
    def is_chinese(self) -> bool:
        """Whether the reader reads Chinese."""
        return self.shell.preferences(self.request).language == "zh-CN"

    def page(
        self, template: str, *, status: int = 200, surface: Surface = Surface.SIGNED_IN, **content: object
    ) -> Response:
        """Return a page of the caller's own, which nothing between us and the screen keeps."""
        return self.shell.page(
            self.request,
            template,
            status=status,
            surface=surface,
            **content,
        )

    def what_is_wrong(self, error: TongduiError) -> str:
        """Return an expected error in the reader's words, for the summary above a form."""
        kind = problems.problem_type(error)
        document = problems.body(kind, request_id="", chinese=self.is_chinese, error=error)
        return str(document["detail"])


@dataclass(frozen=True, slots=True)
class Posting(Caller):
    """Somebody who sent a form of ours: its token was theirs."""

    form: Form

    @property
    def write(self) -> Writer:
        """The one way in which a write is done, under the form's own idempotency key."""
        return Writer(self.request, self.services, self.principal, self.form[KEY_FIELD] or None)

    def see(self, path: str, session: Begun | None = None) -> Response:
        """Return the browser to a page of ours, with the session's new cookie after a step-up."""
        answer = see(path)
        if session is not None:
            keep_session(self.request, answer, self.services, session)
        return answer

    def confirm_password(self) -> None:
        """Check the password in the form once more, before a step that is hard to take back.

        Raises SignInRefused, SignInThrottled, UnknownLogin or PasswordsBusy.
        """
        address = address_of(self.request)
        self.services.sign_in.confirm(self.principal.subject, self.form["password"], address=address)

    def renewed(self) -> Begun:
        """Give the session a new secret and id after that step: the old ones are void. Raises UnknownSession."""
        held = self.services.sessions.find(self.secret)
        if held is None:
            raise UnknownSession
        with self.services.database.transaction() as session:
            return self.services.sessions.renew(session, held)


def caller_of(request: Request, services: Deps) -> Caller:
    """Return who asks, by the session's cookie alone: a bearer token opens no page, as a cookie no route of the API.

    Raises Unauthenticated, BadToken or TooManyRequests.
    """
    secret = request.cookies.get(cookie_name(request, services.pages), "")
    if not secret:
        limited_by_address(request, services)
        raise Unauthenticated
    try:
        principal = of_session(services, secret)
    except BadToken:
        limited_by_address(request, services)
        raise
    count(request, services, "subject", principal.subject)
    with services.database.read() as session:
        check_standing(session, principal)
    # From here on every page that answers the request, an error too, has the caller's navigation.
    request.state.own = {
        "own_fields": partial(_own_fields, form_token(secret)),
        "homes": homes_of(principal.scopes),
    }
    return Caller(request, services, principal, secret)


def signed_in(*needed: str) -> Callable[[Caller], Caller]:
    """Return a dependency on who has signed in, with one of the scopes where any are named. Raises Forbidden."""

    def check(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
        if needed:
            require(caller.principal, *needed)
        return caller

    return check


def posting(*needed: str) -> Callable[[Caller, Posted], Posting]:
    """Return a dependency on a form of who has signed in; see `signed_in`.

    Raises CrossSite for a form without the token of this very session.
    """

    def check(caller: Annotated[Caller, Depends(caller_of)], form: Posted) -> Posting:
        if not hmac.compare_digest(form[TOKEN_FIELD].encode(), form_token(caller.secret).encode()):
            raise CrossSite
        if needed:
            require(caller.principal, *needed)
        return Posting(caller.request, caller.services, caller.principal, caller.secret, form)

    return check


def keep_session(request: Request, answer: Response, services: Services, begun: Begun) -> None:
    """Set the session's cookie for as long as the session may last: the server's clock ends that, not the browser's."""
    name = cookie_name(request, services.pages)
    lasts_s = max(0, begun.session.ends_at - services.clock.timestamp())
    answer.set_cookie(
        name, begun.secret, max_age=lasts_s, path="/", secure=name == SECURE_COOKIE, httponly=True, samesite="lax"
    )


def drop_session(request: Request, answer: Response, services: Services) -> None:
    """Take the session's cookie away."""
    name = cookie_name(request, services.pages)
    answer.delete_cookie(name, path="/", secure=name == SECURE_COOKIE, httponly=True, samesite="lax")


def see(path: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the browser to a page of ours, by GET, and keep nothing of that."""
    return RedirectResponse(own_path(path), status_code=303, headers={"Cache-Control": "no-store", **(headers or {})})


def _own_fields(token: str) -> Markup:
    key = secrets.token_urlsafe(18)
    return Markup('<input type="hidden" name="{}" value="{}"><input type="hidden" name="{}" value="{}">').format(
        TOKEN_FIELD, token, KEY_FIELD, key
    )
