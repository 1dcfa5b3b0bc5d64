"""How answers are written: problems, stored answers of writes, and reads that a client may keep (ETag)."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import structlog
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger_api.auth.errors import SignInThrottled
from ledger_api.auth.tokens import BadToken
from ledger_api.errors import TooManyRequests, Unauthenticated
from ledger_api.http import problems
from ledger_api.http.idempotency import StoredAnswer
from ledger_api.http.problems import ProblemType

log = structlog.get_logger("tongdui.api")


def request_id(request: Request) -> str:
    """Return the id that the outermost layer gave this request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def problem_response(
    request: Request,
    error: TongduiError | None = None,
    kind: ProblemType | None = None,
    extra: dict[str, Any] | None = None,
) -> Response:
    """Return the problem document of an error (or of a kind alone) in the language the client prefers."""
    kind = kind or (problems.problem_type(error) if error is not None else problems.INTERNAL)
    chinese = problems.prefers_chinese(request.headers.get("accept-language"))
    content = problems.body(kind, request_id=request_id(request), chinese=chinese, error=error, extra=extra)
    headers = {"Content-Language": "zh-CN" if chinese else "en", "Vary": "Accept-Language"}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, BadToken):
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    if isinstance(error, TooManyRequests | SignInThrottled):
        headers["Retry-After"] = str(error.retry_after_s)
    return Response(orjson.dumps(content), status_code=kind.status, media_type=problems.MEDIA_TYPE, headers=headers)


def stored_response(answer: StoredAnswer) -> Response:
    """Return the answer of a write; a repeat says so in ``Idempotency-Replayed``."""
    headers = {"Idempotency-Replayed": "true"} if answer.is_replay else {}
    return Response(answer.content, status_code=answer.status, media_type="application/json", headers=headers)


def cacheable(request: Request, model: BaseModel, *, is_public: bool = False, max_age_s: int = 0) -> Response:
    """Return a read with an ETag, or 304 where the client has it already (RFC 9110, 13.1.2)."""
    content = model.model_dump_json().encode()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    if is_public:
        headers = {"ETag": tag, "Cache-Control": f"public, max-age={max_age_s}, must-revalidate"}
    else:
        headers = private_headers(tag, max_age_s)
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def private_headers(tag: str, max_age_s: int = 0) -> dict[str, str]:
    """Return the headers of a read that only its caller may keep, under its ETag."""
    return {
        "ETag": tag,
        "Cache-Control": f"private, max-age={max_age_s}, must-revalidate",
        "Vary": "Authorization",
    }


def failed_response(request: Request, error: TongduiError) -> Response:
    """Return the answer to a request that came to an expected error; log it where the fault is ours."""
    response = problem_response(request, error)
    if response.status_code >= 500:
        log.error("failed", request_id=request_id(request), error=type(error).__name__, text=str(error))
    return response


def busy_response(request: Request, error: SQLAlchemyError) -> Response:
    """Return the answer where the database is away or has no connection left: nothing was done, so the same request
    may be sent again."""
    log.error("database", request_id=request_id(request), error=type(error).__name__)
    response = problem_response(request, kind=problems.UNAVAILABLE)
    response.headers["Retry-After"] = "1"
    return response
