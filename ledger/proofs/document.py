"""The document that a receipt is: its parts, and how their plain words are made and read.

Numbers are decimal strings in the one way to write them, bytes are 0x and lower-case digits, addresses are EIP-55, so
that no two texts mean the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, NewType

import msgspec

from ledger.deployment.file import Deployment
from ledger.proofs import events, seals
from ledger.proofs.errors import BadReceipt
from ledger.proofs.headers import Header
from ledger.proofs.orders import Order
from ledger.standard.civil_time import moment_text
from ledger.standard.evidence import EvidenceLeaf
from ledger.standard.ids import Address, OrderIdText, ProgrammeId, to_address
from ledger.standard.typed_data import Domain, ExchangeOrder, HoldOrder, Lot, MintBatch, RedeemOrder

FORMAT = "tongdui-receipt-2"
_HASH_BYTES = 32
_ORDERS: dict[str, type[Order]] = {"ExchangeOrder": ExchangeOrder, "RedeemOrder": RedeemOrder, "HoldOrder": HoldOrder}


ProgrammeText = NewType("ProgrammeText", str)
MerchantText = NewType("MerchantText", str)
"""Ids as receipts carry them: decimal."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part in which every field is known and of its type."""


class InstallationPart(_Strict, frozen=True):
    """Which installation the receipt claims to be of."""

    chain_id: str
    salt: str
    ledger: str
    book: str


class BlockPart(_Strict, frozen=True):
    """The block, in plain words; ``time`` is the city's."""

    number: str
    hash: str
    timestamp: str
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
    transaction_index: str
    log_position: str
    receipt_path: list[str]


class BatchPart(_Strict, frozen=True):
    """The batch as its issuer signed it, with the hash of the grants."""

    programme: ProgrammeText
    quarter: str
    number: str
    evidence_root: str
    grants_hash: str


class GrantPart(_Strict, frozen=True):
    """The evidence leaf of the grant and the batch that it is in."""

    batch: BatchPart
    leaf: dict[str, str]


class PaymentPart(_Strict, frozen=True):
    """The opened leaf of a paid order: ``payer`` stands for the holder. ``time`` is the city's."""

    batch: str
    order_id: OrderIdText
    payer: str
    merchant: MerchantText
    lots_hash: str
    fen: str
    timestamp: str
    time: str


class StorageProof(_Strict, frozen=True):
    """Header, the contract's account under the state root, the word in its storage, the leaf's path to its root."""

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
    proof: StorageProof


class PaymentReceipt(_Strict, frozen=True, tag_field="kind", tag="payment"):
    """A receipt of a payment, for a shop: no account is in it."""

    format: str
    installation: InstallationPart
    block: BlockPart
    payment: PaymentPart
    proof: StorageProof


Receipt = EventReceipt | GrantReceipt | PaymentReceipt


def parse(receipt: Mapping[str, Any]) -> Receipt:
    """Return the receipt in a JSON object. Raises BadReceipt if it is not in the format."""
    try:
        parsed: Receipt = msgspec.convert(dict(receipt), Receipt, strict=True)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise BadReceipt("receipt", str(error)) from error
    if parsed.format != FORMAT:
        raise BadReceipt("format", f"{parsed.format!r} is not {FORMAT!r}")
    return parsed


def installation_part(deployment: Deployment) -> InstallationPart:
    """Return what a deployment is called in a receipt."""
    return InstallationPart(
        chain_id=str(deployment.chain_id),
        salt=deployment.salt,
        ledger=deployment.address("PointsLedger"),
        book=deployment.address("ClearingBook"),
    )


def domain_of(part: InstallationPart) -> Domain:
    """Return the signing domain of the installation that a receipt claims. Raises BadReceipt or StandardError."""
    salt = from_hex(part.salt, "installation.salt")
    return Domain(number_of(part.chain_id, "installation.chain_id"), part.ledger, salt)


def block_part(header: Header) -> BlockPart:
    """Return a header in plain words. Raises BadReceipt if its time is none."""
    time = time_text(header.timestamp, "proof.header")
    digest = to_hex(seals.block_hash(header))
    return BlockPart(number=str(header.number), hash=digest, timestamp=str(header.timestamp), time=time)


def time_text(timestamp: int, where: str) -> str:
    """Return a Unix time as the city says it. Raises BadReceipt naming the place if it is none."""
    try:
        return moment_text(timestamp)
    except (ValueError, OverflowError, OSError) as error:
        raise BadReceipt(where, f"the time {timestamp} is out of range") from error


def event_part(event: events.Event) -> EventPart:
    """Return an event in plain words."""
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
    return to_hex(value) if isinstance(value, bytes) else str(value)


