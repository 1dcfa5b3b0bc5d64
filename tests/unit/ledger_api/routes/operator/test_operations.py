from __future__ import annotations

from dataclasses import replace

import pytest

from ledger_api.ports import Check
from tests.unit.ledger_api.api import Api, problem


def test_alive_is_not_ready(api: Api) -> None:
    assert api.get("/healthz").json() == {"status": "ok"}
    assert api.get("/readyz").json()["ready"] is True
    api.checks.append(Check("workers", False, "they have stopped"))
    answer = api.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"][-1] == {"name": "workers", "ok": False, "detail": "they have stopped"}


def test_invariants_are_public_and_name_what_is_wrong(api: Api) -> None:
    assert api.get("/v1/invariants").json()["ok"] is True
    api.report = replace(api.report, checks=(*api.report.checks, Check("position", False, "sum of positions: 1")))
    found = api.get("/v1/invariants").json()
    assert found["ok"] is False
    assert found["checks"][-1]["detail"] == "sum of positions: 1"


def test_metrics_are_for_operators_and_count_by_route(api: Api) -> None:
    assert problem(api.get("/metrics", api.token("a", "auditor"))) == (403, "/problems/forbidden")
    api.get(f"/v1/orders/0x{'11' * 32}", api.token("a", "auditor"))
    text = api.get("/metrics", api.token("op", "operator")).text
    assert 'tongdui_http_requests_total{method="GET",route="/v1/orders/{order_id}",status="404"} 1.0' in text
    assert "1111" not in text


def test_the_keys_of_the_local_issuer_are_published(api: Api) -> None:
    assert api.get("/.well-known/jwks.json").json() == api.issuer.jwks()


@pytest.mark.parametrize(("scope", "before"), [("resident:self", "not-registered"), ("auditor", "forbidden")])
def test_a_withdrawn_token_is_refused_first_where_the_route_checks_it_itself(api: Api, scope: str, before: str) -> None:
    headers = api.token("who", scope)
    assert problem(api.get("/v1/wallet", headers))[1] == f"/problems/{before}"
    token_id = api.services.verifier.verify(headers["Authorization"].removeprefix("Bearer ")).token_id
    api.post("/v1/tokens/withdraw", {"token_id": token_id}, api.token("op", "operator"))
    assert problem(api.get("/v1/wallet", headers)) == (401, "/problems/invalid-token")


def test_a_withdrawn_token_is_refused(api: Api) -> None:
    headers = api.token("auditor", "auditor")
    assert api.get("/v1/clearing", headers).status_code == 200
    token_id = api.services.verifier.verify(headers["Authorization"].removeprefix("Bearer ")).token_id
    operator = api.token("op", "operator")
    assert problem(api.post("/v1/tokens/withdraw", {"token_id": token_id}, headers)) == (403, "/problems/forbidden")
    assert api.post("/v1/tokens/withdraw", {"token_id": token_id}, operator).json() == {"done": True}
    assert problem(api.get("/v1/clearing", headers)) == (401, "/problems/invalid-token")
    assert api.get("/v1/clearing", api.token("auditor", "auditor")).status_code == 200
