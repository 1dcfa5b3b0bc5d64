"""Receipts of grants: the leaf under the evidence root, in a batch whose signed hash the ledger keeps.

What the ledger stores of a batch is the struct hash of what its issuer signed, so that its storage proves evidence root
and grants at once; a receipt is small however many grants the batch has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.chain.rpc import RpcClient
from ledger.deployment.file import Deployment
from ledger.proofs import state
from ledger.proofs.document import (
    FORMAT,
    GrantPart,
    GrantReceipt,
    InstallationPart,
    StorageProof,
    batch_of,
    batch_part,
    block_part,
    from_hex,
    installation_part,
    leaf_of,
    leaf_part,
    merkle_path,
    to_dict,
    to_hex,
)
from ledger.proofs.errors import BadReceipt, ProofError, UnprovableLog
from ledger.proofs.headers import Header
from ledger.proofs.kinds.blocks import following, read_block
from ledger.proofs.layout import Layout
from ledger.standard.evidence import EvidenceLeaf
from ledger.standard.evidence import verify as verify_merkle
from ledger.standard.ids import ProgrammeId, address_bytes, token_id
from ledger.standard.typed_data import MintBatch


def build_grant_receipt(
    rpc: RpcClient,
    deployment: Deployment,
    batch: MintBatch,
    leaf: EvidenceLeaf,
    path: Sequence[bytes],
    block: int | None = None,
) -> dict[str, Any]:
    """Return the receipt of one grant of a batch, whose leaf and Merkle path come from the published leaves.

    ``batch`` is what the issuer signed. The storage proof is made at ``block``, the latest if None; the node must still
    have that block's state. Raises UnprovableLog if the ledger keeps another hash at that block or the leaf is not in
    the batch, ProofError, StandardError or RpcError.
    """
    height = int(rpc.call("eth_blockNumber"), 16) if block is None else block
    header, _ = read_block(rpc, height)
    ledger = address_bytes(deployment.address("PointsLedger"))
    answer = state.fetch(rpc, ledger, [batch_slot(batch.programme, batch.number)], height)
    receipt = GrantReceipt(
        format=FORMAT,
        installation=installation_part(deployment),
        block=block_part(header),
        grant=GrantPart(batch=batch_part(batch), leaf=leaf_part(leaf)),
        proof=StorageProof(
            header=to_hex(header.encode()),
            following=following(rpc, header),
            account_path=list(answer["accountProof"]),
            storage_path=list(answer["storageProof"][0]["proof"]),
            merkle_path=[to_hex(node) for node in path],
        ),
    )
    try:
        check_grant(receipt, header)
    except ProofError as error:
        raise UnprovableLog(f"grant 0x{leaf.grant_id.hex()}", str(error)) from error
    return to_dict(receipt)


def check_grant(receipt: GrantReceipt, header: Header) -> EvidenceLeaf:
    """Follow the paths from the state root to the batch's word, and from its evidence root to the leaf."""
    leaf, batch = leaf_of(receipt.grant.leaf), batch_of(receipt.grant.batch)
    if leaf.token_id != token_id(batch.programme, batch.quarter):
        raise BadReceipt("grant.leaf.token_id", f"the batch is of programme {batch.programme}, quarter {batch.quarter}")
    slot = batch_slot(batch.programme, batch.number)
    word = proven_word(receipt.installation, "PointsLedger", slot, receipt.proof, header)
    if word != batch.struct_hash():
        what = f"batch {batch.number} of programme {batch.programme}"
        raise BadReceipt("grant.batch", f"the ledger keeps another hash of {what}")
    if not verify_merkle(batch.evidence_root, leaf.hash(), merkle_path(receipt.proof)):
        raise BadReceipt("grant.leaf", f"batch {batch.number} of programme {batch.programme} holds no such grant")
    return leaf


def proven_word(installation: InstallationPart, contract: str, slot: int, proof: StorageProof, header: Header) -> bytes:
    """Return the word that a storage proof proves for a slot of a contract. Raises ProofError or StandardError."""
    address = installation.ledger if contract == "PointsLedger" else installation.book
    account_path = [from_hex(node, "proof.account_path") for node in proof.account_path]
    account = state.verify_account(header.state_root, address_bytes(address), account_path)
    storage_path = [from_hex(node, "proof.storage_path") for node in proof.storage_path]
    return state.verify_slot(account.storage_root, slot, storage_path).to_bytes(32, "big")


def batch_slot(programme: ProgrammeId, number: int) -> int:
    """Return the ledger's storage slot of a batch's word."""
    return Layout.load("PointsLedger").at("batchWord", programme, number)
