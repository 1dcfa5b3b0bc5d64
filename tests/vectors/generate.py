"""Write the shared vectors: examples of the points standard that Python and Solidity tests both read.

Each expected value comes from an implementation that is not ours, so agreement means something: digests and signatures
from eth_account, trees from npm @openzeppelin/merkle-tree, canonical records from the rfc8785 package, quarters from
datetime, values from Fraction.

    python tests/vectors/generate.py            write the files
    python tests/vectors/generate.py --check    exit 1 if a committed file differs from what would be written
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import floor
from pathlib import Path
from typing import Any

import rfc8785
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

HERE = Path(__file__).resolve().parent
KEY = "0x" + "45" * 32  # a throwaway key: its only use is to sign the examples
HOLDER = Account.from_key(KEY).address
LEDGER = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
SALT = "0x" + "5a17" * 16
CHAIN_ID = 5_101_001
SEED = 20_260_301
MATURITY_S = 7 * 86_400
RECEIPT_TYPES = ["bytes32", "bytes32", "uint32", "bytes32", "uint64", "uint40"]
LEAF_TYPES = ["bytes32", "address", "uint256", "uint64", "bytes32", "uint32", "bytes32"]

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


def main(argv: list[str]) -> int:
    """Write or check every vector file; return the exit code."""
    stale = []
    for name, content in vectors().items():
        path = HERE / name
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        if "--check" not in argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        print(f"vectors differ from their generator: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


def vectors() -> dict[str, Any]:
    """Return the content of each vector file by its name."""
    return {
        "quarters.json": quarters(),
        "value.json": value(),
        "typed_data.json": typed_data(),
        "packed.json": packed(),
        "refusals.json": refusals(),
        "evidence.json": evidence(),
        "receipts.json": receipts(),
        "rejected.json": rejected(),
        "nonces.json": nonces(),
        "clearing.json": clearing(),
    }


def quarters() -> list[dict[str, Any]]:
    """The quarter of a moment, its end, and the two instants on either side of it."""
    rows = []
    for year in (2000, 2023, 2024, 2026, 2027, 2028, 2099, 2100, 2101, 2400, 9998):
        for index in range(4):
            start = datetime(year, index * 3 + 1, 1, tzinfo=UTC) - timedelta(hours=8)
            next_year, next_month = (year + 1, 1) if index == 3 else (year, index * 3 + 4)
            end = datetime(next_year, next_month, 1, tzinfo=UTC) - timedelta(hours=8)
            quarter = (year - 2000) * 4 + index + 1
            rows.append({"quarter": quarter, "start": int(start.timestamp()), "end": int(end.timestamp())})
    return rows


def value() -> dict[str, Any]:
    """Roundings: value of an amount, exchange between pars, debits of a basket."""
    rng = random.Random(SEED)
    pars = [20_000_000, 5_000_000, 10_000_000, 100_000_000, 1, 7, 33_333_333, 99_999_999, 2**40]
    amounts = [0, 1, 4, 5, 9, 10, 19, 20, 99, 100, 101, 2**48 - 1, *(rng.randrange(1, 2**48) for _ in range(6))]
    values = [{"minor": str(m), "par": str(p), "fen": str(_fen(m, p))} for p in [0, *pars] for m in amounts]
    exchanges = []
    for par_in in pars:
        for par_out in pars:
            minor = rng.choice(amounts)
            fen = _fen(minor, par_in)
            exchanges.append(
                {
                    "minor_in": str(minor),
                    "par_in": str(par_in),
                    "par_out": str(par_out),
                    "fen": str(fen),
                    "minor_out": str(floor(Fraction(fen * 10**8, par_out))),
                }
            )
    baskets = [_basket([(rng.choice(pars), rng.choice(amounts)) for _ in range(size)]) for size in (1, 2, 3, 5, 16)]
    # These can be paid with on chain: each lot a programme of its own, whose par the ledger takes.
    payable = (
        [33_333_333, 33_333_333, 33_333_334],
        [1, 1, 1, 10**11],
        [99_999_999] * 5,
        [10**11] * 16,
        [rng.randrange(1, 10**11) for _ in range(16)],
        [rng.randrange(1, 10**8) for _ in range(7)],
    )
    few = (1, 2, 3, 99, 100, 101)
    baskets += [_basket([(p, rng.choice((*few, rng.randrange(1, 10**9)))) for p in basket]) for basket in payable]
    return {"values": values, "exchanges": exchanges, "baskets": baskets}


def _basket(lots: list[tuple[int, int]]) -> dict[str, Any]:
    cumulative = [Fraction(0)]
    for par, minor in lots:
        cumulative.append(cumulative[-1] + Fraction(minor * par, 10**8))
    debits = [floor(after) - floor(before) for before, after in pairwise(cumulative)]
    return {"lots": [{"par": str(p), "minor": str(m)} for p, m in lots], "debits_fen": [str(d) for d in debits]}


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


def packed() -> dict[str, Any]:
    """Packed grants and orders, written with format strings instead of our packers."""
    rng = random.Random(SEED + 1)
    grants = [(_address(rng), rng.randrange(1, 2**48)) for _ in range(5)]
    signature, wallet = rng.randbytes(65).hex(), rng.randbytes(3).hex()
    holder = HOLDER[2:].lower()
    lots = [(1 << 32 | 108, 300), (2 << 32 | 109, 2**48 - 1)]
    lots_hex = f"{len(lots):02x}" + "".join(f"{i:016x}{a:016x}" for i, a in lots)
    grants_hex = "".join(f"{a[2:].lower()}{m:016x}" for a, m in grants)
    exchange = f"{holder}{lots[0][0]:016x}{1234:016x}{4:08x}{246:016x}{9:08x}{1_772_000_000:010x}"
    head = f"{holder}{42:08x}{5:08x}{1_772_000_000:010x}"
    lots_json = [{"id": str(i), "amount": str(a)} for i, a in lots]
    common = {"holder": HOLDER, "merchant": 42, "lots": lots_json, "nonce": 5, "deadline": "1772000000"}
    return {
        "grants": {
            "grants": [{"account": a, "amount": str(m)} for a, m in grants],
            "packed": "0x" + grants_hex,
            "hash": "0x" + keccak(bytes.fromhex(grants_hex)).hex(),
        },
        "revocations": {
            "revocations": [
                {"index": 0, "revokedTotal": "250", "reason": 1},
                {"index": 2**32 - 1, "revokedTotal": str(2**64 - 1), "reason": 2**16 - 1},
            ],
            "packed": f"0x{0:08x}{250:016x}{1:04x}{2**32 - 1:08x}{2**64 - 1:016x}{2**16 - 1:04x}",
        },
        "payouts": {
            "payouts": [{"merchant": 42, "fen": "1234"}, {"merchant": 2**32 - 1, "fen": str(2**64 - 1)}],
            "packed": f"0x{42:08x}{1234:016x}{2**32 - 1:08x}{2**64 - 1:016x}",
        },
        "exchange": {
            "orders": [
                {
                    "holder": HOLDER,
                    "fromId": str(lots[0][0]),
                    "amount": "1234",
                    "toProgramme": 4,
                    "minOut": "246",
                    "nonce": 9,
                    "deadline": "1772000000",
                    "signature": "0x" + sig,
                }
                for sig in (signature, wallet)
            ],
            "packed": f"0x{exchange}0041{signature}{exchange}0003{wallet}",
        },
        "redeem": {
            "orders": [common | {"signature": "0x" + signature}],
            "packed": f"0x{head}{lots_hex}0041{signature}",
        },
        "hold": {
            "orders": [common | {"captureBy": "1774000000", "cancellable": True, "signature": "0x" + signature}],
            "packed": f"0x{head}{1_774_000_000:010x}01{lots_hex}0041{signature}",
        },
        "capture": {
            "lots": 2,
            "lastAmount": "17",
            "signature": "0x" + signature,
            "packed": f"0x{head}{1_774_000_000:010x}01{lots_hex}02{17:016x}0041{signature}",
        },
        "release": {
            "signature": "0x",
            "packed": f"0x{head}{1_774_000_000:010x}01{lots_hex}0000",
        },
    }


def refusals() -> dict[str, Any]:
    """What must be refused, with the id and code that it is refused under; and which nonces are."""
    return {"malformed": _malformed(), "signatures": _bad_signatures(), "nonces": _nonces()}


def _malformed() -> list[dict[str, Any]]:
    """Bytes that are no order: each is rejected under the keccak256 of its bytes, with code 1 and account 0."""
    holder, lot = HOLDER[2:].lower(), f"{1 << 32 | 108:016x}{300:016x}"
    terms = f"{42:08x}{5:08x}{1_772_000_000:010x}"
    hold = f"{holder}{terms}{1_774_000_000:010x}"
    exchange = f"{holder}{1 << 32 | 108:016x}{0:016x}{4:08x}{0:016x}{9:08x}{1_772_000_000:010x}"
    cases = [
        ("exchange", "amount 0", f"{exchange}0000"),
        ("exchange", "one byte", "00"),
        ("exchange", "no length of a signature", exchange),
        ("exchange", "half a signature", f"{exchange}0041{'ab' * 32}"),
        ("redeem", "no lots", f"{holder}{terms}000000"),
        ("redeem", "seventeen lots", f"{holder}{terms}11{lot * 17}0000"),
        ("redeem", "a lot of nothing", f"{holder}{terms}02{lot}{2 << 32 | 108:016x}{0:016x}0000"),
        ("redeem", "half a lot", f"{holder}{terms}01{lot[:16]}"),
        ("redeem", "no count of lots", f"{holder}{terms}"),
        ("hold", "no lots", f"{hold}01000000"),
        ("hold", "cancellable 2", f"{hold}0201{lot}0000"),
        ("hold", "cancellable 255", f"{hold}ff01{lot}0000"),
        ("capture", "more lots than there are", f"{hold}0101{lot}02{1:016x}0000"),
        ("capture", "more than the last lot has", f"{hold}0101{lot}01{301:016x}0000"),
        ("capture", "a last lot of nothing", f"{hold}0101{lot}01{0:016x}0000"),
        ("capture", "an amount of no lot", f"{hold}0101{lot}00{1:016x}0000"),
        ("capture", "cancellable 2", f"{hold}0201{lot}01{300:016x}0000"),
        ("release", "cancellable 2", f"{hold}0201{lot}0000"),
    ]
    return [
        {"kind": kind, "why": why, "packed": f"0x{data}", "id": "0x" + keccak(bytes.fromhex(data)).hex(), "code": 1}
        for kind, why, data in cases
    ]


def _bad_signatures() -> dict[str, Any]:
    """Bytes that are no signature of the digest by the signer, made from the good one."""
    digest = keccak(b"a digest")
    good = bytes(Account.unsafe_sign_hash(digest, KEY).signature)
    order = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
    high_s = (order - int.from_bytes(good[32:64], "big")).to_bytes(32, "big")
    other = bytes(Account.unsafe_sign_hash(keccak(b"another digest"), KEY).signature)
    bad = {
        "nothing": b"",
        "64 bytes": good[:64],
        "66 bytes": good + b"\0",
        "v 0 or 1": good[:64] + bytes([good[64] - 27]),
        "v 29": good[:64] + bytes([29]),
        "the other v": good[:64] + bytes([55 - good[64]]),
        "high s": good[:32] + high_s + bytes([55 - good[64]]),
        "r 0": bytes(32) + good[32:],
        "s 0": good[:32] + bytes(32) + good[64:],
        "of another digest": other,
    }
    return {
        "digest": "0x" + digest.hex(),
        "signer": HOLDER,
        "good": "0x" + good.hex(),
        "bad": [{"why": why, "signature": "0x" + signature.hex()} for why, signature in bad.items()],
    }


def _nonces() -> list[dict[str, Any]]:
    """Nonces spent one after another in a word, kept as a set of those that are spent."""
    sequences = (
        [0, 0, 1],
        [31, 0, 31],
        [32, 0, 1, 33],
        [63, 31, 32, 62],
        [64],
        [5, 40, 8, 9, 72, 104, 136],
        [63, 95, 127],
    )
    rows = []
    for sequence in sequences:
        base, spent, steps = 0, set[int](), []
        for nonce in sequence:
            free = base <= nonce < base + 64 and nonce not in spent
            if free:
                spent.add(nonce)
                base = max(base, nonce - 31)
            window = sum(1 << used - base for used in spent if used >= base)
            steps.append({"nonce": nonce, "accepted": free, "base": base, "window": window})
        rows.append({"steps": steps})
    return rows


def evidence() -> dict[str, Any]:
    """Canonical records, commitments, leaves, roots and proofs."""
    rng = random.Random(SEED + 2)
    records: list[dict[str, str]] = [
        {},
        {"hours": "3.00", "body": "成都市青羊区志愿者协会", "activity": "社区义诊"},
        {"b": '\u2028\u007f\u0000\u001f\b\t\n\f\r"\\/', "a": "", "B": "😀é", "a1": "1", "a-": "2"},
    ]
    commitments = []
    for record in records:
        salt = rng.randbytes(32)
        form = rfc8785.dumps(record)
        commitments.append(
            {
                "record": record,
                "canonical": form.decode(),
                "salt": "0x" + salt.hex(),
                "commitment": "0x" + keccak(salt + form).hex(),
            }
        )
    trees = [[_leaf(rng) for _ in range(size)] for size in (1, 2, 3, 4, 5, 7, 33)]
    made = _merkle(LEAF_TYPES, trees, sort_leaves=True)
    return {
        "leafTypes": LEAF_TYPES,
        "commitments": commitments,
        "trees": [
            {
                "root": answer["root"],
                "leaves": [
                    {"leaf": leaf, "hash": digest, "proof": proof}
                    for leaf, digest, proof in zip(tree, answer["leaves"], answer["proofs"], strict=True)
                ],
            }
            for tree, answer in zip(trees, made, strict=True)
        ],
    }


def receipts() -> dict[str, Any]:
    """Receipts of redemptions, whose trees keep the order of execution and have the payer in the holder's place."""
    rng = random.Random(SEED + 3)
    trees = [[_receipt(rng) for _ in range(size)] for size in (1, 2, 3, 6)]
    payers = [[_payer(receipt) for receipt in tree] for tree in trees]
    leaves = [
        [receipt | {"holder": payer} for receipt, payer in zip(tree, row, strict=True)]
        for tree, row in zip(trees, payers, strict=True)
    ]
    made = _merkle(RECEIPT_TYPES, leaves, sort_leaves=False)
    return {
        "leafTypes": RECEIPT_TYPES,
        "trees": [
            {
                "root": answer["root"],
                "leaves": [
                    {"leaf": leaf, "payer": payer, "hash": digest, "proof": proof}
                    for leaf, payer, digest, proof in zip(tree, row, answer["leaves"], answer["proofs"], strict=True)
                ],
            }
            for tree, row, answer in zip(trees, payers, made, strict=True)
        ],
    }


