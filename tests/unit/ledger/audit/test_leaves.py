"""Leaf files: whole, once, and one leaf for each transfer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledger.audit import leaves
from ledger.audit.books import Batch, Books
from ledger.audit.report import Contradicted
from ledger.standard.evidence import MerkleTree
from ledger.standard.ids import address_bytes, token_id
from ledger.standard.packed import pack_grants
from tests.unit.ledger.standard.vectors import load


def batch_of(count: int, number: int = 1, tag: int = 0) -> dict[str, Any]:
    """A batch of ``count`` leaves, all of lot (1, 109)."""
    base = load("evidence.json")["trees"][-1]["leaves"]
    made = []
    for index in range(count):
        leaf = dict(base[index]["leaf"], tokenId=str(token_id(1, 109)))
        leaf["grantId"] = "0x" + (tag * 1_000 + index).to_bytes(32, "big").hex()
        made.append(leaf)
    return {"programme": 1, "number": str(number), "leaves": made}


def books_of(*batches: dict[str, Any]) -> Books:
    """Books in which exactly these batches landed."""
    books = Books(b"\1" * 20)
    for batch in batches:
        parsed = [leaves._leaf(item) for item in batch["leaves"]]
        grants = pack_grants([(leaf.account, leaf.amount) for leaf in parsed])
        root = MerkleTree([leaf.hash() for leaf in parsed]).root
        total = sum(leaf.amount for leaf in parsed)
        key = (int(batch["programme"]), int(batch["number"]))
        books.batches[key] = Batch(root, 109, len(parsed), total, grants, bytes(32))
    return books


def test_leaves_that_match_are_counted() -> None:
    first, second = batch_of(3, 1), batch_of(2, 2, tag=1)
    assert leaves.check(books_of(first, second), [("a", first), ("b", second)]) == (5, 0)
    assert leaves.check(books_of(first, second), [("a", first)]) == (3, 1)


def test_a_grant_id_in_two_batches_is_refused() -> None:
    first, second = batch_of(3, 1), batch_of(2, 2)
    with pytest.raises(Contradicted, match="grant id"):
        leaves.check(books_of(first, second), [("a", first), ("b", second)])


def test_a_transfer_unlike_its_leaf_is_refused_though_the_root_matches() -> None:
    batch = batch_of(3)
    books = books_of(batch)
    landed = books.batches[1, 1]
    other = address_bytes("0x" + "99" * 20)
    landed.grants = other + landed.grants[20:]
    with pytest.raises(Contradicted, match="transfer of"):
        leaves.check(books, [("a", batch)])


def test_a_leaf_of_another_lot_is_refused_though_the_root_matches() -> None:
    batch = batch_of(2)
    batch["leaves"][1]["tokenId"] = str(token_id(1, 110))
    with pytest.raises(Contradicted, match="lot"):
        leaves.check(books_of(batch), [("a", batch)])


@pytest.mark.parametrize("name", ["one.json", "many.jsonl"])
def test_files_and_folders_are_read(tmp_path: Path, name: str) -> None:
    batch = batch_of(1)
    (tmp_path / name).write_text(json.dumps(batch), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a leaf file", encoding="utf-8")
    assert [found for _, found in leaves.read([tmp_path])] == [batch]


def test_what_is_not_json_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(batch_of(1)) + "\n{", encoding="utf-8")
    with pytest.raises(Contradicted, match=r"bad\.jsonl:2"):
        list(leaves.read([path]))
