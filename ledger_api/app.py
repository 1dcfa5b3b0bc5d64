"""The application: routes, error handlers and layers around services that are passed in. It wires nothing itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as DatabaseTimeout
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger_api.auth import scopes
from ledger_api.dependencies import limited_by_address
from ledger_api.hot.layer import HotLayer, HotRoute
from ledger_api.hot.orders import HotOrders
from ledger_api.hot.wallet import HotWallet
from ledger_api.http import problems
from ledger_api.http.answers import busy_response, failed_response, problem_response
from ledger_api.http.middleware import BodyLimit, RequestLayer
from ledger_api.http.problems import ProblemType
from ledger_api.pages.room import add_pages
from ledger_api.pages.shell.route import page_for_nothing
from ledger_api.routes import webhooks
from ledger_api.routes.agency import claims, issuing, push
from ledger_api.routes.desk import desk
from ledger_api.routes.merchant import applications, merchants, payees, staff
from ledger_api.routes.merchant import orders as merchant_orders
from ledger_api.routes.operator import operations
from ledger_api.routes.public import programmes, sessions, verification
from ledger_api.routes.resident import erasure, exchange, orders, own_data, own_key, redemptions, wallet
from ledger_api.routes.resident import registration as residents
from ledger_api.schemas.common import FieldProblem, ProblemDocument
from ledger_api.services import Services

VERSION = "0.1.0"

DESCRIPTION = """\
A city's points under one standard: earned in one programme, exchanged across domains, redeemed at any merchant, and
verified by anyone with the right to look.

* Amounts are text. Points come as `points` (two decimals) and `minor` (hundredths); values in RMB as `yuan` and `fen`.
* Times are RFC 3339 in UTC+8. Ids of the chain are `0x` and hexadecimal digits.
* Every write needs an `Idempotency-Key`, but for what carries a password or a secret. The answer is stored in the
  transaction of the effect.
* Errors are RFC 9457 problem details; branch on `type`, which `GET /problems/{slug}` explains. `Accept-Language: zh-CN`
  gives Chinese titles and details.
