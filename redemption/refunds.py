"""Refunds: the merchant gives points back by stating a shorter kept prefix of what the order paid with.

The contract keeps no order, only the Merkle root of each executed batch, so a refund carries the order's receipt and
its path. Both are made here from the transaction that paid: every order in it, in its order of execution, is a leaf.
The chain is asked outside of any database transaction (`prove`); what is enqueued afterwards is signed by the merchant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.chain.engine import Engine
from ledger.clock import Clock
from ledger.deployment import artifacts
from ledger.deployment.file import Deployment
from ledger.errors import InvariantViolation
from ledger.orders.terms import pars
from ledger.outbox.outbox import Outbox
from ledger.proofs.orders import orders_in
from ledger.standard.civil_time import DAY_S
from ledger.standard.contract import REFUND_MAX_S
from ledger.standard.evidence import MerkleTree, RedemptionReceipt
from ledger.standard.ids import MerchantId, OrderId, address_bytes, order_id_text, split_token_id
from ledger.standard.packed import OrderCall, pack_lots, pack_prefix
from ledger.standard.typed_data import HoldOrder, Lot, RedeemOrder, Refund, lots_hash
from ledger.store.database import Database
from ledger.store.models.projection import ChainHoldRow, OrderOutcomeRow, RedemptionBatchRow, SuccessorRow
from ledger.store.models.redemption import RedemptionOrderRow
from ledger.store.models.residents import ResidentRow
from redemption.acts.book import ActBook, Acted, ActOutcome, Wish
from redemption.acts.refund_approvals import RefundApprovals, RefundProposal
from redemption.acts.settling import refund_key
from redemption.acts.table import Act
from redemption.errors import NotRefundable, OwnOrder, PayerErased, RefundTooLate, UnknownOrder
from redemption.fulfilment import Actor, Keys, merchant_key
from redemption.lots import keep_down, kept_lots, prefix_value_down
from redemption.merchants import MerchantDirectory
from redemption.orders import Redemptions

REFUND_DAYS = REFUND_MAX_S // DAY_S
_GAS = 500_000
_GAS_LOT = 110_000
_PAYS = ("redeem", "capture")


@dataclass(frozen=True, slots=True)
class PaidProof:
    """That an order paid: its receipt, the batch, the path to the batch's root, and the lots it paid with."""

    receipt: RedemptionReceipt
    batch: int
    path: tuple[bytes, ...]
    lots: tuple[Lot, ...]


@dataclass(frozen=True, slots=True)
class _Payment:
    """What the projection says of one payment in a transaction, in order of execution."""

    order_id: OrderId
    merchant: MerchantId
    fen: int
    time: int


