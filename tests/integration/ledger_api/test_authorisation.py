"""Who may do what: every route, by every role, at one's own institution and at another's, by real requests.

The routes come from the application. A route without a row here fails, and so does a row without its route.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
import structlog

from ledger_api.app import openapi_document
from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.requests import Operation, operations
from tests.unit.redemption.world import Q2026_4, VOLUNTEER, World

ROLES: dict[str, tuple[str, ...]] = {
    "nobody": (),
    "resident": ("resident:self",),
    "newcomer": ("resident:register",),
    "agency": ("issuer:1",),
    "owner": ("merchant:1",),
    "manager": ("merchant:1:manager",),
    "refunds": ("merchant:1:refunds",),
    "till": ("merchant:1:till",),
    "desk": ("desk:shuangnan",),
    "finance": ("finance",),
    "auditor": ("auditor",),
    "operator": ("operator",),
    # Requests go to merchant 1 and programme 1: these are another's.
    "other agency": ("issuer:2",),
    "other owner": ("merchant:2",),
    "other manager": ("merchant:2:manager",),
    "other refunds": ("merchant:2:refunds",),
    "other till": ("merchant:2:till", "merchant:11:till"),
    "two desks": ("desk:shuangnan", "desk:caotang"),
    "stranger scopes": ("openid", "admin", "merchant", "merchant:", "merchant:1:king", "issuer:*", "*"),
}

EVERYBODY = frozenset(ROLES)
ANY_TOKEN = EVERYBODY - {"nobody"}
"""The route looks whose a thing is; see `test_what_is_anothers_is_answered_like_what_does_not_exist`."""


def only(roles: str) -> frozenset[str]:
    return frozenset(roles.split())


def rows(roles: frozenset[str], names: str) -> dict[str, frozenset[str]]:
    return dict.fromkeys(names.split(), roles)


MATRIX: dict[str, frozenset[str]] = {
    **rows(
        EVERYBODY,
        """getHealth getReadiness getInvariants getKeys getDeployment getProblemType listMerchants getMerchant
        listOffers getOffer listProgrammes verifyReceipt verifyOrder verifyBatch verifyGrant createLogin signIn""",
    ),
    # By signature, which no token replaces.
    **rows(EVERYBODY, "pushRecords"),
    **rows(
        ANY_TOKEN,
        "changePassword listSessions endSession endSessions getOrder getReceipt getSlipPage getSlipQr",
    ),
    **rows(only("newcomer"), "registerResident prepareAccountProof"),
    **rows(
        only("resident"),
        """getResident getErasureLoss listLooks exportOwnData downloadHistory listSources linkSources unlinkSource
        setDeskPin eraseResident getWallet listExpiringLots listHistory listGrants getGrantReceipt quoteExchange
        placeExchange listExchanges quoteRedemption redeem listRedemptions issueCode getSlip cancelHold prepareExchange
        submitExchange prepareRedemption submitRedemption""",
    ),
    **rows(only("owner operator"), "saveMerchant"),
    **rows(
        only("resident newcomer operator"),
        "applyAsMerchant listMerchantApplications getMerchantApplication withdrawMerchantApplication",
    ),
    **rows(only("operator"), "approveMerchantApplication refuseMerchantApplication resumeMerchantApplication"),
    **rows(only("owner"), "proposePayee"),
    **rows(
        only("owner manager"),
        """listShopWebhooks createShopWebhook makeShopWebhookSecret endShopWebhook listShopDeliveries
        replayShopDelivery""",
    ),
    **rows(
        only("agency"),
        """listAgencyWebhooks createAgencyWebhook makeAgencyWebhookSecret endAgencyWebhook listAgencyDeliveries
        replayAgencyDelivery""",
    ),
    **rows(only("owner operator"), "confirmPayee"),
    **rows(only("owner finance operator"), "getPayee withdrawPayee"),
    **rows(only("owner manager operator"), "listNotices"),
    **rows(only("owner"), "listStaff createStaff endStaff setStaffPassword"),
    **rows(only("owner manager"), "createOffer changeOffer"),
    **rows(only("owner manager finance"), "getStatement downloadStatement"),
    **rows(only("owner manager finance auditor"), "getMerchantPosition"),
    **rows(only("owner manager refunds till"), "listMerchantOrders getMerchantOrder"),
    **rows(only("owner manager till"), "checkCode handOver captureHold releaseHold"),
    **rows(only("owner manager refunds"), "refundOrder proposeRefund listRefundProposals"),
    **rows(
        only("desk"),
        """getWalletAtDesk approveAtDesk redeemAtDesk listDeskOrders reissueSlip setPinAtDesk confirmPinAtDesk""",
    ),
    **rows(
        only("agency"),
        """listRefusals getRefusedRow resubmitRefusal listReviews getHeldRecords approveReview approveCorrection
        rejectReview makeLinkCode listClaims decideClaim""",
    ),
    **rows(only("agency auditor"), "countRecords"),
    **rows(only("agency auditor operator"), "getPipeline"),
    **rows(only("agency finance auditor"), "getProgramme listAppropriations getProgrammePosition"),
    **rows(only("finance"), "recordAppropriation confirmAppropriation withdrawAppropriation"),
    **rows(only("finance auditor"), "getClearing previewPayments"),
    **rows(only("operator"), "getMetrics withdrawToken"),
}

LAST = ("endSessions", "eraseResident")
"""What ends the caller comes after everything else."""

TURNED_AWAY = {"/problems/unauthenticated", "/problems/forbidden", "/problems/invalid-token"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One city for all cells: what one role does changes nobody else's rights."""
    world = World(tmp_path_factory.mktemp("city"))
    served = Api(world)
    with structlog.testing.capture_logs():
        yield served
    served.client.close()
    world.close()


