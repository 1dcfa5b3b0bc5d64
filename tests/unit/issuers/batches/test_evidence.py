"""Leaves and trees of batches equal the standard's."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.batches.evidence import LeafRow, grant_ids, publish, tree_of, unpack_leaves
from ledger.standard.evidence import MerkleTree
from ledger.standard.ids import token_id
from ledger.store.models.issuance import IssuanceBatchRow

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


@given(st.lists(LEAVES, min_size=1, max_size=4))
def test_a_leaf_file_says_what_its_leaves_are(tmp_path_factory: pytest.TempPathFactory, leaves: list[LeafRow]) -> None:
    row = IssuanceBatchRow(programme=3, number=2**40, quarter=8_300, evidence_root=b"\x01" * 32)
    path = publish(tmp_path_factory.mktemp("leaves"), row, leaves)
    token = token_id(3, 8_300)
    expected = [leaf.leaf(token) for leaf in leaves]
    assert orjson.loads(path.read_bytes()) == {
        "programme": 3,
        "number": str(2**40),
        "root": "0x" + "01" * 32,
        "leaves": [
            {
                "grantId": "0x" + leaf.grant_id.hex(),
                "account": leaf.account.lower(),
                "tokenId": str(token),
                "amount": str(leaf.amount),
                "activityCode": "0x" + leaf.activity_code.hex(),
                "rulebookVersion": leaf.rulebook_version,
                "commitment": "0x" + leaf.commitment.hex(),
            }
            for leaf in expected
        ],
    }
