"""What a push may cost before it is known who signed it."""

from __future__ import annotations

from collections import Counter

import pytest

from ledger_api.http.middleware import RateLimiter
from ledger_api.routes.agency import push
from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import World

HEADERS = {
    "webhook-id": "msg-1",
    "webhook-signature": "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "content-type": "application/json",
}


def source(api: Api) -> dict[str, str]:
    with api.world.database.transaction() as session:
        api.services.webhooks.create(session, "cd-green", 2, "cd-green")
    return {**HEADERS, "webhook-timestamp": str(api.services.clock.timestamp())}


def test_who_cannot_sign_empties_nobodys_bucket(world: World) -> None:
    api = Api(world, limiter=RateLimiter(10))
    headers = source(api)
    for _ in range(4):
        refused = api.client.post("/v1/sources/cd-green/records", content=b"{}", headers=headers)
        assert refused.status_code in (401, 403), refused.text
    assert api.services.limiter.take("push cd-green").left == 9, "the source's own requests are all there"


def test_bodies_of_unknown_senders_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(world)
    headers = source(api)
    monkeypatch.setattr(push, "_SPOOLED", Counter({"testclient": push._SPOOLED_OF_ADDRESS_MAX}))
    refused = api.client.post("/v1/sources/cd-green/records", content=b"{}", headers=headers)
    assert problem(refused) == (429, "/problems/too-many-requests")
    assert api.services.limits.spool_dir.exists() is False, "no file was made for it"
    monkeypatch.setattr(push, "_SPOOLED", Counter({str(n): 1 for n in range(push._SPOOLED_MAX)}))
    assert api.client.post("/v1/sources/cd-green/records", content=b"{}", headers=headers).status_code == 429
    monkeypatch.setattr(push, "_SPOOLED", Counter())
    assert api.client.post("/v1/sources/cd-green/records", content=b"{}", headers=headers).status_code in (401, 403)
    assert Counter() == push._SPOOLED
