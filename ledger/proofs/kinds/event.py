"""Receipts of events: from the log to the receipts root, and the signed order whose terms the event must have."""

from __future__ import annotations

from typing import Any

from ledger.chain.rpc import RpcClient
from ledger.deployment import artifacts
from ledger.deployment.file import Deployment
from ledger.proofs import events, receipts, rlp, trie
from ledger.proofs.document import (
    FORMAT,
    EventProof,
    EventReceipt,
    OrderPart,
    block_part,
    check_same,
    domain_of,
    event_part,
    from_hex,
    installation_part,
    number_of,
    order_of,
    order_part,
    to_dict,
    to_hex,
)
from ledger.proofs.errors import BadReceipt, UnprovableLog
from ledger.proofs.headers import Header
from ledger.proofs.kinds.blocks import following, read_block
from ledger.proofs.orders import Order, orders_in
from ledger.standard.contract import LOTS_MAX
from ledger.standard.errors import BadSignature
from ledger.standard.ids import AccountBytes, address_bytes, programme_of, to_address
from ledger.standard.signatures import recover
from ledger.standard.typed_data import ExchangeOrder, HoldOrder, Lot, RedeemOrder, lots_hash
from ledger.standard.value import MICROFEN_MINOR

CONTRACTS = frozenset(
    {"AccessManager", "ClearingBook", "Council", "Exchange", "PointsLedger", "Redemption", "Succession"}
)
_LOG_PARTS = 3


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
    header, block = read_block(rpc, number)
    tree = receipts.trie_of(receipts.read(rpc, number, block["transactions"]))
    if tree.root != header.receipts_root:
        raise UnprovableLog(f"transaction {name}", "the node's receipts do not hash to the header's root")
    position = next((at for at, log in enumerate(found["logs"]) if int(log["logIndex"], 16) == log_index), None)
    if position is None:
        raise UnprovableLog(f"log {log_index} of transaction {name}", "the transaction has none")
    event = events.Catalogue.of(deployment).decode(events.raw_log(found["logs"][position]))
    receipt = EventReceipt(
        format=FORMAT,
        installation=installation_part(deployment),
        block=block_part(header),
        event=event_part(event),
        order=_order_behind(rpc, deployment, name, event),
        proof=EventProof(
            header=to_hex(header.encode()),
            following=following(rpc, header),
            transaction_index=str(index),
            log_position=str(position),
            receipt_path=[to_hex(node) for node in tree.proof(receipts.key_of(index))],
        ),
    )
    return to_dict(receipt)


def check_event(receipt: EventReceipt, header: Header) -> events.Event:
    """Follow the path from the receipts root to the log, and compare it with what the receipt says in words."""
    proof = receipt.proof
    index = number_of(proof.transaction_index, "proof.transaction_index")
    path = [from_hex(node, "proof.receipt_path") for node in proof.receipt_path]
    value = trie.verify(header.receipts_root, receipts.key_of(index), path)
    if value is None:
        raise BadReceipt("proof.transaction_index", "the block has no such transaction")
    status, _, _, logs = receipts.decode(value)
    if status != b"\1":
        raise BadReceipt("proof.receipt_path", "the transaction failed")
    position = number_of(proof.log_position, "proof.log_position")
    if not isinstance(logs, list) or position >= len(logs):
        raise BadReceipt("proof.log_position", "the transaction has no such log")
    log = _log_of(logs[position], header.number, index, position)
    address = address_bytes(receipt.event.address)
    contract = receipt.event.contract
    if contract not in CONTRACTS:
        raise BadReceipt("event.contract", f"{contract!r} is no contract of the standard")
    check_same("event.address", to_address(log.address), receipt.event.address)
    event = events.Catalogue([(contract, address, artifacts.load(contract).abi)]).decode(log)
    expected = event_part(event)
    check_same("event.name", expected.name, receipt.event.name)
    check_same("event.args", expected.args, receipt.event.args)
    return event


