"""Verifies receipts. Everything that a receipt says in plain words is computed anew from its proof."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.deployment import artifacts
from ledger.deployment.file import Deployment
from ledger.proofs import events, receipts, rlp, state, trie
from ledger.proofs.document import (
    EventProof,
    EventReceipt,
    GrantReceipt,
    block_part,
    check_same,
    domain_of,
    event_part,
    from_hex,
    installation_part,
    leaf_of,
    number_of,
    order_of,
    parse,
    to_hex,
)
from ledger.proofs.errors import BadReceipt, ProofError
from ledger.proofs.headers import Header, from_rlp
from ledger.proofs.layout import Layout
from ledger.proofs.seal import Seal, judge
from ledger.standard.errors import BadSignature, StandardError
from ledger.standard.evidence import EvidenceLeaf
from ledger.standard.evidence import verify as verify_merkle
from ledger.standard.ids import ProgrammeId, address_bytes, split_token_id, to_address
from ledger.standard.signatures import recover

_LOG_PARTS = 3


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a receipt gave. ``reason`` says where it failed; ``notes`` what a verifier should know."""

    ok: bool
    reason: str | None
    seal: Seal | None = None
    kind: str = ""
    subject: str = ""
    block: int = 0
    time: str = ""
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line for people."""
        return (
            f"{self.subject}, block {self.block}, {self.time}: {self.seal}" if self.ok else f"not valid: {self.reason}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result for machines."""
        return {
            "ok": self.ok,
            "reason": self.reason,
            "seal": None
            if self.seal is None
            else {"kind": self.seal.kind.value, "count": self.seal.count, "of": self.seal.of},
            "summary": self.summary,
            "kind": self.kind,
            "subject": self.subject,
            "block": self.block,
            "time": self.time,
            "notes": list(self.notes),
        }


def verify_receipt(
    receipt: Mapping[str, Any], validators: Collection[str] | None = None, deployment: Deployment | None = None
) -> Verification:
    """Verify a receipt without a network.

    ``validators`` are the accounts the verifier trusts to seal blocks (QBFT, Clique). ``deployment`` is the
    installation the verifier knows. Never raises for what is wrong with the receipt.

    Warning: without ``validators`` a sealed block is taken at its own word, and without ``deployment`` any contract can
    claim to be the city's; seal and notes say so.
    """
    notes: list[str] = []
    try:
        parsed = parse(receipt)
        header = _check_header(parsed)
        if isinstance(parsed, EventReceipt):
            event = _check_event(parsed, header)
            _check_order(parsed, event, notes)
            subject = f"{event.contract}.{event.name}"
        else:
            leaf = check_grant(parsed, header)
            subject = f"grant of {leaf.amount} minor units of lot {leaf.token_id} to {leaf.account}"
        _check_installation(parsed, deployment)
        if deployment is None:
            notes.append(
                "which contracts are the city's is the receipt's own claim: give the deployment file to check it"
            )
        following = [from_rlp(from_hex(text, "proof.following")) for text in parsed.proof.following]
        seal = judge(header, following, validators)
    except (ProofError, StandardError) as error:
        return Verification(ok=False, reason=str(error))
    return Verification(
        ok=True,
        reason=None,
        seal=seal,
        kind="event" if isinstance(parsed, EventReceipt) else "grant",
        subject=subject,
        block=header.number,
        time=parsed.block.time,
        notes=tuple(notes),
    )


def _check_header(receipt: EventReceipt | GrantReceipt) -> Header:
    header = from_rlp(from_hex(receipt.proof.header, "proof.header"))
    expected = block_part(header)
    for name in ("number", "hash", "timestamp", "time"):
        check_same(f"block.{name}", getattr(expected, name), getattr(receipt.block, name))
    return header


def _check_event(receipt: EventReceipt, header: Header) -> events.Event:
    """Follow the path from the receipts root to the log, and compare it with what the receipt says in words."""
    proof = receipt.proof
    if proof.transaction_index < 0 or proof.log_position < 0:
        raise BadReceipt("proof", "a place is negative")
    path = [from_hex(node, "proof.receipt_path") for node in proof.receipt_path]
    value = trie.verify(header.receipts_root, receipts.key_of(proof.transaction_index), path)
    if value is None:
        raise BadReceipt("proof.transaction_index", "the block has no such transaction")
    status, _, _, logs = receipts.decode(value)
    if status != b"\1":
        raise BadReceipt("proof.receipt_path", "the transaction failed")
    if not isinstance(logs, list) or proof.log_position >= len(logs):
        raise BadReceipt("proof.log_position", "the transaction has no such log")
    log = _log_of(logs[proof.log_position], header.number, proof)
    address = address_bytes(receipt.event.address)
    contract = receipt.event.contract
    if contract not in _CONTRACTS:
        raise BadReceipt("event.contract", f"{contract!r} is no contract of the standard")
    check_same("event.address", to_address(log.address), receipt.event.address)
    event = events.Catalogue([(contract, address, artifacts.load(contract).abi)]).decode(log)
    expected = event_part(event)
    check_same("event.name", expected.name, receipt.event.name)
    check_same("event.args", expected.args, receipt.event.args)
    return event


