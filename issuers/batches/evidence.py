"""The leaves of a batch: what its evidence tree is made of, and what is published of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from issuers.agency.documents import leaf_document
from ledger.standard.evidence import EvidenceLeaf, MerkleTree, activity_code
from ledger.standard.ids import AccountBytes, ProgrammeId, to_address, token_id
from ledger.standard.keccak import keccak256
from ledger.store.models.issuance import IssuanceBatchRow

_PAD12 = bytes(12)
_LEAF = struct.Struct(">32s32s32s20sQI")


class LeafRow(NamedTuple):
    """What a leaf is made of, but for the lot. A NamedTuple: millions are made, none changes."""

    grant_id: bytes
    account: AccountBytes
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

    def pack(self) -> bytes:
        """Return the leaf as `pack_leaf` does."""
        return pack_leaf(*self)

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


def pack_leaf(
    grant_id: bytes, account: AccountBytes, amount_minor: int, activity: str, rulebook_version: int, commitment: bytes
) -> bytes:
    """Return a leaf in 128 bytes: grant id 32, commitment 32, activity 32, account 20, amount 8, version 4."""
    return _LEAF.pack(grant_id, commitment, activity.encode("ascii"), account, amount_minor, rulebook_version)


def unpack_leaves(packed: bytes) -> list[LeafRow]:
    """Return the leaves of joined `pack_leaf`."""
    return [
        LeafRow(grant_id, account, amount, activity.rstrip(b"\0").decode(), version, commitment)
        for grant_id, commitment, activity, account, amount, version in _LEAF.iter_unpack(packed)
    ]


def grant_ids(packed: bytes) -> list[bytes]:
    """Return the grants' ids of joined `pack_leaf`."""
    return [packed[at : at + 32] for at in range(0, len(packed), _LEAF.size)]


def batch_grants(session: Session, programme: ProgrammeId, number: int) -> list[bytes]:
    """Return the ids of a batch's grants in the order of its packed grants; empty for a number without a batch."""
    return grant_ids(_packed(session, programme, number))


def leaf_rows(session: Session, programme: ProgrammeId, number: int) -> list[LeafRow]:
    """Return a batch's leaves in the order of its packed grants; empty for a number without a batch."""
    return unpack_leaves(_packed(session, programme, number))


def _packed(session: Session, programme: ProgrammeId, number: int) -> bytes:
    packed = session.scalar(
        select(IssuanceBatchRow.leaves).where(
            IssuanceBatchRow.programme == programme, IssuanceBatchRow.number == number
        )
    )
    return b"" if packed is None else bytes(packed)


def tree_of(leaves: Sequence[LeafRow], token: int) -> MerkleTree:
    """Return the evidence tree of leaves in a lot."""
    word = token.to_bytes(32, "big")
    return MerkleTree([leaf.hash(word) for leaf in leaves])


def publish(folder: Path, row: IssuanceBatchRow, leaves: Sequence[LeafRow]) -> Path:
    """Write a batch's leaf file for the auditor, whole or not at all, and return its path."""
    head = orjson.dumps(
        {"programme": row.programme, "number": str(row.number), "root": "0x" + bytes(row.evidence_root).hex()}
    )
    lines = ",".join(_published(leaves, token_id(row.programme, row.quarter)))
    path = folder / str(row.programme) / f"{row.number}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_bytes(head[:-1] + b',"leaves":[' + lines.encode("ascii") + b"]}\n")
    temporary.replace(path)
    return path


def _published(leaves: Sequence[LeafRow], token: int) -> Iterator[str]:
    """Yield each leaf's JSON. All of it is digits and hexadecimal, so no text needs escaping.

    Accounts in lower case: a mixed-case checksum of each would be a tenth of the whole pipeline, and none needs it.
    """
    codes: dict[str, str] = {}
    for grant_id, account, amount, activity, version, commitment in leaves:
        code = codes.get(activity)
        if code is None:
            code = codes[activity] = activity_code(activity).hex()
        yield (
            f'{{"grantId":"0x{grant_id.hex()}","account":"0x{account.hex()}","tokenId":"{token}","amount":"{amount}",'
            f'"activityCode":"0x{code}","rulebookVersion":{version},"commitment":"0x{commitment.hex()}"}}'
        )
