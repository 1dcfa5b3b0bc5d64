"""Amounts in JSON: always text, in points (or 元) for people and in whole minor units (or fen) for machines."""

from __future__ import annotations

import re

from ledger.standard.value import MINOR_PER_POINT
from ledger_api.errors import MalformedAmount

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,2}))?")
_FEN_PER_YUAN = 100


def points_text(minor: int) -> str:
    """Return minor units as points with two decimals: 1250 is ``12.50``."""
    return _decimal(minor, MINOR_PER_POINT)


def yuan_text(fen: int) -> str:
    """Return fen as 元 with two decimals."""
    return _decimal(fen, _FEN_PER_YUAN)


def parse_points(field: str, text: str) -> int:
    """Return the minor units of a text like ``12`` or ``12.5``; more than 0. Raises MalformedAmount."""
    return _hundredths(field, text)


def parse_yuan(field: str, text: str) -> int:
    """Return the fen of a text like ``12`` or ``12.5``; more than 0. Raises MalformedAmount."""
    return _hundredths(field, text)


def _hundredths(field: str, text: str) -> int:
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise MalformedAmount(field)
    value = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
    if value == 0:
        raise MalformedAmount(field)
    return value


def _decimal(value: int, unit: int) -> str:
    sign = "-" if value < 0 else ""
    whole, part = divmod(abs(value), unit)
    return f"{sign}{whole}.{part:02d}"
