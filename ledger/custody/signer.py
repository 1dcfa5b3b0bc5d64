"""The port through which everything is signed, and its simplest adapter: a key in this process's memory."""

from __future__ import annotations

from typing import Protocol

from ledger.standard.ids import Address
from ledger.standard.signatures import SigningKey


class Signer(Protocol):
    """Something that signs 32-byte digests for one account: a key in memory, Web3Signer, an HSM."""

    @property
    def address(self) -> Address:
        """The account that signs."""
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """Return 65 bytes r | s | v (27 or 28, low s)."""
        ...


class LocalSigner:
    """A private key in memory. Its repr shows the address only."""

    __slots__ = ("_key", "_secret")

    def __init__(self, private_key: bytes) -> None:
        """Take 32 secret bytes. Raises WrongLength or BadSignature."""
        self._secret = private_key
        self._key = SigningKey(private_key)

    @property
    def address(self) -> Address:
        """The account that signs."""
        return self._key.address

    @property
    def private_key(self) -> bytes:
        """The secret itself, for code that signs raw transactions. Warning: never log or store it."""
        return self._secret

    def sign_digest(self, digest: bytes) -> bytes:
        """Return 65 bytes r | s | v."""
        return self._key.sign_digest(digest)

    def __repr__(self) -> str:
        return f"LocalSigner({self.address})"
