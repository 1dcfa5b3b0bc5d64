"""Encodings as sources name them, and what a byte that is none costs: its field, never the file.

A byte that does not decode becomes U+FFFD. A field that is read and holds one is refused; in a field that nobody reads
it does no harm.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

LOST: Final = "\ufffd"
"""Stands for what could not be decoded. A source that sends it has lost the character itself."""
_GB = re.compile(
    r"(x-)?(gb[-_]?2312([-_]?80)?|gbk|cp936|ms936|windows-936|euc[-_]?cn|gb[-_]?18030([-_]?20\d\d)?)", re.IGNORECASE
)


def known_encoding(name: str) -> str | None:
    """Return Python's name of an encoding, or None. GB2312 and GBK are read as GB18030, which holds both: what a source
    calls GB2312 has a rare character sooner or later."""
    if _GB.fullmatch(name.strip()):
        return "gb18030"
    try:
        return codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        return None


def is_utf8_instead(head: bytes) -> bool:
    """Return whether bytes that are said to be in another encoding are UTF-8: text of several characters beyond ASCII
    is never both by chance."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(head)
    except UnicodeDecodeError:
        return False
    return sum(letter > "\x7f" for letter in text) > 3
