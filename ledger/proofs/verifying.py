"""Verifies receipts. Everything that a receipt says in plain words is computed anew from its proof."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.deployment.file import Deployment
from ledger.proofs.document import (
    EventReceipt,
    GrantReceipt,
    Receipt,
    block_part,
    check_same,
    domain_of,
    from_hex,
    installation_part,
    parse,
)
from ledger.proofs.errors import ProofError
from ledger.proofs.headers import Header, from_rlp
from ledger.proofs.kinds.event import check_event, check_order
from ledger.proofs.kinds.grant import check_grant
from ledger.proofs.kinds.payment import check_payment
from ledger.proofs.seal import Seal, judge
from ledger.standard.errors import StandardError


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
    claim to be the city's, and an order any value; seal and notes say so.
    """
    notes: list[str] = []
    try:
        parsed = parse(receipt)
        header = _check_header(parsed)
        kind, subject = _check_proof(parsed, header, deployment, notes)
        _check_installation(parsed, deployment)
        if deployment is None:
            notes.append(
                "which contracts are the city's, and what its points are worth, is the receipt's own claim: give the"
                " deployment file to check it"
            )
        following = [from_rlp(from_hex(text, "proof.following")) for text in parsed.proof.following]
        seal = judge(header, following, validators)
    except (ProofError, StandardError) as error:
        return Verification(ok=False, reason=str(error))
    return Verification(
        ok=True,
        reason=None,
        seal=seal,
        kind=kind,
        subject=subject,
        block=header.number,
        time=parsed.block.time,
        notes=tuple(notes),
    )


def _check_proof(parsed: Receipt, header: Header, deployment: Deployment | None, notes: list[str]) -> tuple[str, str]:
    """Return (kind, what is proven)."""
    if isinstance(parsed, EventReceipt):
        event = check_event(parsed, header)
        check_order(parsed, event, deployment, notes)
        return "event", f"{event.contract}.{event.name}"
    if isinstance(parsed, GrantReceipt):
        leaf = check_grant(parsed, header)
        return "grant", f"grant of {leaf.amount} minor units of lot {leaf.token_id} to {leaf.account}"
    part = check_payment(parsed, header)
    return "payment", f"payment of {part.fen} fen to merchant {part.merchant} at {part.time}"


def _check_header(receipt: Receipt) -> Header:
    header = from_rlp(from_hex(receipt.proof.header, "proof.header"))
    expected = block_part(header)
    for name in ("number", "hash", "timestamp", "time"):
        check_same(f"block.{name}", getattr(expected, name), getattr(receipt.block, name))
    return header


def _check_installation(receipt: Receipt, deployment: Deployment | None) -> None:
    """Compare with the deployment the verifier knows; and the claims must at least be well-formed."""
    domain_of(receipt.installation)
    if deployment is None:
        return
    expected = installation_part(deployment)
    for name in ("chain_id", "salt", "ledger", "book"):
        check_same(f"installation.{name}", getattr(expected, name), getattr(receipt.installation, name))
    if isinstance(receipt, EventReceipt):
        name, address = receipt.event.contract, receipt.event.address
        past = [each.address for each in deployment.replaced if each.name == name]
        contract = deployment.contracts.get(name)
        if address not in past:
            check_same("event.address", contract.address if contract else "no such contract", address)
