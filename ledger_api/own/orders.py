"""Redeeming an offer, the code that shows it at the counter, and one's own orders."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger.standard.ids import MerchantId, OrderId, order_id_text
from ledger_api.auth import scopes
from ledger_api.auth.tokens import Principal
from ledger_api.dependencies import Writer, own_resident, require, resident_of
from ledger_api.errors import NotRegistered
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.http.standing import residents_of
from ledger_api.schemas.common import hex_text, moment
from ledger_api.schemas.orders import OrderOut, OrderPage
from ledger_api.schemas.redemption import RedeemIn, SlipCodeOut
from ledger_api.services import Services
from ledger_api.views import exchanges, queries
from ledger_api.views.orders import exchange_out, redemption_out, slip_out
from ledger_api.views.queries import order_outcome, order_outcomes, shop_names
from redemption import lists
from redemption.acts.book import ActOutcome, ActRecord
from redemption.acts.table import Act
from redemption.codes import QR_PREFIX, grouped
from redemption.errors import BadSlipCode, SelfDealing, UnknownOrder
from redemption.fulfilment import SCREEN_CODE_LIFETIME_S
from redemption.lists import OrderFilter
from redemption.orders import Kind, Placed, Purchase, Quote

CANCELLED = "cancelled by the resident"
PLACED = 202
"""The status of an order that was taken: it is not final yet."""


def quote(services: Services, principal: Principal, body: RedeemIn) -> Quote:
    """Return which points a redemption would take now. Changes nothing."""
    # A write transaction is not wanted for a question; the catalogue's lock is for those who buy.
    with services.database.read() as session:
        return services.redemptions.quote(session, purchase(body, own_resident(session, principal)))


def redeem(write: Writer, body: RedeemIn) -> Response:
    """Sign the order, reserve the pieces, send it. Refused to whoever acts for that shop."""
    require(write.principal, scopes.RESIDENT)

    def effect(session: Session) -> tuple[int, BaseModel]:
        [placed] = place_together(session, write.services, [(write.principal, body)])
        if isinstance(placed, TongduiError):
            raise placed
        return PLACED, placed

    return write.once(body, effect)


def issue_code(write: Writer, key: OrderId) -> Response:
    """Issue a one-time code; it is good for a quarter of an hour and voids the one before."""
    require(write.principal, scopes.RESIDENT)

    def effect(session: Session) -> tuple[int, BaseModel]:
        order = write.services.redemptions.get(session, key)
        if order.resident_id != own_resident(session, write.principal):
            raise UnknownOrder(order_id_text(key))
        slip = write.services.fulfilment.issue_slip(
            session, key, write.principal.subject, lifetime_s=SCREEN_CODE_LIFETIME_S
        )
        return 200, slip_out(slip)

    return write.once(None, effect)


def slip_code(services: Services, principal: Principal, slip_id: str) -> SlipCodeOut:
    """Return a slip's code, for its resident's own screen. Raises BadSlipCode for all others."""
    with services.database.read() as session:
        slip = services.fulfilment.slip(session, slip_id)
        order = services.redemptions.get(session, slip.order_id)
        if order.resident_id != own_resident(session, principal):
            raise BadSlipCode
    code = services.fulfilment.codes.code(slip_id)
    return SlipCodeOut(
        slip_id=slip_id,
        order_id=hex_text(slip.order_id),
        code=grouped(code),
        digits=services.fulfilment.codes.digits(slip_id),
        qr_content=QR_PREFIX + code,
        expires_at=moment(slip.expires_at),
    )


def cancel(write: Writer, key: OrderId) -> Response:
    """Give a hold back to oneself, where the order allows it or the merchant let its time pass."""
    require(write.principal, scopes.RESIDENT)
    services = write.services
    wish = write.wish(Act.CANCEL, key, CANCELLED)

    def effect(session: Session) -> tuple[int, BaseModel]:
        resident_id, by = own_resident(session, write.principal), write.principal.subject
        done = services.fulfilment.cancel(session, resident_id, key, CANCELLED, by, wish.key)
        return 202, shown(session, done.record, done.outcome)

    def shown(session: Session, act: ActRecord, outcome: ActOutcome) -> OrderOut:
        order = services.redemptions.get(session, act.order_id)
        return redemption_out(order, order_outcome(session, key), shop_names(session, [order]), act, outcome)

    return write.act(None, wish, effect, lambda session, act: shown(session, act, ActOutcome.EXISTS))


def place_together(
    session: Session, services: Services, asked: Sequence[tuple[Principal, RedeemIn]]
) -> list[OrderOut | TongduiError]:
    """Place an order for each of many callers in one transaction; return each one's answer or error, in order.

    Raises what `Redemptions.place_many` raises: then nothing of it took place.
    """
    residents = residents_of(session, {principal.subject for principal, _ in asked})
    staff = services.acts.acted_for(session, {principal.subject for principal, _ in asked})
    shop_of = cache(lambda offer_id: services.offers.get(session, offer_id).merchant_id)
    found: list[OrderOut | TongduiError | None] = []
    purchases: list[Purchase] = []
    for principal, body in asked:
        try:
            if principal.subject not in residents:
                raise NotRegistered
            refuse_staff(principal, shop_of(body.offer), staff)
            purchases.append(purchase(body, residents[principal.subject]))
            found.append(None)
        except TongduiError as error:
            found.append(error)
    placed = services.redemptions.place_many(session, purchases)
    names = shop_names(session, [one.order for one in placed if isinstance(one, Placed)])
    answers = iter([redemption_out(one.order, None, names) if isinstance(one, Placed) else one for one in placed])
    return [next(answers) if one is None else one for one in found]


def order_page(session: Session, services: Services, wanted: OrderFilter, cursor: str | None, limit: int) -> OrderPage:
    """Return a page of orders as residents and desks see them."""
    place = decode_cursor(cursor, 1)
    found = lists.page(session, services.redemptions, services.acts, wanted, place[0] if place else None, limit + 1)
    shown = found[:limit]
    names = shop_names(session, [one.order for one in shown])
    spoken = order_outcomes(session, [one.order.order_id for one in shown])
    items = [redemption_out(one.order, spoken.get(one.order.order_id), names, one.act) for one in shown]
    next_cursor = encode_cursor(shown[-1].order.sequence) if len(found) > limit else None
    return OrderPage(items=items, next_cursor=next_cursor)


def require_customer(session: Session, services: Services, principal: Principal, merchant_id: MerchantId) -> None:
    """As `refuse_staff`, for one caller."""
    refuse_staff(principal, merchant_id, services.acts.acted_for(session, [principal.subject]))


def refuse_staff(principal: Principal, merchant_id: MerchantId, staff: Collection[tuple[str, MerchantId]]) -> None:
    """Raise SelfDealing where who pays acts for the shop: by this token's scopes, or by what they did there before
    (``staff``, subjects with their shops)."""
    acts_for_it = any(principal.has(one) for one in scopes.anybody_of_shop(merchant_id))
    if acts_for_it or (principal.subject, merchant_id) in staff:
        raise SelfDealing(merchant_id)


def purchase(body: RedeemIn, resident_id: int) -> Purchase:
    """Return what a resident asks for as the services know it."""
    return Purchase(
        resident_id=resident_id,
        offer_id=body.offer,
        quantity=body.quantity,
        programmes=None if body.programmes is None else frozenset(body.programmes),
        kind=Kind(body.mode),
    )


def read_order(services: Services, principal: Principal, key: OrderId) -> OrderOut:
    """Return an order that the principal may see. Raises UnknownOrder for all others, existing or not."""
    with services.database.read() as session:
        return _redemption(session, services, principal, key) or _exchange(session, services, principal, key)


def _redemption(session: Session, services: Services, principal: Principal, key: OrderId) -> OrderOut | None:
    try:
        found = lists.one(session, services.redemptions, services.acts, key)
    except UnknownOrder:
        return None
    order = found.order
    is_merchant = any(principal.has(one) for one in scopes.anybody_of_shop(order.merchant_id))
    is_desk = order.desk_id is not None and order.desk_id in scopes.desks(principal.scopes)
    if not is_merchant and not is_desk and not _is_own(session, principal, order.resident_id):
        raise UnknownOrder(order_id_text(key))
    return redemption_out(order, queries.order_outcome(session, key), queries.shop_names(session, [order]), found.act)


def _exchange(session: Session, services: Services, principal: Principal, key: OrderId) -> OrderOut:
    placed = exchanges.find(session, services.orders, key)
    if placed is None:
        raise UnknownOrder(order_id_text(key))
    resident = services.registry.by_account(session, placed.holder)
    if not _is_own(session, principal, resident.resident_id):
        raise UnknownOrder(order_id_text(key))
    return exchange_out(placed)


def _is_own(session: Session, principal: Principal, resident_id: int) -> bool:
    # Without an account of one's own nothing is one's own: the answer is the same as to an id that does not exist.
    return principal.has(scopes.RESIDENT) and resident_of(session, principal) == resident_id