def _payer(receipt: Mapping[str, Any]) -> str:
    """keccak256(abi.encode(holder, orderId))."""
    words = receipt["holder"][2:].lower().rjust(64, "0") + receipt["orderId"][2:]
    return "0x" + keccak(bytes.fromhex(words)).hex()


def rejected() -> dict[str, Any]:
    """Bytes that are no orders, with the id and code that they are rejected with; and signatures of nobody."""
    made = packed()
    whole = {kind: bytes.fromhex(made[kind]["packed"][2:]) for kind in ("exchange", "redeem", "hold", "capture")}
    first = whole["exchange"][: 57 + 2 + 65]
    hold, redeem, capture = bytearray(whole["hold"]), bytearray(whole["redeem"]), bytearray(whole["capture"])
    hold[38] = 2
    redeem[34 + 8 : 34 + 16] = bytes(8)
    capture[40 + 32] = 3
    none = redeem[:33] + b"\0" + bytes(2)
    many = redeem[:33] + b"\x11" + bytes(redeem[50:66]) * 17 + bytes(2)
    nothing = first[:28] + bytes(8) + first[36:]
    cases = [
        ("exchange", "a tail of three bytes, alone", b"\1\2\3", [b"\1\2\3"]),
        ("exchange", "an amount of 0", nothing, [nothing]),
        (
            "exchange",
            "an amount of 0, then an order without its last byte",
            nothing + first[:-1],
            [nothing, first[:-1]],
        ),
        ("exchange", "a signature length beyond the end", first[:57] + b"\xff\xff", [first[:57] + b"\xff\xff"]),
        ("redeem", "a lot of nothing", bytes(redeem), [bytes(redeem)]),
        ("redeem", "no lots", bytes(none), [bytes(none)]),
        ("redeem", "seventeen lots", bytes(many), [bytes(many)]),
        ("hold", "cancellable is 2", bytes(hold), [bytes(hold)]),
        ("capture", "a prefix of three lots of two", bytes(capture), [bytes(capture)]),
        ("release", "a hold without its signature's length", whole["hold"][:72], [whole["hold"][:72]]),
    ]
    signed = typed_data()["messages"][1]
    digest, good = signed["digest"], bytes.fromhex(signed["signature"][2:])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = good[:32] + (order - int.from_bytes(good[32:64])).to_bytes(32) + bytes([55 - good[64]])
    signatures = [
        ("64 bytes", good[:64]),
        ("66 bytes", good + b"\0"),
        ("v is 0 or 1", good[:64] + bytes([good[64] - 27])),
        ("v is 29", good[:64] + bytes([29])),
        ("s in the upper half", high),
        ("r is 0", bytes(32) + good[32:]),
        ("s is 0", good[:32] + bytes(32) + good[64:]),
        ("r beyond the order", order.to_bytes(32) + good[32:]),
        ("nothing", b""),
    ]
    return {
        "malformed": [
            {
                "call": call,
                "what": what,
                "packed": "0x" + data.hex(),
                "rejected": [
                    {"id": "0x" + keccak(part).hex(), "holder": "0x" + "00" * 20, "code": 1} for part in parts
                ],
            }
            for call, what, data, parts in cases
        ],
        "signatures": [{"what": what, "digest": digest, "signature": "0x" + s.hex()} for what, s in signatures],
    }


