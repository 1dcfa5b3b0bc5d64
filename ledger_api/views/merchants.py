"""Merchants, their offers and their orders, as the API shows them. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.standard.ids import ProgrammeId
from ledger.standard.value import MICROFEN_MINOR
from ledger_api.ports import ProgrammeName
from ledger_api.schemas.common import hex_text, moment, money, points
from ledger_api.schemas.merchants import MerchantOut, OfferOut, ProgrammePrice
from ledger_api.schemas.redemption import MerchantOrderOut
from ledger_api.views import queries
from ledger_api.views.common import nameless
from redemption.merchants import Merchant
from redemption.offers import Offer
from redemption.orders import RedemptionOrder


def merchant_out(found: Merchant) -> MerchantOut:
    """Return a merchant."""
    return MerchantOut(
        merchant_id=found.merchant_id,
        name_zh=found.name_zh,
        name_en=found.name_en,
        category=found.category,
        address_zh=found.address_zh,
        address_en=found.address_en,
        status=found.status,
    )


def offer_out(
    found: Offer,
    pars: Mapping[ProgrammeId, int],
    names: Mapping[ProgrammeId, ProgrammeName],
    *,
    shows_money: bool = False,
) -> OfferOut:
    """Return an offer with its price in each programme's points (rounded up to a hundredth of a point)."""
    prices = [
        ProgrammePrice(
            programme=programme,
            slug=(names.get(programme) or nameless(programme)).slug,
            price=points(-(-found.price_fen * MICROFEN_MINOR // par)),
        )
        for programme, par in sorted(pars.items())
        if par > 0
    ]
    return OfferOut(
        offer_id=found.offer_id,
        merchant=found.merchant_id,
        title_zh=found.title_zh,
        title_en=found.title_en,
        description_zh=found.description_zh,
        description_en=found.description_en,
        prices=prices,
        stock_left=None if found.stock_left is None else str(found.stock_left),
        per_resident_max=found.per_resident_max,
        opens_at=None if found.opens_at is None else moment(found.opens_at),
        closes_at=None if found.closes_at is None else moment(found.closes_at),
        status=found.status,
        price=money(found.price_fen) if shows_money else None,
    )


def merchant_order_out(
    order: RedemptionOrder, found: Offer | None, lock: queries.OrderLock | None = None
) -> MerchantOrderOut:
    """Return an order as its merchant sees it."""
    return MerchantOrderOut(
        order_id=hex_text(order.order_id),
        kind=order.kind.value,
        state=order.state.value,
        offer=order.offer_id,
        title_zh=None if found is None else found.title_zh,
        title_en=None if found is None else found.title_en,
        quantity=order.quantity,
        price=money(order.price_fen),
        paid=money(order.paid_fen),
        locked=None if lock is None else money(lock.fen),
        locked_until=None if lock is None else moment(lock.until),
        placed_at=moment(order.created_at),
        handed_over_at=None if order.handed_over_at is None else moment(order.handed_over_at),
    )
