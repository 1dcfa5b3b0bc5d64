"""Merchants and offers for everybody to see; counters and statements for the merchant alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger.orders.terms import accepted_programmes
from ledger.standard.ids import MerchantId, OrderIdText, order_id_text
from ledger_api.auth import scopes
from ledger_api.dependencies import (
    DEFAULT_LIMIT,
    Cursor,
    Deps,
    Limit,
    Public,
    Who,
    Write,
    actor_of,
    order_id_of,
    require,
)
from ledger_api.http.answers import cacheable
from ledger_api.http.paging import decode_cursor, encode_cursor
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
from ledger_api.schemas.redemption import (
    CaptureIn,
    CodeIn,
    MerchantOrderOut,
    MerchantOrderPage,
    ReasonIn,
    RefundIn,
    RefundOut,
    StatementLine,
    StatementOut,
)
from ledger_api.schemas.residents import Done
from ledger_api.services import Services
from ledger_api.views import queries
from ledger_api.views.common import as_of
from ledger_api.views.merchants import merchant_order_out, merchant_out, offer_out
from redemption import statements
from redemption.errors import UnknownOffer
from redemption.merchants import ACTIVE, Merchant
from redemption.offers import Offer
from redemption.orders import RedemptionOrder

router = APIRouter(tags=["Merchants"])


@router.get("/v1/merchants", operation_id="listMerchants", response_model=MerchantPage, dependencies=[Public])
def list_merchants(request: Request, services: Deps, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response:
    """Return all merchants, by number."""
    place = decode_cursor(cursor, 1)
    with services.database.read() as session:
        found = services.merchants.page(session, place[0] if place else None, limit + 1)
    next_cursor = encode_cursor(found[limit - 1].merchant_id) if len(found) > limit else None
    page = MerchantPage(items=[merchant_out(one) for one in found[:limit]], next_cursor=next_cursor)
    return cacheable(request, page, is_public=True, max_age_s=60)


@router.get(
    "/v1/merchants/{merchant_id}", operation_id="getMerchant", response_model=MerchantOut, dependencies=[Public]
)
def get_merchant(merchant_id: MerchantNumber, request: Request, services: Deps) -> Response:
    """Return a merchant."""
    with services.database.read() as session:
        found = services.merchants.get(session, merchant_id)
    return cacheable(request, merchant_out(found), is_public=True, max_age_s=60)


@router.put("/v1/merchants/{merchant_id}", operation_id="saveMerchant", response_model=MerchantOut)
def save_merchant(merchant_id: MerchantNumber, body: MerchantIn, write: Write) -> Response:
    """Create or change what people read about a merchant. Its key and scope are registered on chain, not here."""
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
        return 200, merchant_out(directory.get(session, merchant_id))

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
    require(write.principal, scopes.merchant(merchant_id))
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
    require(write.principal, scopes.merchant(merchant_id))
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


@router.get("/v1/merchants/{merchant_id}/orders", operation_id="listMerchantOrders", response_model=MerchantOrderPage)
def list_orders(
    merchant_id: MerchantNumber,
    services: Deps,
    principal: Who,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> MerchantOrderPage:
    """Return the merchant's orders, newest first; nothing in them tells who the residents are."""
    require(principal, scopes.merchant(merchant_id))
    place = decode_cursor(cursor, 1)
    with services.database.read() as session:
        orders = services.redemptions.of_merchant(session, merchant_id, place[0] if place else None, limit + 1)
        items = [_order(session, services, order) for order in orders[:limit]]
    next_cursor = encode_cursor(orders[limit - 1].sequence) if len(orders) > limit else None
    return MerchantOrderPage(items=items, next_cursor=next_cursor)


@router.post("/v1/merchants/{merchant_id}/codes/check", operation_id="checkCode", response_model=MerchantOrderOut)
def check_code(merchant_id: MerchantNumber, body: CodeIn, services: Deps, principal: Who) -> MerchantOrderOut:
    """Show the order behind a code before anything is handed over. Changes nothing."""
    require(principal, scopes.merchant(merchant_id))
    with services.database.read() as session:
        return _order(session, services, services.fulfilment.look_up(session, merchant_id, body.code))


