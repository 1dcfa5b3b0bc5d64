"""Evidence of grants: canonical records, salted commitments, leaves, and OpenZeppelin-compatible Merkle trees.

A tree equals `StandardMerkleTree` of npm @openzeppelin/merkle-tree over the same leaves, and its proofs verify with
`MerkleProof.verify` of @openzeppelin/contracts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from ledger.standard.errors import EmptyTree, NotCanonical, OutOfRange
from ledger.standard.ids import Address, MerchantId, OrderId, address_bytes, fixed_bytes, uint
from ledger.standard.keccak import keccak256

_PAD12 = b"\0" * 12
SALT_BYTES = 32
LEAF_TYPES = ("bytes32", "address", "uint256", "uint64", "bytes32", "uint32", "bytes32")
"""ABI types of a leaf, as `StandardMerkleTree.of(values, LEAF_TYPES)` takes them."""


def canonical(record: Mapping[str, str]) -> bytes:
    """Return a record in RFC 8785 form (https://www.rfc-editor.org/rfc/rfc8785): UTF-8 JSON, keys sorted.

    For text values and ASCII keys orjson's sorted output is exactly that form, forty times faster than the reference
    package; a property test holds the two equal. Raises NotCanonical for other keys and values, lone surrogates too.
    """
    for key, value in record.items():
        if type(key) is not str or not key.isascii():
            raise NotCanonical(key, "a key must be ASCII text")
        if type(value) is not str:
            raise NotCanonical(key, f"a value must be text, not {type(value).__name__}")
    try:
        return orjson.dumps(record if type(record) is dict else dict(record), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:  # a lone surrogate is the only text without a UTF-8 form
        raise NotCanonical("", str(error)) from error


def commitment(salt: bytes, record: Mapping[str, str]) -> bytes:
    """Return keccak256(salt | canonical record).

    ``salt`` is 32 random bytes kept for this record alone: with it the agency can open the record to an auditor,
    without it nobody can guess the record, and erasing it erases the link. Raises NotCanonical or WrongLength.
    """
    return keccak256(fixed_bytes("salt", salt, SALT_BYTES) + canonical(record))


def activity_code(text: str) -> bytes:
    """Return an activity's code as bytes32: up to 32 ASCII characters, zero-padded on the right.

    This is what Solidity makes of a short string literal. Raises OutOfRange for a longer or empty code and NotCanonical
    for one that is not ASCII.
    """
    if not text.isascii():
        raise NotCanonical("activity code", "it must be ASCII text")
    if not 1 <= len(text) <= 32:
        raise OutOfRange("characters of an activity code", len(text), "1 to 32")
    return text.encode().ljust(32, b"\0")


@dataclass(frozen=True, slots=True)
class EvidenceLeaf:
    """One grant as the issuer vouches for it; ``amount`` is in minor units."""

    grant_id: bytes
    account: Address
    token_id: int
    amount: int
    activity_code: bytes
    rulebook_version: int
    commitment: bytes

    def encode(self) -> bytes:
        """Return the Solidity ABI encoding of the leaf (224 bytes). Raises WrongLength, OutOfRange or BadAddress."""
        encoded = b"".join(
            (
                self.grant_id,
                _PAD12,
                address_bytes(self.account),
                uint("token id", self.token_id, 256).to_bytes(32, "big"),
                uint("amount", self.amount, 64).to_bytes(32, "big"),
                self.activity_code,
                uint("rulebook version", self.rulebook_version, 32).to_bytes(32, "big"),
                self.commitment,
            )
        )
        if not len(self.grant_id) == len(self.activity_code) == len(self.commitment) == 32:
            fixed_bytes("grant id", self.grant_id, 32)
            fixed_bytes("activity code", self.activity_code, 32)
            fixed_bytes("commitment", self.commitment, 32)
        return encoded

    def hash(self) -> bytes:
        """Return the leaf's hash, keccak256(keccak256(abi.encode(leaf))): twice, so no inner node passes for a leaf."""
        return keccak256(keccak256(self.encode()))


@dataclass(frozen=True, slots=True)
class RedemptionReceipt:
    """One paid order as `IRedemption.Receipt`: a leaf of its batch's receipts tree, needed again for a refund.

    The leaf has `payer` in the holder's place, so a shop can show its payment without learning an account.
    ``lots_hash`` is `typed_data.lots_hash` of the lots paid with; ``time`` is the block's Unix time.
    """

    order_id: OrderId
    holder: str
    merchant: MerchantId
    lots_hash: bytes
    fen: int
    time: int

    def hash(self) -> bytes:
        """Return the leaf's hash: see `receipt_leaf`."""
        payer = payer_of(self.holder, self.order_id)
        return receipt_leaf(self.order_id, payer, self.merchant, self.lots_hash, self.fen, self.time)


def payer_of(holder: str, order_id: OrderId) -> bytes:
    """Return what stands in a receipt for the holder: keccak256(abi.encode(holder, order id))."""
    return keccak256(_PAD12 + address_bytes(holder) + fixed_bytes("order id", order_id, 32))


def receipt_leaf(order_id: OrderId, payer: bytes, merchant: MerchantId, lots_hash: bytes, fen: int, time: int) -> bytes:
    """Return keccak256(keccak256(abi.encode(order id, payer, merchant, lots hash, fen, time)))."""
    encoded = (
        fixed_bytes("order id", order_id, 32)
        + fixed_bytes("payer", payer, 32)
        + uint("merchant", merchant, 32).to_bytes(32, "big")
        + fixed_bytes("lots hash", lots_hash, 32)
        + uint("fen", fen, 64).to_bytes(32, "big")
        + uint("time", time, 40).to_bytes(32, "big")
    )
    return keccak256(keccak256(encoded))


class MerkleTree:
    """A Merkle tree over leaf hashes; input order is kept for `proof`, the tree itself may sort them.

    Equal leaf hashes are allowed, as in the library; those who forbid them (the pipeline, the audit) check grant ids.
    """

    def __init__(self, leaf_hashes: Sequence[bytes], *, sort_leaves: bool = True) -> None:
        """Build the tree. Raises EmptyTree, or WrongLength for a leaf that is not 32 bytes.

        ``sort_leaves=False`` keeps the order of the leaves, as the contracts do for the receipts of redemptions.
        """
        count = len(leaf_hashes)
        if count == 0:
            raise EmptyTree
        for leaf in leaf_hashes:
            fixed_bytes("leaf hash", leaf, 32)
        self._leaves = list(leaf_hashes)
        self._sorted = sort_leaves
        self._placed = sorted(leaf_hashes) if sort_leaves else self._leaves
        nodes = [b""] * (count - 1) + self._placed[::-1]
        for at in range(count - 2, -1, -1):
            left, right = nodes[2 * at + 1], nodes[2 * at + 2]
            nodes[at] = keccak256(left + right if left < right else right + left)
        self._nodes = nodes

    @property
    def root(self) -> bytes:
        """The 32-byte root; a tree of one leaf has that leaf as root."""
        return self._nodes[0]

    def __len__(self) -> int:
        return len(self._leaves)

    def proof(self, index: int) -> list[bytes]:
        """Return the sibling hashes from the leaf given at ``index`` up to the root. Raises OutOfRange."""
        if not 0 <= index < len(self._leaves):
            raise OutOfRange("leaf index", index, f"0 to {len(self._leaves) - 1}")
        place = bisect_left(self._placed, self._leaves[index]) if self._sorted else index
        at = len(self._nodes) - 1 - place
        path = []
        while at:
            path.append(self._nodes[at + 1 if at % 2 else at - 1])
            at = (at - 1) // 2
        return path


def verify(root: bytes, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether ``proof`` leads from a leaf hash to ``root``, as `MerkleProof.verify` decides it."""
    node = leaf
    for sibling in proof:
        node = keccak256(node + sibling if node < sibling else sibling + node)
    return node == root
