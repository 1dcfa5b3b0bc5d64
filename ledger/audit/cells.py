"""Storage words: how the compiler places and packs things, and what each word must hold.

The words follow from the contracts' storage layout
(https://docs.soliditylang.org/en/v0.8.30/internals/layout_in_storage.html) and from the books that the replay computed.
Every word is known in all its bits, so a contract's storage must have exactly the root of a trie of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.audit.nonces import locate
from ledger.standard.keccak import keccak256

BASE_SHIFT = 192
WINDOW_SHIFT = 224
_WORD_BITS = 256
_SHORT_TEXT_MAX = 31

__all__ = [
    "BASE_SHIFT",
    "WINDOW_SHIFT",
    "Cell",
    "array_cells",
    "locate",
    "lots_of",
    "pack",
    "struct_cells",
    "text_cells",
]


@dataclass(frozen=True, slots=True)
class Cell:
    """One storage word: its slot, what it stands for, and its value; 0 where nothing is kept any more."""

    slot: int
    what: str
    value: int
    is_lanes: bool = False
    """Four lots, and the nonces of a holder."""


def pack(*members: tuple[int, int]) -> list[int]:
    """Place (bits, value) members into words as solc does: from the low end, none across a word's border."""
    words, used = [0], 0
    for bits, value in members:
        if used + bits > _WORD_BITS:
            words.append(0)
            used = 0
        words[-1] |= (value & (1 << bits) - 1) << used
        used += bits
    return words


def struct_cells(slot: int, what: str, *members: tuple[int, int]) -> Iterator[Cell]:
    """The words of a struct of value types."""
    for index, word in enumerate(pack(*members)):
        yield Cell(slot + index, what, word)


def text_cells(slot: int, what: str, text: str) -> Iterator[Cell]:
    """The words of a string: a short one with its length, or 2 * length + 1 and further words."""
    content = text.encode()
    if len(content) <= _SHORT_TEXT_MAX:
        yield Cell(slot, what, int.from_bytes(content.ljust(32, b"\0"), "big") | 2 * len(content))
        return
    yield Cell(slot, what, 2 * len(content) + 1)
    first = _content_of(slot)
    for index in range(-(-len(content) // 32)):
        part = content[index * 32 : index * 32 + 32].ljust(32, b"\0")
        yield Cell(first + index, what, int.from_bytes(part, "big"))


def array_cells(slot: int, what: str, bits: int, items: Sequence[int]) -> Iterator[Cell]:
    """The words of a dynamic array of ``bits``-bit values, as many a word as fit."""
    yield Cell(slot, f"number of {what}", len(items))
    first, each = _content_of(slot), _WORD_BITS // bits
    for start in range(0, len(items), each):
        word = pack(*((bits, item) for item in items[start : start + each]))[0]
        yield Cell(first + start // each, what, word)


def lots_of(key: int) -> str:
    """Name the lots that share a word: programme and year."""
    year = key & 0xFFFFFFFF
    return f"of programme {key >> 32}, " + (f"year {1999 + year}" if year else "never expiring")


def words_of(cells: Iterable[Cell]) -> dict[int, int]:
    """Return the words by slot."""
    return {cell.slot: cell.value for cell in cells}


def _content_of(slot: int) -> int:
    return int.from_bytes(keccak256(slot.to_bytes(32, "big")), "big")
