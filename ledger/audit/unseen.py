"""Finds storage words that no event explains, by walking the node's own storage trie where it differs from ours.

Keys of a storage trie are hashes, so a contract's slots cannot be listed; but eth_getProof gives the nodes on the way
to any slot we name, and a slot whose hash begins with wanted digits is soon found by trying. So every branch of the
node's trie that differs from the trie of the words we know can be opened, down to the leaves behind it.

Anvil keeps words of 0 in its tries (other nodes never do), so there the roots always differ and the walk decides.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence

from ledger.proofs import rlp, trie
from ledger.proofs.errors import BrokenPath
from ledger.proofs.state import slot_key
from ledger.standard.keccak import keccak256

Fetch = Callable[[Sequence[int]], Sequence[Sequence[bytes]]]
"""Takes slots, returns the nodes from the storage root towards each."""

_SEARCH_NIBBLES_MAX = 6
_SEARCHED_MAX = 2 * 16**_SEARCH_NIBBLES_MAX
_FETCH_SLOTS = 1_000

Word = tuple[bytes, int]
"""(key in the storage trie, value)."""


class TooDeep(BrokenPath):
    """A branch lies so deep that no slot leading to it was found in reasonable time."""


def differences(
    root: bytes, words: Mapping[int, int], own: trie.Trie, fetch: Fetch, hints: Iterable[int] = ()
) -> tuple[list[Word], list[Word]]:
    """Return (words that the trie under ``root`` has beyond ``words``, words that it lacks); words of 0 do not count.

    ``own`` is the trie of ``words``; ``hints`` are slots that may be there, which spares trying others. Raises
    BrokenPath if the node's proofs do not hang together, TooDeep, MalformedRlp or RpcError.
    """
    return _Walk(root, words, own, fetch, hints).run()


class _Walk:
    def __init__(
        self, root: bytes, words: Mapping[int, int], own: trie.Trie, fetch: Fetch, hints: Iterable[int]
    ) -> None:
        self._root = root
        self._fetch = fetch
        self._expected = {slot_key(slot): word for slot, word in words.items() if word}
        self._own = own
        self._slots = sorted((trie.nibbles_of(slot_key(slot)), slot) for slot in (*words, *hints))
        self._nodes: dict[bytes, bytes] = {}
        self._found: dict[bytes, int] = {}
        self._equal: set[bytes] = set()
        self._equal_lengths: set[int] = set()

    def run(self) -> tuple[list[Word], list[Word]]:
        frontier: list[tuple[bytes, rlp.Decoded]] = [(b"", self._root)]
        if self._root == trie.EMPTY_ROOT:
            frontier = []
        while frontier:
            unlike = []
            for prefix, reference in frontier:
                if self._own.reference_at(prefix) == reference:
                    self._equal.add(prefix)
                else:
                    unlike.append((prefix, reference))
            self._load(
                [(prefix, item) for prefix, item in unlike if isinstance(item, bytes) and item not in self._nodes]
            )
            frontier = [child for prefix, reference in unlike for child in self._open(prefix, reference)]
        self._equal_lengths = {len(prefix) for prefix in self._equal}
        surplus = [(key, word) for key, word in self._found.items() if word and self._expected.get(key) != word]
        lacking = [
            item
            for item in self._expected.items()
            if self._found.get(item[0]) != item[1] and not self._is_equal(item[0])
        ]
        return surplus, lacking

    def _open(self, prefix: bytes, reference: rlp.Decoded) -> list[tuple[bytes, rlp.Decoded]]:
        node = self._nodes[reference] if isinstance(reference, bytes) else reference
        further = []
        for part, item, is_value in trie.children(node):
            path = prefix + part
            if not is_value:
                further.append((path, item))
                continue
            if len(path) != 64 or isinstance(item, list):
                raise BrokenPath("a leaf of a storage trie does not lie at the end of a hash")
            key = bytes([path[at] << 4 | path[at + 1] for at in range(0, 64, 2)])
            content = rlp.decode(item)
            if isinstance(content, list):
                raise BrokenPath("a storage word is a list")
            self._found[key] = rlp.decode_int(content)
        return further

    def _is_equal(self, key: bytes) -> bool:
        nibbles = trie.nibbles_of(key)
        return any(nibbles[:length] in self._equal for length in self._equal_lengths)

    def _load(self, wanted: list[tuple[bytes, bytes]]) -> None:
        """Fetch the nodes that lie under these prefixes."""
        slots = self._slots_under([prefix for prefix, _ in wanted])
        for start in range(0, len(slots), _FETCH_SLOTS):
            for path in self._fetch(slots[start : start + _FETCH_SLOTS]):
                for node in path:
                    self._nodes[keccak256(node)] = node
        for prefix, digest in wanted:
            if digest not in self._nodes:
                raise BrokenPath(f"the node gives no way to 0x{digest.hex()} under {prefix.hex()}")

    def _slots_under(self, prefixes: list[bytes]) -> list[int]:
        found: list[int] = []
        missing: dict[int, set[bytes]] = {}
        for prefix in prefixes:
            at = bisect_left(self._slots, (prefix, -1))
            if at < len(self._slots) and self._slots[at][0].startswith(prefix):
                found.append(self._slots[at][1])
            else:
                missing.setdefault(len(prefix), set()).add(prefix)
        for length, wanted in missing.items():
            found += self._search(length, wanted)
        return found

    def _search(self, length: int, wanted: set[bytes]) -> list[int]:
        """Try slots until one is found under each prefix of ``length`` nibbles."""
        if length > _SEARCH_NIBBLES_MAX:
            raise TooDeep(f"{len(wanted)} branches lie {length} digits deep")
        size = (length + 1) // 2
        heads = {_head(prefix): prefix for prefix in wanted}
        odd = length % 2
        found: list[int] = []
        slot = 0
        while heads:
            digest = keccak256(slot.to_bytes(32, "big"))[:size]
            if odd:
                digest = digest[:-1] + bytes([digest[-1] & 0xF0])
            if digest in heads:
                del heads[digest]
                found.append(slot)
            slot += 1
            if slot > _SEARCHED_MAX:
                raise TooDeep(f"no slot leads to {len(heads)} branches that lie {length} digits deep")
        return found


def _head(prefix: bytes) -> bytes:
    """A prefix of nibbles as bytes, the last one filled up with 0."""
    even = prefix if len(prefix) % 2 == 0 else prefix + b"\0"
    return bytes([even[at] << 4 | even[at + 1] for at in range(0, len(even), 2)])
