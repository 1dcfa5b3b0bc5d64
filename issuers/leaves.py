"""The leaves of a batch: what its evidence tree is made of, and what is published of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from issuers.agency.documents import leaf_document
from ledger.standard.evidence import EvidenceLeaf, MerkleTree, activity_code
from ledger.standard.ids import to_address, token_id
from ledger.standard.keccak import keccak256
from ledger.store.models.issuance import IssuanceBatchRow, IssuanceGrantRow

_PAD12 = bytes(12)


@dataclass(frozen=True, slots=True)
class LeafRow:
    """What a leaf is made of, but for the lot, as it comes from SQL."""

    grant_id: bytes
    account: bytes
    amount_minor: int
    activity: str
    rulebook_version: int
    commitment: bytes

    def leaf(self, token: int) -> EvidenceLeaf:
        """Return the evidence leaf in a lot."""
        return EvidenceLeaf(
            self.grant_id,
            to_address(self.account),
            token,
            self.amount_minor,
            activity_code(self.activity),
            self.rulebook_version,
            self.commitment,
        )

    def document(self, opening: tuple[bytes, bytes] | None) -> dict[str, Any]:
        """Return the leaf's part of a document for the signer."""
        return leaf_document(
            self.grant_id,
            self.account,
            self.amount_minor,
            self.activity,
            self.rulebook_version,
            self.commitment,
            opening,
        )

    def hash(self, token: bytes) -> bytes:
        """Return the leaf's hash; the same bytes as ``leaf(token).hash()``, without its checks (tested to be equal)."""
        return keccak256(
            keccak256(
                b"".join(
                    (
                        self.grant_id,
                        _PAD12,
                        self.account,
                        token,
                        self.amount_minor.to_bytes(32, "big"),
                        self.activity.encode().ljust(32, b"\0"),
                        self.rulebook_version.to_bytes(32, "big"),
                        self.commitment,
                    )
                )
            )
        )


def leaf_rows(session: Session, programme: int, number: int) -> list[LeafRow]:
    """Return a batch's leaves in the order of its packed grants."""
    rows = session.execute(
        select(
            IssuanceGrantRow.grant_id,
            IssuanceGrantRow.account,
            IssuanceGrantRow.amount_minor,
            IssuanceGrantRow.activity,
            IssuanceGrantRow.rulebook_version,
            IssuanceGrantRow.commitment,
        )
        .where(IssuanceGrantRow.programme == programme, IssuanceGrantRow.batch_number == number)
        .order_by(IssuanceGrantRow.batch_position)
    )
    return [LeafRow(bytes(r[0]), bytes(r[1]), r[2], r[3], r[4], bytes(r[5])) for r in rows]


def tree_of(leaves: Sequence[LeafRow], token: int) -> MerkleTree:
    """Return the evidence tree of leaves in a lot."""
    word = token.to_bytes(32, "big")
    return MerkleTree([leaf.hash(word) for leaf in leaves])


def publish(folder: Path, row: IssuanceBatchRow, leaves: Sequence[LeafRow]) -> Path:
    """Write a batch's leaf file for the auditor, whole or not at all, and return its path."""
    token = token_id(row.programme, row.quarter)
    document = {
        "programme": row.programme,
        "number": str(row.number),
        "root": "0x" + bytes(row.evidence_root).hex(),
        "leaves": [
            {
                "grantId": "0x" + leaf.grant_id.hex(),
                # Lower case: a mixed-case checksum of each would be a tenth of the whole pipeline, and none needs it.
                "account": "0x" + leaf.account.hex(),
                "tokenId": str(token),
                "amount": str(leaf.amount_minor),
                "activityCode": "0x" + activity_code(leaf.activity).hex(),
                "rulebookVersion": leaf.rulebook_version,
                "commitment": "0x" + leaf.commitment.hex(),
            }
            for leaf in leaves
        ],
    }
    path = folder / str(row.programme) / f"{row.number}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_bytes(orjson.dumps(document) + b"\n")
    temporary.replace(path)
    return path