@dataclass(frozen=True, slots=True)
class Refunds:
    """The only writer of refunds."""

    database: Database
    engine: Engine
    deployment: Deployment
    redemptions: Redemptions
    merchants: MerchantDirectory
    outbox: Outbox
    keys: Keys
    acts: ActBook
    clock: Clock
    approvals: RefundApprovals

    def prove(self, order_id: OrderId) -> PaidProof:
        """Make the proof that an order paid. Asks the chain, so call it outside of a transaction.

        Raises:
            UnknownOrder: nothing paid under this id.
            NotRefundable: the transaction does not carry its orders (somebody relayed them by another contract).
            InvariantViolation: what the transaction carries does not hash to the root on chain.
            RpcError: the chain does not answer.
        """
        with self.database.read() as session:
            paid = session.scalar(
                select(OrderOutcomeRow).where(
                    OrderOutcomeRow.order_id == order_id,
                    OrderOutcomeRow.code == 0,
                    OrderOutcomeRow.kind.in_(_PAYS),
                    OrderOutcomeRow.fen > 0,
                )
            )
            if paid is None:
                raise UnknownOrder(order_id_text(order_id))
            transaction = paid.transaction_hash
            payments = _payments(session, transaction)
            batches = session.scalars(
                select(RedemptionBatchRow)
                .where(RedemptionBatchRow.transaction_hash == transaction)
                .order_by(RedemptionBatchRow.batch)
            ).all()
            kept = {
                row.order_id: (row.kept_lots, row.last_amount_minor)
                for row in session.scalars(
                    select(ChainHoldRow).where(ChainHoldRow.order_id.in_([one.order_id for one in payments]))
                )
            }
        sent = self.engine.rpc.call("eth_getTransactionByHash", ["0x" + transaction.hex()])
        orders = self._orders(sent)
        receipts, lots = [], []
        for payment in payments:
            order = orders.get(payment.order_id)
            if order is None:
                raise NotRefundable(order_id_text(order_id), "its transaction does not carry the order")
            taken = order.lots
            if payment.order_id in kept:
                taken = kept_lots(order.lots, *kept[payment.order_id])
            lots.append(taken)
            receipts.append(
                RedemptionReceipt(
                    payment.order_id, order.holder, payment.merchant, lots_hash(taken), payment.fen, payment.time
                )
            )
        return _find(order_id, receipts, lots, [(row.batch, row.orders, row.root) for row in batches])

    def require_open(self, merchant_id: MerchantId, order_id: OrderId) -> None:
        """Look whose order it is, and whether it can be refunded, before the chain is asked about it.

        Raises UnknownOrder (another merchant's too), OrderStateConflict or PayerErased.
        """
        with self.database.read() as session:
            row = self.redemptions.row(session, order_id, lock=False)
            if row.merchant_id != merchant_id:
                raise UnknownOrder(order_id_text(order_id))
            self.acts.require(session, row, Act.REFUND)
            require_payer(session, row)

    def refund(
        self,
        session: Session,
        merchant_id: MerchantId,
        proof: PaidProof,
        keep_fen: int,
        actor: Actor,
        reason: str,
        key: str | None = None,
    ) -> Acted:
        """Sign a refund after which the merchant keeps (at least) ``keep_fen``; the act says the fen that go back.

        ``key``: the client's own id of this act. Checks in order: UnknownOrder (another merchant's too),
        ActExistsDifferently, OwnOrder, OrderStateConflict (another refund under way too), PayerErased, RefundTooLate,
        NotRefundable (nothing would go back), RefundNeedsSecond, MerchantHoldsKey.
        """
        order_id = proof.receipt.order_id
        name = order_id_text(order_id)
        row = self.redemptions.row(session, order_id)
        if row.merchant_id != merchant_id:
            raise UnknownOrder(name)
        wish = Wish(Act.REFUND, order_id, actor.subject, reason, key, keep_fen)
        if (known := self.acts.known(session, wish)) is not None:
            return Acted(known, ActOutcome.EXISTS)
        if actor.took_part(row):
            raise OwnOrder(name)
        self.acts.require(session, row, Act.REFUND)
        require_payer(session, row)
        if self.clock.timestamp() > proof.receipt.time + REFUND_MAX_S:
            raise RefundTooLate(name, REFUND_DAYS)
        kept, keeps_fen = keeps(session, proof, row.paid_fen, keep_fen)
        self.approvals.require(session, order_id, keep_fen, proof.receipt.fen - keeps_fen, actor)
        digest = Refund(order_id, *kept).digest(self.deployment.domain())
        signature = merchant_key(session, self.merchants, self.keys, merchant_id).sign_digest(digest)
        noted = self.acts.note(session, wish, fen=row.paid_fen - keeps_fen, left_fen=keeps_fen, kept=kept)
        message_key, gas = refund_key(order_id, kept), _GAS + _GAS_LOT * len(proof.lots)
        data = _calldata(proof, *kept, signature)
        if self.outbox.status(session, message_key) is None:
            self.outbox.enqueue_call(session, "refund", message_key, self.deployment.address("Redemption"), data, gas)
        else:  # the chain refused it before
            self.outbox.replace_call(session, message_key, data, gas)
        return Acted(noted, ActOutcome.CREATED)

    def _orders(self, sent: Mapping[str, object] | None) -> dict[bytes, RedeemOrder | HoldOrder]:
        if sent is None:
            return {}
        domain = self.deployment.domain()
        past = [one.address for one in self.deployment.replaced if one.name == "Redemption"]
        return {
            order.digest(domain): order
            for module in (self.deployment.address("Redemption"), *past)
            for call, order, _ in orders_in(sent, {"Redemption": address_bytes(module)})
            if call in {OrderCall.REDEEM, OrderCall.CAPTURE} and isinstance(order, RedeemOrder | HoldOrder)
        }


