"""Keys of the pipeline: by which records are recognised without being readable, and under which they are sealed."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.custody.errors import CannotDecrypt
from ledger.custody.keyring import DEDUPE, FINGERPRINT, SOURCE, Keyring
from ledger.custody.master import Envelope, RandomBytes
from ledger.standard.identifiers import IdentifierForms, normalise, record_number
from ledger.standard.ids import ProgrammeId

_NONCE: Final = 12
_BLOCK: Final = 64
"""Bytes of a block of SHA-256."""


class _Hmac:
    """HMAC-SHA-256 under one key (RFC 2104), with the key's two blocks hashed once: a third of `hmac.digest`'s time,
    which looks its algorithm up and hashes them for each message. Tested to be equal."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        padded = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes([byte ^ 0x36 for byte in padded]))
        self._outer = hashlib.sha256(bytes([byte ^ 0x5C for byte in padded]))

    def digest(self, message: bytes) -> bytes:
        """Return the 32 bytes."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


class RecordKeys:
    """Keyed hashes of records. Dedupe and source keys differ, so that a tombstone never leads to a person."""

    def __init__(self, keyring: Keyring, forms: IdentifierForms | None = None) -> None:
        self._keyring = keyring
        self._forms = forms or IdentifierForms()
        _, dedupe = keyring.live(DEDUPE)[-1]
        # The oldest dedupe key for ever: a rotated one would let every old record in a second time.
        self._dedupe = _Hmac(dedupe)
        self._content = hashlib.blake2b(digest_size=32, key=self._dedupe.digest(b"content"))
        self._grant = hashlib.blake2b(digest_size=32, key=self._dedupe.digest(b"grant"))
        self._fingerprint = _Hmac(keyring.current(FINGERPRINT)[1])
        self._source = (b"", _Hmac(b""))

    def dedupe(self, programme: ProgrammeId, system: str, record_id: str) -> bytes:
        """Return the key by which a record is known: HMAC of programme, system and natural id."""
        return self.dedupe_as_is(programme, system, record_number(record_id))

    def dedupe_as_is(self, programme: ProgrammeId, system: str, record_id: str) -> bytes:
        """Return the key of a natural id whose form is known."""
        message = f"{programme}\0{system}\0{record_id}".encode()
        return self._dedupe.digest(message)

    def apart(self, programme: ProgrammeId, dedupe_key: bytes, source_id: str, day: int) -> bytes:
        """Return the key of a deed that came under the number of another person's or another day's record."""
        whose = self._forms.source_id(programme, source_id)
        return self._dedupe.digest(b"apart\0" + dedupe_key + f"{whose}\0{day}".encode())

    def content(self, canonical: bytes) -> bytes:
        """Return the keyed hash of a record's content."""
        digest = self._content.copy()
        digest.update(canonical)
        return digest.digest()

    def grant_id(self, dedupe_key: bytes, sequence: int, salt: bytes) -> bytes:
        """Return the id of a record's n-th grant. Its salt is in it, which an erasure destroys: leaves, which are
        published, name it beside an account, and nobody comes from a record's number to it any more."""
        digest = self._grant.copy()
        digest.update(dedupe_key + sequence.to_bytes(4, "big") + salt)
        return digest.digest()

    def fingerprint(self, resident_id: int, day: int, deed_class: str) -> bytes:
        """Return the HMAC of who did what on which day, equal in every programme."""
        return self._fingerprint.digest(f"{resident_id}\0{day}\0{deed_class}".encode())

    def device(self, device: str) -> bytes:
        """Return the HMAC of a device's name."""
        return self._fingerprint.digest(b"device\0" + normalise(device, keep_case=True).encode())

    def source(self, programme: ProgrammeId, source_id: str) -> bytes:
        """Return the HMAC of a source id under the newest key, as `ledger.custody` makes it."""
        _, key = self._keyring.current(SOURCE)
        known, keyed = self._source
        if known != key:
            keyed = _Hmac(key)
            self._source = (key, keyed)
        return keyed.digest(programme.to_bytes(4, "big") + self._forms.source_id(programme, source_id).encode())

    def source_live(self, programme: ProgrammeId, source_id: str) -> list[bytes]:
        """Return the HMACs of a source id under all live keys, newest first."""
        message = programme.to_bytes(4, "big") + self._forms.source_id(programme, source_id).encode()
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

    def new_key(self, programme: ProgrammeId) -> tuple[bytes, Seal]:
        """Return a new data key, wrapped for the delivery's row, and its seal."""
        key = AESGCM.generate_key(256)
        return self._envelope.wrap(key, _context(programme)), Seal(key, self._random)

    def open(self, programme: ProgrammeId, wrapped: bytes) -> Seal:
        """Return the seal of a wrapped data key. Raises CannotDecrypt."""
        return Seal(self._envelope.unwrap(wrapped, _context(programme)), self._random)


def _context(programme: ProgrammeId) -> bytes:
    return b"delivery:" + str(programme).encode()


class Delivery(NamedTuple):
    """The delivery that a chunk belongs to."""

    delivery_id: int
    programme: ProgrammeId
    seal: Seal