* Lists are paged by `cursor`. Reads carry an `ETag`.
* Requests are counted by the token's subject, or by address. `RateLimit` says how many are left; 429 has `Retry-After`.
"""

TAGS = [
    {"name": "Sign-in", "description": "Logins with name and password, and one's own sessions."},
    {"name": "Residents", "description": "Who a login is, and which source ids are whose."},
    {"name": "Wallet", "description": "Balances by programme, lots, what expires soon, history."},
    {"name": "Exchange", "description": "Points of one programme into another's, at fixed par."},
    {"name": "Redemption", "description": "Points for goods, and the code to show at the counter."},
    {"name": "Orders", "description": "What became of an order, and its receipt."},
    {"name": "Own key", "description": "For residents who sign their orders themselves."},
    {"name": "Merchants", "description": "Offers, counters, statements."},
    {"name": "Community desk", "description": "Serving residents without a phone."},
    {"name": "Issuing", "description": "For an agency: its records, refusals and reviews."},
    {"name": "Webhooks", "description": "Being told what is final."},
    {"name": "Programmes", "description": "Pars, flags, supply, flows, funding."},
    {"name": "Clearing", "description": "Who owes whom."},
    {"name": "Verification", "description": "Checking what we say, without our database."},
    {"name": "Operations", "description": "Health, invariants, metrics, keys."},
]


def create_app(services: Services) -> FastAPI:
    """Return the application around ``services``, which its owner opens and closes."""
    app = _routed()
    app.state.services = services
    app.state.hot = (HotWallet(services), HotOrders(services))
    add_pages(app, services.pages)
    _handle_errors(app)
    app.add_middleware(HotLayer, services=services, routes=_hot_routes(app.state.hot))
    app.add_middleware(BodyLimit, bytes_max=services.limits.document_max, streamed=push.PREFIX)
    app.add_middleware(RequestLayer, metrics=services.metrics)
    return app


def _hot_routes(hot: Iterable[HotRoute]) -> dict[str, tuple[HotRoute, Any]]:
    """Return the routes that are answered before the framework, with the framework's own of the same name."""
    known = {
        f"{method} {route.path}": route
        for router in (wallet.router, redemptions.router)
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    named = {f"{one.method} {one.path}": one for one in hot}
    return {name: (one, known[name]) for name, one in named.items()}


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document, which the routes alone decide: it needs no services."""
    return _routed().openapi()


def _routed() -> FastAPI:
    """Return the application with its routes and their description, but without services."""
    app = FastAPI(
        title="Tongdui",
        summary="City points exchange (通兑)",
        description=DESCRIPTION,
        version=VERSION,
        openapi_tags=TAGS,
        # The usual pages load scripts from a CDN; this API lets no page of its own load anything.
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_lifespan,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        responses={status: {"model": ProblemDocument, "description": text} for status, text in _PROBLEMS.items()},
    )
    counted: set[str | None] = set()
    for topic in (
        sessions,
        residents,
        erasure,
        own_data,
        wallet,
        exchange,
        redemptions,
        orders,
        own_key,
        merchants,
        applications,
        payees,
        merchant_orders,
        staff,
        desk,
        issuing,
        claims,
        push,
        webhooks,
        programmes,
        verification,
        operations,
    ):
        app.include_router(topic.router)
        counted |= {
            route.operation_id
            for route in topic.router.routes
            if isinstance(route, APIRoute)
            and any(one.call is limited_by_address for one in route.dependant.dependencies)
        }
    _complete_openapi(app, frozenset(counted))
    return app


THREADS_MAX = 16
"""Requests at work at once. Each may hold a database connection, of which the pool has 20; others wait their turn."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    push.sweep_spool(app.state.services.limits.spool_dir)
    to_thread.current_default_thread_limiter().total_tokens = THREADS_MAX
    yield
    for hot in app.state.hot:
        await run_in_threadpool(hot.close)


_PROBLEMS: dict[int | str, str] = {
    "4XX": "The request cannot be served; `type` says why.",
    "5XX": "Something is wrong here; try again later.",
}


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(TongduiError)
    def on_expected(request: Request, error: TongduiError) -> Response:
        return failed_response(request, error)

    @app.exception_handler(OperationalError)
    @app.exception_handler(DatabaseTimeout)
    def on_busy(request: Request, error: SQLAlchemyError) -> Response:
        return busy_response(request, error)

    @app.exception_handler(RequestValidationError)
    def on_invalid(request: Request, error: RequestValidationError) -> Response:
        details = error.errors()
        if any(one["type"] == "json_invalid" for one in details):
            return problem_response(request, kind=problems.MALFORMED)
        # The input itself is left out: it may be personal.
        fields = [FieldProblem(pointer=_pointer(one["loc"]), reason=str(one["msg"])).model_dump() for one in details]
        return problem_response(request, kind=problems.VALIDATION, extra={"fields": fields})

    @app.exception_handler(HTTPException)
    def on_http(request: Request, error: HTTPException) -> Response:
        page = page_for_nothing(request, error.status_code)
        if page is not None:
            return page
        response = problem_response(request, kind=_HTTP_KINDS.get(error.status_code, problems.INTERNAL))
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response


_HTTP_KINDS: dict[int, ProblemType] = {
    400: problems.MALFORMED,
    404: problems.NOT_FOUND,
    405: problems.METHOD,
    503: problems.UNAVAILABLE,
}


def _pointer(location: tuple[int | str, ...]) -> str:
    where, *path = location
    if where == "body":
        return "/" + "/".join(str(part) for part in path)
    return ".".join(str(part) for part in path) or str(where)


def _complete_openapi(app: FastAPI, counted: frozenset[str | None]) -> None:
    """Add what FastAPI cannot know: scopes, the language header, what is said of the rate limit.

    ``counted`` are the operations without a token that are counted all the same.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                license_info=app.license_info,
            )
            _name_problems(schema)
            _say_quotas(schema, counted)
            schema["components"]["securitySchemes"]["bearer"]["x-scopes"] = scopes.DESCRIPTIONS
            schema["components"]["securitySchemes"]["webhook"] = push.SECURITY_SCHEME
            schema["components"].setdefault("parameters", {})["AcceptLanguage"] = {
                "name": "Accept-Language",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "example": "zh-CN",
                "description": "Language of problem titles and details: Chinese or English.",
            }
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


_QUOTA_HEADERS = {
    "RateLimit-Policy": {
        "description": "By what requests are counted, how many (`q`) may come in how many seconds (`w`), as in "
        "draft-ietf-httpapi-ratelimit-headers-10.",
        "schema": {"type": "string"},
        "example": '"subject";q=600;w=60',
    },
    "RateLimit": {
        "description": "How many may come at once now (`r`), and in how many seconds one more (`t`).",
        "schema": {"type": "string"},
        "example": '"subject";r=598;t=1',
    },
    "Retry-After": {
        "description": "After how many seconds to come again; with 429, 503 and wherever waiting helps.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 1,
    },
}


def _say_quotas(schema: dict[str, Any], counted: frozenset[str | None]) -> None:
    """Name the rate limit's headers where requests are counted: with a token, a signature, or by address."""
    schema["components"]["headers"] = _QUOTA_HEADERS
    for methods in schema["paths"].values():
        for operation in methods.values():
            if "security" not in operation and operation["operationId"] not in counted:
                continue
            for status, answer in operation["responses"].items():
                names = _QUOTA_HEADERS if status in _PROBLEMS else ("RateLimit-Policy", "RateLimit")
                answer.setdefault("headers", {}).update(
                    {name: {"$ref": f"#/components/headers/{name}"} for name in names}
                )


def _name_problems(schema: dict[str, Any]) -> None:
    """Give problems their own media type: FastAPI describes them as plain JSON, and 422 in a form of its own."""
    for methods in schema["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)
            for status in _PROBLEMS:
                content = operation["responses"][status]["content"]
                content[problems.MEDIA_TYPE] = content.pop("application/json")
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
