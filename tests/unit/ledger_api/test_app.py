from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as DatabaseTimeout

from ledger_api.app import openapi_document
from ledger_api.http import problems
from tests.unit.ledger_api.api import Api, problem

PUBLIC = {
    "getHealth",
    "getReadiness",
    "getInvariants",
    "getKeys",
    "getDeployment",
    "getProblemType",
    "listMerchants",
    "getMerchant",
    "listOffers",
    "getOffer",
    "listProgrammes",
    "verifyReceipt",
    "verifyOrder",
    "verifyBatch",
    "verifyGrant",
    "createLogin",
    "signIn",
}

SIGNED = {"pushRecords"}


@pytest.fixture
def schema(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json").json()
    return found


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation) for path, methods in schema["paths"].items() for method, operation in methods.items()
    ]


def test_every_operation_can_be_generated(schema: dict[str, Any]) -> None:
    """An id of its own in camel case, a tag, words, an answer with a schema or a media type."""
    ids = [operation["operationId"] for _, _, operation in operations(schema)]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in schema["tags"]}
    for _, path, operation in operations(schema):
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", operation["operationId"])
        assert set(operation["tags"]) <= tags
        assert operation["summary"]
        assert operation["description"], path
        success = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        assert success
        for answer in success:
            assert answer["content"], path


def test_problems_are_part_of_every_operation(schema: dict[str, Any]) -> None:
    for _, path, operation in operations(schema):
        for status in ("4XX", "5XX"):
            content = operation["responses"][status]["content"]
            assert problems.MEDIA_TYPE in content, path
            assert content[problems.MEDIA_TYPE]["schema"]["$ref"].endswith("/ProblemDocument")
            assert "application/json" not in content
        assert "422" not in operation["responses"]


def test_what_needs_a_token_says_so_and_nothing_else_does(schema: dict[str, Any]) -> None:
    for _, _, operation in operations(schema):
        wanted = operation["operationId"] not in PUBLIC
        assert ("security" in operation) == wanted, operation["operationId"]
        is_signed = operation["operationId"] in SIGNED
        assert operation.get("security", []) == ([{"webhook": []}] if is_signed else [{"bearer": []}] if wanted else [])
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_what_says_it_needs_a_token_does(api: Api, schema: dict[str, Any]) -> None:
    values = {"merchant_id": "1", "programme": "1", "number": "1", "resident_id": "1", "offer_id": "rice"}
    for method, path, operation in operations(schema):
        if operation["operationId"] in PUBLIC | SIGNED:
            continue
        url = re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], "0x" + "11" * 32), path)
        params = {"since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z"}
        body = {} if method in {"post", "put"} else None
        answer = api.client.request(method, url, json=body, params=params, headers={"Idempotency-Key": "test-key-1"})
        assert problem(answer) == (401, "/problems/unauthenticated"), path
        assert answer.headers["www-authenticate"] == "Bearer"


def test_bodies_and_key_schemas_have_examples(schema: dict[str, Any]) -> None:
    for name in ("ResidentIn", "ExchangeIn", "RedeemIn", "OfferIn", "DeskOrderIn"):
        assert schema["components"]["schemas"][name]["examples"]
    amount = schema["components"]["schemas"]["Points"]["properties"]["points"]
    assert amount["examples"] == ["12.50"]


def test_no_amount_is_a_number(schema: dict[str, Any]) -> None:
    """JSON numbers are counts and ids that fit 32 bits; amounts, values and token ids are text."""
    amounts = re.compile(r"amount|points|minor|fen|yuan|price|token_id|supply|position$")
    for name, definition in schema["components"]["schemas"].items():
        for field, shape in definition.get("properties", {}).items():
            if amounts.search(field):
                assert shape.get("type") not in {"integer", "number"}, (name, field)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"{", (400, "/problems/malformed-body")), (b"[]", (422, "/problems/invalid-request"))],
)
def test_a_body_that_is_none_is_a_problem(api: Api, content: bytes, expected: tuple[int, str]) -> None:
    headers = {**api.token("w", "resident:register"), "Idempotency-Key": "test-key-1"}
    headers["Content-Type"] = "application/json"
    assert problem(api.client.post("/v1/residents", content=content, headers=headers)) == expected