_CONTRACTS = frozenset(
    {
        "AccessManager",
        "ClearingBook",
        "Council",
        "Disputes",
        "Exchange",
        "Issuance",
        "PointsLedger",
        "Redemption",
        "Settlement",
    }
)


def _log_of(item: rlp.Decoded, block: int, proof: EventProof) -> events.RawLog:
    if not isinstance(item, list) or len(item) != _LOG_PARTS:
        raise BadReceipt("proof.receipt_path", "a log is not a list of three")
    address, topics, data = item
    if not isinstance(address, bytes) or not isinstance(topics, list) or not isinstance(data, bytes):
        raise BadReceipt("proof.receipt_path", "a log has parts of the wrong kind")
    flat = tuple(topic for topic in topics if isinstance(topic, bytes))
    if len(flat) != len(topics):
        raise BadReceipt("proof.receipt_path", "a topic is a list")
    return events.RawLog(address, flat, data, block, proof.transaction_index, proof.log_position)


def _check_order(receipt: EventReceipt, event: events.Event, notes: list[str]) -> None:
    """The order's digest is the event's order id, which ties the receipt to the installation of the order's domain."""
    part = receipt.order
    if part is None:
        return
    order_id = event.values.get("orderId") or event.values.get("holdId")
    if not isinstance(order_id, bytes):
        raise BadReceipt("order", f"{event.name} carries out no order")
    order = order_of(part)
    digest = order.digest(domain_of(receipt.installation))
    check_same("order", to_hex(order_id), to_hex(digest))
    signature = from_hex(part.signature, "order.signature")
    if not signature:
        notes.append("the holder's signature is not here (the call did not carry it, or a contract wallet checked it)")
    elif not is_signed_by(order.holder, digest, signature):
        raise BadReceipt("order.signature", f"it is not by {order.holder}")


def is_signed_by(holder: str, digest: bytes, signature: bytes) -> bool:
    """Whether a key, and not a contract, made the signature for ``holder``."""
    try:
        return recover(digest, signature) == to_address(holder)
    except BadSignature:
        return False


def check_grant(receipt: GrantReceipt, header: Header) -> EvidenceLeaf:
    """Follow the paths from the state root to the batch's root, and from that to the leaf."""
    leaf = leaf_of(receipt.grant.leaf)
    programme, _ = split_token_id(leaf.token_id)
    if programme != receipt.grant.programme:
        raise BadReceipt("grant.programme", f"the leaf is of programme {programme}")
    number = number_of(receipt.grant.batch, "grant.batch")
    account = state.verify_account(
        header.state_root,
        address_bytes(receipt.installation.ledger),
        [from_hex(node, "proof.account_path") for node in receipt.proof.account_path],
    )
    storage_path = [from_hex(node, "proof.storage_path") for node in receipt.proof.storage_path]
    word = state.verify_slot(account.storage_root, batch_slot(programme, number), storage_path)
    path = [from_hex(node, "proof.merkle_path") for node in receipt.proof.merkle_path]
    if any(len(node) != 32 for node in path):
        raise BadReceipt("proof.merkle_path", "a node has not 32 bytes")
    if word <= 1 or not verify_merkle(word.to_bytes(32, "big"), leaf.hash(), path):
        raise BadReceipt("grant.leaf", f"batch {number} of programme {programme} holds no such grant")
    return leaf


def _check_installation(receipt: EventReceipt | GrantReceipt, deployment: Deployment | None) -> None:
    """Compare with the deployment the verifier knows; and the claims must at least be well-formed."""
    domain_of(receipt.installation)
    if deployment is None:
        return
    expected = installation_part(deployment)
    for name in ("chain_id", "salt", "ledger"):
        check_same(f"installation.{name}", getattr(expected, name), getattr(receipt.installation, name))
    if isinstance(receipt, EventReceipt):
        contract = deployment.contracts.get(receipt.event.contract)
        check_same("event.address", contract.address if contract else "no such contract", receipt.event.address)


def batch_slot(programme: ProgrammeId, number: int) -> int:
    """Return the ledger's storage slot of a batch's evidence root."""
    return Layout.load("PointsLedger").at("_batches", programme, number)
