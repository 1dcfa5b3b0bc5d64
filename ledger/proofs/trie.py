"""Merkle-Patricia tries (yellow paper, appendix D): build one from scratch, prove a key, check a proof.

Transactions' receipts, accounts and storage all live in such tries; only their keys differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ledger.proofs import rlp
from ledger.proofs.errors import BrokenPath
from ledger.standard.keccak import keccak256

EMPTY_ROOT = keccak256(rlp.encode(b""))
"""Root of a trie without keys."""

_HASH_BYTES = 32
_DIGITS = bytes.maketrans(b"0123456789abcdef", bytes(range(16)))
_BRANCH_ITEMS = 17


class Trie:
    """An immutable trie over byte keys; at least one key, no empty values (an empty value means absence)."""

    def __init__(self, items: Mapping[bytes, bytes]) -> None:
        """Build the trie of ``items``. Raises BrokenPath if a value is empty."""
        if any(not value for value in items.values()):
            raise BrokenPath("an empty value cannot be stored in a trie")
        self._nodes: dict[bytes, bytes] = {}
        pairs = sorted((nibbles_of(key), value) for key, value in items.items())
        encoded = rlp.encode(self._node(pairs, 0)) if pairs else rlp.encode(b"")
        self.root = keccak256(encoded)
        self._nodes[self.root] = encoded

    def proof(self, key: bytes) -> list[bytes]:
        """Return the encoded nodes on the way to ``key``, root first (also when the key is absent)."""
        path: list[bytes] = []
        _walk(self.root, key, _recording(self._nodes, path))
        return path

    def reference_at(self, prefix: bytes) -> rlp.Decoded | None:
        """Return what names the node under a prefix of nibbles: its hash, or itself if short; None if none is there."""
        reference: rlp.Decoded = self.root
        at = 0
        while at < len(prefix):
            node = rlp.decode(self._nodes[reference]) if isinstance(reference, bytes) else reference
            if not isinstance(node, list):
                return None
            if len(node) == _BRANCH_ITEMS:
                reference = node[prefix[at]]
                at += 1
            else:
                part, is_leaf = _decode_hex_prefix(node[0])
                if is_leaf or prefix[at : at + len(part)] != part:
                    return None
                reference = node[1]
                at += len(part)
            if reference == b"":
                return None
        return reference

    def _node(self, pairs: Sequence[tuple[bytes, bytes]], depth: int) -> rlp.Item:
        if len(pairs) == 1:
            nibbles, value = pairs[0]
            return [_hex_prefix(nibbles[depth:], leaf=True), value]
        shared = _shared_length(pairs[0][0], pairs[-1][0], depth)  # sorted, so first and last share the least
        if shared > depth:
            child = self._reference(self._node(pairs, shared))
            return [_hex_prefix(pairs[0][0][depth:shared], leaf=False), child]
        branch: list[rlp.Item] = [b""] * _BRANCH_ITEMS
        start = 0
        if len(pairs[0][0]) == depth:  # the only key that may end here sorts first
            branch[16] = pairs[0][1]
            start = 1
        while start < len(pairs):
            nibble, end = pairs[start][0][depth], start + 1
            while end < len(pairs) and pairs[end][0][depth] == nibble:
                end += 1
            branch[nibble] = self._reference(self._node(pairs[start:end], depth + 1))
            start = end
        return branch

    def _reference(self, node: rlp.Item) -> rlp.Item:
        """A node under 32 bytes stands in its parent, a larger one is named by its hash."""
        encoded = rlp.encode(node)
        if len(encoded) < _HASH_BYTES:
            return node
        digest = keccak256(encoded)
        self._nodes[digest] = encoded
        return digest


def verify(root: bytes, key: bytes, proof: Sequence[bytes]) -> bytes | None:
    """Return the value that ``proof`` proves for ``key`` under ``root``, or None if it proves that there is none.

    Raises BrokenPath if the nodes do not connect root and key, or if some of them are not needed, and MalformedRlp.
    """
    read: list[bytes] = []
    value = _walk(root, key, _recording({keccak256(node): node for node in proof}, read))
    if read != list(proof):
        raise BrokenPath("the proof has nodes that are not on the path, or not in their order")
    return value


def _recording(nodes: Mapping[bytes, bytes], read: list[bytes]) -> Callable[[bytes], bytes]:
    """Return a reader of nodes by hash that appends what it reads to ``read``."""

    def node_of(digest: bytes) -> bytes:
        node = nodes.get(digest)
        if node is None:
            raise BrokenPath(f"node 0x{digest.hex()} is missing")
        read.append(node)
        return node

    return node_of


def _walk(root: bytes, key: bytes, node_of: Callable[[bytes], bytes]) -> bytes | None:
    """Follow ``key`` down from ``root``; return its value, or None if there is none."""
    if root == EMPTY_ROOT:
        return None
    nibbles, at = nibbles_of(key), 0
    reference: rlp.Decoded = root
    while True:
        node = _resolve(reference, node_of)
        if node == b"":
            return None
        if not isinstance(node, list) or len(node) not in (2, _BRANCH_ITEMS):
            raise BrokenPath("a node is neither a branch nor a leaf nor an extension")
        if len(node) == _BRANCH_ITEMS:
            if at == len(nibbles):
                return _value(node[16])
            reference = node[nibbles[at]]
            at += 1
            continue
        part, is_leaf = _decode_hex_prefix(node[0])
        if nibbles[at : at + len(part)] != part:
            return None
        at += len(part)
        if is_leaf:
            return _value(node[1]) if at == len(nibbles) else None
        reference = node[1]


def _resolve(reference: rlp.Decoded, node_of: Callable[[bytes], bytes]) -> rlp.Decoded:
    if isinstance(reference, list) or reference == b"":
        return reference
    if len(reference) != _HASH_BYTES:
        raise BrokenPath(f"a node is named by {len(reference)} bytes")
    return rlp.decode(node_of(reference))


def children(node: bytes | list[rlp.Decoded]) -> list[tuple[bytes, rlp.Decoded, bool]]:
    """Return what a node leads to as (nibbles on the way, reference or value, whether it is a value).

    Raises BrokenPath or MalformedRlp.
    """
    item = rlp.decode(node) if isinstance(node, bytes) else node
    if not isinstance(item, list) or len(item) not in (2, _BRANCH_ITEMS):
        raise BrokenPath("a node is neither a branch nor a leaf nor an extension")
    if len(item) == _BRANCH_ITEMS:
        found = [(bytes([nibble]), child, False) for nibble, child in enumerate(item[:16]) if child != b""]
        return found + ([(b"", item[16], True)] if item[16] != b"" else [])
    part, is_leaf = _decode_hex_prefix(item[0])
    return [(part, item[1], is_leaf)]


def _value(item: rlp.Decoded) -> bytes | None:
    if isinstance(item, list):
        raise BrokenPath("a value is a list")
    return item or None


def nibbles_of(key: bytes) -> bytes:
    """Return a key's half bytes, one a byte."""
    return key.hex().encode().translate(_DIGITS)


def _shared_length(a: bytes, b: bytes, start: int) -> int:
    end = min(len(a), len(b))
    while start < end and a[start] == b[start]:
        start += 1
    return start


def _hex_prefix(nibbles: bytes, *, leaf: bool) -> bytes:
    flag = 2 if leaf else 0
    padded = bytes([flag + 1]) + nibbles if len(nibbles) % 2 else bytes([flag, 0]) + nibbles
    return bytes([padded[i] << 4 | padded[i + 1] for i in range(0, len(padded), 2)])


def _decode_hex_prefix(item: rlp.Decoded) -> tuple[bytes, bool]:
    if isinstance(item, list) or not item:
        raise BrokenPath("a path part is not a byte string")
    nibbles = nibbles_of(item)
    flag = nibbles[0]
    if flag > 3 or (flag % 2 == 0 and nibbles[1] != 0):
        raise BrokenPath("a path part has an unknown prefix")
    return nibbles[1 if flag % 2 else 2 :], flag >= 2
