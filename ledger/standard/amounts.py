"""Amounts as text: points (100 minor units each) and 元 (100 fen each) share one grammar.

``12``, ``12.5`` and ``12.50`` are amounts; signs, spaces, separators, exponents, leading zeros and a third decimal are
not. At most 13 digits stand before the point. Text that we write has two decimals.
"""

from __future__ import annotations

import re

from ledger.standard.errors import MalformedAmountText
from ledger.standard.value import FEN_PER_YUAN, MINOR_PER_POINT

GRAMMAR = r"(0|[1-9][0-9]{0,12})(\.[0-9]{1,2})?"
"""A regular expression for the whole text."""

_AMOUNT = re.compile(GRAMMAR)


def points_text(minor: int) -> str:
    """Return minor units as points with two decimals: 1250 is ``12.50``."""
    return _decimal(minor, MINOR_PER_POINT)


def points_text_short(minor: int) -> str:
    """Return minor units as points without needless decimals: 1250 is ``12.5``, 1200 is ``12``."""
    text = points_text(minor)
    return text.rstrip("0").rstrip(".")


def yuan_text(fen: int) -> str:
    """Return fen as 元 with two decimals."""
    return _decimal(fen, FEN_PER_YUAN)


def to_minor(points: str) -> int:
    """Return the minor units of points as text. Raises MalformedAmountText."""
    return _hundredths(points)


def to_fen(yuan: str) -> int:
    """Return the fen of 元 as text. Raises MalformedAmountText."""
    return _hundredths(yuan)


def _hundredths(text: str) -> int:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise MalformedAmountText(text)
    return int(match[1]) * 100 + int((match[2] or ".")[1:].ljust(2, "0"))


def _decimal(value: int, unit: int) -> str:
    sign = "-" if value < 0 else ""
    whole, part = divmod(abs(value), unit)
    return f"{sign}{whole}.{part:02d}"
