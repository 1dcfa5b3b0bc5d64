"""A refused row that was corrected, as a record that can be taken in again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from issuers.sources.mapping import Mapping as SourceMapping

_DOT = "\u2024"
"""Stands for a dot in a column's name that is no path."""


def corrected(mapping: SourceMapping, values: Mapping[str, str]) -> tuple[SourceMapping, dict[str, Any]]:
    """Return corrected values (by the mapping's columns) as a JSON object, and the mapping that reads it."""
    plain = mapping.model_copy(update={"format": "json", "records": ""})
    document: dict[str, Any] = {}
    if mapping.format in ("json", "jsonl"):
        for column, value in values.items():
            _place(document, column.split("."), value)
        return plain, document
    # Columns of tables and XML are names with dots and slashes of their own: they are no paths here.
    document = {column.replace(".", _DOT): value for column, value in values.items()}
    return _with_columns(plain, lambda column: column.replace(".", _DOT)), document


def _place(document: dict[str, Any], path: list[str], value: str) -> None:
    for name in path[:-1]:
        document = document.setdefault(name, {})
    document[path[-1]] = value


def _with_columns(mapping: SourceMapping, rename: Callable[[str], str]) -> SourceMapping:
    """Return the mapping with its columns renamed."""

    def renamed(spec: Any) -> Any:
        changes: dict[str, Any] = {"columns": tuple(rename(one) for one in spec.columns)}
        if spec.column is not None:
            changes["column"] = rename(spec.column)
        unit = getattr(spec, "unit", None)
        if unit is not None and not isinstance(unit, str):
            changes["unit"] = renamed(unit)
        return spec.model_copy(update=changes)

    return mapping.model_copy(
        update={
            "fields": {name: renamed(spec) for name, spec in mapping.fields.items()},
            "quantity": tuple(renamed(spec) for spec in mapping.quantity),
        }
    )
