"""Where source systems push their records, signed by Standard Webhooks: one record, many, or JSON Lines."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import structlog
from anyio import to_thread
from fastapi import APIRouter, Header
from fastapi import Path as InPath
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from issuers.errors import WebhookRefused
from issuers.sources.webhooks.signatures import SignedBody, WebhookHeaders
from issuers.sources.webhooks.sources import WebhookSource
from ledger_api.dependencies import Deps, count, limited_by_address
from ledger_api.errors import BodyTooLarge, TooManyRequests, UnsupportedBody
from ledger_api.http.answers import stored_response
from ledger_api.http.idempotency import StoredAnswer, WriteRequest, run_apart
from ledger_api.schemas.common import points
from ledger_api.schemas.issuing import PushOut, PushRefusal
from ledger_api.services import Services

PREFIX = "/v1/sources/"
"""Bodies under this path are read by the route, which spools and bounds them."""

SECURITY_SCHEME = {
    "type": "apiKey",
    "in": "header",
    "name": "webhook-signature",
    "description": "Standard Webhooks: `v1,` and the base64 HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}` "
    "under the source's secret (`tongdui issuers webhook create`), good for five minutes.",
}

_LINES = frozenset({"application/x-ndjson", "application/jsonl", "application/json-lines"})
_DOCUMENT = "application/json"
_REFUSALS_SHOWN = 100
_BODY = {"schema": {"oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}}

router = APIRouter(prefix="/v1/sources", tags=["Issuing"])
log = structlog.get_logger("tongdui.push")


@router.post(
    "/{system}/records",
    operation_id="pushRecords",
    response_model=PushOut,
    openapi_extra={
        "security": [{"webhook": []}],
        "requestBody": {
            "required": True,
            "content": {
                _DOCUMENT: _BODY,
                "application/x-ndjson": {"schema": {"type": "string", "description": "One JSON object a line."}},
            },
        },
    },
)
async def push(
    system: Annotated[str, InPath(pattern="^[a-z0-9][a-z0-9-]{0,62}$", examples=["cd-green"])],
    request: Request,
    services: Deps,
    _webhook_id: Annotated[str | None, Header(alias="webhook-id", description="The same at each retry.")] = None,
    _timestamp: Annotated[str | None, Header(alias="webhook-timestamp", description="Unix seconds.")] = None,
) -> Response:
    """Take records in as a source system pushes them: one, an array, the mapping's object, or JSON Lines (any may be
    gzip).

    The same `webhook-id` again, and the same body under another id, have no second effect, also at the same time.
    Refused records are listed with their reasons; the others are taken. 200 says that all of it is stored.
    """
    limited_by_address(request, services)
    is_lines = _is_lines(request.headers.get("content-type", ""))
    now = services.clock.timestamp()
    headers = WebhookHeaders.read(request.headers, now)
    source = await to_thread.run_sync(_open, services, system)
    limits = services.limits
    bytes_max = limits.push_lines_max if is_lines else limits.push_document_max
    with ExitStack() as place:
        place.enter_context(_place(request))
        with _spool(limits.spool_dir) as (file, path):
            signed = SignedBody(headers, source.secrets)
            size = 0
            try:
                async for part in request.stream():
                    size += len(part)
                    if size > bytes_max:
                        raise BodyTooLarge(bytes_max)
                    signed.update(part)
                    file.write(part)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody hears it
            file.flush()
            try:
                digest = signed.verify()
            except WebhookRefused as error:
                log.warning("push refused", system=system, reason=error.reason)
                raise
            place.close()  # its sender is known
            count(request, services, "source", f"push {system}")  # who cannot sign empties nobody's bucket
            return await to_thread.run_sync(_take, services, source, headers, digest, path, is_lines)


def _open(services: Services, system: str) -> WebhookSource:
    with services.database.read() as session:
        return services.webhooks.open(session, system)


def _take(
    services: Services, source: WebhookSource, headers: WebhookHeaders, digest: bytes, path: Path, is_lines: bool
) -> Response:
    mapping: str | Path = Path(source.mapping) if source.mapping.endswith(".yaml") else source.mapping

    def effect(_was_begun: bool) -> tuple[int, BaseModel]:
        report = services.issuers.push(source.programme, headers.webhook_id, path, mapping, is_lines=is_lines)
        refused = services.issuers.refusals_of_delivery(report.delivery_id, _REFUSALS_SHOWN)
        return 200, PushOut(
            outcome=report.outcome,
            delivery=str(report.delivery_id),
            rows=report.rows,
            statuses=dict(report.statuses),
            granted=points(report.granted_minor),
            refused=[
                PushRefusal(
                    refusal_id=str(one.refusal_id),
                    row=one.row,
                    line=one.line,
                    field=one.field,
                    code=one.code,
                    reason_en=one.reason_en,
                    reason_zh=one.reason_zh,
                )
                for one in refused
            ],
        )

    # The same bytes sent as another media type are another request.
    request_hash = hashlib.sha256(digest + (b"lines" if is_lines else b"document")).digest()
    once = WriteRequest(f"push {source.system}", headers.webhook_id, "pushRecords", request_hash)
    answer: StoredAnswer = run_apart(services.database, services.clock, once, effect)
    if not answer.is_replay:
        services.after_link()
    return stored_response(answer)


def _is_lines(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in _LINES:
        return True
    if media_type != _DOCUMENT:
        raise UnsupportedBody(media_type)
    return False


_SPOOLED: Counter[str] = Counter()
"""Bodies that are being read in this process, by the sender's address. Used in the event loop alone."""
_SPOOLED_MAX = 128
_SPOOLED_OF_ADDRESS_MAX = 32


@contextmanager
def _place(request: Request) -> Iterator[None]:
    """Take a place among the bodies that are being read: until its end nobody knows who signed one.

    Raises TooManyRequests.
    """
    address = request.client.host if request.client else ""
    if _SPOOLED[address] >= _SPOOLED_OF_ADDRESS_MAX or _SPOOLED.total() >= _SPOOLED_MAX:
        raise TooManyRequests(1)
    _SPOOLED[address] += 1
    try:
        yield
    finally:
        _SPOOLED[address] -= 1
        if not _SPOOLED[address]:
            del _SPOOLED[address]


@contextmanager
def _spool(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a file of our own for a body, and remove it at the end: it holds personal data."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(prefix="body-", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)


def sweep_spool(folder: Path, older_than_s: float = 3600.0) -> None:
    """Remove bodies that a crash left behind; those at work are younger."""
    for path in folder.glob("body-*"):
        try:
            if time.time() - path.stat().st_mtime > older_than_s:
                path.unlink()
        except FileNotFoundError:
            continue  # another gateway was faster
