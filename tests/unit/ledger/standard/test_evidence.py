"""Evidence: canonical form equals the rfc8785 package, leaves and trees equal OpenZeppelin's."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.standard import evidence as ev
from ledger.standard.errors import BadAddress, EmptyTree, NotCanonical, OutOfRange, WrongLength
from ledger.standard.keccak import keccak256
from tests.unit.ledger.standard.test_typed_data import ADDRESS, BYTES32, uints
from tests.unit.ledger.standard.vectors import load, unhex

VECTORS = load("evidence.json")
TEXT = st.text(st.characters(exclude_categories=("Cs",)))
CONTROLS = st.text(st.sampled_from([chr(c) for c in range(0x20)] + list('"\\/\x7f\u2028\u2029\ufeff😀é')))
KEYS = st.text(st.characters(max_codepoint=127))
RECORDS = st.dictionaries(KEYS, st.one_of(TEXT, CONTROLS), max_size=12)
LEAVES = st.builds(ev.EvidenceLeaf, BYTES32, ADDRESS, uints(256), uints(64), BYTES32, uints(32), BYTES32)


def leaf_of(row: dict[str, Any]) -> ev.EvidenceLeaf:
    return ev.EvidenceLeaf(
        grant_id=unhex(row["grantId"]),
        account=row["account"],
        token_id=int(row["tokenId"]),
        amount=int(row["amount"]),
        activity_code=unhex(row["activityCode"]),
        rulebook_version=row["rulebookVersion"],
        commitment=unhex(row["commitment"]),
    )


@pytest.mark.parametrize("row", VECTORS["commitments"])
def test_commitment_vectors(row: dict[str, Any]) -> None:
    assert ev.canonical(row["record"]).decode() == row["canonical"]
    assert ev.commitment(unhex(row["salt"]), row["record"]) == unhex(row["commitment"])


@pytest.mark.parametrize("row", VECTORS["trees"], ids=lambda row: f"{len(row['leaves'])} leaves")
def test_tree_vectors(row: dict[str, Any]) -> None:
    hashes = [leaf_of(entry["leaf"]).hash() for entry in row["leaves"]]
    assert hashes == [unhex(entry["hash"]) for entry in row["leaves"]]
    tree = ev.MerkleTree(hashes)
    assert tree.root == unhex(row["root"])
    for index, entry in enumerate(row["leaves"]):
        assert tree.proof(index) == [unhex(node) for node in entry["proof"]]


@pytest.mark.parametrize("row", load("receipts.json")["trees"], ids=lambda row: f"{len(row['leaves'])} receipts")
def test_receipt_vectors_keep_the_order_of_execution(row: dict[str, Any]) -> None:
    hashes = [
        ev.RedemptionReceipt(
            unhex(leaf["orderId"]),
            leaf["holder"],
            leaf["merchant"],
            unhex(leaf["lotsHash"]),
            int(leaf["fen"]),
            leaf["time"],
        ).hash()
        for leaf in (entry["leaf"] for entry in row["leaves"])
    ]
    assert hashes == [unhex(entry["hash"]) for entry in row["leaves"]]
    for entry in row["leaves"]:
        leaf = entry["leaf"]
        assert ev.payer_of(leaf["holder"], unhex(leaf["orderId"])) == unhex(entry["payer"])
    tree = ev.MerkleTree(hashes, sort_leaves=False)
    assert tree.root == unhex(row["root"])
    for index, entry in enumerate(row["leaves"]):
        assert tree.proof(index) == [unhex(node) for node in entry["proof"]]


@settings(max_examples=400)
@given(RECORDS)
def test_canonical_form_equals_the_reference_package(record: dict[str, str]) -> None:
    assert ev.canonical(record) == rfc8785.dumps(record)


@pytest.mark.parametrize(
    "record",
    [{"é": "1"}, {1: "1"}, {"a": 1}, {"a": None}, {"a": True}, {"a": b"x"}, {"a": ["x"]}, {"a": "\ud800"}],
)
def test_what_has_no_canonical_form_is_refused(record: Any) -> None:
    with pytest.raises(NotCanonical):
        ev.canonical(record)


def test_a_commitment_needs_a_whole_salt() -> None:
    with pytest.raises(WrongLength):
        ev.commitment(b"\0" * 31, {})


@given(LEAVES)
def test_leaf_encoding_equals_the_solidity_abi(leaf: ev.EvidenceLeaf) -> None:
    values = [
        leaf.grant_id,
        leaf.account,
        leaf.token_id,
        leaf.amount,
        leaf.activity_code,
        leaf.rulebook_version,
        leaf.commitment,
    ]
    expected = encode(ev.LEAF_TYPES, values)
    assert leaf.encode() == expected
    assert leaf.hash() == keccak256(keccak256(expected))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_id": b"\0" * 31, "commitment": b"\0" * 33}, WrongLength),
        ({"activity_code": b"short"}, WrongLength),
        ({"amount": 2**64}, OutOfRange),
        ({"token_id": -1}, OutOfRange),
        ({"account": "0x"}, BadAddress),
    ],
)
def test_a_leaf_that_does_not_fit_is_refused(change: dict[str, Any], error: type[Exception]) -> None:
    fields: dict[str, Any] = {
        "grant_id": b"\1" * 32,
        "account": "0x" + "1" * 40,
        "token_id": 1,
        "amount": 1,
        "activity_code": b"\2" * 32,
        "rulebook_version": 1,
        "commitment": b"\3" * 32,
    }
    with pytest.raises(error):
        ev.EvidenceLeaf(**(fields | change)).hash()


@given(st.lists(BYTES32, min_size=1, max_size=40), st.data())
def test_every_proof_verifies_and_no_other_leaf_does(leaves: list[bytes], data: Any) -> None:
    tree = ev.MerkleTree(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = tree.proof(index)
    assert ev.verify(tree.root, leaves[index], proof)
    assert not ev.verify(tree.root, keccak256(leaves[index]), proof)
    if proof:
        assert not ev.verify(tree.root, leaves[index], proof[:-1])


@given(st.lists(BYTES32, min_size=1, max_size=20), st.randoms())
def test_the_root_does_not_depend_on_the_order_of_leaves(leaves: list[bytes], random: Any) -> None:
    shuffled = list(leaves)
    random.shuffle(shuffled)
    assert ev.MerkleTree(shuffled).root == ev.MerkleTree(leaves).root


def test_a_tree_needs_leaves_of_32_bytes() -> None:
    with pytest.raises(EmptyTree):
        ev.MerkleTree([])
    with pytest.raises(WrongLength):
        ev.MerkleTree([b"\0" * 31])
    with pytest.raises(OutOfRange):
        ev.MerkleTree([b"\0" * 32]).proof(1)


def test_activity_codes_are_right_padded_ascii() -> None:
    assert ev.activity_code("green.ride") == b"green.ride" + b"\0" * 22
    assert ev.activity_code("x" * 32) == b"x" * 32
    for bad in ("", "x" * 33):
        with pytest.raises(OutOfRange):
            ev.activity_code(bad)
    with pytest.raises(NotCanonical):
        ev.activity_code("骑行")
