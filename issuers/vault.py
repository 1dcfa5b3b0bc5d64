"""Keys of the pipeline: by which records are recognised without being readable, and under which they are sealed."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.custody.errors import CannotDecrypt
from ledger.custody.keyring import DEDUPE, FINGERPRINT, SOURCE, Keyring, normalise
from ledger.custody.master import Envelope, RandomBytes

_NONCE: Final = 12


class RecordKeys:
    """Keyed hashes of records. Dedupe and source keys differ, so that a tombstone never leads to a person."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        _, self._dedupe = keyring.live(DEDUPE)[-1]
        # The oldest dedupe key for ever: a rotated one would let every old record in a second time.
        self._content = hmac.digest(self._dedupe, b"content", "sha256")
        self._grant = hmac.digest(self._dedupe, b"grant", "sha256")
        _, self._fingerprint = keyring.current(FINGERPRINT)

    def dedupe(self, programme: int, system: str, record_id: str) -> bytes:
        """Return the key by which a record is known: HMAC of programme, system and natural id."""
        message = f"{programme}\0{system}\0{record_id}".encode()
        return hmac.digest(self._dedupe, message, "sha256")

    def content(self, canonical: bytes) -> bytes:
        """Return the keyed hash of a record's content."""
        return hashlib.blake2b(canonical, digest_size=32, key=self._content).digest()

    def grant_id(self, dedupe_key: bytes, sequence: int) -> bytes:
        """Return the id of a record's n-th grant: the same record can never make a second id for it."""
        return hashlib.blake2b(dedupe_key + sequence.to_bytes(4, "big"), digest_size=32, key=self._grant).digest()

    def fingerprint(self, resident_id: int, day: int, deed_class: str) -> bytes:
        """Return the HMAC of who did what on which day, equal in every programme."""
        return hmac.digest(self._fingerprint, f"{resident_id}\0{day}\0{deed_class}".encode(), "sha256")

    def device(self, device: str) -> bytes:
        """Return the HMAC of a device's name."""
        return hmac.digest(self._fingerprint, b"device\0" + device.encode(), "sha256")

    def source(self, programme: int, source_id: str) -> bytes:
        """Return the HMAC of a source id under the newest key, as `ledger.custody` makes it."""
        _, key = self._keyring.current(SOURCE)
        return hmac.digest(key, programme.to_bytes(4, "big") + normalise(source_id).encode(), "sha256")

    def source_live(self, programme: int, source_id: str) -> list[bytes]:
        """Return the HMACs of a source id under all live keys, newest first."""
        message = programme.to_bytes(4, "big") + normalise(source_id).encode()
        return [hmac.digest(key, message, "sha256") for _, key in self._keyring.live(SOURCE)]


class Seal:
    """The data key of one delivery, opened. AES-256-GCM; the context binds what was sealed to its place."""

    __slots__ = ("_aead", "_random")

    def __init__(self, key: bytes, random: RandomBytes = os.urandom) -> None:
        self._aead = AESGCM(key)
        self._random = random

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return nonce 12 | ciphertext and tag."""
        nonce = self._random(_NONCE)
        return nonce + self._aead.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plaintext. Raises CannotDecrypt."""
        try:
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
        except (InvalidTag, ValueError):
            raise CannotDecrypt("record") from None


class Vault:
    """Makes and opens the data keys of deliveries."""

    def __init__(self, envelope: Envelope, random: RandomBytes = os.urandom) -> None:
        self._envelope = envelope
        self._random = random

    def new_key(self, programme: int) -> tuple[bytes, Seal]:
        """Return a new data key, wrapped for the delivery's row, and its seal."""
        key = AESGCM.generate_key(256)
        return self._envelope.wrap(key, _context(programme)), Seal(key, self._random)

    def open(self, programme: int, wrapped: bytes) -> Seal:
        """Return the seal of a wrapped data key. Raises CannotDecrypt."""
        return Seal(self._envelope.unwrap(wrapped, _context(programme)), self._random)


def _context(programme: int) -> bytes:
    return b"delivery:" + str(programme).encode()
