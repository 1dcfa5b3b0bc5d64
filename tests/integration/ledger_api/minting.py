"""Mints as an agency does: the issuer's key signs a batch, a relayer carries it."""

from __future__ import annotations

import itertools
from typing import Any

from ledger.deployment import artifacts
from ledger.outbox.routes import mint_gas
from ledger.standard.evidence import EvidenceLeaf, MerkleTree
from ledger.standard.keccak import keccak256
from ledger.standard.packed import pack_grants
from ledger.standard.typed_data import MintBatch
from tongdui.bootstrap import City

SLUGS = {1: "volunteer", 2: "environmental", 3: "traffic", 4: "culture", 5: "residence"}
_NUMBERS = itertools.count(1)


def mint(city: City, account: str, programme: int, minor: int, quarter: int) -> dict[str, Any]:
    """Enqueue a batch of one grant; return its evidence as it would be published."""
    number = next(_NUMBERS)
    leaf = EvidenceLeaf(
        grant_id=keccak256(f"grant {number}".encode()),
        account=account,
        token_id=programme << 32 | quarter,
        amount=minor,
        activity_code=b"TEST".ljust(32, b"\0"),
        rulebook_version=1,
        commitment=keccak256(b"commitment"),
    )
    tree = MerkleTree([leaf.hash()])
    grants = pack_grants([(account, minor)])
    batch = MintBatch(programme, quarter, number, tree.root, keccak256(grants))
    key = city.keys.keystore.get(f"issuers/{SLUGS[programme]}")
    signature = key.sign_digest(batch.digest(city.deployment.domain()))
    calldata = artifacts.call_data("PointsLedger", "mint", [(programme, quarter, number, tree.root, grants), signature])
    with city.database.transaction() as session:
        ledger = city.deployment.address("PointsLedger")
        city.gateway.outbox.enqueue_call(
            session, "mint", f"test-mint:{programme}:{number}", ledger, calldata, mint_gas(1)
        )
    city.gateway.wake()
    return {
        "batch": str(number),
        "leaf": {
            "grant_id": "0x" + leaf.grant_id.hex(),
            "account": account,
            "token_id": str(leaf.token_id),
            "amount": str(minor),
            "activity_code": "0x" + leaf.activity_code.hex(),
            "rulebook_version": 1,
            "commitment": "0x" + leaf.commitment.hex(),
        },
        "proof": ["0x" + node.hex() for node in tree.proof(0)],
    }
