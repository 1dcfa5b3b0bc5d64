"""Amounts in requests: text in points (or 元), more than 0; what is wrong names the field."""

from __future__ import annotations

from ledger.standard.amounts import to_fen, to_minor
from ledger.standard.errors import MalformedAmountText
from ledger_api.errors import MalformedAmount


def parse_points(field: str, text: str) -> int:
    """Return the minor units of a text like ``12`` or ``12.5``; more than 0. Raises MalformedAmount."""
    try:
        return _positive(field, to_minor(text))
    except MalformedAmountText:
        raise MalformedAmount(field) from None


def parse_yuan(field: str, text: str) -> int:
    """Return the fen of a text like ``12`` or ``12.5``; more than 0. Raises MalformedAmount."""
    try:
        return _positive(field, to_fen(text))
    except MalformedAmountText:
        raise MalformedAmount(field) from None


def _positive(field: str, amount: int) -> int:
    if amount == 0:
        raise MalformedAmount(field)
    return amount
