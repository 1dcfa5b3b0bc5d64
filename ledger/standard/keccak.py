"""Keccak-256, the one hash of the standard.

The C extension of safe-pysha3 (the maintained fork that eth-hash's ``pysha3`` extra names) does 0.75 million hashes a
second on the build machine; pycryptodome, the usual default, does 0.12 million. A grant costs four hashes, so at
10,000 records a second this is the difference between 5 % and 30 % of a core.
"""

from __future__ import annotations

from sha3 import keccak_256 as _keccak_256  # type: ignore[import-untyped]  # the package ships no annotations


def keccak256(data: bytes) -> bytes:
    """Return the Keccak-256 digest (32 bytes) of ``data``; this is Ethereum's hash, not NIST's SHA3-256."""
    digest: bytes = _keccak_256(data).digest()
    return digest
