"""Checking what we say: a receipt by its own proof, an order or a batch by the chain's word. No database of ours."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from ledger.standard.contract import BatchState
from ledger.standard.evidence import EvidenceLeaf
from ledger.standard.ids import split_token_id, to_address
from ledger_api.dependencies import Deps, OrderIdPath, Public, hash_of, order_id_of
from ledger_api.http.answers import cacheable
from ledger_api.schemas.common import ProgrammeNumber, hex_text
from ledger_api.schemas.verification import ChainBatchOut, ChainOrderOut, GrantIn, ReceiptIn, VerdictOut

router = APIRouter(tags=["Verification"], prefix="/v1/verify", dependencies=[Public])


@router.post("/receipts", operation_id="verifyReceipt", response_model=VerdictOut)
def verify_receipt(body: ReceiptIn, services: Deps) -> VerdictOut:
    """Check a receipt. The same check runs offline: `tongdui verify receipt.json`."""
    holds, words, details = services.receipts.verify(body.model_dump())
    if holds:
        return VerdictOut(verdict="PASS", statement=words, details=details)
    return VerdictOut(verdict="FAIL", reason=words, details=details)


@router.post("/grants", operation_id="verifyGrant", response_model=VerdictOut)
def verify_grant(body: GrantIn, services: Deps) -> VerdictOut:
    """Check a grant: its leaf and Merkle path, from the published leaves, against the batch's root on chain."""
    leaf = EvidenceLeaf(
        grant_id=hash_of("grant_id", body.leaf.grant_id),
        account=to_address(body.leaf.account),
        token_id=int(body.leaf.token_id),
        amount=int(body.leaf.amount),
        activity_code=hash_of("activity_code", body.leaf.activity_code),
        rulebook_version=body.leaf.rulebook_version,
        commitment=hash_of("commitment", body.leaf.commitment),
    )
    programme, _ = split_token_id(leaf.token_id)
    proof = [hash_of("proof", node) for node in body.proof]
    details = {"final_block": str(services.chain.final_height()), "leaf": hex_text(leaf.hash())}
    if services.chain.has_grant(programme, int(body.batch), leaf, proof):
        words = f"{leaf.amount} minor units of lot {leaf.token_id} were granted to {leaf.account}"
        return VerdictOut(verdict="PASS", statement=words, details=details)
    reason = f"the leaf does not lead to the root of a landed batch {body.batch} of programme {programme}"
    return VerdictOut(verdict="FAIL", reason=reason, details=details)


@router.get("/orders/{order_id}", operation_id="verifyOrder", response_model=ChainOrderOut)
def verify_order(order_id: OrderIdPath, request: Request, services: Deps) -> Response:
    """Ask the chain itself for the outcome of an order. An order's id is known to who signed it, and says nothing."""
    key = order_id_of(order_id)
    height = services.chain.final_height()
    found = services.chain.order(key)
    if found is None:
        return cacheable(
            request, ChainOrderOut(order_id=order_id, outcome="unknown", final_block=str(height)), is_public=True
        )
    answer = ChainOrderOut(
        order_id=order_id,
        outcome="rejected" if found.code else "landed",
        kind=found.kind,
        reject_code=found.code or None,
        fen=None if found.fen is None else str(found.fen),
        block_number=str(found.block_number),
        block_hash=hex_text(found.block_hash),
        transaction=hex_text(found.transaction_hash),
        final_block=str(height),
    )
    return cacheable(request, answer, is_public=True)


@router.get("/batches/{programme}/{number}", operation_id="verifyBatch", response_model=ChainBatchOut)
def verify_batch(
    programme: ProgrammeNumber,
    number: Annotated[int, Path(ge=0, lt=2**63)],
    request: Request,
    services: Deps,
) -> Response:
    """Ask the chain itself whether a batch of grants landed, and under which evidence root."""
    height = services.chain.final_height()
    state, root = services.chain.batch(programme, number)
    answer = ChainBatchOut(
        programme=programme,
        number=str(number),
        state=state.word,
        evidence_root=hex_text(root) if state is BatchState.LANDED else None,
        final_block=str(height),
    )
    return cacheable(request, answer, is_public=True)
