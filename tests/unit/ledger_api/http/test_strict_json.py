from __future__ import annotations

import importlib
import pkgutil
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ledger_api import schemas
from ledger_api.errors import MalformedBody
from ledger_api.http.strict_json import DEPTH_MAX, check_json, is_json
from ledger_api.schemas.common import In
from tests.unit.ledger_api.api import Api, problem


@pytest.mark.parametrize(
    ("content", "reason", "member"),
    [
        (b'{"document_number": "510107195403071234", "document_number": "5"}', "duplicate_member", "document_number"),
        (b'{"links": [{"programme": 1, "source_id": "V", "programme": 2}]}', "duplicate_member", "programme"),
        (b'{"a\\u0062": 1, "ab": 1}', "duplicate_member", "ab"),
        (b'{"links": NaN}', "not_a_number", "NaN"),
        (b'{"links": -Infinity}', "not_a_number", "-Infinity"),
        (b'{"links": 1e999}', "not_a_number", "1e999"),
    ],
)
def test_a_body_that_can_be_read_in_two_ways_is_refused_by_name(
    api: Api, content: bytes, reason: str, member: str
) -> None:
    headers = {**api.token("w", "resident:register"), "Idempotency-Key": "test-key-1"}
    for kind in ("application/json", "application/problem+json; charset=utf-8"):
        answer = api.client.post("/v1/residents", content=content, headers={**headers, "Content-Type": kind})
        assert problem(answer) == (400, "/problems/malformed-body")
        assert (answer.json()["reason"], answer.json()["member"]) == (reason, member)
    assert "510107195403071234" not in answer.text


def test_a_body_without_a_media_type_is_looked_at_too() -> None:
    assert is_json("")
    assert not is_json("text/csv; charset=utf-8")


def test_what_is_said_once_passes_and_what_is_no_json_is_left_to_the_route() -> None:
    check_json(b'{"a": {"b": 1}, "c": [{"b": 1.5}, {"b": 2}]}')
    check_json(b"{")
    with pytest.raises(MalformedBody):
        check_json(b'{"a": {"b": 1, "b": 1}}')


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[" * 262_144, "too_deep"),
        (b'["\\"",' + b'{"a":[' * 43_000, "too_deep"),
        (b'"\\"' + b'[\\"' * 87_000, None),  # one text that nobody closes
        (('["\\"",' + "[" * 100_000).encode("utf-16"), "not_utf_8"),
    ],
)
def test_a_body_that_nests_without_end_reaches_no_reader(api: Api, content: bytes, reason: str | None) -> None:
    """The standard reader recurses in C as deeply as the recursion limit says, and libraries raise that limit: the
    process would end. Looking at it takes time in proportion to its length, whatever its quotes say."""
    headers = {**api.token("w", "resident:register"), "Content-Type": "application/json"}
    before, began = sys.getrecursionlimit(), time.monotonic()
    sys.setrecursionlimit(10_000_000)
    try:
        answer = api.client.post("/v1/residents", content=content, headers=headers)
    finally:
        sys.setrecursionlimit(before)
    assert problem(answer) == (400, "/problems/malformed-body")
    assert answer.json().get("reason") == reason
    assert time.monotonic() - began < 5


def test_brackets_within_texts_are_no_depth() -> None:
    check_json(b'{"note": "' + b"[" * 1_000 + b'\\"' + b"{" * 1_000 + b'", "a": [' + b"[]," * 1_000 + b"[]]}")
    check_json(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX)
    with pytest.raises(MalformedBody):
        check_json(b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1))


def numbers(schema: object, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every number and truth that a request's schema reads, with where it is."""
    if isinstance(schema, dict):
        if schema.get("type") in {"int", "float", "bool", "decimal"}:
            yield path, schema
        for name, part in schema.items():
            if name not in {"metadata", "serialization"}:
                yield from numbers(part, f"{path}.{name}")
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from numbers(part, path)


def models(base: type[In]) -> Iterator[type[In]]:
    for one in base.__subclasses__():
        yield one
        yield from models(one)


def test_no_request_takes_a_text_or_a_truth_for_a_number() -> None:
    for module in pkgutil.iter_modules(schemas.__path__):
        importlib.import_module(f"{schemas.__name__}.{module.name}")
    found = [one for model in models(In) for one in numbers(model.__pydantic_core_schema__, model.__name__)]
    assert len(found) > 10
    assert [path for path, schema in found if not schema.get("strict")] == []
    assert all(model.model_config["extra"] == "forbid" for model in models(In))


@pytest.mark.parametrize("programme", ["1", True, 1.0])
def test_a_number_is_a_number(api: Api, programme: object) -> None:
    body = {"document_number": "5101", "links": [{"programme": programme, "source_id": "V"}]}
    answer = api.post("/v1/residents", body, api.token("w", "resident:register"))
    assert problem(answer) == (422, "/problems/invalid-request")
    assert [one["pointer"] for one in answer.json()["fields"]] == ["/links/0/programme"]


@pytest.mark.parametrize("when", [1_800_000_000, "1800000000", "2026-12-01", "2026-12-01T08:00:00", True])
def test_a_time_is_rfc_3339_text_with_its_offset(api: Api, when: object) -> None:
    body = {"title_zh": "茶", "title_en": "Tea", "price_fen": "500", "opens_at": when}
    answer = api.post("/v1/merchants/1/offers", body, api.token("shop", "merchant:1"))
    assert problem(answer) == (422, "/problems/invalid-request")
    assert [one["pointer"] for one in answer.json()["fields"]] == ["/opens_at"]
