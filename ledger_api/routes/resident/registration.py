"""Registering and linking: who a token's subject is, and which source ids are whose."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ledger_api.dependencies import Deps, ResidentToken, Write, own_resident
from ledger_api.http.answers import cacheable
from ledger_api.own import registering
from ledger_api.schemas.residents import (
    Done,
    PinIn,
    ResidentIn,
    ResidentOut,
    SourceLinkIn,
    SourceLinksOut,
    SourceOut,
    SourcesIn,
    SourcesOut,
)
from ledger_api.views.residents import resident_out

router = APIRouter(tags=["Residents"])


@router.post("/v1/residents", operation_id="registerResident", status_code=201, response_model=ResidentOut)
def register(body: ResidentIn, write: Write) -> Response:
    """Register the token's subject as a resident and link source ids, in one step.

    One verified person is one resident: a person who was registered before finds the same account again. The document
    number comes from the token, where the identity provider puts it (claim `identity`). Only the local token issuer of
    a single machine does without: then it comes from the body, and opens no account that another login uses.
    """
    return registering.register(write, body)


@router.get("/v1/residents/me", operation_id="getResident", response_model=ResidentOut)
def me(request: Request, services: Deps, principal: ResidentToken) -> Response:
    """Return the resident that the token's subject is."""
    with services.database.read() as session:
        found = services.registry.get(session, own_resident(session, principal))
    return cacheable(request, resident_out(found))


@router.get("/v1/residents/me/sources", operation_id="listSources", response_model=SourcesOut)
def sources(request: Request, services: Deps, principal: ResidentToken) -> Response:
    """Return the source ids that the resident has linked, decrypted for the resident alone."""
    with services.database.read() as session:
        linked = services.registry.linked_sources(session, own_resident(session, principal))
    items = [SourceOut(programme=programme, source_id=source, state=state) for programme, source, state in linked]
    return cacheable(request, SourcesOut(items=items))


@router.post("/v1/residents/me/sources", operation_id="linkSources", response_model=SourceLinksOut)
def link(body: SourcesIn, write: Write) -> Response:
    """Link source ids. Records of theirs that waited are granted soon after."""
    return registering.link(write, body)


@router.post("/v1/residents/me/sources/unlink", operation_id="unlinkSource", response_model=Done)
def unlink(body: SourceLinkIn, write: Write) -> Response:
    """Withdraw a link. What was granted stays."""
    return registering.unlink(write, body)


@router.post("/v1/residents/me/pin", operation_id="setDeskPin", response_model=Done)
def set_pin(body: PinIn, write: Write) -> Response:
    """Set the PIN with which a community desk may serve the resident."""
    return registering.set_pin(write, body)
