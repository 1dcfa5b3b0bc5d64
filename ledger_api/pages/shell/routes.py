"""What pages need besides pages: static files, preferences, and browsers' reports of broken policy."""

from __future__ import annotations

import json

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ledger_api.dependencies import Deps, Public
from ledger_api.errors import NotFound
from ledger_api.pages.shell.assets import PREFIX
from ledger_api.pages.shell.forms import Posted
from ledger_api.pages.shell.guard import is_https, own_path
from ledger_api.pages.shell.policy import REPORTS_PATH
from ledger_api.pages.shell.preferences import KEPT_S, LANGUAGE_COOKIE, SIZE_COOKIE, SIZES
from ledger_api.pages.shell.rendering import with_body
from ledger_api.pages.shell.route import PageRoute, shell_of
from ledger_api.pages.shell.words import LANGUAGES

log = structlog.get_logger("tongdui.pages")

router = APIRouter(route_class=PageRoute, include_in_schema=False)
reports = APIRouter(include_in_schema=False)

REPORT_BYTES_MAX = 8_192


@router.get(PREFIX + "/{digest}/{name}")
async def asset(digest: str, name: str, request: Request) -> Response:
    """Return a static file; its path names its content, so it is kept for good."""
    found = shell_of(request).assets.get(digest, name)
    if found is None:
        raise NotFound("file", name)
    answer = Response(media_type=found.media_type)
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    answer.headers["Vary"] = "Accept-Encoding"
    return with_body(request, answer, found.content, found.packed)


@router.post("/preferences", dependencies=[Public])
def choose(request: Request, form: Posted) -> Response:
    """Keep a language or a size of type, and go back to where it was chosen.

    Nothing but these two cookies changes, which is why the form has no token: the browser's own word says that it came
    from a page of ours.
    """
    answer = RedirectResponse(own_path(form["back"]), status_code=303)
    for name, key, known in ((LANGUAGE_COOKIE, "language", LANGUAGES), (SIZE_COOKIE, "size", SIZES)):
        if form[key] in known:
            answer.set_cookie(
                name,
                form[key],
                max_age=KEPT_S,
                secure=is_https(request, shell_of(request).settings),
                httponly=True,
                samesite="lax",
            )
    return answer


@reports.post(REPORTS_PATH, dependencies=[Public])
async def report(request: Request, services: Deps) -> Response:
    """Note that a browser found a page breaking its policy. Of the report only the broken rule is kept, for the rest is
    the visitor's."""
    body = await request.body()
    services.metrics.policy_report()
    log.warning("policy", directive=_directive(body) if len(body) <= REPORT_BYTES_MAX else "too long")
    return Response(status_code=204)


def _directive(body: bytes) -> str:
    try:
        said = json.loads(body)["csp-report"]["effective-directive"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "unreadable"
    return said if isinstance(said, str) and len(said) <= 40 and said.replace("-", "").isalpha() else "unreadable"