def check_order(receipt: EventReceipt, event: events.Event, deployment: Deployment | None, notes: list[str]) -> None:
    """The order's digest is the event's order id, and the event has the order's terms.

    The digest ties the receipt to the installation of the order's domain; what the order is worth needs the pars of the
    ``deployment``.
    """
    part = receipt.order
    if part is None:
        return
    order_id = event.values.get("orderId")
    if not isinstance(order_id, bytes):
        raise BadReceipt("order", f"{event.name} carries out no order")
    order = order_of(part)
    digest = order.digest(domain_of(receipt.installation))
    check_same("order", to_hex(order_id), to_hex(digest))
    _check_terms(order, event, deployment)
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


def _check_terms(order: Order, event: events.Event, deployment: Deployment | None) -> None:
    """What the event says of holder, merchant, lots, times and value is what the order says."""
    values = event.values
    terms: dict[str, object] = {"holder": address_bytes(order.holder)}
    paid: tuple[Lot, ...] = ()
    if isinstance(order, ExchangeOrder):
        paid = (Lot(order.from_id, order.amount),)
    else:
        terms["merchant"] = order.merchant
        paid = _kept_lots(order, values.get("kept")) if event.name == "Captured" else order.lots
        terms["lotsHash"] = lots_hash(paid) if paid else None
    if isinstance(order, HoldOrder):
        terms |= {"captureBy": order.capture_by, "cancellable": order.cancellable}
    for name, expected in terms.items():
        if name in values and values[name] != expected:
            raise BadReceipt(f"event.args.{name}", f"the order says {_shown(expected)}")
    if event.name in ("Exchanged", "Redeemed", "Captured") and deployment is not None:
        _check_value(paid, values["fen"], deployment)


def _check_value(paid: tuple[Lot, ...], fen: object, deployment: Deployment) -> None:
    """The value is what the deployment's pars make of the lots, as far as it names their programmes."""
    pars = {programme.id: programme.par_microfen for programme in deployment.programmes}
    if all(programme_of(lot.id) in pars for lot in paid):
        worth = sum(lot.amount * pars[programme_of(lot.id)] for lot in paid) // MICROFEN_MINOR
        if fen != worth:
            raise BadReceipt("event.args.fen", f"the order's lots are worth {worth} fen")


def _kept_lots(order: RedeemOrder | HoldOrder, kept: object) -> tuple[Lot, ...]:
    if not isinstance(kept, int):
        return order.lots
    count, last = kept >> 64, kept & 2**64 - 1
    if not 1 <= count <= min(len(order.lots), LOTS_MAX) or not 1 <= last <= order.lots[count - 1].amount:
        raise BadReceipt("event.args.kept", "it is no prefix of the order's lots")
    return (*order.lots[: count - 1], Lot(order.lots[count - 1].id, last))


def _shown(value: object) -> object:
    return to_hex(value) if isinstance(value, bytes) else value


def _log_of(item: rlp.Decoded, block: int, transaction: int, position: int) -> events.RawLog:
    if not isinstance(item, list) or len(item) != _LOG_PARTS:
        raise BadReceipt("proof.receipt_path", "a log is not a list of three")
    address, topics, data = item
    if not isinstance(address, bytes) or not isinstance(topics, list) or not isinstance(data, bytes):
        raise BadReceipt("proof.receipt_path", "a log has parts of the wrong kind")
    flat = tuple(topic for topic in topics if isinstance(topic, bytes))
    if len(flat) != len(topics):
        raise BadReceipt("proof.receipt_path", "a topic is a list")
    return events.RawLog(AccountBytes(address), flat, data, block, transaction, position)


def _order_behind(rpc: RpcClient, deployment: Deployment, tx_hash: str, event: events.Event) -> OrderPart | None:
    order_id = event.values.get("orderId")
    if order_id is None:
        return None
    modules = {event.contract: event.log.address}
    domain = deployment.domain()
    transaction = rpc.call("eth_getTransactionByHash", [tx_hash])
    for _, order, signature in orders_in(transaction, modules):
        if order.digest(domain) == order_id:
            # A contract wallet's signature means nothing to whoever cannot ask that wallet, so it stays out.
            return order_part(order, signature if is_signed_by(order.holder, order_id, signature) else b"")
    return None
