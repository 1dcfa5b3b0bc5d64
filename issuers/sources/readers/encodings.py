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
_CHINESE: Final = "\u2e80"
"""The first of the Chinese characters and marks."""
_GB = re.compile(
    r"(x-)?(gb[-_]?2312([-_]?80)?|gbk|cp936|ms936|windows-936|euc[-_]?cn|gb[-_]?18030([-_]?20\d\d)?)", re.IGNORECASE
)


_NO_TEXTS: Final = frozenset(
    {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
"""What Python can decode and no source writes: who declares it wants other characters to be read than are there."""


def known_encoding(name: str) -> str | None:
    """Return Python's name of an encoding, or None. GB2312 and GBK are read as GB18030, which holds both: what a source
    calls GB2312 has a rare character sooner or later."""
    if _GB.fullmatch(name.strip()):
        return "gb18030"
    try:
        found = codecs.lookup(name.strip())
    except (LookupError, ValueError):
        return None
    is_text = getattr(found, "_is_text_encoding", True) and found.name not in _NO_TEXTS
    return found.name if is_text else None


def is_utf8_instead(head: bytes) -> bool:
    """Return whether bytes that are said to be in another encoding are Chinese text in UTF-8, which takes three bytes a
    character. Two bytes of GBK may be one of UTF-8 by chance (志愿), three never make sense."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(head)
    except UnicodeDecodeError:
        return False
    return sum(letter >= _CHINESE for letter in text) > 1


def decoded_name(raw: bytes) -> str | None:
    """Return a short text without a declared encoding, such as a file's name: UTF-8, or GBK where that alone makes
    Chinese of it; None where it is neither."""
    found: list[str] = []
    for encoding in ("utf-8", "gb18030"):
        try:
            found.append(raw.decode(encoding))
        except UnicodeDecodeError:
            continue
    # Two bytes of GBK may be one character of UTF-8 by chance, three hardly ever.
    if len(found) > 1 and max(found[0], default="") < "\u0800" and any(letter >= "\u4e00" for letter in found[1]):
        return found[1]
    return found[0] if found else None
