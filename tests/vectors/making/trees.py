"""Vectors of evidence and receipts: canonical records by rfc8785, trees by npm @openzeppelin/merkle-tree."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rfc8785
from eth_utils.crypto import keccak

from tests.vectors.making.common import SEED, address

MERKLE = Path(__file__).resolve().parent / "merkle.mjs"
RECEIPT_TYPES = ["bytes32", "bytes32", "uint32", "bytes32", "uint64", "uint40"]
LEAF_TYPES = ["bytes32", "address", "uint256", "uint64", "bytes32", "uint32", "bytes32"]


def evidence() -> dict[str, Any]:
    """Canonical records, commitments, leaves, roots and proofs."""
    rng = random.Random(SEED + 2)
    records: list[dict[str, str]] = [
        {},
        {"hours": "3.00", "body": "成都市青羊区志愿者协会", "activity": "社区义诊"},
        {"b": '\u2028\u007f\u0000\u001f\b\t\n\f\r"\\/', "a": "", "B": "😀é", "a1": "1", "a-": "2"},
    ]
    commitments = []
    for record in records:
        salt = rng.randbytes(32)
        form = rfc8785.dumps(record)
        commitments.append(
            {
                "record": record,
                "canonical": form.decode(),
                "salt": "0x" + salt.hex(),
                "commitment": "0x" + keccak(salt + form).hex(),
            }
        )
    trees = [[_leaf(rng) for _ in range(size)] for size in (1, 2, 3, 4, 5, 7, 33)]
    made = _merkle(LEAF_TYPES, trees, sort_leaves=True)
    return {
        "leafTypes": LEAF_TYPES,
        "commitments": commitments,
        "trees": [
            {
                "root": answer["root"],
                "leaves": [
                    {"leaf": leaf, "hash": digest, "proof": proof}
                    for leaf, digest, proof in zip(tree, answer["leaves"], answer["proofs"], strict=True)
                ],
            }
            for tree, answer in zip(trees, made, strict=True)
        ],
    }


def receipts() -> dict[str, Any]:
    """Receipts of redemptions, whose trees keep the order of execution and have the payer in the holder's place."""
    rng = random.Random(SEED + 3)
    trees = [[_receipt(rng) for _ in range(size)] for size in (1, 2, 3, 6)]
    payers = [[_payer(receipt) for receipt in tree] for tree in trees]
    leaves = [
        [receipt | {"holder": payer} for receipt, payer in zip(tree, row, strict=True)]
        for tree, row in zip(trees, payers, strict=True)
    ]
    made = _merkle(RECEIPT_TYPES, leaves, sort_leaves=False)
    return {
        "leafTypes": RECEIPT_TYPES,
        "trees": [
            {
                "root": answer["root"],
                "leaves": [
                    {"leaf": leaf, "payer": payer, "hash": digest, "proof": proof}
                    for leaf, payer, digest, proof in zip(tree, row, answer["leaves"], answer["proofs"], strict=True)
                ],
            }
            for tree, row, answer in zip(trees, payers, made, strict=True)
        ],
    }


def _payer(receipt: Mapping[str, Any]) -> str:
    """keccak256(abi.encode(holder, orderId))."""
    words = receipt["holder"][2:].lower().rjust(64, "0") + receipt["orderId"][2:]
    return "0x" + keccak(bytes.fromhex(words)).hex()


def _merkle(types: list[str], trees: list[list[dict[str, Any]]], *, sort_leaves: bool) -> list[dict[str, Any]]:
    """Ask npm @openzeppelin/merkle-tree for root, leaf hashes and proofs of each tree."""
    values = [[list(leaf.values()) for leaf in tree] for tree in trees]
    request = {"types": types, "sortLeaves": sort_leaves, "trees": values}
    command = ["node", str(MERKLE)]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=True, timeout=60)
    answer: list[dict[str, Any]] = json.loads(done.stdout)
    return answer


def _leaf(rng: random.Random) -> dict[str, Any]:
    return {
        "grantId": "0x" + rng.randbytes(32).hex(),
        "account": address(rng),
        "tokenId": str(rng.randrange(1, 6) << 32 | rng.randrange(105, 112)),
        "amount": str(rng.randrange(1, 2**48)),
        "activityCode": "0x" + b"volunteer.hours".ljust(32, b"\0").hex(),
        "rulebookVersion": rng.randrange(1, 9),
        "commitment": "0x" + rng.randbytes(32).hex(),
    }


def _receipt(rng: random.Random) -> dict[str, Any]:
    return {
        "orderId": "0x" + rng.randbytes(32).hex(),
        "holder": address(rng),
        "merchant": rng.randrange(1, 2**32),
        "lotsHash": "0x" + rng.randbytes(32).hex(),
        "fen": str(rng.randrange(0, 2**64)),
        "time": rng.randrange(1_700_000_000, 2**40),
    }