def nonces() -> list[dict[str, Any]]:
    """Nonces of one word, one after the other: which are accepted, and the base and window that follow."""
    sequences = [
        [3, 3, 40, 8, 9, 72, 73, 104],
        [0, 1, 2, 31, 32, 0, 63, 31, 32],
        [63, 62, 33, 32, 31, 95, 127, 191, 192],
        [64, 2**32 - 1, 0],
        [31 + 32 * i for i in range(4)],
    ]
    made = []
    for sequence in sequences:
        base, spent, steps = 0, set[int](), []
        for nonce in sequence:
            accepted = base <= nonce < base + 64 and nonce not in spent
            if accepted:
                spent.add(nonce)
                base = max(base, nonce - 31)
            window = sum(1 << n - base for n in spent if base <= n)
            steps.append({"nonce": nonce, "accepted": accepted, "base": base, "window": window})
        made.append({"steps": steps})
    return made


def clearing() -> dict[str, Any]:
    """Claims by age, refunds' debits, due amounts, and what expired lots are worth."""
    rng = random.Random(SEED + 4)
    return {
        "maturity_s": MATURITY_S,
        "claims": [_claim_life(rng) for _ in range(4)],
        "refunds": [_refund(rng) for _ in range(12)],
        "dues": [_dues(rng, size) for size in (1, 2, 3, 3, 7, 30)],
        "breakage": _breakage(rng),
    }


