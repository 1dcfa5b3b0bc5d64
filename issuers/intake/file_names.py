"""Names of files from outside, as words that a database, a report, a log and a terminal can bear.

A name is bytes: packers and old systems write GBK, and anybody may put control characters or marks of writing direction
into one.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from typing import Final

from issuers.sources.readers.encodings import decoded_name

_CHARS_MAX: Final = 200
_BYTES_MAX: Final = 240
"""Of a name that gets an addition of ours; file systems stop at 255."""
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def shown_name(name: str) -> str:
    """Return a file's name as text: GBK in Chinese, what no eye sees by its number, and at most 200 characters."""
    try:
        raw = os.fsencode(name)
    except UnicodeEncodeError:
        raw = name.encode("utf-8", "backslashreplace")
    text = decoded_name(raw)
    text = "".join(_seen(letter) for letter in (raw.decode("utf-8", "backslashreplace") if text is None else text))
    return text if len(text) <= _CHARS_MAX else text[: _CHARS_MAX - 1] + "…"


def with_addition(name: str, addition: str) -> str:
    """Return a name with an addition at its end, shortened (and told apart by a hash) where both are too long."""
    raw = os.fsencode(name)
    if len(raw) + len(addition.encode()) <= _BYTES_MAX:
        return name + addition
    kept = raw[: _BYTES_MAX - len(addition.encode()) - 17]
    return f"{os.fsdecode(kept)}-{hashlib.sha256(raw).hexdigest()[:16]}{addition}"


def _seen(letter: str) -> str:
    if letter.isprintable() or unicodedata.category(letter) not in _HIDDEN:
        return letter
    return f"\\u{{{ord(letter):x}}}"
