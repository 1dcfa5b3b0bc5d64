"""Vectors of what must be refused: bytes that are no order, signatures of nobody, nonces that are spent."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak

from tests.vectors.making.common import HOLDER, KEY
from tests.vectors.making.encodings import packed
from tests.vectors.making.messages import typed_data


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
