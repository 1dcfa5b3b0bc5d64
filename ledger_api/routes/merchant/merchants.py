"""Merchants and offers for everybody to see; statements for the merchant alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger.orders.terms import accepted_programmes
from ledger.standard.amounts import yuan_text
from ledger.standard.ids import MerchantId, order_id_text
from ledger_api.auth import scopes
from ledger_api.dependencies import (
    DEFAULT_LIMIT,
    Cursor,
    Deps,
    Limit,
    Public,
    Who,
    Write,
    require,
)
from ledger_api.http.answers import cacheable
from ledger_api.http.csv_text import ROWS_MAX, Number, csv_response
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.http.problems import prefers_chinese
from ledger_api.schemas.common import MerchantNumber, Moment, OfferIdText, hex_text, moment, money
from ledger_api.schemas.merchants import (
    MerchantIn,
    MerchantOut,
    MerchantPage,
    OfferChange,
    OfferIn,
    OfferOut,
    OfferPage,
)
from ledger_api.schemas.redemption import StatementLine, StatementOut
from ledger_api.services import Services
from ledger_api.views import queries
from ledger_api.views.common import as_of
from ledger_api.views.merchants import merchant_out, offer_out
from redemption import statements
from redemption.errors import UnknownOffer
from redemption.merchants import ACTIVE, Merchant
from redemption.offers import Offer

router = APIRouter(tags=["Merchants"])


@router.get("/v1/merchants", operation_id="listMerchants", response_model=MerchantPage, dependencies=[Public])
def list_merchants(request: Request, services: Deps, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
    """Return all merchants, by number."""
    place = decode_cursor(cursor, 1)
    with services.database.read() as session:
        found = services.merchants.page(session, place[0] if place else None, limit + 1)
        known = services.merchants.registered(session, [one.merchant_id for one in found])
    next_cursor = encode_cursor(found[limit - 1].merchant_id) if len(found) > limit else None
    items = [merchant_out(one, is_registered=one.merchant_id in known) for one in found[:limit]]
    page = MerchantPage(items=items, next_cursor=next_cursor)
    return cacheable(request, page, is_public=True, max_age_s=60)


@router.get(
    "/v1/merchants/{merchant_id}", operation_id="getMerchant", response_model=MerchantOut, dependencies=[Public]
)
def get_merchant(merchant_id: MerchantNumber, request: Request, services: Deps) -> Response:
    """Return a merchant."""
    with services.database.read() as session:
        found = services.merchants.get(session, merchant_id)
        is_registered = bool(services.merchants.registered(session, [merchant_id]))
    return cacheable(request, merchant_out(found, is_registered=is_registered), is_public=True, max_age_s=60)


@router.put("/v1/merchants/{merchant_id}", operation_id="saveMerchant", response_model=MerchantOut)
def save_merchant(merchant_id: MerchantNumber, body: MerchantIn, write: Write) -> Response:
    """Change what people read about a merchant, or create it for one that the registrar has on the chain already.

    A new shop comes in by an application (`applyAsMerchant`), which registers its key and scope on the chain too.
    """
    require(write.principal, scopes.OPERATOR, scopes.merchant(merchant_id))
    directory = write.services.merchants

    def effect(session: Session) -> tuple[int, BaseModel]:
        known = directory.get(session, merchant_id) if directory.exists(session, merchant_id) else None
        status = body.status or (ACTIVE if known is None else known.status)
        if known is None or status != known.status:  # a suspended merchant must not come back by itself
            require(write.principal, scopes.OPERATOR)
        directory.save(
            session,
            Merchant(
                merchant_id=MerchantId(merchant_id),
                signer_name=None if known is None else known.signer_name,
                status=status,
                **body.model_dump(exclude={"status"}),
            ),
        )
        is_registered = bool(directory.registered(session, [merchant_id]))
        return 200, merchant_out(directory.get(session, merchant_id), is_registered=is_registered)

    return write.once(body, effect)


@router.get("/v1/offers", operation_id="listOffers", response_model=OfferPage, dependencies=[Public])
def list_offers(
    request: Request,
    services: Deps,
    merchant: Annotated[MerchantNumber | None, Query(description="Only this merchant's.")] = None,
    after: Annotated[OfferIdText | None, Query(description="`next_cursor` of the page before.")] = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Return the offers that can be redeemed now, with their price in each programme's points."""
    with services.database.read() as session:
        found = services.offers.page(session, merchant_id=merchant, after=after, limit=limit + 1, only_open=True)
        items = [_offer(session, services, one) for one in found[:limit]]
    next_cursor = found[limit - 1].offer_id if len(found) > limit else None
    return cacheable(request, OfferPage(items=items, next_cursor=next_cursor), is_public=True, max_age_s=5)


@router.get("/v1/offers/{offer_id}", operation_id="getOffer", response_model=OfferOut, dependencies=[Public])
def get_offer(offer_id: OfferIdText, request: Request, services: Deps) -> Response:
    """Return an offer."""
    with services.database.read() as session:
        answer = _offer(session, services, services.offers.get(session, offer_id))
    return cacheable(request, answer, is_public=True, max_age_s=5)


