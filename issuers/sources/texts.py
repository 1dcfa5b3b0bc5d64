"""A cell's text as its source meant it: without guards, and nothing where the source wrote a word for nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final

from issuers.sources.mapping import FieldSpec, Mapping

Values = tuple[str | None, ...]
Getter = Callable[[Values], str]
"""Takes a field's text out of a row; empty where the source has nothing."""

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_SCIENTIFIC = re.compile(r"(?:^|\|)([0-9](?:\.[0-9]+)?[Ee]\+?[0-9]{1,3})(?=$|\|)")
_SHAPE_CHARS: Final = 24
_MARKED = re.compile(
    "[\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209f\u2150-\u215f\u2189\u2460-\u24ff\u2776-\u2793\u3200-\u33ff]"
)
"""Superscripts, fractions, circled and bracketed numbers: ``12①`` is twelve with a note, and no 121."""
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATED = re.compile(rf"[0-9]{{1,2}}月[0-9]{{1,2}}日|[0-9]{{1,2}}-{_MONTH}|{_MONTH}-[0-9]{{1,2}}")
_CELL_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:]{8})?|[0-9]{2}:[0-9]{2}:[0-9]{2}")


def getter(spec: FieldSpec, mapping: Mapping, positions: dict[str, int]) -> Getter:
    """Return the function that reads a field's text. Several columns are joined by ``|``, if none of them is empty."""
    if spec.constant is not None:
        constant = spec.constant
        return lambda _values: constant
    cells = cell_getters(spec, mapping, positions)
    if len(cells) == 1:
        return cells[0]

    def join(values: Values) -> str:
        parts = [cell(values) for cell in cells]
        return "|".join(parts) if all(parts) else ""

    return join


def cell_getters(spec: FieldSpec, mapping: Mapping, positions: dict[str, int]) -> list[Getter]:
    """Return the functions that read each of a field's columns."""
    nothing = _tokens(mapping.empty if spec.empty is None else spec.empty) - _tokens(spec.values)
    longest = max((len(token) for token in nothing), default=0)
    guards = tuple(guard for guard in mapping.prefix_guards if guard)
    marks = "=" if not guards else (*guards, "=")

    def cell(at: int) -> Getter:
        def read(values: Values) -> str:
            text = values[at]
            if text is None:
                return ""
            text = text.strip()
            if text.startswith(marks):
                text = unguarded(text, guards)
            if len(text) <= longest and text.casefold() in nothing:
                return ""
            return text

        return read

    return [cell(positions[column]) for column in spec.sources]


def unguarded(text: str, guards: tuple[str, ...]) -> str:
    """Return a text without what keeps a spreadsheet from changing it: ``="0123"``, and the mapping's own marks."""
    if text.startswith('="') and text.endswith('"') and len(text) > 2:
        return text[2:-1].replace('""', '"').strip()
    for guard in guards:
        if text.startswith(guard):
            return text.removeprefix(guard).strip()
    return text


def plain(text: str) -> str:
    """Return a text in its compatible form (full-width digits and marks become plain) without invisible characters. A
    text with a note's number on it stays as it is, for its digits are none of the value's."""
    return (
        text if text.isascii() or is_marked(text) else _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).strip()
    )


def is_marked(text: str) -> bool:
    """Return whether a text has superscripts, fractions, or circled numbers, as notes of a table do."""
    return _MARKED.search(text) is not None


def dated_shape(text: str, *, of_workbook: bool) -> str | None:
    """Return the shape of an identifier that a spreadsheet took for a date (3-12 becomes 12-Mar), or None.

    ``of_workbook``: of a workbook's cell, which the reader shows as an ISO date if it is one.
    """
    found = _DATED.fullmatch(text) or (of_workbook and _CELL_DATE.fullmatch(text))
    return shape_of(text) if found else None


def scientific_part(text: str) -> str | None:
    """Return the shape of a number in scientific form, if an identifier (or one of its joined parts) is one: a
    spreadsheet has dropped its digits."""
    found = _SCIENTIFIC.search(text)
    return None if found is None else re.sub("[0-9]", "9", found[1])


def shape_of(text: str) -> str:
    """Return a value's shape, which tells a clerk what was found without saying it: 9 for a digit, A and a for letters,
    字 for Chinese ones."""
    shown = "".join(_shape(letter) for letter in text[:_SHAPE_CHARS])
    return shown + "…" if len(text) > _SHAPE_CHARS else shown


def _shape(letter: str) -> str:
    if letter.isdecimal():
        return "9" if letter.isascii() else "９"
    if letter.isascii():
        return "A" if letter.isupper() else "a" if letter.islower() else letter if letter.isprintable() else "·"
    return "字" if letter.isalpha() else letter if letter.isprintable() else "·"


def _tokens(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word.strip().casefold() for word in words if word.strip())
