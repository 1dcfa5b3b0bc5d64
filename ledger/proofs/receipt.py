"""Receipts that prove themselves: an event, a grant or a payment down to the validators' seals, in one JSON document.

An event is proven by the Merkle-Patricia path of its transaction's receipt under the header's receipts root. A grant is
proven by its Merkle path in the batch and the storage proof of the batch's signed hash under the header's state root,
which is smaller than the receipt of five hundred grants; a shop's payment by its Merkle path to the receipts root that
the clearing book keeps. Everything that a receipt says in plain words is computed anew from the
proof when it is verified; what cannot be is not in it. Where an event carries out a signed order, the order is there
too: its EIP-712 digest ties the receipt to chain, deployment and every term that the resident signed.
"""

from __future__ import annotations

from ledger.proofs.document import FORMAT
from ledger.proofs.kinds.event import build_receipt
from ledger.proofs.kinds.grant import build_grant_receipt
from ledger.proofs.kinds.payment import build_payment_receipt
from ledger.proofs.verifying import Verification, verify_receipt

__all__ = ["FORMAT", "Verification", "build_grant_receipt", "build_payment_receipt", "build_receipt", "verify_receipt"]
