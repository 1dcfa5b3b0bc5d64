"""What is one's own: the wallet, who looked, everything there is about oneself, and the history for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.residents.registry import Resident
from ledger.standard.ids import Address
from ledger.store.models.api import IdentityLookRow
from ledger_api.auth.tokens import Principal
from ledger_api.dependencies import own_resident
from ledger_api.http.csv_text import ROWS_MAX, Number, csv_response
from ledger_api.http.paging import PAGE_SIZE_MAX
from ledger_api.own.orders import order_page
from ledger_api.schemas.common import moment
from ledger_api.schemas.orders import OrderOut
from ledger_api.schemas.residents import ExportOut, LookOut, SourceOut
from ledger_api.schemas.wallet import HistoryItem, WalletOut
from ledger_api.services import Services
from ledger_api.views import queries
from ledger_api.views.residents import resident_out, session_out
from ledger_api.views.wallet import history_item_out, wallet_out
from redemption.lists import OrderFilter

_HEADER_EN = ("time", "kind", "programme", "points", "shop", "goods", "deed", "reference", "transaction")
_HEADER_ZH = ("时间", "类型", "积分项目", "积分", "商户", "商品", "事由", "编号", "链上交易")


def wallet_of(session: Session, services: Services, account: Address) -> WalletOut:
    """Return an account's wallet from one snapshot."""
    held = services.orders.holdings(session, account)
    return wallet_out(account, held, services.names, services.clock.timestamp())


def export(services: Services, principal: Principal) -> Response:
    """Return all that is kept about the caller, in clear, to download."""
    with services.database.read() as session:
        resident = services.registry.get(session, own_resident(session, principal))
        history = list(_history(session, resident))
        orders = list(_orders(session, services, resident))
        seen = looks(session, resident.resident_id, None, ROWS_MAX)
        content = ExportOut(
            exported_at=moment(services.clock.timestamp()),
            is_complete=max(len(history), len(orders), len(seen)) < ROWS_MAX,
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
            looks=[look_out(one) for one in seen],
        )
    headers = {"Content-Disposition": 'attachment; filename="tongdui-my-data.json"', "Cache-Control": "no-store"}
    return Response(content.model_dump_json(indent=2), media_type="application/json", headers=headers)


def history_csv(services: Services, principal: Principal, *, chinese: bool) -> Response:
    """Return the caller's movements for a spreadsheet, newest first, at most 50,000; no cell is a formula."""
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


def looks(session: Session, resident_id: int, before: int | None, limit: int) -> list[IdentityLookRow]:
    """Return who looked at a resident's account or source ids, newest first, before one of them."""
    row = IdentityLookRow
    query = select(row).where(row.resident_id == resident_id).order_by(row.look_id.desc()).limit(limit)
    if before is not None:
        query = query.where(row.look_id < before)
    return list(session.scalars(query))


def look_out(row: IdentityLookRow) -> LookOut:
    """Return a look as its resident sees it."""
    return LookOut(at=moment(row.looked_at), institution=row.institution, operation=row.operation)
