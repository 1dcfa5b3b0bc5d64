"""The walk through a storage trie: it finds exactly the words that nobody accounted for, wherever they hide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.audit.unseen import TooDeep, differences
from ledger.proofs import rlp
from ledger.proofs.errors import BrokenPath
from ledger.proofs.state import slot_key, storage_trie
from ledger.proofs.trie import Trie

SLOTS = st.integers(0, 2**256 - 1)
WORDS = st.dictionaries(SLOTS, st.integers(1, 2**256 - 1), max_size=60)


def remote(words: dict[int, int], zeros: Sequence[int] = ()) -> Trie:
    """A node's trie; ``zeros`` are words of 0 that Anvil would keep in it."""
    content = {slot: word for slot, word in words.items() if word} | dict.fromkeys(zeros, 0)
    return Trie({slot_key(slot): rlp.encode(rlp.encode_int(word)) for slot, word in content.items()})


def walk(node: Trie, known: dict[int, int]) -> tuple[dict[bytes, int], dict[bytes, int]]:
    surplus, lacking = differences(
        node.root, known, storage_trie(known), lambda slots: [node.proof(slot_key(slot)) for slot in slots]
    )
    return dict(surplus), dict(lacking)


@settings(max_examples=60)
@given(WORDS, WORDS, st.lists(SLOTS, max_size=10))
def test_it_finds_what_is_there_beyond_the_known_words(known: dict[int, int], forged: Any, zeros: list[int]) -> None:
    everything = forged | known
    zeros = [slot for slot in zeros if slot not in everything]
    surplus, lacking = walk(remote(everything, zeros), known)
    assert surplus == {slot_key(slot): word for slot, word in forged.items() if slot not in known}
    assert lacking == {}


@settings(max_examples=60)
@given(WORDS, st.data())
def test_it_finds_what_is_missing_or_different(known: dict[int, int], data: Any) -> None:
    gone = set(data.draw(st.lists(st.sampled_from(sorted(known)), unique=True))) if known else set()
    there = {slot: word for slot, word in known.items() if slot not in gone}
    surplus, lacking = walk(remote(there), known)
    assert surplus == {}
    assert lacking == {slot_key(slot): known[slot] for slot in gone}


def test_a_changed_word_is_both_surplus_and_missing() -> None:
    known = {slot: slot + 1 for slot in range(200)}
    surplus, lacking = walk(remote(known | {7: 99}), known)
    assert surplus == {slot_key(7): 99}
    assert lacking == {slot_key(7): 8}


def test_one_word_among_many_is_found() -> None:
    known = dict.fromkeys(range(3000), 1)
    stranger = 10**30
    surplus, lacking = walk(remote(known | {stranger: 5}, zeros=range(5_000, 5_200)), known)
    assert surplus == {slot_key(stranger): 5}
    assert lacking == {}


def test_a_node_that_withholds_nodes_is_not_believed() -> None:
    known = dict.fromkeys(range(50), 1)
    node = remote(known | {999: 1})
    with pytest.raises(BrokenPath):
        differences(node.root, known, storage_trie(known), lambda slots: [node.proof(slot_key(slots[0]))[:1]])


def test_a_branch_too_deep_to_open_is_said_to_be_so() -> None:
    """Two keys that share their first digits hide behind a long extension; no slot leads there in reasonable time."""
    deep = Trie({b"\xab" * 31 + b"\1": rlp.encode(b"\1" * 32), b"\xab" * 31 + b"\2": rlp.encode(b"\2" * 32)})
    with pytest.raises(TooDeep):
        differences(deep.root, {}, storage_trie({}), lambda slots: [deep.proof(slot_key(slot)) for slot in slots])
