"""Recursive Length Prefix (Ethereum yellow paper, appendix B): strict, small, and faster than the general package.

Decoding accepts only the one canonical encoding, so two different byte strings never decode to the same item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ledger.proofs.errors import MalformedRlp

Item: TypeAlias = bytes | Sequence["Item"]
"""A byte string, or a list of items."""

Decoded: TypeAlias = bytes | list["Decoded"]

_DEPTH_MAX = 64


def encode(item: Item) -> bytes:
    """Return the RLP of a byte string or of a nested sequence of byte strings."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _prefix(len(item), 0x80) + item
    body = b"".join([encode(part) for part in item])
    return _prefix(len(body), 0xC0) + body


def encode_int(value: int) -> bytes:
    """Return an integer as RLP carries it, not yet encoded: big-endian, no leading zeros, 0 is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode(data: bytes) -> Decoded:
    """Return the item that ``data`` encodes. Raises MalformedRlp, also for bytes after the item."""
    item, end = _decode(data, 0, len(data), 0)
    if end != len(data):
        raise MalformedRlp(end, f"{len(data) - end} bytes follow the item")
    return item


def decode_int(data: bytes, bits: int = 256) -> int:
    """Return the integer of an RLP byte string. Raises MalformedRlp for leading zeros or more than ``bits`` bits."""
    if data[:1] == b"\0":
        raise MalformedRlp(0, "an integer has leading zeros")
    if len(data) * 8 > bits:
        raise MalformedRlp(0, f"an integer has {len(data)} bytes, at most {bits // 8} fit")
    return int.from_bytes(data, "big")


def _prefix(length: int, base: int) -> bytes:
    if length < 56:
        return bytes((base + length,))
    size = encode_int(length)
    return bytes((base + 55 + len(size),)) + size


def _decode(data: bytes, at: int, end: int, depth: int) -> tuple[Decoded, int]:
    if at >= end:
        raise MalformedRlp(at, "an item is missing")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    if first < 0xC0:
        start, stop = _payload(data, at, end, 0x80)
        if stop - start == 1 and data[start] < 0x80:
            raise MalformedRlp(at, "a single small byte stands for itself")
        return data[start:stop], stop
    if depth >= _DEPTH_MAX:
        raise MalformedRlp(at, f"lists are nested more than {_DEPTH_MAX} deep")
    start, stop = _payload(data, at, end, 0xC0)
    items: list[Decoded] = []
    while start < stop:
        item, start = _decode(data, start, stop, depth + 1)
        items.append(item)
    return items, stop


def _payload(data: bytes, at: int, end: int, base: int) -> tuple[int, int]:
    """Return where the payload of the item at ``at`` begins and ends."""
    short = data[at] - base
    if short <= 55:
        start, length = at + 1, short
    else:
        start = at + 1 + short - 55
        size = data[at + 1 : min(start, end)]
        if len(size) != short - 55 or size[0] == 0:
            raise MalformedRlp(at, "the length is cut or has leading zeros")
        length = int.from_bytes(size, "big")
        if length < 56:
            raise MalformedRlp(at, "a short length is written in the long form")
    if start + length > end:
        raise MalformedRlp(at, f"{length} bytes are announced, {end - start} are there")
    return start, start + length
