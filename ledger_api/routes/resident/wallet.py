"""What a resident has: balances, lots, what expires soon, history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from ledger.standard.civil_time import DAY_S
from ledger_api.dependencies import (
    DEFAULT_LIMIT,
    Cursor,
    Deps,
    GrantIdPath,
    Limit,
    ResidentToken,
    UncheckedResident,
    check_standing,
    hash_of,
    own_account,
    own_resident,
)
from ledger_api.errors import NotFinal, NotFound
from ledger_api.http.answers import cacheable
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.own.data import wallet_of
from ledger_api.schemas.common import moment
from ledger_api.schemas.issuing import GrantList
from ledger_api.schemas.verification import ReceiptIn
from ledger_api.schemas.wallet import HistoryPage, LotOut, WalletOut
from ledger_api.views import queries
from ledger_api.views.issuing import grant_out
from ledger_api.views.wallet import history_item_out, lot_out

router = APIRouter(tags=["Wallet"])


@router.get("/v1/wallet", operation_id="getWallet", response_model=WalletOut)
def wallet(request: Request, services: Deps, principal: UncheckedResident) -> Response:
    """Return all that the resident holds, by programme and by lot, as of the last final block that was read."""
    with services.database.read() as session:
        check_standing(session, principal)
        shown = wallet_of(session, services, own_account(session, principal))
    return cacheable(request, shown)


@router.get("/v1/wallet/expiring", operation_id="listExpiringLots", response_model=list[LotOut])
def expiring(
    services: Deps,
    principal: ResidentToken,
    within_days: Annotated[int, Query(ge=1, le=3660, description="How far to look ahead.")] = 90,
) -> list[LotOut]:
    """Return the live lots that expire soon, soonest first."""
    with services.database.read() as session:
        resident = services.registry.get(session, own_resident(session, principal))
        held = services.orders.holdings(session, resident.account)
    now = services.clock.timestamp()
    last = moment(now + within_days * DAY_S)
    lots = [lot_out(token, minor, held.terms, now) for token, minor in held.balances]
    soon = [lot for lot in lots if lot.expires_at is not None and not lot.is_expired and lot.expires_at <= last]
    return sorted(soon, key=lambda lot: (lot.expires_at, lot.programme))


@router.get("/v1/wallet/history", operation_id="listHistory", response_model=HistoryPage)
def history(
    request: Request, services: Deps, principal: ResidentToken, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Response:
    """Return the account's movements, newest first."""
    before = decode_cursor(cursor, 3)
    with services.database.read() as session:
        resident = services.registry.get(session, own_resident(session, principal))
        entries = queries.history(session, resident.account, before, limit + 1)
        page = entries[:limit]
        names = queries.history_names(session, resident.resident_id, page)
    last = page[-1] if len(entries) > limit else None
    return cacheable(
        request,
        HistoryPage(
            items=[history_item_out(entry, names) for entry in page],
            next_cursor=None if last is None else encode_cursor(last.block_number, last.log_index, last.side),
        ),
    )


@router.get("/v1/wallet/grants", operation_id="listGrants", response_model=GrantList)
def grants(services: Deps, principal: ResidentToken, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> GrantList:
    """Return the latest awards, newest first, each with the rule that made it."""
    with services.database.read() as session:
        account = services.registry.get(session, own_resident(session, principal)).account
    found = [services.issuers.explain(grant_id) for grant_id in services.issuers.grants_of(account, limit)]
    return GrantList(items=[grant_out(one) for one in found])


@router.get("/v1/wallet/grants/{grant_id}/receipt", operation_id="getGrantReceipt", response_model=ReceiptIn)
def grant_receipt(grant_id: GrantIdPath, services: Deps, principal: ResidentToken) -> Response:
    """Download the receipt of one's own award: leaf, path to the batch's root, proof of the root on chain."""
    key = hash_of("grant_id", grant_id)
    with services.database.read() as session:
        account = services.registry.get(session, own_resident(session, principal)).account
    found = services.issuers.explain(key)
    if found.account != account:
        raise NotFound("grant", grant_id)
    receipt = services.receipts.for_grant(key)
    if receipt is None:
        raise NotFinal(grant_id)
    return Response(
        ReceiptIn.model_validate(receipt).model_dump_json(),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="grant-{grant_id[2:14]}.json"'},
    )
