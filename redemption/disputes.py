"""Disputes: two acts by two hands of the consumer arbiter.

One hand locks value of the merchant for an order, once and for 60 days; the other's signature refunds a locked order in
the merchant's place. What is not refunded is the merchant's again.

The arbiter's account sends the lock itself (an office of the outbox); the signed refund anybody may relay.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.deployment.artifacts import call_data
from ledger.deployment.file import Deployment
from ledger.errors import ConfigurationError
from ledger.outbox.outbox import Outbox
from ledger.standard.contract import REFUND_MAX_S
from ledger.standard.ids import order_id_text
from ledger.standard.packed import pack_lots, pack_prefix
from ledger.standard.typed_data import ArbiterRefund
from redemption.acts.book import ActBook, Acted, ActOutcome, Wish
from redemption.acts.settling import refund_key
from redemption.acts.table import Act
from redemption.errors import NotRefundable, RefundTooLate
from redemption.fulfilment import Keys
from redemption.orders import Redemptions
from redemption.refunds import REFUND_DAYS, PaidProof, keeps, receipt_arguments, require_payer

KIND = "arbiter"
"""The outbox's kind of what the arbiter's account sends."""

SECOND_HAND = "arbiter/signature"
"""Name of the key that signs refunds."""

_GAS_LOCK = 400_000
_GAS_REFUND = 500_000
_GAS_LOT = 110_000


@dataclass(frozen=True, slots=True)
class Disputes:
    """The arbiter's desk, where this installation keeps its keys. The order is proven by `Refunds.prove` beforehand."""

    deployment: Deployment
    redemptions: Redemptions
    outbox: Outbox
    keys: Keys
    acts: ActBook
    clock: Clock
    has_account: bool
    """Whether the arbiter's account sends from here."""

    def lock(self, session: Session, proof: PaidProof, fen: int, complaint_hash: bytes) -> None:
        """Lock ``fen`` of the merchant's claim for an order; the same order again changes nothing.

        ``complaint_hash``: 32 bytes, of the holder's signed complaint. Raises RefundTooLate, NotRefundable (more than
        the order is worth) or ConfigurationError (the arbiter's account is elsewhere).
        """
        order_id = proof.receipt.order_id
        if not self.has_account:
            raise ConfigurationError("this installation does not keep the consumer arbiter's key")
        if self.clock.timestamp() > proof.receipt.time + REFUND_MAX_S:
            raise RefundTooLate(order_id_text(order_id), REFUND_DAYS)
        if not 0 < fen <= proof.receipt.fen:
            raise NotRefundable(order_id_text(order_id), f"the order is worth {proof.receipt.fen} fen")
        data = call_data("Redemption", "lockOrder", [*receipt_arguments(proof), fen, complaint_hash])
        target = self.deployment.address("Redemption")
        self.outbox.enqueue_call(session, KIND, f"lock:{order_id.hex()}", target, data, _GAS_LOCK)

    def refund(self, session: Session, proof: PaidProof, keep_fen: int, by: str, key: str | None = None) -> Acted:
        """Sign a refund after which the merchant keeps (at least) ``keep_fen``; the act says the fen that go back.

        Raises UnknownOrder (paid elsewhere), ActExistsDifferently, OrderStateConflict, PayerErased, or NotRefundable
        (nothing would go back). The chain refuses more than is locked.
        """
        order_id = proof.receipt.order_id
        row = self.redemptions.row(session, order_id)
        wish = Wish(Act.ARBITER_REFUND, order_id, by, "decided by the arbiter", key, keep_fen)
        if (known := self.acts.known(session, wish)) is not None:
            return Acted(known, ActOutcome.EXISTS)
        self.acts.require(session, row, Act.ARBITER_REFUND)
        require_payer(session, row)
        kept, keeps_fen = keeps(session, proof, row.paid_fen, keep_fen)
        digest = ArbiterRefund(order_id, *kept).digest(self.deployment.domain())
        signature = self.keys.get(SECOND_HAND).sign_digest(digest)
        noted = self.acts.note(session, wish, fen=row.paid_fen - keeps_fen, left_fen=keeps_fen, kept=kept)
        arguments = [*receipt_arguments(proof), pack_lots(proof.lots), pack_prefix(*kept), signature]
        data, gas = call_data("Redemption", "arbiterRefund", arguments), _GAS_REFUND + _GAS_LOT * len(proof.lots)
        message_key = refund_key(order_id, kept, is_arbiters=True)
        if self.outbox.status(session, message_key) is None:
            self.outbox.enqueue_call(session, "refund", message_key, self.deployment.address("Redemption"), data, gas)
        else:
            self.outbox.replace_call(session, message_key, data, gas)
        return Acted(noted, ActOutcome.CREATED)