def keeps(session: Session, proof: PaidProof, paid_fen: int, keep_fen: int) -> tuple[tuple[int, int], int]:
    """Return the shortest prefix of what an order paid with that is worth ``keep_fen``, and its fen.

    Raises NotRefundable: nothing would go back of the ``paid_fen`` that the merchant has.
    """
    nothing = NotRefundable(order_id_text(proof.receipt.order_id), f"the merchant has {paid_fen} fen of it")
    if keep_fen >= paid_fen:
        raise nothing
    par = pars(session)
    priced = [(par[split_token_id(lot.id)[0]], lot) for lot in proof.lots]
    kept = keep_down(priced, keep_fen)
    keeps_fen = prefix_value_down(priced, *kept)
    if keeps_fen >= paid_fen:
        raise nothing
    return kept, keeps_fen


def propose(
    session: Session,
    redemptions: Redemptions,
    acts: ActBook,
    approvals: RefundApprovals,
    merchant_id: MerchantId,
    order_id: OrderId,
    keep_fen: int,
    actor: Actor,
    reason: str,
) -> RefundProposal:
    """Propose a refund above what one login gives back alone.

    Checks in order: UnknownOrder (another merchant's too), OwnOrder, OrderStateConflict.
    """
    row = redemptions.row(session, order_id)
    if row.merchant_id != merchant_id:
        raise UnknownOrder(order_id_text(order_id))
    if actor.took_part(row):
        raise OwnOrder(order_id_text(order_id))
    acts.require(session, row, Act.REFUND)
    return approvals.propose(session, merchant_id, order_id, keep_fen, reason, actor)


def require_payer(session: Session, row: RedemptionOrderRow) -> None:
    """Raise PayerErased where nobody is left whom a refund would reach: an heir's account receives in its place."""
    erased_at = session.scalar(select(ResidentRow.erased_at).where(ResidentRow.resident_id == row.resident_id))
    if erased_at is not None and session.get(SuccessorRow, row.holder) is None:
        raise PayerErased(order_id_text(OrderId(row.order_id)))


def _payments(session: Session, transaction: bytes) -> list[_Payment]:
    rows = session.scalars(
        select(OrderOutcomeRow)
        .where(
            OrderOutcomeRow.transaction_hash == transaction,
            OrderOutcomeRow.code == 0,
            OrderOutcomeRow.kind.in_(_PAYS),
            OrderOutcomeRow.fen > 0,
        )
        .order_by(OrderOutcomeRow.log_index)
    )
    return [_Payment(row.order_id, row.merchant or MerchantId(0), row.fen or 0, row.block_timestamp) for row in rows]


def _find(
    order_id: OrderId,
    receipts: Sequence[RedemptionReceipt],
    lots: Sequence[tuple[Lot, ...]],
    batches: Sequence[tuple[int, int, bytes]],
) -> PaidProof:
    """Return the order's place in its batch. A transaction may make several batches, one after the other. Pure."""
    at = 0
    for number, count, root in batches:
        part = receipts[at : at + count]
        index = next((place for place, one in enumerate(part) if one.order_id == order_id), None)
        if index is not None:
            tree = MerkleTree([one.hash() for one in part], sort_leaves=False)
            if tree.root != root:
                raise InvariantViolation(f"the receipts of batch {number} do not hash to its root on chain")
            return PaidProof(part[index], number, tuple(tree.proof(index)), lots[at + index])
        at += count
    raise InvariantViolation("an order that paid is in no batch of its transaction")


def receipt_arguments(proof: PaidProof) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Return a proof as the contracts' ``Receipt`` and ``ReceiptProof``."""
    receipt = proof.receipt
    opened = (receipt.order_id, receipt.holder, receipt.merchant, receipt.lots_hash, receipt.fen, receipt.time)
    return opened, (proof.batch, list(proof.path))


def _calldata(proof: PaidProof, kept: int, last_minor: int, signature: bytes) -> bytes:
    prefix = pack_prefix(kept, last_minor)
    arguments = [*receipt_arguments(proof), pack_lots(proof.lots), prefix, signature]
    return artifacts.call_data("Redemption", "refund", arguments)
