"""Versioned secret keys for HMACs, in one file under the master key, and the hashers that use them.

Three purposes, three keys: who somebody is (``identity``), which source id is whose (``source``), and what was seen
before (``dedupe``, whose values outlive an erasure and therefore must match nothing else).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
from pathlib import Path

from ledger.custody.master import Envelope, RandomBytes, write_private
from ledger.standard.identifiers import IdentifierForms, normalise
from ledger.standard.ids import ProgrammeId

IDENTITY = "identity"
SOURCE = "source"
DEDUPE = "dedupe"
FINGERPRINT = "fingerprint"
PURPOSES = (IDENTITY, SOURCE, DEDUPE, FINGERPRINT)


class Keyring:
    """HMAC keys by purpose and version. The newest version writes; every live version is tried when reading."""

    def __init__(self, path: Path, envelope: Envelope, random: RandomBytes = os.urandom) -> None:
        """Open the file, or generate version 1 of every purpose into a new one. Raises CannotDecrypt."""
        self._path = path
        self._envelope = envelope
        self._random = random
        self._lock = threading.Lock()
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, self._encode({purpose: {1: random(32)} for purpose in PURPOSES}), exclusive=True)
        self._keys = self._decode(path.read_bytes())

    def current(self, purpose: str) -> tuple[int, bytes]:
        """Return (version, key) of the newest version."""
        versions = self._keys[purpose]
        newest = max(versions)
        return newest, versions[newest]

    def live(self, purpose: str) -> list[tuple[int, bytes]]:
        """Return (version, key) of all versions, newest first."""
        return sorted(self._keys[purpose].items(), reverse=True)

    def rotate(self, purpose: str) -> int:
        """Generate a new version, durably, and return its number."""
        with self._lock:
            version = self.current(purpose)[0] + 1
            keys = {name: dict(versions) for name, versions in self._keys.items()}
            keys[purpose][version] = self._random(32)
            write_private(self._path, self._encode(keys))
            self._keys = keys
            return version

    def retire(self, purpose: str, version: int) -> None:
        """Destroy an old version; values made with it match nothing any more."""
        with self._lock:
            if version == self.current(purpose)[0]:
                raise ValueError("the current version cannot be retired; rotate first")
            keys = {name: dict(versions) for name, versions in self._keys.items()}
            keys[purpose].pop(version, None)
            write_private(self._path, self._encode(keys))
            self._keys = keys

    def _encode(self, keys: dict[str, dict[int, bytes]]) -> bytes:
        plain = {p: {str(v): key.hex() for v, key in versions.items()} for p, versions in keys.items()}
        return self._envelope.wrap(json.dumps(plain, sort_keys=True).encode(), b"keyring").hex().encode() + b"\n"

    def _decode(self, content: bytes) -> dict[str, dict[int, bytes]]:
        plain = json.loads(self._envelope.unwrap(bytes.fromhex(content.decode("ascii").strip()), b"keyring"))
        return {p: {int(v): bytes.fromhex(key) for v, key in versions.items()} for p, versions in plain.items()}


class SourceIdHasher:
    """Turns source ids into keyed HMACs: equal ids of one programme meet, and nothing can be guessed back."""

    def __init__(self, keyring: Keyring, forms: IdentifierForms | None = None) -> None:
        self._keyring = keyring
        self.forms = forms or IdentifierForms()

    def hash(self, programme: ProgrammeId, source_id: str) -> tuple[int, bytes]:
        """Return (key version, 32 bytes) of a source id under the newest key."""
        version, key = self._keyring.current(SOURCE)
        return version, self._hmac(key, programme, source_id)

    def hash_many(self, programme: ProgrammeId, source_ids: list[str]) -> list[bytes]:
        """Return the HMACs under the newest key, in order."""
        _, key = self._keyring.current(SOURCE)
        return [self._hmac(key, programme, one) for one in source_ids]

    def hash_live(self, programme: ProgrammeId, source_id: str) -> list[tuple[int, bytes]]:
        """Return (key version, HMAC) under every live key, newest first."""
        return [(version, self._hmac(key, programme, source_id)) for version, key in self._keyring.live(SOURCE)]

    def dedupe(self, namespace: str, value: str) -> bytes:
        """Return the HMAC by which a record is known as seen; it outlives erasure and matches nothing else."""
        _, key = self._keyring.current(DEDUPE)
        return hmac.digest(key, namespace.encode() + b"\0" + value.encode(), "sha256")

    def fingerprint(self, features: str) -> bytes:
        """Return the HMAC of a deed's canonical features, by which two programmes see one deed claimed twice."""
        _, key = self._keyring.current(FINGERPRINT)
        return hmac.digest(key, features.encode(), "sha256")

    def _hmac(self, key: bytes, programme: ProgrammeId, source_id: str) -> bytes:
        message = programme.to_bytes(4, "big") + self.forms.source_id(programme, source_id).encode()
        return hmac.digest(key, message, "sha256")


STRETCH_COST = 1 << 17
"""scrypt's N for tombstones, with r = 8 and p = 1: 128 MiB and about 0.3 s a guess. Never changed: a tombstone that was
made with another cost would not be found."""
_STRETCH_MEMORY = 256 << 20


class IdentityHasher:
    """Turns identity document numbers into keyed HMACs: one verified person is one resident."""

    def __init__(self, keyring: Keyring, *, cost: int = STRETCH_COST) -> None:
        """``cost``: scrypt's N for `stretch`."""
        self._keyring = keyring
        self._cost = cost

    def hash(self, document_number: str) -> tuple[int, bytes]:
        """Return (key version, 32 bytes) under the newest key."""
        version, key = self._keyring.current(IDENTITY)
        return version, hmac.digest(key, normalise(document_number).encode(), hashlib.sha256)

    def hash_live(self, document_number: str) -> list[tuple[int, bytes]]:
        """Return (key version, HMAC) under every live key, newest first."""
        message = normalise(document_number).encode()
        return [(v, hmac.digest(key, message, hashlib.sha256)) for v, key in self._keyring.live(IDENTITY)]

    def stretch(self, identity_hmac: bytes) -> tuple[bytes, bytes]:
        """Return 32 bytes by which a tombstone is found and 32 that open it, from an HMAC of `hash` (scrypt, RFC 7914).

        Memory-hard, because whoever has the keys and a list of document numbers can try each of them.
        """
        _, oldest = self._keyring.live(DEDUPE)[-1]
        salt = hmac.digest(oldest, b"tombstones", "sha256")
        found = hashlib.scrypt(identity_hmac, salt=salt, n=self._cost, r=8, p=1, maxmem=_STRETCH_MEMORY, dklen=64)
        return found[:32], found[32:]
