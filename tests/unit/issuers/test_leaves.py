"""Leaves and trees of batches equal the standard's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from issuers.leaves import LeafRow, grant_ids, tree_of, unpack_leaves
from ledger.standard.evidence import MerkleTree
from ledger.standard.ids import token_id

LEAVES = st.builds(
    LeafRow,
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=20, max_size=20),
    st.integers(1, 2**48 - 1),
    st.from_regex(r"\A[A-Z][A-Z0-9.-]{0,31}\Z"),
    st.integers(1, 2**32 - 1),
    st.binary(min_size=32, max_size=32),
)


@given(st.lists(LEAVES, min_size=1, max_size=8), st.integers(1, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_the_fast_leaf_is_the_standards_leaf(leaves: list[LeafRow], programme: int, quarter: int) -> None:
    """The hot path's bytes are those of `EvidenceLeaf`, so the auditor's tree is ours."""
    token = token_id(programme, quarter)
    expected = MerkleTree([leaf.leaf(token).hash() for leaf in leaves])
    assert tree_of(leaves, token).root == expected.root


@given(st.lists(LEAVES, max_size=8))
def test_packed_leaves_are_read_as_they_were(leaves: list[LeafRow]) -> None:
    packed = b"".join([leaf.pack() for leaf in leaves])
    assert unpack_leaves(packed) == leaves
    assert grant_ids(packed) == [leaf.grant_id for leaf in leaves]
