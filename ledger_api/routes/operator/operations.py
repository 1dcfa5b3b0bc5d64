"""Whether it runs and whether it is right: health, readiness, invariants, metrics, keys, problem types."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger.store.models.api import WithdrawnTokenRow
from ledger_api.auth import scopes
from ledger_api.dependencies import Deps, OperatorToken, Public, Write, require
from ledger_api.errors import NotFound
from ledger_api.http import problems
from ledger_api.http.answers import cacheable
from ledger_api.http.metrics import CONTENT_TYPE
from ledger_api.schemas.common import ProblemKind
from ledger_api.schemas.operations import CheckOut, HealthOut, InvariantsOut, ReadinessOut, WithdrawIn
from ledger_api.schemas.residents import Done
from ledger_api.views.common import as_of
from ledger_api.views.queries import Block

router = APIRouter(tags=["Operations"])


@router.get("/healthz", operation_id="getHealth", response_model=HealthOut)
def health() -> HealthOut:
    """Say that the process is alive; nothing is looked at."""
    return HealthOut()


@router.get(
    "/readyz", operation_id="getReadiness", response_model=ReadinessOut, responses={503: {"model": ReadinessOut}}
)
def readiness(services: Deps) -> Response:
    """Say whether requests can be served: database, chain, projection, workers."""
    checks = [CheckOut(name=one.name, ok=one.ok, detail=one.detail) for one in services.readiness()]
    answer = ReadinessOut(ready=all(check.ok for check in checks), checks=checks)
    return JSONResponse(answer.model_dump(), status_code=200 if answer.ready else 503)


@router.get("/v1/invariants", operation_id="getInvariants", response_model=InvariantsOut, dependencies=[Public])
def invariants(request: Request, services: Deps) -> Response:
    """Return the rules that must always hold, as the running check last found them. Open to everybody."""
    report = services.invariants()
    answer = InvariantsOut(
        ok=all(check.ok for check in report.checks),
        as_of=as_of(Block(report.block_number, report.timestamp)),
        checks=[CheckOut(name=one.name, ok=one.ok, detail=one.detail) for one in report.checks],
    )
    return cacheable(request, answer, is_public=True, max_age_s=2)


@router.get(
    "/metrics",
    operation_id="getMetrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
def metrics(services: Deps, _principal: OperatorToken) -> Response:
    """Return Prometheus metrics."""
    return Response(services.metrics.render(), media_type=CONTENT_TYPE)


@router.get("/.well-known/jwks.json", operation_id="getKeys", response_model=dict[str, Any])
def keys(services: Deps) -> dict[str, Any]:
    """Return the public keys of the local token issuer (RFC 7517); empty where an identity provider issues tokens."""
    return {"keys": []} if services.local_issuer is None else services.local_issuer.jwks()


@router.get("/v1/deployment", operation_id="getDeployment", response_model=dict[str, Any], dependencies=[Public])
def deployment(services: Deps) -> Response:
    """Return the deployment file: chain id, contracts with the hashes of their code, programmes, merchants.

    `tongdui audit --rpc URL --deployment FILE` takes it; what it says is checked against the chain.
    """
    return JSONResponse(dict(services.deployment), headers={"Cache-Control": "public, max-age=300"})


@router.post("/v1/tokens/withdraw", operation_id="withdrawToken", response_model=Done)
def withdraw(body: WithdrawIn, write: Write) -> Response:
    """Refuse a token from now on, by its `jti`, although it has not expired."""
    require(write.principal, scopes.OPERATOR)

    def effect(session: Session) -> tuple[int, BaseModel]:
        now = write.services.clock.timestamp()
        session.merge(WithdrawnTokenRow(token_id=body.token_id, expires_at=now, withdrawn_at=now))
        return 200, Done()

    return write.once(body, effect)


@router.get("/problems/{slug}", operation_id="getProblemType", response_model=ProblemKind)
def problem_type(slug: str, request: Request) -> Response:
    """Explain a problem's `type`."""
    kind = problems.by_slug().get(slug)
    if kind is None:
        raise NotFound("problem", slug)
    answer = ProblemKind(
        type=kind.uri, status=kind.status, title_en=kind.title_en, title_zh=kind.title_zh, detail_zh=kind.detail_zh
    )
    return cacheable(request, answer, is_public=True, max_age_s=3600)
