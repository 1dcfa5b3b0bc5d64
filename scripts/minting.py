"""Give accounts points by a batch of their own, for tools that need a city in which people have some."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.deployment.artifacts import call_data
from ledger.outbox.routes import mint_gas
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.evidence import EvidenceLeaf, MerkleTree
from ledger.standard.ids import Address, ProgrammeId
from ledger.standard.keccak import keccak256
from ledger.standard.packed import pack_grants
from ledger.standard.quarters import expiry_quarter
from ledger.standard.typed_data import MintBatch
from tongdui.bootstrap import City


def enqueue_mint(city: City, programme: ProgrammeId, number: int, accounts: Sequence[Address], minor: int) -> None:
    """Put a mint of ``minor`` to each account into the outbox, signed by the programme's issuer; ``number`` is the
    batch's."""
    quarter = expiry_quarter(city.clock.now().astimezone(CITY_TZ).date(), 8)
    ordered = sorted(accounts)
    grants = pack_grants([(account, minor) for account in ordered])
    leaves = [
        EvidenceLeaf(
            grant_id=keccak256(f"tool {programme} {account}".encode()),
            account=account,
            token_id=programme << 32 | quarter,
            amount=minor,
            activity_code=b"TOOL".ljust(32, b"\0"),
            rulebook_version=1,
            commitment=keccak256(b"tool"),
        ).hash()
        for account in ordered
    ]
    root = MerkleTree(leaves).root
    batch = MintBatch(programme, quarter, number, root, keccak256(grants))
    slug = city.deployment.programme(programme).slug
    signature = city.keys.keystore.get(f"issuers/{slug}").sign_digest(batch.digest(city.deployment.domain()))
    data = call_data("PointsLedger", "mint", [(programme, quarter, number, root, grants), signature])
    with city.database.transaction() as session:
        ledger = city.deployment.address("PointsLedger")
        key = f"mint:{programme}:{number}"
        city.gateway.outbox.enqueue_call(session, "mint", key, ledger, data, mint_gas(len(accounts)))
