"""Whom to tell what is final: endpoints of a shop and of an agency, their secrets, and what became of messages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from ledger.webhooks.book import Delivery, DeliveryState, Endpoint, of_issuer, of_merchant
from ledger_api.auth import scopes
from ledger_api.dependencies import DEFAULT_LIMIT, Cursor, Deps, Limit, Who, Write, require
from ledger_api.http.answers import cacheable
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.schemas.common import MerchantNumber, ProgrammeNumber, moment
from ledger_api.schemas.operations import (
    EndpointIn,
    EndpointList,
    EndpointOut,
    EndpointSecretOut,
    WebhookDeliveryOut,
    WebhookDeliveryPage,
)
from ledger_api.services import Services

router = APIRouter(tags=["Webhooks"])

SHOP, AGENCY = "/v1/merchants/{merchant_id}/webhooks", "/v1/issuers/{programme}/webhooks"
EndpointId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}$")]
MessageId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="`webhook-id` of the message.")]


@router.get(SHOP, operation_id="listShopWebhooks", response_model=EndpointList)
def list_of_shop(merchant_id: MerchantNumber, request: Request, services: Deps, principal: Who) -> Response:
    """Return the addresses that are told what is final at a shop."""
    require(principal, *scopes.of_shop(merchant_id))
    return _listed(request, services, of_merchant(merchant_id))


@router.get(AGENCY, operation_id="listAgencyWebhooks", response_model=EndpointList)
def list_of_agency(programme: ProgrammeNumber, request: Request, services: Deps, principal: Who) -> Response:
    """Return the addresses that are told what is final of a programme's batches."""
    require(principal, scopes.issuer(programme))
    return _listed(request, services, of_issuer(programme))


@router.post(SHOP, operation_id="createShopWebhook", status_code=201, response_model=EndpointOut)
def create_for_shop(merchant_id: MerchantNumber, body: EndpointIn, write: Write) -> Response:
    """Name an address that is to be told what is final at a shop. It is told nothing before it has a secret."""
    require(write.principal, *scopes.of_shop(merchant_id))
    return _created(write, body, of_merchant(merchant_id))


@router.post(AGENCY, operation_id="createAgencyWebhook", status_code=201, response_model=EndpointOut)
def create_for_agency(programme: ProgrammeNumber, body: EndpointIn, write: Write) -> Response:
    """Name an address that is to be told of a programme's batches. It is told nothing before it has a secret."""
    require(write.principal, scopes.issuer(programme))
    return _created(write, body, of_issuer(programme))


@router.post(SHOP + "/{endpoint_id}/secret", operation_id="makeShopWebhookSecret", response_model=EndpointSecretOut)
def secret_for_shop(
    merchant_id: MerchantNumber, endpoint_id: EndpointId, services: Deps, principal: Who
) -> EndpointSecretOut:
    """Make a new secret, shown once; the one before signs too for a day.

    No answer with a secret is stored, so this takes no Idempotency-Key: asked twice it makes two.
    """
    require(principal, *scopes.of_shop(merchant_id))
    return _secret(services, of_merchant(merchant_id), endpoint_id)


@router.post(AGENCY + "/{endpoint_id}/secret", operation_id="makeAgencyWebhookSecret", response_model=EndpointSecretOut)
def secret_for_agency(
    programme: ProgrammeNumber, endpoint_id: EndpointId, services: Deps, principal: Who
) -> EndpointSecretOut:
    """Make a new secret, shown once; the one before signs too for a day. It takes no Idempotency-Key."""
    require(principal, scopes.issuer(programme))
    return _secret(services, of_issuer(programme), endpoint_id)


@router.post(SHOP + "/{endpoint_id}/end", operation_id="endShopWebhook", response_model=EndpointOut)
def end_for_shop(merchant_id: MerchantNumber, endpoint_id: EndpointId, write: Write) -> Response:
    """Tell an address nothing more; its secrets are destroyed."""
    require(write.principal, *scopes.of_shop(merchant_id))
    return _ended(write, of_merchant(merchant_id), endpoint_id)


@router.post(AGENCY + "/{endpoint_id}/end", operation_id="endAgencyWebhook", response_model=EndpointOut)
def end_for_agency(programme: ProgrammeNumber, endpoint_id: EndpointId, write: Write) -> Response:
    """Tell an address nothing more; its secrets are destroyed."""
    require(write.principal, scopes.issuer(programme))
    return _ended(write, of_issuer(programme), endpoint_id)


