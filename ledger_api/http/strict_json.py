"""What a JSON body may not say twice, or say of no number: looked at before any route sees it.

RFC 8259 leaves open what a repeated name means, and readers differ: a proxy that looks at the first ``quantity`` and a
service that takes the last one have read two orders. ``NaN`` and its like are no JSON at all, but Python reads them.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from ledger_api.errors import MalformedBody

DEPTH_MAX = 64
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
"""A text, closed or not (so that no byte is looked at twice), or a bracket."""


def _depth(body: bytes) -> int:
    """Return how deeply arrays and objects are nested; brackets within texts do not count."""
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return 0
    depth = deepest = 0
    for found in _BRACKETS.finditer(body):
        sign = found[0]
        if sign in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif sign in (b"]", b"}"):
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise MalformedBody("duplicate_member", name[:80])
            seen.add(name)
    return found


def _constant(name: str) -> None:
    raise MalformedBody("not_a_number", name)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise MalformedBody("not_a_number", text[:80])
    return value


def check_json(body: bytes) -> None:
    """Raise MalformedBody where an object has a name twice, a number is none, it nests too deeply or is no UTF-8.

    What is no JSON at all passes: the routes say so themselves. The standard library's reader, which the routes use
    too, is bounded by the recursion limit alone, which a library may raise to where the C stack ends; so depth is
    counted first.
    """
    if not json.detect_encoding(body).startswith("utf-8"):
        raise MalformedBody("not_utf_8", "")
    if _depth(body) > DEPTH_MAX:
        raise MalformedBody("too_deep", str(DEPTH_MAX))
    try:
        json.loads(body, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        return


def is_json(content_type: str) -> bool:
    """Return whether a body of this media type is read as JSON; one without a type is."""
    kind = content_type.partition(";")[0].strip().lower()
    return not kind or kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
