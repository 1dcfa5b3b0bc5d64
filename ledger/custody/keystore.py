"""A folder of encrypted private keys: issuers, relayers, the deployer. One file a key, AES-256-GCM under scrypt.

scrypt (RFC 7914) runs once a folder, over the passphrase and the folder's salt: the default passphrase is the random
master key, and a person's own passphrase still costs an attacker 2**15 rounds of 8 KiB for each guess.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ledger.custody.errors import CannotDecrypt, KeyExists, KeyNotFound
from ledger.custody.master import Envelope, RandomBytes, write_private
from ledger.custody.signer import LocalSigner
from ledger.errors import ConfigurationError
from ledger.standard.ids import Address

_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1}
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)*")


class Keystore:
    """Named private keys. A name is lower-case words and digits with hyphens, in folders: ``issuers/volunteer``."""

    def __init__(self, directory: Path, passphrase: bytes, random: RandomBytes = os.urandom) -> None:
        """Open or create the folder. Raises CannotDecrypt if another passphrase made it."""
        self._directory = directory
        self._random = random
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        header = directory / "keystore.json"
        if not header.exists():
            salt = random(16)
            check = Envelope(_derive(passphrase, salt), random).wrap(b"tongdui", b"check")
            content = {"version": 1, "kdf": "scrypt", **_SCRYPT, "salt": salt.hex(), "check": check.hex()}
            write_private(header, json.dumps(content, indent=2).encode() + b"\n", exclusive=True)
        stored = json.loads(header.read_text(encoding="ascii"))
        if stored.get("version") != 1 or {name: stored.get(name) for name in _SCRYPT} != _SCRYPT:
            raise ConfigurationError(f"{header}: unknown keystore version or scrypt parameters")
        self._envelope = Envelope(_derive(passphrase, bytes.fromhex(stored["salt"])), random)
        if self._envelope.unwrap(bytes.fromhex(stored["check"]), b"check") != b"tongdui":
            raise CannotDecrypt(str(header))

    def get(self, name: str) -> LocalSigner:
        """Return the signer of a name. Raises KeyNotFound or CannotDecrypt."""
        path = self._path(name)
        try:
            stored = json.loads(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            raise KeyNotFound(name) from None
        signer = LocalSigner(self._envelope.unwrap(bytes.fromhex(stored["secret"]), name.encode()))
        if signer.address != stored["address"]:
            raise CannotDecrypt(str(path))
        return signer

    def get_or_create(self, name: str) -> LocalSigner:
        """Return the signer of a name, drawing a random key if there is none."""
        try:
            return self.get(name)
        except KeyNotFound:
            self._store(name, draw_private_key(self._random))
            return self.get(name)  # another process may have been first: its key is the one in the file

    def put(self, name: str, private_key: bytes) -> LocalSigner:
        """Keep a key that was made elsewhere. Raises KeyExists if the name has another key."""
        self._store(name, private_key)
        signer = self.get(name)
        if signer.private_key != private_key:
            raise KeyExists(name)
        return signer

    def address(self, name: str) -> Address:
        """Return the account of a name without decrypting anything. Raises KeyNotFound."""
        try:
            return Address(json.loads(self._path(name).read_text(encoding="ascii"))["address"])
        except FileNotFoundError:
            raise KeyNotFound(name) from None

    def names(self, prefix: str = "") -> list[str]:
        """Return the names that start with ``prefix``, in order."""
        found = (path.relative_to(self._directory).with_suffix("") for path in self._directory.rglob("*.key"))
        return sorted(name for name in map(str, found) if name.startswith(prefix))

    def _store(self, name: str, private_key: bytes) -> None:
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {
            "version": 1,
            "address": LocalSigner(private_key).address,
            "secret": self._envelope.wrap(private_key, name.encode()).hex(),
        }
        write_private(path, json.dumps(content, indent=2).encode() + b"\n", exclusive=True)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"key name {name!r}: use lower-case words, digits, hyphens and slashes")
        return self._directory / f"{name}.key"


def draw_private_key(random: RandomBytes = os.urandom) -> bytes:
    """Return 32 random bytes that are a key of secp256k1: from 1 to the order less one (SEC 2, 2.4.1)."""
    while True:
        secret = random(32)
        if 0 < int.from_bytes(secret, "big") < _ORDER:
            return secret


def _derive(passphrase: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, **_SCRYPT).derive(passphrase)
