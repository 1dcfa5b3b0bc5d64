"""Residents' keys: random, each wrapped under the one master key and kept in SQL beside the resident.

Warning: this is one-process custody, the admitted exception of the embedded default. A city puts a signer process of
its own behind the ``Signer`` port, which asks for the resident's session proof.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from coincurve import PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.custody.errors import CannotDecrypt
from ledger.custody.keystore import generate_private_key
from ledger.custody.master import Envelope, RandomBytes
from ledger.custody.signer import LocalSigner
from ledger.standard.ids import Address, to_address
from ledger.standard.keccak import keccak256


@dataclass(frozen=True, slots=True)
class CustodialAccount:
    """A new account: its address and its private key under the master key."""

    address: Address
    wrapped_key: bytes


class Custodian:
    """Generates, wraps and opens residents' account keys and data keys."""

    def __init__(self, envelope: Envelope, random: RandomBytes = os.urandom) -> None:
        self._envelope = envelope
        self._random = random

    def new_account(self, resident_id: int) -> CustodialAccount:
        """Generate an account key for a resident."""
        secret = generate_private_key(self._random)
        # The public key alone: preparing a signing key costs twice as much, and bulk registration signs nothing.
        public = PublicKey.from_secret(secret).format(compressed=False)
        address = to_address(keccak256(public[1:])[12:])
        return CustodialAccount(address, self._envelope.wrap(secret, _context("acct", resident_id)))

    def signer(self, resident_id: int, wrapped_key: bytes) -> LocalSigner:
        """Return the signer of a resident's custodial account. Raises CannotDecrypt."""
        return LocalSigner(self._envelope.unwrap(wrapped_key, _context("acct", resident_id)))

    def new_data_key(self, resident_id: int) -> bytes:
        """Return a new data key of a resident, wrapped."""
        return self._envelope.wrap(AESGCM.generate_key(256), _context("data", resident_id))

    def seal(self, resident_id: int, wrapped_data_key: bytes, plaintext: bytes, purpose: str) -> bytes:
        """Encrypt personal data under the resident's data key."""
        return self._data(resident_id, wrapped_data_key).wrap(plaintext, _context(purpose, resident_id))

    def unseal(self, resident_id: int, wrapped_data_key: bytes, sealed: bytes, purpose: str) -> bytes:
        """Decrypt personal data. Raises CannotDecrypt."""
        return self._data(resident_id, wrapped_data_key).unwrap(sealed, _context(purpose, resident_id))

    def seal_profile(self, resident_id: int, wrapped_data_key: bytes, profile: Mapping[str, str]) -> bytes:
        """Encrypt a profile (text by field)."""
        return self.seal(resident_id, wrapped_data_key, json.dumps(dict(profile), sort_keys=True).encode(), "prof")

    def unseal_profile(self, resident_id: int, wrapped_data_key: bytes, sealed: bytes) -> dict[str, str]:
        """Decrypt a profile. Raises CannotDecrypt."""
        plain = json.loads(self.unseal(resident_id, wrapped_data_key, sealed, "prof"))
        if not isinstance(plain, dict):
            raise CannotDecrypt("profile")
        return {str(name): str(value) for name, value in plain.items()}

    def _data(self, resident_id: int, wrapped_data_key: bytes) -> Envelope:
        return Envelope(self._envelope.unwrap(wrapped_data_key, _context("data", resident_id)), self._random)


def _context(purpose: str, resident_id: int) -> bytes:
    return purpose.encode() + b":" + str(resident_id).encode()
