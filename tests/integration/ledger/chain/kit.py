"""A small contract and senders for tests that need a chain with something on it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ledger.chain.engine import Engine
from ledger.chain.transactions import contract_address, sign_legacy
from ledger.clock import ManualClock
from ledger.standard.ids import Address
from ledger.standard.signatures import SigningKey

START = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
START_TIMESTAMP = int(START.timestamp())

# For each 32-byte word of the call data: SSTORE(word, 1); at the end LOG0 of the first word. Reverts never.
_RUNTIME = bytes.fromhex(
    "6000"  # 00 i = 0
    "5b"  # 02 loop
    "80361115"  # 03 i >= calldatasize?
    "6017"  # 07
    "57"  # 09 -> end
    "6001813555602001600256"  # 0a SSTORE(calldata[i], 1); i += 32; jump to loop
    "0000"  # 15
    "5b"  # 17 end
    "60003560005260206000a000"  # 18 LOG0 of the first word
)
STORE_CODE = bytes.fromhex(f"61{len(_RUNTIME):04x}80600c6000396000f3") + _RUNTIME


def manual_clock() -> ManualClock:
    """A clock that stands at `START`."""
    return ManualClock(START)


@dataclass
class Sender:
    """An account that signs one call of the store after the other."""

    key: SigningKey
    chain_id: int
    store: Address
    nonce: int = 0
    sent: list[bytes] = field(default_factory=list)

    def sign(self, words: int, rng: random.Random, gas: int = 2_000_000) -> bytes:
        """Sign the next transaction, which writes so many random words."""
        raw, tx_hash = sign_legacy(self.key, self.chain_id, self.nonce, self.store, rng.randbytes(32 * words), gas)
        self.nonce += 1
        self.sent.append(tx_hash)
        return raw


def senders(engine: Engine, count: int, rng: random.Random) -> list[Sender]:
    """Create the store with the first of some new accounts, and return them all, ready to call it."""
    keys = [SigningKey(rng.randbytes(32)) for _ in range(count)]
    raw, _ = sign_legacy(keys[0], engine.chain_id, 0, None, STORE_CODE, 1_000_000)
    [outcome] = engine.submit([raw])
    assert outcome.in_pool, outcome
    engine.produce()
    store = contract_address(keys[0].address, 0)
    return [Sender(key, engine.chain_id, store, nonce=1 if index == 0 else 0) for index, key in enumerate(keys)]


def chain_hashes(engine: Engine) -> list[str]:
    """Return the hashes of all blocks the node has, up to the final height."""
    blocks = engine.rpc.batch(
        [("eth_getBlockByNumber", [hex(number), False]) for number in range(engine.final_height() + 1)]
    )
    return [block["hash"] for block in blocks]


def succeeded(engine: Engine, hashes: list[bytes]) -> list[bool]:
    """Return for each transaction whether it succeeded in a final block."""
    receipts = engine.rpc.batch([("eth_getTransactionReceipt", ["0x" + tx_hash.hex()]) for tx_hash in hashes])
    final = engine.final_height()
    return [
        receipt is not None and receipt["status"] == "0x1" and int(receipt["blockNumber"], 16) <= final
        for receipt in receipts
    ]
