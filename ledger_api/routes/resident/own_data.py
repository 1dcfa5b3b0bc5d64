"""What is one's own: who looked, everything there is about oneself, and the history for a spreadsheet."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ledger_api.dependencies import DEFAULT_LIMIT, Cursor, Deps, Limit, ResidentToken, own_resident
from ledger_api.http.answers import cacheable
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.http.problems import prefers_chinese
from ledger_api.own import data
from ledger_api.schemas.residents import ExportOut, LooksPage

router = APIRouter(tags=["Residents"])


@router.get("/v1/residents/me/looks", operation_id="listLooks", response_model=LooksPage)
def looks(
    request: Request, services: Deps, principal: ResidentToken, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Response:
    """Return who looked at one's account or source ids, newest first: which institution, for what, and when."""
    place = decode_cursor(cursor, 1)
    with services.database.read() as session:
        found = data.looks(session, own_resident(session, principal), None if place is None else place[0], limit + 1)
    next_cursor = encode_cursor(found[limit - 1].look_id) if len(found) > limit else None
    return cacheable(request, LooksPage(items=[data.look_out(one) for one in found[:limit]], next_cursor=next_cursor))


@router.get("/v1/residents/me/export", operation_id="exportOwnData", response_model=ExportOut)
def export(services: Deps, principal: ResidentToken) -> Response:
    """Download all that is kept about oneself, in clear: person, sources, wallet, history, orders, sessions, looks.

    Of history and orders at most 50,000 each; `is_complete` says whether that was all.
    """
    return data.export(services, principal)


@router.get(
    "/v1/wallet/history/csv",
    operation_id="downloadHistory",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
def history_csv(request: Request, services: Deps, principal: ResidentToken) -> Response:
    """Download the account's movements for a spreadsheet, newest first, at most 50,000; no cell is a formula."""
    chinese = prefers_chinese(request.headers.get("accept-language"))
    return data.history_csv(services, principal, chinese=chinese)
