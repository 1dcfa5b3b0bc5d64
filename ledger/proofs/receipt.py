"""Receipts that prove themselves: an event (or a grant) down to the validators' seals, in one JSON document.

An event is proven by the Merkle-Patricia path of its transaction's receipt under the header's receipts root. A grant is
proven by its Merkle path in the batch and the storage proof of the batch's root under the header's state root, which is
smaller than the receipt of five hundred grants. Everything that a receipt says in plain words is computed anew from the
proof when it is verified; what cannot be is not in it. Where an event carries out a signed order, the order is there
too: its EIP-712 digest ties the receipt to chain, deployment and every term that the resident signed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import msgspec

from ledger.chain import artifacts
from ledger.chain.deployment import Deployment
from ledger.chain.rpc import RpcClient
from ledger.proofs import events, receipts, rlp, seals, state, trie
from ledger.proofs.errors import BadReceipt, ProofError, UnprovableLog
from ledger.proofs.headers import Header, from_rlp
from ledger.proofs.layout import Layout
from ledger.proofs.orders import Order, orders_in
from ledger.proofs.seal import Seal, judge
from ledger.proofs.seals import Consensus
from ledger.standard.errors import BadSignature, StandardError
from ledger.standard.evidence import EvidenceLeaf
from ledger.standard.evidence import verify as verify_merkle
from ledger.standard.ids import address_bytes, split_token_id, to_address
from ledger.standard.quarters import CITY_TZ
from ledger.standard.signatures import recover
from ledger.standard.typed_data import Domain, ExchangeOrder, HoldOrder, Lot, RedeemOrder

FORMAT = "tongdui-receipt-1"
CLIQUE_FOLLOWING_MAX = 64
"""Headers after a Clique block that a receipt carries at most."""

_ORDERS: dict[str, type[Order]] = {"ExchangeOrder": ExchangeOrder, "RedeemOrder": RedeemOrder, "HoldOrder": HoldOrder}
_LOG_PARTS = 3


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class InstallationPart(_Strict, frozen=True):
    """Which installation the receipt claims to be of."""

    chain_id: str
    salt: str
    ledger: str


class BlockPart(_Strict, frozen=True):
    """The block, in plain words; ``time`` is the city's."""

    number: int
    hash: str
    timestamp: int
    time: str


class EventPart(_Strict, frozen=True):
    """The event in plain words: numbers as strings, addresses in EIP-55, bytes in hexadecimal."""

    contract: str
    address: str
    name: str
    args: dict[str, str | list[str]]


class OrderPart(_Strict, frozen=True):
    """The order behind the event. ``signature`` is the holder's, empty where the call did not carry it."""

    type: str
    terms: dict[str, str | list[dict[str, str]]]
    signature: str


class EventProof(_Strict, frozen=True):
    """Header, place of the receipt in its block, path to it, place of the log in the receipt."""

    header: str
    following: list[str]
    transaction_index: int
    log_position: int
    receipt_path: list[str]


class GrantPart(_Strict, frozen=True):
    """The evidence leaf of the grant and the batch that it is in."""

    programme: int
    batch: str
    leaf: dict[str, str]


class GrantProof(_Strict, frozen=True):
    """Header, the ledger's account under the state root, the batch's root in its storage, the leaf's path to it."""

    header: str
    following: list[str]
    account_path: list[str]
    storage_path: list[str]
    merkle_path: list[str]


class EventReceipt(_Strict, frozen=True, tag_field="kind", tag="event"):
    """A receipt of an event."""

    format: str
    installation: InstallationPart
    block: BlockPart
    event: EventPart
    order: OrderPart | None
    proof: EventProof


class GrantReceipt(_Strict, frozen=True, tag_field="kind", tag="grant"):
    """A receipt of a grant."""

    format: str
    installation: InstallationPart
    block: BlockPart
    grant: GrantPart
    proof: GrantProof


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