def routes() -> list[Operation]:
    found = operations(openapi_document())
    return sorted(found, key=lambda one: LAST.index(one.name) if one.name in LAST else -1)


def ask(api: Api, one: Operation, headers: dict[str, str], **values: str) -> httpx.Response:
    headers = {"Idempotency-Key": secrets.token_hex(8), **headers}
    return api.client.request(one.method, one.url(**values), json=one.body, params=dict(one.params), headers=headers)


def kind(answer: httpx.Response) -> str:
    """Return the type of a problem; empty for what is none."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return ""
    found: str = answer.json()["type"]
    return found


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert {one.name for one in routes()} == set(MATRIX)
    assert all(row <= EVERYBODY for row in MATRIX.values())


@pytest.mark.parametrize("role", ROLES)
def test_each_route_lets_in_just_whom_its_row_names(api: Api, role: str) -> None:
    if role == "resident":
        api.register("resident", "510107195403071235")
    headers = {} if role == "nobody" else bearer(api, role, *ROLES[role])
    let_in, malformed = set(), set()
    for one in routes():
        answer = ask(api, one, headers)
        if answer.status_code not in {401, 403} or kind(answer) not in TURNED_AWAY:
            let_in.add(one.name)
        if kind(answer) == "/problems/invalid-request":
            malformed.add(one.name)
    assert not malformed, "a request that is malformed says nothing about who may ask"
    assert let_in == {name for name, row in MATRIX.items() if role in row}


def bearer(api: Api, subject: str, *scopes: str) -> dict[str, str]:
    """Return a token with any scopes, those too that our own issuer would not write."""
    plain = [scope for scope in scopes if scope not in ROLES["stranger scopes"]]
    if plain == list(scopes):
        return api.token(subject, *scopes)
    claims = {"iss": "urn:test", "aud": "tongdui-api", "sub": subject, "scope": " ".join(scopes), "jti": "x"}
    now = api.world.clock.timestamp()
    key, kid = api.issuer._key, api.issuer.key_id
    token = jwt.encode({**claims, "iat": now, "exp": now + 60}, key, algorithm="ES256", headers={"kid": kid})
    return {"Authorization": f"Bearer {token}"}


def test_what_is_anothers_is_answered_like_what_does_not_exist(api: Api) -> None:
    """A stranger with every right at home asks for what is another's, by its real id and by one that nobody has."""
    wang, made = api.register("wang.own", "510107197001010001")
    api.world.give(made["account"], VOLUNTEER, Q2026_4, 60_000)
    order = api.post("/v1/redemptions", {"offer": "rice", "mode": "hold"}, wang).json()["order_id"]
    api.world.say(bytes.fromhex(order[2:]), "hold", 0)
    api.world.settle()
    slip = api.post(f"/v1/redemptions/{order}/code", None, wang).json()["slip_id"]
    staff = {"name": "zhang.wu", "password": "correct horse battery", "right": "till"}
    assert api.post("/v1/merchants/1/staff", staff, api.token("owner", "merchant:1")).status_code == 201
    login = {name: staff[name] for name in ("name", "password")}
    session = api.client.post("/v1/sessions", json=login).json()["session_id"]
    api.register("stranger", "510107197001010002")
    stranger = api.token("stranger", "resident:self", "merchant:2", "desk:caotang", "issuer:2")
    real: dict[str, str] = {"order_id": order, "slip_id": slip, "session_id": session, "name": "zhang.wu"}
    home = {"merchant_id": "2", "programme": "2"}
    asked = set()
    for one in routes():
        owned = {name: value for name, value in real.items() if f"{{{name}}}" in one.path}
        if not owned or MATRIX[one.name] in (EVERYBODY, only("agency")) or one.name in DOUBLED:
            continue
        asked.add(one.name)
        unknown: dict[str, Any] = {name: "0x" + "77" * 32 if name == "order_id" else "nobody" for name in owned}
        answers = [ask(api, one, stranger, **home, **values) for values in (owned, unknown)]
        assert {answer.status_code for answer in answers} == {404}, (one.name, answers[0].text)
        assert kind(answers[0]) == kind(answers[1]), one.name
    assert asked >= {"getOrder", "getSlip", "endSession", "endStaff", "getMerchantOrder", "cancelHold", "reissueSlip"}


DOUBLED = {"refundOrder"}
"""Refunds need a chain: tests/integration/redemption has this cell."""
