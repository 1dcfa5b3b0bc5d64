"""What is one's own: who looked, everything there is about oneself, and the history for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger.residents.registry import Resident
from ledger.store.models.api import IdentityLookRow
from ledger_api.dependencies import DEFAULT_LIMIT, Cursor, Deps, Limit, ResidentToken, own_resident
from ledger_api.http.answers import cacheable
from ledger_api.http.csv_text import ROWS_MAX, Number, csv_response
from ledger_api.http.paging import PAGE_SIZE_MAX, decode_cursor, encode_cursor
from ledger_api.http.problems import prefers_chinese
from ledger_api.routes.public.sessions import session_out
from ledger_api.routes.resident.redemptions import order_page
from ledger_api.routes.resident.wallet import wallet_of
from ledger_api.schemas.common import moment
from ledger_api.schemas.orders import OrderOut
from ledger_api.schemas.residents import ExportOut, LookOut, LooksPage, SourceOut
from ledger_api.schemas.wallet import HistoryItem
from ledger_api.services import Services
from ledger_api.views import queries
from ledger_api.views.residents import resident_out
from ledger_api.views.wallet import history_item_out
from redemption.lists import OrderFilter

router = APIRouter(tags=["Residents"])


@router.get("/v1/residents/me/looks", operation_id="listLooks", response_model=LooksPage)
def looks(
    request: Request, services: Deps, principal: ResidentToken, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Response:
    """Return who looked at one's account or source ids, newest first: which institution, for what, and when."""
    place = decode_cursor(cursor, 1)
    with services.database.read() as session:
        found = _looks(session, own_resident(session, principal), None if place is None else place[0], limit + 1)
    next_cursor = encode_cursor(found[limit - 1].look_id) if len(found) > limit else None
    return cacheable(request, LooksPage(items=[_look_out(one) for one in found[:limit]], next_cursor=next_cursor))


@router.get("/v1/residents/me/export", operation_id="exportOwnData", response_model=ExportOut)
def export(services: Deps, principal: ResidentToken) -> Response:
    """Download all that is kept about oneself, in clear: person, sources, wallet, history, orders, sessions, looks.

    Of history and orders at most 50,000 each; `is_complete` says whether that was all.
    """
    with services.database.read() as session:
        resident = services.registry.get(session, own_resident(session, principal))
        history = list(_history(session, resident))
        orders = list(_orders(session, services, resident))
        found = _looks(session, resident.resident_id, None, ROWS_MAX)
        content = ExportOut(
            exported_at=moment(services.clock.timestamp()),
            is_complete=max(len(history), len(orders), len(found)) < ROWS_MAX,
            resident=resident_out(resident),
            profile=services.registry.profile(session, resident.resident_id),
            sources=[
                SourceOut(programme=programme, source_id=source, state=state)
                for programme, source, state in services.registry.linked_sources(session, resident.resident_id)
            ],
            wallet=wallet_of(session, services, resident.account),
            history=history,
            orders=orders,
            sessions=[session_out(one, None) for one in services.sessions.of_subject(session, principal.subject)],
            looks=[_look_out(one) for one in found],
        )
    headers = {"Content-Disposition": 'attachment; filename="tongdui-my-data.json"', "Cache-Control": "no-store"}
    return Response(content.model_dump_json(indent=2), media_type="application/json", headers=headers)


_HEADER_EN = ("time", "kind", "programme", "points", "shop", "goods", "deed", "reference", "transaction")
_HEADER_ZH = ("时间", "类型", "积分项目", "积分", "商户", "商品", "事由", "编号", "链上交易")


@router.get(
    "/v1/wallet/history/csv",
    operation_id="downloadHistory",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
def history_csv(request: Request, services: Deps, principal: ResidentToken) -> Response:
    """Download the account's movements for a spreadsheet, newest first, at most 50,000; no cell is a formula."""
    chinese = prefers_chinese(request.headers.get("accept-language"))
    with services.database.read() as session:
        resident = services.registry.get(session, own_resident(session, principal))
        items = list(_history(session, resident))
    names = services.names
    rows = [
        (
            item.at.isoformat(),
            item.kind,
            _name(names[item.programme].name_zh, names[item.programme].name_en, chinese)
            if item.programme in names
            else str(item.programme),
            Number(item.delta.points),
            _name(item.merchant_zh, item.merchant_en, chinese),
            _name(item.title_zh, item.title_en, chinese),
            item.activity,
            item.reference,
            item.transaction,
        )
        for item in items
    ]
    return csv_response("tongdui-history.csv", _HEADER_ZH if chinese else _HEADER_EN, rows)


def _name(zh: str | None, en: str | None, chinese: bool) -> str | None:
    return (zh or en) if chinese else (en or zh)


def _history(session: Session, resident: Resident) -> Iterator[HistoryItem]:
    """Yield all of an account's movements, newest first, up to the limit of an export."""
    place: tuple[int, int, int] | None = None
    for _ in range(ROWS_MAX // PAGE_SIZE_MAX):
        page = queries.history(session, resident.account, place, PAGE_SIZE_MAX)
        names = queries.history_names(session, resident.resident_id, page)
        yield from (history_item_out(entry, names) for entry in page)
        if len(page) < PAGE_SIZE_MAX:
            return
        place = (page[-1].block_number, page[-1].log_index, page[-1].side)


def _orders(session: Session, services: Services, resident: Resident) -> Iterator[OrderOut]:
    cursor = None
    for _ in range(ROWS_MAX // PAGE_SIZE_MAX):
        page = order_page(session, services, OrderFilter(resident_id=resident.resident_id), cursor, PAGE_SIZE_MAX)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def _looks(session: Session, resident_id: int, before: int | None, limit: int) -> list[IdentityLookRow]:
    row = IdentityLookRow
    query = select(row).where(row.resident_id == resident_id).order_by(row.look_id.desc()).limit(limit)
    if before is not None:
        query = query.where(row.look_id < before)
    return list(session.scalars(query))


def _look_out(row: IdentityLookRow) -> LookOut:
    return LookOut(at=moment(row.looked_at), institution=row.institution, operation=row.operation)