@router.get(SHOP + "/{endpoint_id}/deliveries", operation_id="listShopDeliveries", response_model=WebhookDeliveryPage)
def deliveries_of_shop(
    merchant_id: MerchantNumber,
    endpoint_id: EndpointId,
    request: Request,
    services: Deps,
    principal: Who,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Return the messages to an address with what became of them, newest first."""
    require(principal, *scopes.of_shop(merchant_id))
    return _deliveries(request, services, of_merchant(merchant_id), endpoint_id, cursor, limit)


@router.get(
    AGENCY + "/{endpoint_id}/deliveries", operation_id="listAgencyDeliveries", response_model=WebhookDeliveryPage
)
def deliveries_of_agency(
    programme: ProgrammeNumber,
    endpoint_id: EndpointId,
    request: Request,
    services: Deps,
    principal: Who,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """Return the messages to an address with what became of them, newest first."""
    require(principal, scopes.issuer(programme))
    return _deliveries(request, services, of_issuer(programme), endpoint_id, cursor, limit)


@router.post(
    SHOP + "/{endpoint_id}/deliveries/{message_id}/replay",
    operation_id="replayShopDelivery",
    status_code=202,
    response_model=WebhookDeliveryOut,
)
def replay_for_shop(
    merchant_id: MerchantNumber, endpoint_id: EndpointId, message_id: MessageId, write: Write
) -> Response:
    """Send a message once more, under its own id, whatever became of it."""
    require(write.principal, *scopes.of_shop(merchant_id))
    return _replayed(write, of_merchant(merchant_id), endpoint_id, message_id)


@router.post(
    AGENCY + "/{endpoint_id}/deliveries/{message_id}/replay",
    operation_id="replayAgencyDelivery",
    status_code=202,
    response_model=WebhookDeliveryOut,
)
def replay_for_agency(
    programme: ProgrammeNumber, endpoint_id: EndpointId, message_id: MessageId, write: Write
) -> Response:
    """Send a message once more, under its own id, whatever became of it."""
    require(write.principal, scopes.issuer(programme))
    return _replayed(write, of_issuer(programme), endpoint_id, message_id)


def _listed(request: Request, services: Services, owner: str) -> Response:
    with services.database.read() as session:
        found = services.webhook_book.endpoints(session, owner)
    return cacheable(request, EndpointList(items=[_endpoint_out(one) for one in found]))


def _created(write: Write, body: EndpointIn, owner: str) -> Response:
    if (answered := write.answered(body)) is not None:
        return answered
    book = write.services.webhook_book
    book.check(body.url)  # outside the transaction: a name is looked up

    def effect(session: Session) -> tuple[int, BaseModel]:
        return 201, _endpoint_out(book.add(session, owner, body.url, write.principal.subject))

    return write.once(body, effect)


def _secret(services: Services, owner: str, endpoint_id: str) -> EndpointSecretOut:
    with services.database.transaction() as session:
        secret = services.webhook_book.new_secret(session, owner, endpoint_id)
    return EndpointSecretOut(endpoint_id=endpoint_id, secret=secret)


def _ended(write: Write, owner: str, endpoint_id: str) -> Response:
    def effect(session: Session) -> tuple[int, BaseModel]:
        return 200, _endpoint_out(write.services.webhook_book.end(session, owner, endpoint_id))

    return write.once(None, effect)


def _deliveries(
    request: Request, services: Services, owner: str, endpoint_id: str, cursor: str | None, limit: int
) -> Response:
    place = decode_cursor(cursor, 1)
    with services.database.read() as session:
        found = services.webhook_book.deliveries(session, owner, endpoint_id, place[0] if place else None, limit + 1)
    next_cursor = encode_cursor(found[limit - 1].delivery_id) if len(found) > limit else None
    items = [_delivery_out(one) for one in found[:limit]]
    return cacheable(request, WebhookDeliveryPage(items=items, next_cursor=next_cursor))


def _replayed(write: Write, owner: str, endpoint_id: str, message_id: str) -> Response:
    def effect(session: Session) -> tuple[int, BaseModel]:
        return 202, _delivery_out(write.services.webhook_book.replay(session, owner, endpoint_id, message_id))

    return write.once(None, effect)


def _endpoint_out(found: Endpoint) -> EndpointOut:
    return EndpointOut(
        endpoint_id=found.endpoint_id, url=found.url, state=found.state.value, created_at=moment(found.created_at)
    )


def _delivery_out(found: Delivery) -> WebhookDeliveryOut:
    return WebhookDeliveryOut(
        message_id=found.message_id,
        type=found.kind,
        state=found.state.value,
        attempts=found.attempts,
        next_at=moment(found.next_at) if found.state is DeliveryState.WAITING else None,
        status=found.status,
        failure=found.failure,
        created_at=moment(found.created_at),
        ended_at=None if found.ended_at is None else moment(found.ended_at),
    )
