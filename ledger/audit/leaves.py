"""Published evidence leaves: each batch's leaves must give its root and match its transfers one to one.

A leaf file holds one batch as a JSON object, or several, one a line:
{"programme", "number", "root", "leaves": [{"grantId", "account", "tokenId", "amount", "activityCode",
"rulebookVersion", "commitment"}]}; numbers of 64 bits and more are strings, bytes 0x strings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from ledger.audit.books import Books
from ledger.audit.report import Contradicted
from ledger.standard.errors import StandardError
from ledger.standard.evidence import EvidenceLeaf, MerkleTree
from ledger.standard.ids import ProgrammeId, address_bytes


def read(paths: Iterable[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return (place, batch) of every batch in the files; folders stand for the .json and .jsonl files in them."""
    for path in paths:
        if path.is_dir():
            yield from read(sorted(item for item in path.rglob("*") if item.suffix in (".json", ".jsonl")))
            continue
        content = path.read_bytes()
        lines = content.splitlines() if path.suffix == ".jsonl" else [content]
        for number, line in enumerate(lines, 1):
            if line.strip():
                place = f"{path.name}:{number}" if path.suffix == ".jsonl" else path.name
                try:
                    yield place, orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise Contradicted("leaf file", place, "JSON", error) from error


def check(books: Books, batches: Iterable[tuple[str, dict[str, Any]]]) -> tuple[int, int]:
    """Hold leaves against the books; return (leaves checked, batches without leaves). Raises Contradicted.

    Invariant 9: no grant without evidence under a signed root; and no grant id twice, in whatever programme.
    """
    seen: dict[bytes, str] = {}
    covered: set[tuple[ProgrammeId, int]] = set()
    count = 0
    for place, batch in batches:
        try:
            key = (ProgrammeId(int(batch["programme"])), int(batch["number"]))
            leaves = [_leaf(item) for item in batch["leaves"]]
            named = batch.get("root")
            _check_batch(books, key, leaves, place)
        except KeyError as error:
            raise Contradicted("leaf file", place, f"a member {error}", "none") from error
        except (AttributeError, TypeError, ValueError, StandardError) as error:
            raise Contradicted("leaf file", place, "a batch of evidence leaves", repr(error)) from error
        if named is not None and named != hex_root(books, key):
            raise Contradicted(f"root of batch {key[1]} of programme {key[0]}", place, hex_root(books, key), named)
        if key in covered:
            raise Contradicted(f"leaves of batch {key[1]} of programme {key[0]}", place, "once", "twice")
        covered.add(key)
        for leaf in leaves:
            if leaf.grant_id in seen:
                what = f"grant id 0x{leaf.grant_id.hex()}"
                raise Contradicted(what, place, "used once", f"used in {seen[leaf.grant_id]} too")
            seen[leaf.grant_id] = place
        count += len(leaves)
    return count, len(books.batches.keys() - covered)


def hex_root(books: Books, key: tuple[ProgrammeId, int]) -> str:
    """Return the signed evidence root of a landed batch as 0x text."""
    return "0x" + books.batches[key].root.hex()


def _leaf(item: dict[str, Any]) -> EvidenceLeaf:
    return EvidenceLeaf(
        grant_id=bytes.fromhex(item["grantId"][2:]),
        account=item["account"],
        token_id=int(item["tokenId"]),
        amount=int(item["amount"]),
        activity_code=bytes.fromhex(item["activityCode"][2:]),
        rulebook_version=int(item["rulebookVersion"]),
        commitment=bytes.fromhex(item["commitment"][2:]),
    )


def _check_batch(books: Books, key: tuple[ProgrammeId, int], leaves: list[EvidenceLeaf], place: str) -> None:
    name = f"batch {key[1]} of programme {key[0]}"
    batch = books.batches.get(key)
    if batch is None:
        raise Contradicted(f"leaves of {name}", place, "a landed batch", "none on chain")
    root = MerkleTree([leaf.hash() for leaf in leaves]).root
    if root != batch.root:
        raise Contradicted(f"evidence root of {name}", place, "0x" + batch.root.hex(), "0x" + root.hex())
    token = key[0] << 32 | batch.quarter
    stray = next((leaf for leaf in leaves if leaf.token_id != token), None)
    if stray is not None:
        raise Contradicted(f"leaves of {name}", place, f"lot {token}", stray.token_id)
    grants = Counter(batch.grants[at : at + 28] for at in range(0, len(batch.grants), 28))
    evidenced = Counter(address_bytes(leaf.account) + leaf.amount.to_bytes(8, "big") for leaf in leaves)
    if grants != evidenced:
        bare = next(iter((grants - evidenced) or (evidenced - grants)))
        what = f"transfer of {int.from_bytes(bare[20:], 'big')} to 0x{bare[:20].hex()} in {name}"
        raise Contradicted(what, place, "one leaf for each transfer", "no match")
