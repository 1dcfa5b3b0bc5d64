"""Transactions of every kind that a chain may meet, drawn from a seed: the replay must make the same blocks of them."""

from __future__ import annotations

import random

from ledger.chain.engine import Engine
from ledger.chain.transactions import sign_legacy
from ledger.standard.ids import Address, to_address
from ledger.standard.signatures import SigningKey
from tests.integration.ledger.chain.kit import STORE_CODE

# Creation code that reverts, one that creates nothing, one that leaves a contract which destroys itself when called.
_CREATIONS = (
    bytes.fromhex("60006000fd"),
    b"",
    bytes.fromhex("6233ff006000526003601df3"),
)


class Load:
    """Accounts with nonces of their own, and what they send."""

    def __init__(self, engine: Engine, store: Address, rng: random.Random, accounts: int = 12) -> None:
        self._chain_id = engine.chain_id
        self._store = store
        self._rng = rng
        self._keys = [SigningKey(rng.randbytes(32)) for _ in range(accounts)]
        self._nonces = [0] * accounts
        self.sent: dict[bytes, bytes] = {}
        """Raw transactions that must land some day, by hash."""

    def draw(self, count: int) -> list[bytes]:
        """Return transactions to hand in, in this order; some of them are nonsense."""
        rng = self._rng
        raws: list[bytes] = []
        for _ in range(count):
            if raws and rng.random() < 0.03:
                raws.append(rng.choice(raws))
            elif rng.random() < 0.03:
                raws.append(self._nonsense())
            else:
                raws.append(self._sensible())
        return raws

    def _sensible(self) -> bytes:
        rng = self._rng
        index = rng.randrange(len(self._keys))
        to: Address | None = self._store
        data, gas = rng.randbytes(32 * rng.randint(0, 12)), 500_000
        match rng.randrange(10):
            case 0:
                gas = 30_000 + rng.randrange(20_000)  # mostly too little: it lands and fails
            case 1:
                to, data = to_address(rng.randbytes(20)), b""  # an account that does not exist, and gets nothing
            case 2:
                to = to_address(rng.randint(1, 9).to_bytes(20, "big"))  # a precompiled contract
            case 3:
                to, data = None, rng.choice((*_CREATIONS, STORE_CODE))
        raw, tx_hash = sign_legacy(self._keys[index], self._chain_id, self._nonces[index], to, data, gas)
        self._nonces[index] += 1
        self.sent[tx_hash] = raw
        return raw

    def _nonsense(self) -> bytes:
        rng = self._rng
        key = SigningKey(rng.randbytes(32))
        match rng.randrange(4):
            case 0:
                return rng.randbytes(rng.randint(0, 100))
            case 1:
                return sign_legacy(key, self._chain_id + 1, 0, self._store, b"", 100_000)[0]
            case 2:
                return sign_legacy(key, self._chain_id, 5, self._store, b"", 100_000)[0]  # waits for ever
            case _:
                return sign_legacy(key, self._chain_id, 0, self._store, b"", 5_000)[0]
