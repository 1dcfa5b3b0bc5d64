"""A shop's orders: the list that says whether it went through, and the acts at the counter."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.standard.ids import MerchantId
from ledger_api.auth import scopes
from ledger_api.auth.scopes import Right
from ledger_api.dependencies import (
    DEFAULT_LIMIT,
    Cursor,
    Deps,
    Limit,
    OrderIdPath,
    Who,
    Write,
    actor_of,
    order_id_of,
    require,
)
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.routes.filters import OrderQuery, order_filter
from ledger_api.schemas.common import MerchantNumber, OfferIdText, money
from ledger_api.schemas.redemption import (
    CaptureIn,
    CheckedOrderOut,
    CodeIn,
    MerchantOrderDetail,
    MerchantOrderOut,
    MerchantOrderPage,
    ReasonIn,
    RefundIn,
    RefundOut,
    RefundProposalOut,
    RefundProposalsOut,
)
from ledger_api.services import Services
from ledger_api.views import queries
from ledger_api.views.merchants import merchant_act_out, merchant_order_out, refund_proposal_out, refusal_word
from redemption import lists
from redemption.acts.book import Acted, ActOutcome, ActRecord
from redemption.acts.table import Act
from redemption.errors import UnknownOrder
from redemption.fulfilment import CAPTURED, HANDED_OVER
from redemption.lists import ListedOrder
from redemption.refunds import propose

router = APIRouter(tags=["Merchants"])


@router.get("/v1/merchants/{merchant_id}/orders", operation_id="listMerchantOrders", response_model=MerchantOrderPage)
def list_orders(
    merchant_id: MerchantNumber,
    services: Deps,
    principal: Who,
    wanted: OrderQuery,
    offer: Annotated[OfferIdText | None, Query(description="Only this offer's.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> MerchantOrderPage:
    """Return the merchant's orders, newest first, each with the act under way and what came of the last one.

    Nothing in them tells who the residents are.
    """
    require(principal, *scopes.anybody_of_shop(merchant_id))
    place = decode_cursor(cursor, 1)
    asked = order_filter(wanted, merchant_id=MerchantId(merchant_id), offer_id=offer)
    with services.database.read() as session:
        found = lists.page(session, services.redemptions, services.acts, asked, place[0] if place else None, limit + 1)
        items = [_order(session, services, one) for one in found[:limit]]
    next_cursor = encode_cursor(found[limit - 1].order.sequence) if len(found) > limit else None
    return MerchantOrderPage(items=items, next_cursor=next_cursor)


@router.get(
    "/v1/merchants/{merchant_id}/orders/{order_id}",
    operation_id="getMerchantOrder",
    response_model=MerchantOrderDetail,
)
def get_order(
    merchant_id: MerchantNumber, order_id: OrderIdPath, services: Deps, principal: Who
) -> MerchantOrderDetail:
    """Return an order with everything that was asked for on it, and what came of each."""
    require(principal, *scopes.anybody_of_shop(merchant_id))
    key = order_id_of(order_id)
    with services.database.read() as session:
        found = lists.one(session, services.redemptions, services.acts, key)
        if found.order.merchant_id != merchant_id:
            raise UnknownOrder(order_id)
        acts = services.acts.of_order(session, key)
        shown = _order(session, services, found)
    return MerchantOrderDetail(**dict(shown), acts=[merchant_act_out(act) for act in acts])


@router.post("/v1/merchants/{merchant_id}/codes/check", operation_id="checkCode", response_model=CheckedOrderOut)
def check_code(merchant_id: MerchantNumber, body: CodeIn, services: Deps, principal: Who) -> CheckedOrderOut:
    """Show the order behind a code, and whether it would be handed over now. Changes nothing."""
    require(principal, *scopes.of_shop(merchant_id, Right.TILL))
    with services.database.read() as session:
        checked = services.fulfilment.check(session, merchant_id, body.code, actor_of(session, principal))
        found = lists.one(session, services.redemptions, services.acts, checked.order.order_id)
        shown = _order(session, services, found)
    refusal = checked.refusal
    return CheckedOrderOut(
        **dict(shown), can_hand_over=refusal is None, refused_because=None if refusal is None else refusal_word(refusal)
    )


@router.post("/v1/merchants/{merchant_id}/codes", operation_id="handOver", response_model=MerchantOrderOut)
def hand_over(merchant_id: MerchantNumber, body: CodeIn, write: Write) -> Response:
    """Use up a code: the goods change hands, and a held order is captured.

    Refused while a refund is under way, and to the clerk who took the order at a community desk, to that desk and to
    the resident: two people see every purchase.
    """
    require(write.principal, *scopes.of_shop(merchant_id, Right.TILL))
    services = write.services
    with services.database.read() as session:
        order_id = services.fulfilment.order_of(session, merchant_id, body.code)
    wish = write.wish(Act.HAND_OVER, order_id, HANDED_OVER)

    def effect(session: Session) -> tuple[int, MerchantOrderOut]:
        actor = actor_of(session, write.principal)
        done = services.fulfilment.hand_over(session, merchant_id, body.code, actor, wish.key)
        return 200, _acted(session, services, done)

    return write.act(body, wish, effect, lambda session, act: _again(session, services, act), status=200)


@router.post(
    "/v1/merchants/{merchant_id}/orders/{order_id}/capture",
    operation_id="captureHold",
    status_code=202,
    response_model=MerchantOrderOut,
)
def capture(merchant_id: MerchantNumber, order_id: OrderIdPath, body: CaptureIn, write: Write) -> Response:
    """Capture part of a held order, once; the rest goes back to the resident in the same call on chain."""
    require(write.principal, *scopes.of_shop(merchant_id, Right.TILL))
    services, key, keep_fen = write.services, order_id_of(order_id), int(body.keep_fen)
    wish = write.wish(Act.CAPTURE, key, CAPTURED, keep_fen)

    def effect(session: Session) -> tuple[int, MerchantOrderOut]:
        actor = actor_of(session, write.principal)
        done = services.fulfilment.capture_part(session, merchant_id, key, keep_fen, actor, wish.key)
        return 202, _acted(session, services, done)

    return write.act(body, wish, effect, lambda session, act: _again(session, services, act))


@router.post(
    "/v1/merchants/{merchant_id}/orders/{order_id}/release",
    operation_id="releaseHold",
    status_code=202,
    response_model=MerchantOrderOut,
)
def release(merchant_id: MerchantNumber, order_id: OrderIdPath, body: ReasonIn, write: Write) -> Response:
    """Give a held order back to the resident."""
    require(write.principal, *scopes.of_shop(merchant_id, Right.TILL))
    services, key = write.services, order_id_of(order_id)
    wish = write.wish(Act.RELEASE, key, body.reason)

    def effect(session: Session) -> tuple[int, MerchantOrderOut]:
        actor = actor_of(session, write.principal)
        done = services.fulfilment.release(session, merchant_id, key, actor, body.reason, wish.key)
        return 202, _acted(session, services, done)

    return write.act(body, wish, effect, lambda session, act: _again(session, services, act))


@router.post(
    "/v1/merchants/{merchant_id}/orders/{order_id}/refund",
    operation_id="refundOrder",
    status_code=202,
    response_model=RefundOut,
)
def refund(merchant_id: MerchantNumber, order_id: OrderIdPath, body: RefundIn, write: Write) -> Response:
    """Give points back, within 90 days: the same programmes and amounts; lots that died come back in the current
    quarter's. One refund at a time: the next part can be given back once this one is final.

    Above a limit of the city another login has to propose it first: `refund/propose`.
    """
    require(write.principal, *scopes.of_shop(merchant_id, Right.REFUNDS))
    services, key, keep_fen = write.services, order_id_of(order_id), int(body.keep_fen)
    wish = write.wish(Act.REFUND, key, body.reason, keep_fen)

    def again(session: Session, act: ActRecord) -> RefundOut:
        return _refunded(_again(session, services, act), act)

    if (answered := write.acted(wish, again)) is not None:
        return answered
    services.refunds.require_open(merchant_id, key)
    proof = services.refunds.prove(key)  # asks the chain, so before the transaction

    def effect(session: Session) -> tuple[int, RefundOut]:
        actor = actor_of(session, write.principal)
        done = services.refunds.refund(session, merchant_id, proof, keep_fen, actor, body.reason, wish.key)
        return 202, _refunded(_acted(session, services, done), done.record)

    return write.act(body, wish, effect, again)


@router.post(
    "/v1/merchants/{merchant_id}/orders/{order_id}/refund/propose",
    operation_id="proposeRefund",
    status_code=201,
    response_model=RefundProposalOut,
)
def propose_refund(merchant_id: MerchantNumber, order_id: OrderIdPath, body: RefundIn, write: Write) -> Response:
    """Propose a refund above what one login gives back alone. Another login carries it out within seven days, by
    `refund` with the same `keep_fen`. A new proposal takes the place of the one before."""
    require(write.principal, *scopes.of_shop(merchant_id, Right.REFUNDS))
    services, key, keep_fen = write.services, order_id_of(order_id), int(body.keep_fen)

    def effect(session: Session) -> tuple[int, RefundProposalOut]:
        actor = actor_of(session, write.principal)
        made = propose(
            session,
            services.redemptions,
            services.acts,
            services.refund_approvals,
            merchant_id,
            key,
            keep_fen,
            actor,
            body.reason,
        )
        return 201, refund_proposal_out(made)

    return write.once(body, effect)


@router.get(
    "/v1/merchants/{merchant_id}/refund-proposals",
    operation_id="listRefundProposals",
    response_model=RefundProposalsOut,
)
def refund_proposals(merchant_id: MerchantNumber, services: Deps, principal: Who) -> RefundProposalsOut:
    """Return the refunds that wait for another login, the oldest first."""
    require(principal, *scopes.of_shop(merchant_id, Right.REFUNDS))
    with services.database.read() as session:
        found = services.refund_approvals.of_merchant(session, merchant_id)
    return RefundProposalsOut(items=[refund_proposal_out(one) for one in found])


def _refunded(shown: MerchantOrderOut, act: ActRecord) -> RefundOut:
    return RefundOut(**dict(shown), refunded=money(act.fen), keeps=money(act.left_fen))


def _acted(session: Session, services: Services, done: Acted) -> MerchantOrderOut:
    return _shown(session, services, done.record, done.outcome)


def _again(session: Session, services: Services, act: ActRecord) -> MerchantOrderOut:
    return _shown(session, services, act, ActOutcome.EXISTS)


def _shown(session: Session, services: Services, act: ActRecord, outcome: ActOutcome) -> MerchantOrderOut:
    found = ListedOrder(services.redemptions.get(session, act.order_id), act)
    return _order(session, services, found, outcome)


def _order(
    session: Session, services: Services, found: ListedOrder, outcome: ActOutcome | None = None
) -> MerchantOrderOut:
    order = found.order
    offer = None if order.offer_id is None else services.offers.get(session, order.offer_id)
    return merchant_order_out(found, offer, queries.order_lock(session, order.order_id), outcome)
