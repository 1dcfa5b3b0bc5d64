"""The API's description as a file, so that a change of the API is seen in a commit and clients can be generated."""

from __future__ import annotations

import json
from typing import Any

from ledger_api.app import openapi_document


def openapi_json() -> str:
    """Return the OpenAPI document as indented JSON. Paths and schemas are sorted, so a moved route changes nothing."""
    document = openapi_document()
    components = document["components"]
    return _text(
        document
        | {"paths": dict(sorted(document["paths"].items()))}
        | {"components": components | {"schemas": dict(sorted(components["schemas"].items()))}}
    )


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