@router.post("/v1/merchants/{merchant_id}/offers", operation_id="createOffer", status_code=201, response_model=OfferOut)
def create_offer(merchant_id: MerchantNumber, body: OfferIn, write: Write) -> Response:
    """Put an offer in the catalogue. Its price never changes: end it and make another."""
    require(write.principal, *scopes.of_shop(merchant_id))
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        made = services.offers.create(
            session,
            Offer(
                offer_id="",
                merchant_id=MerchantId(merchant_id),
                title_zh=body.title_zh,
                title_en=body.title_en,
                price_fen=int(body.price_fen),
                description_zh=body.description_zh,
                description_en=body.description_en,
                stock_total=body.stock_total,
                per_resident_max=body.per_resident_max,
                opens_at=_unix(body.opens_at),
                closes_at=_unix(body.closes_at),
            ),
        )
        return 201, _offer(session, services, made, shows_money=True)

    return write.once(body, effect)


@router.post("/v1/merchants/{merchant_id}/offers/{offer_id}", operation_id="changeOffer", response_model=OfferOut)
def change_offer(merchant_id: MerchantNumber, offer_id: OfferIdText, body: OfferChange, write: Write) -> Response:
    """Restock, pause, resume or end an offer."""
    require(write.principal, *scopes.of_shop(merchant_id))
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        found = services.offers.get(session, offer_id)
        if found.merchant_id != merchant_id:
            raise UnknownOffer(offer_id)
        if "stock_total" in body.model_fields_set:
            found = services.offers.restock(session, offer_id, body.stock_total)
        if body.status is not None:
            found = services.offers.set_status(session, offer_id, body.status)
        return 200, _offer(session, services, found, shows_money=True)

    return write.once(body, effect)


@router.get("/v1/merchants/{merchant_id}/statement", operation_id="getStatement", response_model=StatementOut)
def get_statement(
    merchant_id: MerchantNumber,
    request: Request,
    services: Deps,
    principal: Who,
    since: Annotated[Moment, Query(description="RFC 3339, with its offset.")],
    until: Annotated[Moment, Query(description="RFC 3339, not included.")],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Return what the merchant was paid and what it gave back in a time, from the chain's own events."""
    require(principal, *scopes.of_shop(merchant_id), scopes.FINANCE)
    place = decode_cursor(cursor, 2)
    start, end = _unix(since), _unix(until)
    with services.database.read() as session:
        services.merchants.get(session, merchant_id)
        block = queries.projected_block(session)
        found = statements.statement(session, merchant_id, start or 0, end or 0, place, limit + 1)
    lines = found.lines[:limit]
    more = len(found.lines) > limit
    answer = StatementOut(
        merchant=merchant_id,
        since=moment(found.since),
        until=moment(found.until),
        orders=found.orders,
        paid=money(found.paid_fen),
        refunded=money(found.refunded_fen),
        paid_out=money(found.paid_out_fen),
        position=money(found.claim.total_fen),
        matured=money(found.claim.matured_fen),
        maturing=money(found.claim.total_fen - found.claim.matured_fen),
        locked=money(found.locked_fen),
        as_of=as_of(block),
        lines=[
            StatementLine(
                at=moment(line.at),
                kind=line.kind,
                order_id=None if line.order_id is None else order_id_text(line.order_id),
                offer=line.offer_id,
                amount=money(line.fen),
                is_by_arbiter=line.is_by_arbiter,
                payment_reference=None if line.payment_reference is None else hex_text(line.payment_reference),
            )
            for line in lines
        ],
        next_cursor=encode_cursor(lines[-1].block_number, lines[-1].log_index) if more else None,
    )
    return cacheable(request, answer)


_STATEMENT_EN = ("time", "kind", "order", "offer", "yuan", "by the arbiter", "payment reference")
_STATEMENT_ZH = ("时间", "类型", "指令", "商品", "金额（元）", "仲裁退还", "付款编号")


@router.get(
    "/v1/merchants/{merchant_id}/statement/csv",
    operation_id="downloadStatement",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
def statement_csv(
    merchant_id: MerchantNumber,
    request: Request,
    services: Deps,
    principal: Who,
    since: Annotated[Moment, Query(description="RFC 3339, with its offset.")],
    until: Annotated[Moment, Query(description="RFC 3339, not included.")],
) -> Response:
    """Download a statement's lines for a spreadsheet, oldest first, at most 50,000; no cell is a formula."""
    require(principal, *scopes.of_shop(merchant_id), scopes.FINANCE)
    chinese = prefers_chinese(request.headers.get("accept-language"))
    with services.database.read() as session:
        services.merchants.get(session, merchant_id)
        found = statements.statement(session, merchant_id, _unix(since) or 0, _unix(until) or 0, None, ROWS_MAX)
    rows = [
        (
            moment(line.at).isoformat(),
            line.kind,
            None if line.order_id is None else order_id_text(line.order_id),
            line.offer_id,
            Number(yuan_text(line.fen)),
            "1" if line.is_by_arbiter else "",
            None if line.payment_reference is None else hex_text(line.payment_reference),
        )
        for line in found.lines
    ]
    return csv_response(f"tongdui-statement-{merchant_id}.csv", _STATEMENT_ZH if chinese else _STATEMENT_EN, rows)


def _offer(session: Session, services: Services, found: Offer, *, shows_money: bool = False) -> OfferOut:
    pars = accepted_programmes(session, found.merchant_id, services.clock.timestamp())
    return offer_out(found, pars, services.names, shows_money=shows_money)


def _unix(when: datetime | None) -> int | None:
    return None if when is None else int(when.timestamp())
