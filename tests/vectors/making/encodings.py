"""Vectors of packed batches, written with format strings instead of our packers."""

from __future__ import annotations

import random
from typing import Any

from eth_utils.crypto import keccak

from tests.vectors.making.common import HOLDER, SEED, address


def packed() -> dict[str, Any]:
    """Packed grants and orders, written with format strings instead of our packers."""
    rng = random.Random(SEED + 1)
    grants = [(address(rng), rng.randrange(1, 2**48)) for _ in range(5)]
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
