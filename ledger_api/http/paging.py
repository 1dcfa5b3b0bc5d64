"""Cursors: opaque text that says where the last page ended. A cursor stays good whatever is added meanwhile."""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

from ledger_api.errors import BadCursor

PAGE_SIZE = 50
PAGE_SIZE_MAX = 200


def encode_cursor(*place: int) -> str:
    """Return the cursor of a place: one to four integers of 64 bits."""
    packed = struct.pack(f">B{len(place)}q", len(place), *place)
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, parts: int) -> tuple[int, ...] | None:
    """Return the place of a cursor, or None at the start. Raises BadCursor."""
    if cursor is None:
        return None
    try:
        packed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        count, *place = struct.unpack(f">B{parts}q", packed)
    except (Base64Error, struct.error, ValueError):
        raise BadCursor from None
    if count != parts:
        raise BadCursor
    return tuple(place)