def _claim_life(rng: random.Random) -> list[dict[str, Any]]:
    """Earn, refund and pay at random times. The oracle keeps (period, fen) parts and sorts them by age when asked."""
    time, parts, steps = 1_772_000_000, list[list[int]](), []
    for _ in range(24):
        time += rng.choice((60, 3_600, MATURITY_S // 2, MATURITY_S, 2 * MATURITY_S))
        period = time // MATURITY_S
        act, fen, earned_at = rng.choice(("earn", "earn", "payout", "refund")), rng.randrange(1, 10_000), time
        if act == "earn":
            parts.append([period, fen])
        elif act == "payout":
            fen = _take([part for part in parts if part[0] <= period - 2], fen)
        else:
            earned_at = time - rng.choice((0, MATURITY_S, 3 * MATURITY_S))
            usable = [part for part in parts if part[0] <= max(earned_at // MATURITY_S, period - 2)]
            fen = _take(sorted(usable, key=lambda part: -part[0]), fen)
        ages = [0, 0, 0]
        for earned, left in parts:
            ages[min(2, period - earned)] += left
        names = ("youngest_fen", "younger_fen", "matured_fen")
        step = {"time": time, "act": act, "fen": fen} | ({"earned_at": earned_at} if act == "refund" else {})
        steps.append(step | dict(zip(names, ages, strict=True)))
    return steps


def _take(parts: list[list[int]], fen: int) -> int:
    """Take at most ``fen`` from the parts, in their order; return what was taken."""
    before = fen
    for part in parts:
        taken = min(fen, part[1])
        part[1] -= taken
        fen -= taken
    return before - fen


def _refund(rng: random.Random) -> dict[str, Any]:
    """What a shorter prefix gives back to each lot's programme: differences of the debits of both baskets."""
    lots = [(rng.choice((20_000_000, 5_000_000, 33_333_333, 99_999_999)), rng.randrange(2, 2_000)) for _ in range(4)]
    before = rng.randrange(2, 5)
    kept = rng.randrange(0, before)
    prefixes = [(before, rng.randrange(1, lots[before - 1][1] + 1)), (kept, rng.randrange(1, lots[kept - 1][1] + 1))]
    if kept == 0:
        prefixes[1] = (0, 0)
    debits = []
    for count, last in prefixes:
        cut = [(par, last if i + 1 == count else minor) for i, (par, minor) in enumerate(lots[:count])]
        fen = [int(one) for one in _basket(cut)["debits_fen"]] if cut else []
        debits.append(fen + [0] * (len(lots) - count))
    returned = [first - second for first, second in zip(*debits, strict=True)]
    names = ("kept_before", "kept")
    return (
        {"lots": [{"par": str(p), "minor": str(m)} for p, m in lots]}
        | {name: {"lots": c, "lastAmount": str(a)} for name, (c, a) in zip(names, prefixes, strict=True)}
        | {"credits_fen": [str(fen) for fen in returned], "merchant_fen": str(-sum(returned))}
    )


def _dues(rng: random.Random, size: int) -> dict[str, Any]:
    """Largest remainder in fractions: what is left goes to the largest fractional parts, ties to the earlier debtor."""
    debts = [rng.randrange(1, 10 ** rng.randrange(1, 9)) for _ in range(size)]
    total = rng.randrange(1, sum(debts) + 1)
    exact = [Fraction(total * debt, sum(debts)) for debt in debts]
    order = sorted(range(size), key=lambda i: (floor(exact[i]) - exact[i], i))[: total - sum(map(floor, exact))]
    return {"debts": debts, "total": total, "dues": [floor(one) + (i in order) for i, one in enumerate(exact)]}


def _breakage(rng: random.Random) -> dict[str, Any]:
    """Sweeps of one programme: each posts what the floor of all swept so far gains."""
    par, swept, rows = 33_333_333, 0, []
    for minor in (1, 1, 1, 2, *(rng.randrange(1, 500) for _ in range(6))):
        before = _fen(swept, par)
        swept += minor
        rows.append({"minor": minor, "fen": _fen(swept, par) - before})
    return {"par": par, "sweeps": rows}


def _merkle(types: list[str], trees: list[list[dict[str, Any]]], *, sort_leaves: bool) -> list[dict[str, Any]]:
    """Ask npm @openzeppelin/merkle-tree for root, leaf hashes and proofs of each tree."""
    values = [[list(leaf.values()) for leaf in tree] for tree in trees]
    request = {"types": types, "sortLeaves": sort_leaves, "trees": values}
    command = ["node", str(HERE / "merkle.mjs")]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=True, timeout=60)
    answer: list[dict[str, Any]] = json.loads(done.stdout)
    return answer


def _fen(minor: int, par: int) -> int:
    return floor(Fraction(minor, 100) * Fraction(par, 10**6))


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


def _address(rng: random.Random) -> str:
    address: str = Account.from_key(rng.randbytes(32)).address
    return address


def _leaf(rng: random.Random) -> dict[str, Any]:
    return {
        "grantId": "0x" + rng.randbytes(32).hex(),
        "account": _address(rng),
        "tokenId": str(rng.randrange(1, 6) << 32 | rng.randrange(105, 112)),
        "amount": str(rng.randrange(1, 2**48)),
        "activityCode": "0x" + b"volunteer.hours".ljust(32, b"\0").hex(),
        "rulebookVersion": rng.randrange(1, 9),
        "commitment": "0x" + rng.randbytes(32).hex(),
    }


def _receipt(rng: random.Random) -> dict[str, Any]:
    return {
        "orderId": "0x" + rng.randbytes(32).hex(),
        "holder": _address(rng),
        "merchant": rng.randrange(1, 2**32),
        "lotsHash": "0x" + rng.randbytes(32).hex(),
        "fen": str(rng.randrange(0, 2**64)),
        "time": rng.randrange(1_700_000_000, 2**40),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
