"""The port through which everything is signed, and its simplest adapter: a key in this process's memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ledger.standard.ids import Address
from ledger.standard.keccak import keccak256
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


Document = Callable[[], Mapping[str, Any]]
"""Says in full what is signed; called only for a signer that wants to derive it itself."""


class IssuerSigner(Protocol):
    """Something that signs an agency's EIP-712 messages: a key in memory, or a signer in the agency's own house."""

    @property
    def address(self) -> Address:
        """The account that signs."""
        ...

    def sign_typed(self, preimage: bytes, document: Document) -> bytes:
        """Return 65 bytes r | s | v (27 or 28, low s) over the keccak of ``preimage`` (see `Domain.preimage`).

        The same preimage has the same signature, so asking again is safe. Raises SignerError: it is away, or refuses.
        """
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
    def public_key(self) -> bytes:
        """64 bytes: what Web3Signer calls the key's identifier."""
        return self._key.public_key

    @property
    def private_key(self) -> bytes:
        """The secret itself, for code that signs raw transactions. Warning: never log or store it."""
        return self._secret

    def sign_digest(self, digest: bytes) -> bytes:
        """Return 65 bytes r | s | v."""
        return self._key.sign_digest(digest)

    def sign_typed(self, preimage: bytes, document: Document) -> bytes:  # noqa: ARG002  (a key believes its process)
        """Return 65 bytes r | s | v over the keccak of ``preimage``."""
        return self._key.sign_digest(keccak256(preimage))

    def __repr__(self) -> str:
        return f"LocalSigner({self.address})"
