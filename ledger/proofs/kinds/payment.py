"""Receipts of payments, for shops: the opened leaf under the receipts root that the clearing book keeps.

In the holder's place the leaf has `evidence.payer_of`, so that a shop proves that it was paid without learning an
account, and whoever knows the account can still show who paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.chain.rpc import RpcClient
from ledger.deployment.file import Deployment
from ledger.proofs import state
from ledger.proofs.document import (
    FORMAT,
    MerchantText,
    PaymentPart,
    PaymentReceipt,
    StorageProof,
    block_part,
    check_same,
    from_hex,
    installation_part,
    merkle_path,
    number_of,
    time_text,
    to_dict,
    to_hex,
)
from ledger.proofs.errors import BadReceipt, ProofError, UnprovableLog
from ledger.proofs.headers import Header
from ledger.proofs.kinds.blocks import following, read_block
from ledger.proofs.kinds.grant import proven_word
from ledger.proofs.layout import Layout
from ledger.standard.evidence import RedemptionReceipt, payer_of, receipt_leaf
from ledger.standard.evidence import verify as verify_merkle
from ledger.standard.ids import MerchantId, OrderId, address_bytes, order_id_text, uint


def build_payment_receipt(
    rpc: RpcClient,
    deployment: Deployment,
    batch: int,
    paid: RedemptionReceipt,
    path: Sequence[bytes],
    block: int | None = None,
) -> dict[str, Any]:
    """Return the receipt of one order of receipts batch ``batch``; ``path`` leads from its leaf to the batch's root.

    The storage proof is made at ``block``, the latest if None; the node must still have that block's state. Raises
    UnprovableLog if the batch has no such leaf at that block, ProofError, StandardError or RpcError.
    """
    height = int(rpc.call("eth_blockNumber"), 16) if block is None else block
    header, _ = read_block(rpc, height)
    book = address_bytes(deployment.address("ClearingBook"))
    answer = state.fetch(rpc, book, [root_slot(batch)], height)
    receipt = PaymentReceipt(
        format=FORMAT,
        installation=installation_part(deployment),
        block=block_part(header),
        payment=PaymentPart(
            batch=str(batch),
            order_id=order_id_text(paid.order_id),
            payer=to_hex(payer_of(paid.holder, paid.order_id)),
            merchant=MerchantText(str(paid.merchant)),
            lots_hash=to_hex(paid.lots_hash),
            fen=str(paid.fen),
            timestamp=str(paid.time),
            time=time_text(paid.time, "payment.timestamp"),
        ),
        proof=StorageProof(
            header=to_hex(header.encode()),
            following=following(rpc, header),
            account_path=list(answer["accountProof"]),
            storage_path=list(answer["storageProof"][0]["proof"]),
            merkle_path=[to_hex(node) for node in path],
        ),
    )
    try:
        check_payment(receipt, header)
    except ProofError as error:
        raise UnprovableLog(f"payment of order 0x{paid.order_id.hex()}", str(error)) from error
    return to_dict(receipt)


def check_payment(receipt: PaymentReceipt, header: Header) -> PaymentPart:
    """Follow the paths from the state root to the receipts root of the batch, and from that to the leaf."""
    part = receipt.payment
    batch = uint("batch", number_of(part.batch, "payment.batch"), 64)
    time = number_of(part.timestamp, "payment.timestamp")
    leaf = receipt_leaf(
        OrderId(from_hex(part.order_id, "payment.order_id")),
        from_hex(part.payer, "payment.payer"),
        MerchantId(number_of(part.merchant, "payment.merchant")),
        from_hex(part.lots_hash, "payment.lots_hash"),
        number_of(part.fen, "payment.fen"),
        time,
    )
    root = proven_word(receipt.installation, "ClearingBook", root_slot(batch), receipt.proof, header)
    if root == bytes(32) or not verify_merkle(root, leaf, merkle_path(receipt.proof)):
        raise BadReceipt("payment", f"receipts batch {batch} has no such leaf")
    check_same("payment.time", time_text(time, "payment.timestamp"), part.time)
    return part


def root_slot(batch: int) -> int:
    """Return the clearing book's storage slot of a batch's receipts root."""
    return Layout.load("ClearingBook").at("receiptsRoot", batch)