# Building ---------------------------------------------------------------------------------------------------------


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
        installation=_installation(deployment),
        block=_block_part(header),
        event=_event_part(event),
        order=order,
        proof=EventProof(
            header=_hex(header.encode()),
            following=_following(rpc, header),
            transaction_index=index,
            log_position=position,
            receipt_path=[_hex(node) for node in tree.proof(receipts.key_of(index))],
        ),
    )
    return _to_dict(receipt)


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
    answer = state.fetch(rpc, ledger, [_batch_slot(programme, number)], height)
    receipt = GrantReceipt(
        format=FORMAT,
        installation=_installation(deployment),
        block=_block_part(header),
        grant=GrantPart(programme=programme, batch=str(number), leaf=_leaf_part(leaf)),
        proof=GrantProof(
            header=_hex(header.encode()),
            following=_following(rpc, header),
            account_path=list(answer["accountProof"]),
            storage_path=list(answer["storageProof"][0]["proof"]),
            merkle_path=[_hex(node) for node in merkle_path],
        ),
    )
    try:
        _check_grant(receipt, header)
    except ProofError as error:
        raise UnprovableLog(f"grant 0x{leaf.grant_id.hex()}", str(error)) from error
    return _to_dict(receipt)


# Verifying --------------------------------------------------------------------------------------------------------


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
        parsed = _parse(receipt)
        header = _check_header(parsed)
        if isinstance(parsed, EventReceipt):
            event = _check_event(parsed, header)
            _check_order(parsed, event, notes)
            subject = f"{event.contract}.{event.name}"
        else:
            leaf = _check_grant(parsed, header)
            subject = f"grant of {leaf.amount} minor units of lot {leaf.token_id} to {leaf.account}"
        _check_installation(parsed, deployment)
        if deployment is None:
            notes.append(
                "which contracts are the city's is the receipt's own claim: give the deployment file to check it"
            )
        following = [from_rlp(_unhex(text, "proof.following")) for text in parsed.proof.following]
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


def _parse(receipt: Mapping[str, Any]) -> EventReceipt | GrantReceipt:
    try:
        parsed = msgspec.convert(dict(receipt), EventReceipt | GrantReceipt, strict=True)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise BadReceipt("receipt", str(error)) from error
    if parsed.format != FORMAT:
        raise BadReceipt("format", f"{parsed.format!r} is not {FORMAT!r}")
    return parsed


def _check_header(receipt: EventReceipt | GrantReceipt) -> Header:
    header = from_rlp(_unhex(receipt.proof.header, "proof.header"))
    expected = _block_part(header)
    for name in ("number", "hash", "timestamp", "time"):
        _same(f"block.{name}", getattr(expected, name), getattr(receipt.block, name))
    return header


def _check_event(receipt: EventReceipt, header: Header) -> events.Event:
    """Follow the path from the receipts root to the log, and compare it with what the receipt says in words."""
    proof = receipt.proof
    if proof.transaction_index < 0 or proof.log_position < 0:
        raise BadReceipt("proof", "a place is negative")
    path = [_unhex(node, "proof.receipt_path") for node in proof.receipt_path]
    value = trie.verify(header.receipts_root, receipts.key_of(proof.transaction_index), path)
    if value is None:
        raise BadReceipt("proof.transaction_index", "the block has no such transaction")
    fields_ = rlp.decode(value)
    if not isinstance(fields_, list) or len(fields_) != 4 or not isinstance(fields_[3], list):
        raise BadReceipt("proof.receipt_path", "it does not lead to a legacy receipt")
    if fields_[0] != b"\1":
        raise BadReceipt("proof.receipt_path", "the transaction failed")
    if proof.log_position >= len(fields_[3]):
        raise BadReceipt("proof.log_position", "the transaction has no such log")
    log = _log_of(fields_[3][proof.log_position], header.number, proof)
    address = address_bytes(receipt.event.address)
    contract = receipt.event.contract
    if contract not in _CONTRACTS:
        raise BadReceipt("event.contract", f"{contract!r} is no contract of the standard")
    _same("event.address", to_address(log.address), receipt.event.address)
    event = events.Catalogue([(contract, address, artifacts.load(contract).abi)]).decode(log)
    expected = _event_part(event)
    _same("event.name", expected.name, receipt.event.name)
    _same("event.args", expected.args, receipt.event.args)
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
    order = _order_of(part)
    digest = order.digest(_domain(receipt.installation))
    _same("order", _hex(order_id), _hex(digest))
    signature = _unhex(part.signature, "order.signature")
    if not signature:
        notes.append("the holder's signature is not here (the call did not carry it, or a contract wallet checked it)")
    elif not _is_by(order.holder, digest, signature):
        raise BadReceipt("order.signature", f"it is not by {order.holder}")


