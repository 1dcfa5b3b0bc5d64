"""Cells of a returned file: its reason column, and values that a spreadsheet would take for a formula.

A value that begins with ``=``, ``+``, ``-`` or ``@`` is given an apostrophe before it, so that opening the file starts
nothing; on the way back it is taken off. A value that had apostrophes before such a sign gets one more: so nothing is
lost either way.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MARK: Final = "tongdui-reason"
"""In the reason column's name: by this a returned file is known. ASCII, so that it is found in any encoding."""
COLUMN: Final = f"退回原因 {MARK}"
KEY: Final = "tongdui_reason"
"""The reason's name in JSON and XML."""
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]", re.DOTALL)
_GUARDED: Final = re.compile(r"'+[=+\-@\t\r]", re.DOTALL)
_NUMBER: Final = re.compile(r"\[#([0-9]{1,18})\]")


class Reason(NamedTuple):
    """Why a row comes back."""

    en: str
    zh: str
    refusal_id: int | None = None
    """The refusal's number, by which it is closed when the row comes back corrected."""

    def text(self) -> str:
        """Return the cell's text, in both languages."""
        number = "" if self.refusal_id is None else f" [#{self.refusal_id}]"
        return f"{self.zh} {self.en}{number}"


def guarded(value: str) -> str:
    """Return a value that no spreadsheet takes for a formula."""
    return "'" + value if _FORMULA.match(value) else value


def unguarded(value: str) -> str:
    """Return the value as it was before `guarded`."""
    return value[1:] if _GUARDED.match(value) else value


def refusal_of(reason: str | None) -> int | None:
    """Return the refusal's number in a reason's text."""
    found = None if reason is None else _NUMBER.search(reason)
    return None if found is None else int(found[1])
