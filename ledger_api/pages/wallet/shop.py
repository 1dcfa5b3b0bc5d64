"""What can be bought now, choosing how many and with which points, checking, paying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger.orders.desk import Holdings
from ledger.orders.terms import load_merchant
from ledger.standard.ids import MerchantId, split_token_id
from ledger_api.dependencies import own_account
from ledger_api.own import orders
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller
from ledger_api.pages.wallet.access import Resident, ResidentForm, name_of, refusal
from ledger_api.pages.wallet.figures import affordable_fen, holdings_shown, usable_programmes
from ledger_api.schemas.orders import OrderOut
from ledger_api.schemas.redemption import RedeemIn
from redemption.merchants import Merchant
from redemption.offers import Offer

router = APIRouter(route_class=PageRoute, include_in_schema=False)

OFFERS = 200


@router.get("/wallet/shop")
def offers(caller: Resident) -> Response:
    """Return what is on offer now, what the points suffice for first."""
    services, now = caller.services, caller.services.clock.timestamp()
    with services.database.read() as session:
        held = services.orders.holdings(session, own_account(session, caller.principal))
        found = services.offers.page(session, merchant_id=None, after=None, limit=OFFERS, only_open=True)
        merchants = {one: services.merchants.get(session, one) for one in {offer.merchant_id for offer in found}}
        can_pay = {one: affordable_fen(held, load_merchant(session, one), now) for one in merchants}
    rows = [
        (offer, merchants[offer.merchant_id], can_pay[offer.merchant_id] >= offer.price_fen)
        for offer in found
        if offer.stock_left != 0
    ]
    rows.sort(key=lambda row: (not row[2], row[0].price_fen, row[0].offer_id))
    return caller.page("shop.html", section="wallet", rows=rows, zh=caller.is_chinese)


@router.get("/wallet/shop/{offer_id}")
def choose(caller: Resident, offer_id: str) -> Response:
    """Return one offer, for which one chooses how many and with which points; a shop's fixed code leads here too."""
    return _choose(caller, offer_id, {}, [])


@router.get("/wallet/shop/{offer_id}/check")
def check(caller: Resident, offer_id: str) -> Response:
    """Return what is about to be paid: shop, goods, points. Nothing is done yet."""
    query = caller.request.query_params
    given, chosen = dict(query), query.getlist("programme")
    if not chosen:
        return _choose(caller, offer_id, given, chosen, caller.text("buy.choose_points"), 422)
    try:
        body = _body(offer_id, given, chosen)
        quoted = orders.quote(caller.services, caller.principal, body)
    except (ValidationError, ValueError):
        return _choose(caller, offer_id, given, chosen, caller.text("buy.malformed"), 422)
    except TongduiError as error:
        return _choose(caller, offer_id, given, chosen, *refusal(caller, error))
    sums: dict[str, int] = {}
    for lot in quoted.lots:
        name = name_of(caller, split_token_id(lot.id)[0])
        sums[name] = sums.get(name, 0) + lot.amount
    return caller.page(
        "buy_check.html",
        section="wallet",
        offer=quoted.offer,
        merchant=_merchant(caller, quoted.offer.merchant_id),
        body=body,
        programmes=",".join(chosen),
        quoted=quoted,
        sums=list(sums.items()),
        zh=caller.is_chinese,
    )


@router.post("/wallet/shop/{offer_id}/pay")
def pay(posted: ResidentForm, offer_id: str) -> Response:
    """Pay, or set the points aside, and go to the order: there the code waits."""
    form = posted.form
    chosen = [one for one in form["programmes"].split(",") if one]
    try:
        answer = orders.redeem(posted.write, _body(offer_id, form, chosen))
    except (ValidationError, ValueError):
        return _choose(posted, offer_id, form, chosen, posted.text("buy.malformed"), 422)
    except TongduiError as error:
        return _choose(posted, offer_id, form, chosen, *refusal(posted, error))
    placed = OrderOut.model_validate_json(bytes(answer.body))
    return posted.see(f"/wallet/orders/{placed.order_id}")


def _body(offer_id: str, given: Mapping[str, str], chosen: Sequence[str]) -> RedeemIn:
    return RedeemIn.model_validate(
        {
            "offer": offer_id,
            "quantity": int(given.get("quantity", "") or 1),
            "programmes": [int(one) for one in chosen],
            "mode": given.get("mode", "") or "redeem",
        }
    )


def _choose(
    caller: Caller, offer_id: str, given: Mapping[str, str], chosen: Sequence[str], problem: str = "", status: int = 200
) -> Response:
    services, now = caller.services, caller.services.clock.timestamp()
    with services.database.read() as session:
        held = services.orders.holdings(session, own_account(session, caller.principal))
        offer = services.offers.get(session, offer_id)
        merchant = services.merchants.get(session, offer.merchant_id)
        shop = load_merchant(session, offer.merchant_id)
    usable = usable_programmes(held.terms, shop, now)
    own = holdings_shown(held, now, lambda number: name_of(caller, number))
    return caller.page(
        "buy.html",
        status=status,
        section="wallet",
        offer=offer,
        merchant=merchant,
        own=[one for one in own if one.programme in usable and one.available_minor],
        quantity=given.get("quantity", "") or "1",
        mode=given.get("mode", "") or "redeem",
        ticked=set(chosen),
        problem=problem,
        suffices=affordable_fen(held, shop, now) >= offer.price_fen,
        most=_most(offer, held),
        zh=caller.is_chinese,
    )


def _most(offer: Offer, held: Holdings) -> int:
    left = [one for one in (offer.stock_left, offer.per_resident_max) if one is not None]
    return max(1, min([99, *left])) if held.balances else 1


def _merchant(caller: Caller, merchant_id: MerchantId) -> Merchant:
    with caller.services.database.read() as session:
        return caller.services.merchants.get(session, merchant_id)
