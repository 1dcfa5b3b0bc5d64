"""What stands in the columns of a file: how full they are, what repeats, what is written otherwise than the rest.

Memory is bounded whatever the file: each column counts so many different values and shapes, and says so where there
are more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from issuers.answers import ColumnView, Odd

VALUES_MAX: Final = 2_000
SHAPES_MAX: Final = 200
_SHAPE_CHARS: Final = 40
_REPEATED: Final = 3
_ODD_SHARE: Final = 50
"""A shape that one value has, or at most one in so many, is odd, where most values have one shape."""
_MOST: Final = 0.6
_ODD_MAX: Final = 3
_EXCEL_DIGITS: Final = 15


def shape(text: str) -> str:
    """Return the form of a value: each run of digits is 9, of Latin letters A or a, of Chinese ones 字; marks stay."""
    shown: list[str] = []
    for letter in text[:_SHAPE_CHARS]:
        if letter.isdecimal():
            sign = "9" if letter.isascii() else "９"
        elif letter.isascii():
            sign = "A" if letter.isupper() else "a" if letter.islower() else letter if letter.isprintable() else "·"
        elif letter.isalpha():
            sign = "字"
        else:
            sign = letter if letter.isprintable() else "·"
        if not shown or sign != shown[-1] or not (sign.isalnum() or sign == "９"):
            shown.append(sign)
    return "".join(shown) + ("…" if len(text) > _SHAPE_CHARS else "")


@dataclass(slots=True)
class ColumnProfile:
    """Counts of one column while a file is read."""

    column: str
    filled: int = 0
    empty: int = 0
    values: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    is_exact: bool = True
    ruined: int = 0
    """Numbers of 16 and more digits that end in 000: a spreadsheet keeps 15 digits and puts zeros for the others."""
    _first: dict[str, tuple[str, int]] = field(default_factory=dict)

    def add(self, value: str | None, row: int) -> None:
        """Count a value."""
        text = "" if value is None else value.strip()
        if not text:
            self.empty += 1
            return
        self.filled += 1
        if text in self.values or len(self.values) < VALUES_MAX:
            self.values[text] += 1
        else:
            self.is_exact = False
        form = shape(text)
        if form in self.shapes or len(self.shapes) < SHAPES_MAX:
            self.shapes[form] += 1
            self._first.setdefault(form, (text, row))
        if len(text) > _EXCEL_DIGITS and text.isascii() and text.isdigit() and text.endswith("000"):
            self.ruined += 1

    def view(self) -> ColumnView:
        """Return what was counted."""
        common = self.shapes.most_common()
        is_uniform = bool(common) and common[0][1] >= self.filled * _MOST and common[0][1] > 1
        few = max(1, self.filled // _ODD_SHARE)
        odd = [Odd(*self._first[form], count) for form, count in reversed(common[1:]) if is_uniform and count <= few]
        return ColumnView(
            self.column,
            self.filled,
            self.empty,
            len(self.values),
            self.is_exact,
            tuple((value, count) for value, count in self.values.most_common(_REPEATED) if count > 1),
            common[0][0] if common else "",
            tuple(odd[:_ODD_MAX]),
        )
