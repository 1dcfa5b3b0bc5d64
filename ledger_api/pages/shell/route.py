"""The routes of pages: asked for under our name, sent by our forms, and every error a page."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as DatabaseTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ledger.errors import TongduiError
from ledger_api.auth.tokens import BadToken
from ledger_api.errors import CrossSite, NotRegistered, TooManyRequests, Unauthenticated, UnknownHost
from ledger_api.http import problems
from ledger_api.http.answers import request_id
from ledger_api.http.problems import ProblemType
from ledger_api.pages.shell.guard import SAFE, check_host, check_origin, own_path
from ledger_api.pages.shell.rendering import Shell

log = structlog.get_logger("tongdui.pages")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_BY_STATUS: dict[int, ProblemType] = {
    404: problems.NOT_FOUND,
    405: problems.METHOD,
    503: problems.UNAVAILABLE,
}


def shell_of(request: Request) -> Shell:
    """Return what the application makes pages with."""
    shell: Shell = request.app.state.shell
    return shell


class PageRoute(APIRoute):
    """A route that a person looks at."""

    def get_route_handler(self) -> Handler:
        """Return the handler between the checks before it and the error page after it."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            shell = shell_of(request)
            try:
                check_host(request, shell.settings)
                check_origin(request)
                return await inner(request)
            except (Unauthenticated, BadToken):
                return to_sign_in(request)
            except NotRegistered:
                return RedirectResponse("/wallet/register", status_code=303, headers={"Cache-Control": "no-store"})
            except TongduiError as error:
                return error_page(request, problems.problem_type(error), error)
            except (OperationalError, DatabaseTimeout) as error:
                log.error("database", request_id=request_id(request), error=type(error).__name__)
                return error_page(request, problems.UNAVAILABLE)
            except RequestValidationError:
                return error_page(request, problems.NOT_FOUND)
            except HTTPException as error:
                return error_page(request, _BY_STATUS.get(error.status_code, problems.INTERNAL))
            except Exception as error:  # noqa: BLE001  (the last resort: what nobody foresaw is a page too)
                # As plain text: a renderer that adds the frames' variables would put people's data into the log.
                trace = "".join(traceback.format_exception(error))
                log.error("crashed", request_id=request_id(request), traceback=trace)
                return error_page(request, problems.INTERNAL)

        return handler


def to_sign_in(request: Request) -> Response:
    """Lead who has not signed in, or no longer, to do so and back: to the page, or to the one whose form was sent."""
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method not in SAFE:
        sent_from = urlsplit(request.headers.get("referer", ""))
        back = sent_from.path if sent_from.netloc == request.headers.get("host") else "/"
    target = f"/sign-in?next={quote(own_path(back), safe='')}"
    return RedirectResponse(target, status_code=303, headers={"Cache-Control": "no-store"})


def error_page(request: Request, kind: ProblemType, error: TongduiError | None = None) -> Response:
    """Return what went wrong as a page; the words are the pages' own where they have some, else the API's."""
    shell = shell_of(request)
    if kind.status >= 500 and error is not None:
        log.error("failed", request_id=request_id(request), error=type(error).__name__, text=str(error))
    chosen = shell.preferences(request)
    words = shell.words[chosen.language]
    if f"error.{kind.slug}.title" in words.texts:
        title, text = words.text(f"error.{kind.slug}.title"), words.text(f"error.{kind.slug}.text")
    else:
        document = problems.body(kind, request_id="", chinese=chosen.language == "zh-CN", error=error)
        title, text = document["title"], document["detail"]
    answer = shell.page(request, "error.html", status=kind.status, title=title, text=text, number=request_id(request))
    answer.headers["Cache-Control"] = "no-store"
    if isinstance(error, TooManyRequests):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def page_for_nothing(request: Request, status: int) -> Response | None:
    """Return an error page where a browser asked for a page that does not exist; None where it is the API's to say."""
    accepts = request.headers.get("accept", "")
    if "text/html" not in accepts or request.url.path.startswith("/v1/") or status not in _BY_STATUS:
        return None
    try:
        check_host(request, shell_of(request).settings)
        check_origin(request)
    except (UnknownHost, CrossSite):
        return None
    return error_page(request, _BY_STATUS[status])