def _is_by(holder: str, digest: bytes, signature: bytes) -> bool:
    try:
        return recover(digest, signature) == to_address(holder)
    except BadSignature:
        return False


def _check_grant(receipt: GrantReceipt, header: Header) -> EvidenceLeaf:
    """Follow the paths from the state root to the batch's root, and from that to the leaf."""
    leaf = _leaf_of(receipt.grant.leaf)
    programme, _ = split_token_id(leaf.token_id)
    if programme != receipt.grant.programme:
        raise BadReceipt("grant.programme", f"the leaf is of programme {programme}")
    number = _number(receipt.grant.batch, "grant.batch")
    account = state.verify_account(
        header.state_root,
        address_bytes(receipt.installation.ledger),
        [_unhex(node, "proof.account_path") for node in receipt.proof.account_path],
    )
    storage_path = [_unhex(node, "proof.storage_path") for node in receipt.proof.storage_path]
    word = state.verify_slot(account.storage_root, _batch_slot(programme, number), storage_path)
    path = [_unhex(node, "proof.merkle_path") for node in receipt.proof.merkle_path]
    if any(len(node) != 32 for node in path):
        raise BadReceipt("proof.merkle_path", "a node has not 32 bytes")
    if word <= 1 or not verify_merkle(word.to_bytes(32, "big"), leaf.hash(), path):
        raise BadReceipt("grant.leaf", f"batch {number} of programme {programme} holds no such grant")
    return leaf


def _check_installation(receipt: EventReceipt | GrantReceipt, deployment: Deployment | None) -> None:
    """Compare with the deployment the verifier knows; and the claims must at least be well-formed."""
    _domain(receipt.installation)
    if deployment is None:
        return
    expected = _installation(deployment)
    for name in ("chain_id", "salt", "ledger"):
        _same(f"installation.{name}", getattr(expected, name), getattr(receipt.installation, name))
    if isinstance(receipt, EventReceipt):
        contract = deployment.contracts.get(receipt.event.contract)
        _same("event.address", contract.address if contract else "no such contract", receipt.event.address)


# Shared -----------------------------------------------------------------------------------------------------------


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
    return [_hex(_read_block(rpc, number)[0].encode()) for number in range(header.number + 1, latest + 1)]


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
            return _order_part(order, signature if _is_by(order.holder, order_id, signature) else b"")
    return None


def _batch_slot(programme: int, number: int) -> int:
    return Layout.load("PointsLedger").at("_batches", programme, number)


def _installation(deployment: Deployment) -> InstallationPart:
    return InstallationPart(
        chain_id=str(deployment.chain_id), salt=deployment.salt, ledger=deployment.address("PointsLedger")
    )


def _domain(part: InstallationPart) -> Domain:
    salt = _unhex(part.salt, "installation.salt")
    return Domain(_number(part.chain_id, "installation.chain_id"), part.ledger, salt)


def _block_part(header: Header) -> BlockPart:
    try:
        time = datetime.fromtimestamp(header.timestamp, CITY_TZ).isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise BadReceipt("proof.header", f"its time {header.timestamp} is out of range") from error
    return BlockPart(number=header.number, hash=_hex(seals.block_hash(header)), timestamp=header.timestamp, time=time)


def _event_part(event: events.Event) -> EventPart:
    args = {name: _word(value, event.kinds[name]) for name, value in event.values.items()}
    return EventPart(contract=event.contract, address=to_address(event.log.address), name=event.name, args=args)


