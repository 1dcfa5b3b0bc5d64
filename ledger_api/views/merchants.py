"""Merchants, their offers and their orders, as the API shows them. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.errors import InvariantViolation
from ledger.standard.ids import ProgrammeId, order_id_text
from ledger.standard.value import MICROFEN_MINOR
from ledger_api.ports import ProgrammeName
from ledger_api.schemas.common import hex_text, moment, money, points
from ledger_api.schemas.merchants import MerchantOut, OfferOut, ProgrammePrice
from ledger_api.schemas.redemption import MerchantActOut, MerchantOrderOut, RefundProposalOut, RefusalReason
from ledger_api.views import queries
from ledger_api.views.common import nameless
from redemption.acts.book import ActOutcome, ActRecord
from redemption.acts.refund_approvals import RefundProposal
from redemption.acts.table import Reason
from redemption.errors import MerchantHoldsKey, OrderStateConflict, OwnOrder, RedemptionError
from redemption.lists import ListedOrder
from redemption.merchants import Merchant
from redemption.offers import Offer


def merchant_out(found: Merchant, *, is_registered: bool) -> MerchantOut:
    """Return a merchant."""
    return MerchantOut(
        merchant_id=found.merchant_id,
        name_zh=found.name_zh,
        name_en=found.name_en,
        category=found.category,
        address_zh=found.address_zh,
        address_en=found.address_en,
        status=found.status,
        is_registered=is_registered,
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


def merchant_act_out(act: ActRecord) -> MerchantActOut:
    """Return an act as the shop sees it."""
    return MerchantActOut(
        act_id=str(act.act_id),
        act=act.act.value,
        state=act.state.value,
        failure=act.failure,
        requested_at=moment(act.created_at),
        ended_at=None if act.ended_at is None else moment(act.ended_at),
        amount=money(act.fen),
        reason=act.reason,
    )


def merchant_order_out(
    found: ListedOrder,
    offer: Offer | None,
    lock: queries.OrderLock | None = None,
    outcome: ActOutcome | None = None,
) -> MerchantOrderOut:
    """Return an order as its merchant sees it."""
    order, act = found.order, found.act
    return MerchantOrderOut(
        order_id=hex_text(order.order_id),
        kind=order.kind.value,
        state=order.state.value,
        offer=order.offer_id,
        title_zh=None if offer is None else offer.title_zh,
        title_en=None if offer is None else offer.title_en,
        quantity=order.quantity,
        price=money(order.price_fen),
        paid=money(order.paid_fen),
        locked=None if lock is None else money(lock.fen),
        locked_until=None if lock is None else moment(lock.until),
        placed_at=moment(order.created_at),
        capture_by=None if order.capture_by is None else moment(order.capture_by),
        handed_over_at=None if order.handed_over_at is None else moment(order.handed_over_at),
        act=None if act is None else merchant_act_out(act),
        outcome=None if outcome is None else outcome.value,
    )


def refund_proposal_out(proposal: RefundProposal) -> RefundProposalOut:
    """Return a refund that waits for another login; who proposed it is not said."""
    return RefundProposalOut(
        order_id=order_id_text(proposal.order_id),
        keep_fen=str(proposal.keep_fen),
        reason=proposal.reason,
        proposed_at=moment(proposal.proposed_at),
        expires_at=moment(proposal.expires_at),
    )


def refusal_word(refusal: RedemptionError) -> RefusalReason:
    """Return why a hand-over would be refused, as a word of the API's closed set."""
    match refusal:
        case OwnOrder():
            return "own_order"
        case MerchantHoldsKey():
            return "merchant_own_key"
        case OrderStateConflict():
            return Reason(refusal.reason).value
    raise InvariantViolation(f"a hand-over is refused for what no shop is told: {refusal}")
