"""The settings of an installation as a page: environment variable, type, default and meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pydantic

from scripts.reference.models import text_of
from tongdui.settings import IssuerSignerSettings, Settings

OUTSIDE: Mapping[str, str] = {
    "TONGDUI_ANVIL": "Another `anvil` than the one in node_modules, for the embedded default.",
    "TONGDUI_GETH": "Another `geth` (1.13.x) than the one that `make engine` builds, for `tongdui network`.",
    "TONGDUI_ARTIFACTS": "Another folder with the contracts' artifacts than the one of the checkout.",
    "TONGDUI_SOURCE_TOKEN": "Bearer token for `tongdui issuers ingest --rest`, where the API takes a fixed one.",
    "TONGDUI_SOURCE_CLIENT_ID": "Client id for the same command, where the API takes OAuth 2 client credentials.",
    "TONGDUI_SOURCE_CLIENT_SECRET": "The secret that belongs to it.",
}
"""Variables that are read where they are used, and are no setting of the gateway."""


def settings_page() -> str:
    """Return the page of settings. Raises ConfigurationError where a setting has no docstring."""
    prefix = str(Settings.model_config["env_prefix"])
    return "\n".join(
        [
            "# Settings",
            "",
            "<!-- Generated from the code by `make docs`: change the docstrings in tongdui/settings.py instead. -->",
            "",
            text_of(Settings).whole + " A setting comes from the environment or from a `.env` file in the working",
            "folder, and an option of the command line overrides it. Nothing needs to be set. No setting has a secret",
            "as its default: keys are generated on the first start and kept in the state directory.",
            "",
            *_table(Settings, prefix),
            "",
            "## An entry of TONGDUI_ISSUER_SIGNERS",
            "",
            text_of(IssuerSignerSettings).whole,
            "[An agency's own signer](../agency-signer.md) has an example.",
            "",
            *_table(IssuerSignerSettings, ""),
            "",
            "## Read elsewhere",
            "",
            "| variable | meaning |",
            "|---|---|",
            *(f"| `{name}` | {meaning} |" for name, meaning in OUTSIDE.items()),
            "",
        ]
    )


def _table(model: type[pydantic.BaseModel], prefix: str) -> Iterator[str]:
    properties: dict[str, Any] = model.model_json_schema()["properties"]
    texts = text_of(model).fields
    yield f"| {'variable' if prefix else 'member'} | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        label = (prefix + name).upper() if prefix else name
        yield f"| `{label}` | {_type(properties[name])} | {_default(field)} | {texts[name]} |"


def _default(field: pydantic.fields.FieldInfo) -> str:
    if field.is_required():
        return "required"
    match field.default:
        case None:
            return "—"
        case bool() as switch:
            return f"`{str(switch).lower()}`"
        case list() | dict():
            return "none"
        case value:
            return f"`{value}`"


def _type(value: dict[str, Any]) -> str:
    match value:
        case {"anyOf": choices}:
            return " or ".join(_type(choice) for choice in choices if choice != {"type": "null"})
        case {"enum": choices}:
            return ", ".join(f"`{choice}`" for choice in choices)
        case {"type": "integer" | "number"}:
            return str(value["type"]) + _bounds(value)
        case {"type": "boolean"}:
            return "`true`, `false`"
        case {"type": "array" | "object"}:
            return "JSON"
        case {"format": "path"}:
            return "path"
        case {"format": "password"}:
            return "secret"
    return "text"


def _bounds(value: dict[str, Any]) -> str:
    lowest = value.get("minimum")
    low = (
        f"≥ {lowest}" if lowest is not None else f"> {value['exclusiveMinimum']}" if "exclusiveMinimum" in value else ""
    )
    high = f"≤ {value['maximum']}" if "maximum" in value else ""
    return "".join(f", {bound}" for bound in (low, high) if bound)