def _word(value: Any, kind: str) -> str | list[str]:
    if isinstance(value, tuple | list):
        inner = kind[: kind.rindex("[")]
        return [str(_word(item, inner)) for item in value]
    if kind == "address":
        return to_address(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _hex(value) if isinstance(value, bytes) else str(value)


def _order_part(order: Order, signature: bytes) -> OrderPart:
    terms: dict[str, str | list[dict[str, str]]] = {}
    for item in fields(order):
        value = getattr(order, item.name)
        if item.name == "lots":
            terms[item.name] = [{"id": str(lot.id), "amount": str(lot.amount)} for lot in value]
        elif isinstance(value, bool):
            terms[item.name] = "true" if value else "false"
        else:
            terms[item.name] = str(value)
    return OrderPart(type=type(order).__name__, terms=terms, signature=_hex(signature))


def _order_of(part: OrderPart) -> Order:
    kind = _ORDERS.get(part.type)
    if kind is None:
        raise BadReceipt("order.type", f"{part.type!r} is no order of the standard")
    names = [item.name for item in fields(kind)]
    if sorted(part.terms) != sorted(names):
        raise BadReceipt("order.terms", f"{part.type} has the terms {', '.join(names)}")
    values: dict[str, Any] = {}
    for name, text in part.terms.items():
        where = f"order.terms.{name}"
        if name == "lots":
            values[name] = _lots_of(text, where)
        elif not isinstance(text, str):
            raise BadReceipt(where, "it is not text")
        elif name == "holder":
            values[name] = text
        elif name == "cancellable":
            if text not in ("true", "false"):
                raise BadReceipt(where, "it is neither true nor false")
            values[name] = text == "true"
        else:
            values[name] = _number(text, where)
    if values["holder"] != to_address(values["holder"]):
        raise BadReceipt("order.terms.holder", "the address is not in its EIP-55 form")
    return kind(**values)


def _lots_of(items: str | list[dict[str, str]], where: str) -> tuple[Lot, ...]:
    if isinstance(items, str) or any(sorted(item) != ["amount", "id"] for item in items):
        raise BadReceipt(where, "lots are not a list of id and amount")
    return tuple([Lot(_number(item["id"], where), _number(item["amount"], where)) for item in items])


def _leaf_part(leaf: EvidenceLeaf) -> dict[str, str]:
    return {name: _hex(value) if isinstance(value, bytes) else str(value) for name, value in asdict(leaf).items()}


def _leaf_of(part: Mapping[str, str]) -> EvidenceLeaf:
    names = [item.name for item in fields(EvidenceLeaf)]
    if sorted(part) != sorted(names):
        raise BadReceipt("grant.leaf", f"a leaf has the fields {', '.join(names)}")
    if part["account"] != to_address(part["account"]):
        raise BadReceipt("grant.leaf.account", "the address is not in its EIP-55 form")
    return EvidenceLeaf(
        grant_id=_unhex(part["grant_id"], "grant.leaf.grant_id"),
        account=part["account"],
        token_id=_number(part["token_id"], "grant.leaf.token_id"),
        amount=_number(part["amount"], "grant.leaf.amount"),
        activity_code=_unhex(part["activity_code"], "grant.leaf.activity_code"),
        rulebook_version=_number(part["rulebook_version"], "grant.leaf.rulebook_version"),
        commitment=_unhex(part["commitment"], "grant.leaf.commitment"),
    )


def _same(where: str, proven: object, claimed: object) -> None:
    if proven != claimed:
        raise BadReceipt(where, f"the proof says {proven}, the receipt {claimed}")


def _number(text: str, where: str) -> int:
    """Decimal digits only, in the one way to write them, so that no other text means the same."""
    if not text.isascii() or not text.isdigit() or (len(text) > 1 and text[0] == "0") or len(text) > 78:
        raise BadReceipt(where, f"{text!r} is not a number")
    return int(text)


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _unhex(text: str, where: str) -> bytes:
    try:
        value = bytes.fromhex(text[2:])
    except ValueError as error:
        raise BadReceipt(where, "it is not hexadecimal") from error
    if _hex(value) != text:
        raise BadReceipt(where, "it is not 0x and lower-case digits")
    return value


def _to_dict(receipt: EventReceipt | GrantReceipt) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(receipt)
    return made
