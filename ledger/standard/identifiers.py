"""How identifiers are compared: the one form of source ids, record numbers, device names and document numbers.

Exports, forms and people write one number in many ways: in full-width digits, with blanks, with a lower-case x at its
end, with characters that nobody sees, which spreadsheets and chats leave behind. Two numbers that look alike must be
one wherever they enter (a record, a push, a claim, a link code, a desk, the API): what is hashed, or matched against a
pattern, is always the form that this module gives.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from ledger.standard.ids import ProgrammeId

VERSION: Final = 2
"""Of the form. It is raised with every change, so that what is stored is brought to the new form once."""
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's characters that no font shows (Default_Ignorable_Code_Point), and the empty braille pattern."""


def normalise(identifier: str, *, keep_case: bool = False) -> str:
    """Return the form under which an identifier is compared: NFKC, without blanks and unseen characters.

    ``keep_case``: else in upper case, for most systems mean one person by x and X.
    """
    if identifier.isascii():
        text = identifier if identifier.isalnum() else "".join(identifier.split())
    else:
        text = "".join(unicodedata.normalize("NFKC", _UNSEEN.sub("", identifier)).split())
        text = _UNSEEN.sub("", text)  # a compatible form may be unseen where its character was not
    return text if keep_case else text.upper()


@dataclass(frozen=True, slots=True)
class IdentifierForms:
    """The forms of an installation: in some programmes' systems ``aB1`` and ``AB1`` are two people."""

    case_kept: frozenset[ProgrammeId] = frozenset()
    """Programmes whose source ids differ by case, as their mappings say."""

    def source_id(self, programme: ProgrammeId, identifier: str) -> str:
        """Return a source id's form."""
        return normalise(identifier, keep_case=programme in self.case_kept)

    @property
    def name(self) -> str:
        """The name of the forms, under which it is noted that all that is stored has them."""
        return f"identifiers {VERSION} " + ",".join(str(one) for one in sorted(self.case_kept))


def record_number(identifier: str) -> str:
    """Return the form of a record's natural id. Case is kept: where it is nothing, the mapping has taken it away."""
    return normalise(identifier, keep_case=True)
