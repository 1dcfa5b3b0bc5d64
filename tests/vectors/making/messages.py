"""Vectors of what is signed, by eth_account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from tests.vectors.making.common import HOLDER, KEY

LEDGER = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
SALT = "0x" + "5a17" * 16
CHAIN_ID = 5_101_001
_DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
    {"name": "salt", "type": "bytes32"},
]
_SCHEMAS = {
    "Lot": "uint64 id,uint64 amount",
    "MintBatch": "uint32 programme,uint32 quarter,uint64 number,bytes32 evidenceRoot,bytes32 grantsHash",
    "VoidBatch": "uint32 programme,uint64 number",
    "Revocation": "uint32 programme,uint64 number,bytes32 revocationsHash",
    "ExchangeOrder": "address holder,uint64 fromId,uint64 amount,uint32 toProgramme,uint64 minOut,uint32 nonce,"
    "uint40 deadline",
    "RedeemOrder": "address holder,uint32 merchant,Lot[] lots,uint32 nonce,uint40 deadline",
    "HoldOrder": "address holder,uint32 merchant,Lot[] lots,uint32 nonce,uint40 deadline,uint40 captureBy,"
    "bool cancellable",
    "Capture": "bytes32 orderId,uint8 lots,uint64 lastAmount",
    "Release": "bytes32 orderId",
    "Refund": "bytes32 orderId,uint8 lots,uint64 lastAmount",
    "ArbiterRefund": "bytes32 orderId,uint8 lots,uint64 lastAmount",
    "Succession": "address oldAccount,address newAccount,uint40 deadline",
    "Objection": "address oldAccount,address newAccount",
}
_WITH_LOTS = {"RedeemOrder", "HoldOrder"}
_WIDE = {"id", "amount", "fromId", "minOut", "number", "lastAmount", "tokenId", "fen"}


def typed_data() -> dict[str, Any]:
    """Digests of every signed message, and the signature of an example key over them."""
    lot_a, lot_b = {"id": 1 << 32 | 108, "amount": 300}, {"id": 2 << 32 | 109, "amount": 2**48 - 1}
    order_id = "0x" + keccak(b"an order").hex()
    examples: list[tuple[str, dict[str, Any]]] = [
        (
            "MintBatch",
            {
                "programme": 1,
                "quarter": 108,
                "number": 2**64 - 1,
                "evidenceRoot": "0x" + keccak(b"root").hex(),
                "grantsHash": "0x" + keccak(b"grants").hex(),
            },
        ),
        ("VoidBatch", {"programme": 2**32 - 1, "number": 7}),
        (
            "Revocation",
            {"programme": 3, "number": 9, "revocationsHash": "0x" + keccak(b"revocations").hex()},
        ),
        (
            "ExchangeOrder",
            {
                "holder": HOLDER,
                "fromId": 1 << 32 | 108,
                "amount": 1234,
                "toProgramme": 4,
                "minOut": 246,
                "nonce": 2**32 - 1,
                "deadline": 2**40 - 1,
            },
        ),
        ("RedeemOrder", {"holder": HOLDER, "merchant": 42, "lots": [lot_a], "nonce": 0, "deadline": 1_772_000_000}),
        (
            "RedeemOrder",
            {"holder": HOLDER, "merchant": 42, "lots": [lot_a, lot_b], "nonce": 5, "deadline": 1_772_000_000},
        ),
        (
            "HoldOrder",
            {
                "holder": HOLDER,
                "merchant": 1,
                "lots": [lot_b, lot_a],
                "nonce": 6,
                "deadline": 1_772_000_000,
                "captureBy": 1_774_000_000,
                "cancellable": True,
            },
        ),
        (
            "HoldOrder",
            {
                "holder": HOLDER,
                "merchant": 1,
                "lots": [lot_a],
                "nonce": 7,
                "deadline": 1_772_000_000,
                "captureBy": 1_774_000_000,
                "cancellable": False,
            },
        ),
        ("Capture", {"orderId": order_id, "lots": 2, "lastAmount": 17}),
        ("Release", {"orderId": order_id}),
        ("Refund", {"orderId": order_id, "lots": 0, "lastAmount": 0}),
        ("ArbiterRefund", {"orderId": order_id, "lots": 1, "lastAmount": 17}),
        ("Succession", {"oldAccount": LEDGER, "newAccount": HOLDER, "deadline": 1_772_000_000}),
        ("Objection", {"oldAccount": HOLDER, "newAccount": LEDGER}),
    ]
    examples += [(primary, _fullest(primary)) for primary in _SCHEMAS if primary != "Lot"]
    domain = {"name": "Tongdui", "version": "2", "chainId": CHAIN_ID, "verifyingContract": LEDGER, "salt": SALT}
    messages, separator = [], b""
    for primary, message in examples:
        names = [primary, "Lot"] if primary in _WITH_LOTS else [primary]
        types = {"EIP712Domain": _DOMAIN_FIELDS} | {name: _fields(name) for name in names}
        full = {"types": types, "primaryType": primary, "domain": domain, "message": message}
        signable = encode_typed_data(full_message=full)
        separator = bytes(signable.header)
        signature = Account.sign_message(signable, KEY).signature
        messages.append(
            {
                "primaryType": primary,
                "schema": _encode_type(primary),
                "message": _strings(message),
                "digest": "0x" + keccak(b"\x19" + signable.version + signable.header + signable.body).hex(),
                "signature": "0x" + bytes(signature).hex(),
            }
        )
    return {
        "domain": domain | {"chainId": str(CHAIN_ID)},
        "domainSeparator": "0x" + separator.hex(),
        "signer": HOLDER,
        "privateKey": KEY,
        "messages": messages,
    }


def _fullest(primary: str) -> dict[str, Any]:
    """A message whose every field has its last bit set: whoever cuts one short gets another digest."""
    fullest: dict[str, Any] = {"address": "0x" + "ff" * 20, "bytes32": "0x" + "ff" * 32, "bool": True}
    fullest["Lot[]"] = [{"id": 2**64 - 1 - i, "amount": 2**64 - 1} for i in range(16)]
    fields = [field.split(" ") for field in _SCHEMAS[primary].split(",")]
    return {name: fullest[kind] if kind in fullest else 2 ** int(kind[4:]) - 1 for kind, name in fields}


def _fields(name: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), part.split(" "), strict=True)) for part in _SCHEMAS[name].split(",")]


def _encode_type(name: str) -> str:
    return f"{name}({_SCHEMAS[name]})" + (f"Lot({_SCHEMAS['Lot']})" if name in _WITH_LOTS else "")


def _strings(message: Mapping[str, Any]) -> dict[str, Any]:
    """64-bit numbers as strings: JSON readers in other languages round them."""
    out: dict[str, Any] = {}
    for key, item in message.items():
        if key == "lots" and isinstance(item, list):
            out[key] = [_strings(lot) for lot in item]
        else:
            out[key] = str(item) if key in _WIDE or key in ("deadline", "captureBy") else item
    return out