def test_a_wrong_field_is_named_and_its_value_not_repeated(api: Api) -> None:
    headers = api.token("w", "resident:register")
    body = {"document_number": "5" * 65, "links": [{"programme": 0, "source_id": "V"}], "nickname": "x"}
    answer = api.post("/v1/residents", body, headers)
    assert problem(answer) == (422, "/problems/invalid-request")
    pointers = {field["pointer"] for field in answer.json()["fields"]}
    assert pointers == {"/document_number", "/links/0/programme", "/nickname"}
    assert "55555" not in answer.text


def test_another_method_is_a_problem(api: Api) -> None:
    answer = api.client.delete("/v1/wallet")
    assert problem(answer) == (405, "/problems/method-not-allowed")
    assert answer.headers["allow"] == "GET"


def test_problem_types_explain_themselves(api: Api) -> None:
    for slug in problems.by_slug():
        answer = api.get(f"/problems/{slug}").json()
        assert answer["type"] == f"/problems/{slug}"
    assert problem(api.get("/problems/unheard-of")) == (404, "/problems/not-found")


def test_there_is_no_page_that_loads_from_elsewhere(api: Api) -> None:
    for path in ("/docs", "/redoc"):
        assert problem(api.get(path)) == (404, "/problems/not-found")


@pytest.mark.parametrize("error", [OperationalError("BEGIN", {}, Exception("locked")), DatabaseTimeout()])
def test_a_busy_database_asks_to_come_again(api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def busy(*_args: object) -> None:
        raise error

    monkeypatch.setattr("ledger_api.views.queries.programmes", busy)
    answer = api.get("/v1/programmes")
    assert problem(answer) == (503, "/problems/unavailable")
    assert answer.headers["retry-after"] == "1"


def test_openapi_names_the_rate_limits_headers_just_where_they_are(api: Api, schema: dict[str, Any]) -> None:
    values = {
        "merchant_id": "1",
        "programme": "1",
        "number": "1",
        "resident_id": "1",
        "offer_id": "rice",
        "system": "s",
    }
    seen = set()
    for method, path, operation in operations(schema):
        url = re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], "0x" + "11" * 32), path)
        if operation["operationId"] in PUBLIC:
            # What is malformed is refused before it is counted; a read has nothing that could be.
            if method != "get":
                continue
            answer = api.client.get(url)
        else:
            answer = api.client.request(method, url, json={} if method in {"post", "put"} else None)
        is_said = "RateLimit" in operation["responses"]["4XX"].get("headers", {})
        assert ("ratelimit" in answer.headers) == is_said, path
        for status, described in operation["responses"].items():
            assert ("RateLimit" in described.get("headers", {})) == is_said, (path, status)
        seen.add(is_said)
    assert seen == {True, False}


def test_the_document_needs_no_services(schema: dict[str, Any]) -> None:
    """The committed openapi.json is made without a city, and is what a running gateway serves."""
    assert openapi_document() == schema


def test_openapi_says_what_ids_and_keys_look_like(api: Api) -> None:
    document = api.get("/openapi.json").json()
    patterns = {
        parameter["name"]: parameter["schema"].get("pattern")
        for path in document["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", [])
        if parameter["name"] in {"order_id", "grant_id", "Idempotency-Key"}
    }
    assert patterns["order_id"] == "^0x[0-9a-f]{64}$"
    assert set(patterns) >= {"order_id", "Idempotency-Key"}
    assert all(patterns.values()), patterns


def test_no_two_schemas_share_a_name() -> None:
    """Where two do, FastAPI names both by their modules, and generators of clients leave one of them out."""
    assert [name for name in openapi_document()["components"]["schemas"] if "__" in name] == []
