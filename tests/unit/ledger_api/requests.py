"""A request for each operation of the API, made from its OpenAPI description: right in form, about nothing special."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

HASH = "0x" + "11" * 32
ACCOUNT = "0x" + "22" * 20
PATH = {"merchant_id": "1", "programme": "1", "number": "1", "resident_id": "1", "offer_id": "rice", "system": "s"}
PATH |= {
    "refusal_id": "1",
    "review_id": "1",
    "slug": "forbidden",
    "name": "zhang.san",
    "session_id": "s",
    "slip_id": "s",
    "application_id": "app-1",
    "change_id": "1",
    "endpoint_id": "ep-1",
    "message_id": "msg_1",
}
QUERY = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-30T00:00:00Z", "year": "2026"}
BODIES: dict[str, Any] = {"ClaimDecisionIn": {"nobody": True}}
"""Of bodies whose form says less than what is demanded."""
_TEXTS = (
    "abcdefghij",
    "1",
    "100",
    "0",
    "12.50",
    "510107",
    HASH,
    ACCOUNT,
    "0x" + "11" * 65,
    "2026-11-20T08:00:00+08:00",
)


@dataclass(frozen=True)
class Operation:
    """One operation: how it is asked."""

    name: str
    method: str
    path: str
    body: Any
    params: Mapping[str, str]

    def url(self, **values: str) -> str:
        """Return its path with ids filled in."""
        return re.sub(r"\{(\w+)\}", lambda match: {**PATH, **values}.get(match[1], HASH), self.path)


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Return every operation of an OpenAPI document."""
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            asked = {
                one["name"]: QUERY[one["name"]]
                for one in described.get("parameters", [])
                if one["in"] == "query" and one.get("required")
            }
            content = described.get("requestBody", {}).get("content", {}).get("application/json")
            body = None if content is None else _value(document, content["schema"])
            yield Operation(described["operationId"], method, path, body, asked)


def _value(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """Return a value that a schema allows."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema.get("title") in BODIES:
        return BODIES[schema["title"]]
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _value(document, schema[several][0])
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: _value(document, properties[name]) for name in schema.get("required", [])}
        case "array":
            return [_value(document, schema["items"]) for _ in range(schema.get("minItems", 0))]
        case "integer" | "number":
            return int(schema.get("minimum", 1))
        case "boolean":
            return True
    return _text(schema)


def _text(schema: Mapping[str, Any]) -> str:
    pattern, longest = re.compile(schema.get("pattern", "")), schema.get("maxLength", 1_000)
    shortest = schema.get("minLength", 0)
    return next(
        (one for one in _TEXTS if pattern.search(one) and shortest <= len(one) <= longest), "x" * max(1, shortest)
    )
