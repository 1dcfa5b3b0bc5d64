"""Tries equal those of the `trie` package; proofs prove presence and absence and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import rlp as reference_rlp
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from ledger.proofs import rlp, trie
from ledger.proofs.errors import BrokenPath

VALUES = st.one_of(st.binary(min_size=1, max_size=4), st.binary(min_size=1, max_size=90))
KEYS = st.one_of(
    st.integers(0, 400).map(lambda n: rlp.encode(rlp.encode_int(n))),  # as in a receipts trie: prefixes of each other
    st.binary(min_size=1, max_size=4),
    st.binary(min_size=32, max_size=32),
)
ITEMS = st.dictionaries(KEYS, VALUES, max_size=40)


def reference_of(items: dict[bytes, bytes]) -> HexaryTrie:
    other = HexaryTrie({})
    for key, value in items.items():
        other[key] = value
    return other


@given(ITEMS)
def test_root_equals_the_general_package(items: dict[bytes, bytes]) -> None:
    assert trie.Trie(items).root == reference_of(items).root_hash


@given(ITEMS, KEYS)
def test_a_proof_proves_the_value_or_its_absence(items: dict[bytes, bytes], extra: bytes) -> None:
    made = trie.Trie(items)
    for key in [*items, extra]:
        proof = made.proof(key)
        assert trie.verify(made.root, key, proof) == items.get(key)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=40), st.data())
def test_our_proofs_satisfy_the_general_package(items: dict[bytes, bytes], data: Any) -> None:
    made = trie.Trie(items)
    key = data.draw(st.sampled_from(sorted(items)))
    nodes = [reference_rlp.decode(node) for node in made.proof(key)]
    assert HexaryTrie.get_from_proof(made.root, key, nodes) == items[key]


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=40), st.data())
def test_a_changed_byte_anywhere_breaks_the_proof(items: dict[bytes, bytes], data: Any) -> None:
    made = trie.Trie(items)
    key = data.draw(st.sampled_from(sorted(items)))
    proof = made.proof(key)
    at = data.draw(st.integers(0, len(proof) - 1))
    byte = data.draw(st.integers(0, len(proof[at]) - 1))
    changed = bytearray(proof[at])
    changed[byte] ^= data.draw(st.integers(1, 255))
    proof[at] = bytes(changed)
    with pytest.raises(BrokenPath):
        trie.verify(made.root, key, proof)


def test_missing_and_surplus_nodes_are_refused() -> None:
    made = trie.Trie({bytes([n]) * 4: b"v" * 40 for n in range(50)})
    key = b"\7" * 4
    proof = made.proof(key)
    assert len(proof) > 1
    with pytest.raises(BrokenPath):
        trie.verify(made.root, key, proof[:-1])
    with pytest.raises(BrokenPath):
        trie.verify(made.root, key, [*proof, b"\xc0"])
    with pytest.raises(BrokenPath):
        trie.verify(made.root, key, proof[::-1])


def test_an_empty_trie_proves_absence_without_nodes() -> None:
    assert trie.Trie({}).root == trie.EMPTY_ROOT
    assert trie.verify(trie.EMPTY_ROOT, b"k", []) is None


def test_empty_values_are_refused() -> None:
    with pytest.raises(BrokenPath):
        trie.Trie({b"k": b""})
