"""For residents who hold their own key: the order to sign, and the signed order taken in. We see no secret."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger.orders.errors import NothingToGain, WrongSignature
from ledger.residents.account_proof import LIFETIME_S, AccountProof
from ledger.standard.ids import address_bytes, to_address
from ledger.standard.typed_data import ExchangeOrder, Lot, RedeemOrder
from ledger_api.auth import scopes
from ledger_api.dependencies import Deps, ResidentToken, Who, Write, own_resident, require
from ledger_api.own.orders import require_customer
from ledger_api.schemas.amounts import parse_points
from ledger_api.schemas.common import hex_text
from ledger_api.schemas.orders import (
    OrderOut,
    SignedExchangeIn,
    SignedRedeemIn,
    UnsignedExchangeIn,
    UnsignedOrder,
    UnsignedRedeemIn,
)
from ledger_api.schemas.residents import AccountProofAsk, AccountProofOut
from ledger_api.schemas.typed_json import account_proof_json, typed_json
from ledger_api.services import Services
from ledger_api.views import exchanges
from ledger_api.views.orders import exchange_out, redemption_out
from ledger_api.views.queries import shop_names
from redemption.orders import ORDER_LIFETIME_S, Purchase

router = APIRouter(prefix="/v1/own-key", tags=["Own key"])


@router.post("/account-proof", operation_id="prepareAccountProof", response_model=AccountProofOut)
def prepare_account_proof(body: AccountProofAsk, services: Deps, principal: Who) -> AccountProofOut:
    """Return what an account's key signs to show that it is this login's, before it is registered."""
    require(principal, scopes.REGISTER)
    proof = AccountProof(to_address(body.account), principal.subject, services.clock.timestamp() + LIFETIME_S)
    return AccountProofOut(
        deadline=str(proof.deadline), typed_data=account_proof_json(proof, services.redemptions.domain)
    )


@router.post("/exchanges/unsigned", operation_id="prepareExchange", response_model=UnsignedOrder)
def prepare_exchange(body: UnsignedExchangeIn, services: Deps, principal: ResidentToken) -> UnsignedOrder:
    """Return an exchange order to sign: of the lot that expires soonest, up to the amount. Reserves nothing."""
    amount = parse_points("amount", body.amount)
    with services.database.transaction() as session:  # the nonces' book is put in order on the way
        account = services.registry.get(session, own_resident(session, principal)).account
        lots = [lot for lot in services.orders.spendable(session, account) if lot.token_id >> 32 == body.from_programme]
        first = min(amount, lots[0].amount_minor) if lots else amount
        quoted = services.orders.quote_exchange(session, account, body.from_programme, body.to_programme, first)
        lot = quoted.lots[0]
        if lot.amount_out_minor == 0:
            raise NothingToGain(0, 1)
        order = ExchangeOrder(
            holder=account,
            from_id=lot.from_id,
            amount=lot.amount_in_minor,
            to_programme=body.to_programme,
            min_out=lot.amount_out_minor,
            nonce=services.orders.next_nonce(session, account, lot.from_id),
            deadline=services.clock.timestamp() + ORDER_LIFETIME_S,
        )
    return _unsigned(services, order)


@router.post("/exchanges", operation_id="submitExchange", status_code=202, response_model=OrderOut)
def submit_exchange(body: SignedExchangeIn, write: Write) -> Response:
    """Take in a signed exchange order."""
    require(write.principal, scopes.RESIDENT)
    services = write.services
    order = ExchangeOrder(
        holder=to_address(body.holder),
        from_id=int(body.from_id),
        amount=int(body.amount),
        to_programme=body.to_programme,
        min_out=int(body.min_out),
        nonce=body.nonce,
        deadline=int(body.deadline),
    )

    def effect(session: Session) -> tuple[int, BaseModel]:
        account = services.registry.get(session, own_resident(session, write.principal)).account
        if address_bytes(account) != address_bytes(order.holder):
            raise WrongSignature(order.holder)
        placed = services.orders.accept_exchange(session, order, bytes.fromhex(body.signature[2:]))
        found = exchanges.find(session, services.orders, placed.order_id)
        if found is None:
            raise WrongSignature(order.holder)
        return 202, exchange_out(found)

    return write.once(body, effect)


@router.post("/redemptions/unsigned", operation_id="prepareRedemption", response_model=UnsignedOrder)
def prepare_redemption(body: UnsignedRedeemIn, services: Deps, principal: ResidentToken) -> UnsignedOrder:
    """Return a redeem order to sign for an offer. Reserves nothing: the offer may be gone when it comes back."""
    with services.database.transaction() as session:
        programmes = None if body.programmes is None else frozenset(body.programmes)
        purchase = Purchase(own_resident(session, principal), body.offer, body.quantity, programmes)
        order = services.redemptions.unsigned(session, purchase)
    return _unsigned(services, order)


@router.post("/redemptions", operation_id="submitRedemption", status_code=202, response_model=OrderOut)
def submit_redemption(body: SignedRedeemIn, write: Write) -> Response:
    """Take in a signed redeem order for an offer: reserves the pieces and sends it."""
    require(write.principal, scopes.RESIDENT)
    services = write.services
    order = RedeemOrder(
        holder=to_address(body.holder),
        merchant=body.merchant,
        lots=tuple(Lot(int(lot.id), int(lot.amount)) for lot in body.lots),
        nonce=body.nonce,
        deadline=int(body.deadline),
    )

    def effect(session: Session) -> tuple[int, BaseModel]:
        purchase = Purchase(own_resident(session, write.principal), body.offer, body.quantity)
        require_customer(session, services, write.principal, services.offers.get(session, body.offer).merchant_id)
        placed = services.redemptions.accept(session, purchase, order, bytes.fromhex(body.signature[2:]))
        return 202, redemption_out(placed.order, None, shop_names(session, [placed.order]))

    return write.once(body, effect)


def _unsigned(services: Services, order: ExchangeOrder | RedeemOrder) -> UnsignedOrder:
    domain = services.redemptions.domain
    return UnsignedOrder(order_id=hex_text(order.digest(domain)), typed_data=typed_json(order, domain))