def order_part(order: Order, signature: bytes) -> OrderPart:
    """Return an order in plain words."""
    terms: dict[str, str | list[dict[str, str]]] = {}
    for item in fields(order):
        value = getattr(order, item.name)
        if item.name == "lots":
            terms[item.name] = [{"id": str(lot.id), "amount": str(lot.amount)} for lot in value]
        elif isinstance(value, bool):
            terms[item.name] = "true" if value else "false"
        else:
            terms[item.name] = str(value)
    return OrderPart(type=type(order).__name__, terms=terms, signature=to_hex(signature))


def order_of(part: OrderPart) -> Order:
    """Return the order that plain words describe. Raises BadReceipt."""
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
            values[name] = number_of(text, where)
    if values["holder"] != to_address(values["holder"]):
        raise BadReceipt("order.terms.holder", "the address is not in its EIP-55 form")
    return kind(**values)


def _lots_of(items: str | list[dict[str, str]], where: str) -> tuple[Lot, ...]:
    if isinstance(items, str) or any(sorted(item) != ["amount", "id"] for item in items):
        raise BadReceipt(where, "lots are not a list of id and amount")
    return tuple([Lot(number_of(item["id"], where), number_of(item["amount"], where)) for item in items])


def leaf_part(leaf: EvidenceLeaf) -> dict[str, str]:
    """Return an evidence leaf in plain words."""
    return {name: to_hex(value) if isinstance(value, bytes) else str(value) for name, value in asdict(leaf).items()}


def leaf_of(part: Mapping[str, str]) -> EvidenceLeaf:
    """Return the evidence leaf that plain words describe. Raises BadReceipt or StandardError."""
    names = [item.name for item in fields(EvidenceLeaf)]
    if sorted(part) != sorted(names):
        raise BadReceipt("grant.leaf", f"a leaf has the fields {', '.join(names)}")
    if part["account"] != to_address(part["account"]):
        raise BadReceipt("grant.leaf.account", "the address is not in its EIP-55 form")
    return EvidenceLeaf(
        grant_id=from_hex(part["grant_id"], "grant.leaf.grant_id"),
        account=Address(part["account"]),
        token_id=number_of(part["token_id"], "grant.leaf.token_id"),
        amount=number_of(part["amount"], "grant.leaf.amount"),
        activity_code=from_hex(part["activity_code"], "grant.leaf.activity_code"),
        rulebook_version=number_of(part["rulebook_version"], "grant.leaf.rulebook_version"),
        commitment=from_hex(part["commitment"], "grant.leaf.commitment"),
    )


def batch_part(batch: MintBatch) -> BatchPart:
    """Return a signed batch in plain words."""
    return BatchPart(
        programme=ProgrammeText(str(batch.programme)),
        quarter=str(batch.quarter),
        number=str(batch.number),
        evidence_root=to_hex(batch.evidence_root),
        grants_hash=to_hex(batch.grants_hash),
    )


def batch_of(part: BatchPart) -> MintBatch:
    """Return the signed batch that plain words describe. Raises BadReceipt."""
    return MintBatch(
        programme=ProgrammeId(number_of(part.programme, "grant.batch.programme")),
        quarter=number_of(part.quarter, "grant.batch.quarter"),
        number=number_of(part.number, "grant.batch.number"),
        evidence_root=from_hex(part.evidence_root, "grant.batch.evidence_root"),
        grants_hash=from_hex(part.grants_hash, "grant.batch.grants_hash"),
    )


def merkle_path(proof: StorageProof) -> list[bytes]:
    """Return the sibling hashes from a leaf to its root. Raises BadReceipt."""
    path = [from_hex(node, "proof.merkle_path") for node in proof.merkle_path]
    if any(len(node) != _HASH_BYTES for node in path):
        raise BadReceipt("proof.merkle_path", f"a node has not {_HASH_BYTES} bytes")
    return path


def check_same(where: str, proven: object, claimed: object) -> None:
    """Raise BadReceipt, naming the place, if what is claimed is not what is proven."""
    if proven != claimed:
        raise BadReceipt(where, f"the proof says {proven}, the receipt {claimed}")


def number_of(text: str, where: str) -> int:
    """Decimal digits only, in the one way to write them, so that no other text means the same."""
    if not text.isascii() or not text.isdigit() or (len(text) > 1 and text[0] == "0") or len(text) > 78:
        raise BadReceipt(where, f"{text!r} is not a number")
    return int(text)


def to_hex(value: bytes) -> str:
    """Return bytes as 0x text."""
    return "0x" + value.hex()


def from_hex(text: str, where: str) -> bytes:
    """Return the bytes of 0x text. Raises BadReceipt naming the place."""
    try:
        value = bytes.fromhex(text[2:])
    except ValueError as error:
        raise BadReceipt(where, "it is not hexadecimal") from error
    if to_hex(value) != text:
        raise BadReceipt(where, "it is not 0x and lower-case digits")
    return value


def to_dict(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as plain JSON values."""
    made: dict[str, Any] = msgspec.to_builtins(receipt)
    return made
