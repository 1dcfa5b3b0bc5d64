"""CSV for people, which they open in a spreadsheet: UTF-8 with its mark, and no cell that would be a formula.

A text that begins like a formula gets an apostrophe in front, which spreadsheets take for "this is text" (OWASP, "CSV
injection"); the full-width forms count too, for spreadsheets in Chinese take them. Amounts are numbers of our own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from starlette.responses import Response

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
ROWS_MAX = 50_000


@dataclass(frozen=True, slots=True)
class Number:
    """A number as we write it: it may begin with a minus, and is no formula."""

    text: str


Cell = str | Number | None


def neutral(text: str) -> str:
    """Return a text as no spreadsheet takes it for a formula."""
    return f"'{text}" if text.lstrip(" \u00a0\u3000").startswith(_FORMULA) else text


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table as CSV (RFC 4180)."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out, quoting=csv.QUOTE_MINIMAL)
    writer.writerow(header)
    for row in rows:
        writer.writerow([_written(cell) for cell in row])
    return out.getvalue()


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """Return a table to download as ``name``."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(csv_text(header, rows).encode(), media_type="text/csv; charset=utf-8", headers=headers)


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    return cell.text if isinstance(cell, Number) else neutral(cell)
