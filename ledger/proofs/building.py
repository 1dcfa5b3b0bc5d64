"""Builds receipts from what a node gives, and refuses to build one that would not verify."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.chain.rpc import RpcClient
from ledger.deployment.file import Deployment
from ledger.proofs import events, receipts, seals, state
from ledger.proofs.document import (
    FORMAT,
    EventProof,
    EventReceipt,
    GrantPart,
    GrantProof,
    GrantReceipt,
    OrderPart,
    block_part,
    event_part,
    installation_part,
    leaf_part,
    order_part,
    to_dict,
    to_hex,
)
from ledger.proofs.errors import ProofError, UnprovableLog
from ledger.proofs.headers import Header
from ledger.proofs.orders import orders_in
from ledger.proofs.seals import Consensus
from ledger.proofs.verifying import batch_slot, check_grant, is_signed_by
from ledger.standard.evidence import EvidenceLeaf
from ledger.standard.ids import address_bytes, split_token_id

CLIQUE_FOLLOWING_MAX = 64
"""Headers after a Clique block that a receipt carries at most."""


def build_receipt(rpc: RpcClient, deployment: Deployment, tx_hash: str | bytes, log_index: int) -> dict[str, Any]:
    """Return the receipt of an event of one of the deployment's contracts.

    ``log_index`` is the log's index in its block, as eth_getLogs and receipts give it. Raises UnprovableLog if there is
    no such log or the node's receipts do not hash to the header's root, ProofError or RpcError.
    """
    name = tx_hash if isinstance(tx_hash, str) else "0x" + tx_hash.hex()
    found = rpc.call("eth_getTransactionReceipt", [name])
    if found is None or found.get("blockNumber") is None:
        raise UnprovableLog(f"transaction {name}", "the chain has none")
    number, index = int(found["blockNumber"], 16), int(found["transactionIndex"], 16)
    header, block = _read_block(rpc, number)
    all_receipts = receipts.read(rpc, number, block["transactions"])
    tree = receipts.trie_of(all_receipts)
    if tree.root != header.receipts_root:
        raise UnprovableLog(f"transaction {name}", "the node's receipts do not hash to the header's root")
    position = next((at for at, log in enumerate(found["logs"]) if int(log["logIndex"], 16) == log_index), None)
    if position is None:
        raise UnprovableLog(f"log {log_index} of transaction {name}", "the transaction has none")
    event = events.Catalogue.of(deployment).decode(events.raw_log(found["logs"][position]))
    order = _order_behind(rpc, deployment, name, event)
    receipt = EventReceipt(
        format=FORMAT,
        installation=installation_part(deployment),
        block=block_part(header),
        event=event_part(event),
        order=order,
        proof=EventProof(
            header=to_hex(header.encode()),
            following=_following(rpc, header),
            transaction_index=index,
            log_position=position,
            receipt_path=[to_hex(node) for node in tree.proof(receipts.key_of(index))],
        ),
    )
    return to_dict(receipt)


def build_grant_receipt(
    rpc: RpcClient,
    deployment: Deployment,
    number: int,
    leaf: EvidenceLeaf,
    merkle_path: Sequence[bytes],
    block: int | None = None,
) -> dict[str, Any]:
    """Return the receipt of one grant of batch ``number``, whose leaf and Merkle path come from the published leaves.

    The storage proof is made at ``block``, the latest if None; the node must still have that block's state. Raises
    UnprovableLog if the batch's root at that block is another, ProofError, StandardError or RpcError.
    """
    programme, _ = split_token_id(leaf.token_id)
    height = int(rpc.call("eth_blockNumber"), 16) if block is None else block
    header, _ = _read_block(rpc, height)
    ledger = address_bytes(deployment.address("PointsLedger"))
    answer = state.fetch(rpc, ledger, [batch_slot(programme, number)], height)
    receipt = GrantReceipt(
        format=FORMAT,
        installation=installation_part(deployment),
        block=block_part(header),
        grant=GrantPart(programme=programme, batch=str(number), leaf=leaf_part(leaf)),
        proof=GrantProof(
            header=to_hex(header.encode()),
            following=_following(rpc, header),
            account_path=list(answer["accountProof"]),
            storage_path=list(answer["storageProof"][0]["proof"]),
            merkle_path=[to_hex(node) for node in merkle_path],
        ),
    )
    try:
        check_grant(receipt, header)
    except ProofError as error:
        raise UnprovableLog(f"grant 0x{leaf.grant_id.hex()}", str(error)) from error
    return to_dict(receipt)


def _read_block(rpc: RpcClient, number: int) -> tuple[Header, Mapping[str, Any]]:
    block = rpc.call("eth_getBlockByNumber", [hex(number), False])
    if block is None:
        raise UnprovableLog(f"block {number}", "the chain has none")
    header, _ = seals.checked_header(block)
    return header, block


def _following(rpc: RpcClient, header: Header) -> list[str]:
    """Only Clique needs the blocks after: they are all the confirmation there is."""
    if seals.consensus_of(header) is not Consensus.CLIQUE:
        return []
    latest = min(int(rpc.call("eth_blockNumber"), 16), header.number + CLIQUE_FOLLOWING_MAX)
    return [to_hex(_read_block(rpc, number)[0].encode()) for number in range(header.number + 1, latest + 1)]


def _order_behind(rpc: RpcClient, deployment: Deployment, tx_hash: str, event: events.Event) -> OrderPart | None:
    order_id = event.values.get("orderId") or event.values.get("holdId")
    if order_id is None:
        return None
    modules = {
        name: address_bytes(deployment.address(name))
        for name in ("Exchange", "Redemption")
        if name in deployment.contracts
    }
    domain = deployment.domain()
    transaction = rpc.call("eth_getTransactionByHash", [tx_hash])
    for _, order, signature in orders_in(transaction, modules):
        if order.digest(domain) == order_id:
            # A contract wallet's signature means nothing to whoever cannot ask that wallet, so it stays out.
            return order_part(order, signature if is_signed_by(order.holder, order_id, signature) else b"")
    return None