@router.post("/v1/merchants/{merchant_id}/codes", operation_id="handOver", response_model=MerchantOrderOut)
def hand_over(merchant_id: MerchantNumber, body: CodeIn, write: Write) -> Response:
    """Use up a code: the goods change hands, and a held order is captured.

    Refused to the clerk who took the order at a community desk, and to that desk: two people see every purchase.
    """
    require(write.principal, scopes.merchant(merchant_id))
    services = write.services

    def effect(session: Session) -> tuple[int, BaseModel]:
        order = services.fulfilment.hand_over(session, merchant_id, body.code, actor_of(write.principal))
        return 200, _order(session, services, order)

    return write.once(body, effect)


@router.post(
    "/v1/merchants/{merchant_id}/orders/{order_id}/capture",
    operation_id="captureHold",
    status_code=202,
    response_model=MerchantOrderOut,
)
def capture(merchant_id: MerchantNumber, order_id: OrderIdText, body: CaptureIn, write: Write) -> Response:
    """Capture part of a held order; the rest goes back to the resident in the same call on chain."""
    require(write.principal, scopes.merchant(merchant_id))
    services, key = write.services, order_id_of(order_id)

    def effect(session: Session) -> tuple[int, BaseModel]:
        order = services.fulfilment.capture_part(
            session, merchant_id, key, int(body.keep_fen), actor_of(write.principal)
        )
        return 202, _order(session, services, order)

    return write.once(body, effect)


@router.post(
    "/v1/merchants/{merchant_id}/orders/{order_id}/release",
    operation_id="releaseHold",
    status_code=202,
    response_model=Done,
)
def release(merchant_id: MerchantNumber, order_id: OrderIdText, body: ReasonIn, write: Write) -> Response:
    """Give a held order back to the resident."""
    require(write.principal, scopes.merchant(merchant_id))
    key = order_id_of(order_id)

    def effect(session: Session) -> tuple[int, BaseModel]:
        write.services.fulfilment.release(session, merchant_id, key, actor_of(write.principal), body.reason)
        return 202, Done()

    return write.once(body, effect)


@router.post(
    "/v1/merchants/{merchant_id}/orders/{order_id}/refund",
    operation_id="refundOrder",
    status_code=202,
    response_model=RefundOut,
)
def refund(merchant_id: MerchantNumber, order_id: OrderIdText, body: RefundIn, write: Write) -> Response:
    """Give points back, within 90 days: the same programmes and amounts; lots that died come back in the current
    quarter's."""
    require(write.principal, scopes.merchant(merchant_id))
    services, key = write.services, order_id_of(order_id)
    if (again := write.answered(body)) is not None:
        return again
    services.refunds.require_own(merchant_id, key)
    proof = services.refunds.prove(key)  # asks the chain, so before the transaction

    def effect(session: Session) -> tuple[int, BaseModel]:
        fen = services.refunds.refund(
            session, merchant_id, proof, int(body.keep_fen), actor_of(write.principal), body.reason
        )
        return 202, RefundOut(order_id=order_id, refunded=money(fen))

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
    require(principal, scopes.merchant(merchant_id), scopes.FINANCE)
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


def _offer(session: Session, services: Services, found: Offer, *, shows_money: bool = False) -> OfferOut:
    pars = accepted_programmes(session, found.merchant_id, services.clock.timestamp())
    return offer_out(found, pars, services.names, shows_money=shows_money)


def _order(session: Session, services: Services, order: RedemptionOrder) -> MerchantOrderOut:
    found = None if order.offer_id is None else services.offers.get(session, order.offer_id)
    return merchant_order_out(order, found, queries.order_lock(session, order.order_id))


def _unix(when: datetime | None) -> int | None:
    """RFC 3339 demands an offset; without one we read UTC rather than the server's own zone."""
    if when is None:
        return None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
