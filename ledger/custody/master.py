"""The master key: 32 random bytes in a file of mode 0600, generated at the first start, under which all other keys lie.

Envelope encryption: AES-256-GCM with a random 96-bit nonce a message. NIST SP 800-38D 8.3 allows 2**32 messages under
one key with random nonces; two keys a resident of a city of 20 million are 2**25.3.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.custody.errors import CannotDecrypt, MasterKeyUnsafe

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"

RandomBytes = Callable[[int], bytes]


class Envelope:
    """Encrypts small secrets under one key. ``context`` names the owner and purpose; it must match to decrypt."""

    __slots__ = ("_aead", "_random")

    def __init__(self, key: bytes, random: RandomBytes = os.urandom) -> None:
        self._aead = AESGCM(key)
        self._random = random

    def wrap(self, plaintext: bytes, context: bytes) -> bytes:
        """Return version 1 | nonce 12 | ciphertext and tag."""
        nonce = self._random(_NONCE_BYTES)
        return _VERSION + nonce + self._aead.encrypt(nonce, plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the plaintext. Raises CannotDecrypt."""
        if wrapped[:1] != _VERSION:
            raise CannotDecrypt(context.decode(errors="replace"))
        try:
            return self._aead.decrypt(wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :], context)
        except (InvalidTag, ValueError):
            raise CannotDecrypt(context.decode(errors="replace")) from None


def load_master_key(path: Path, random: RandomBytes = os.urandom) -> bytes:
    """Return the master key in ``path``; generate one into a new file of mode 0600 if there is none.

    Raises:
        MasterKeyUnsafe: the file is damaged, or others may read it.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, random(KEY_BYTES).hex().encode() + b"\n", exclusive=True)
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise MasterKeyUnsafe(path, f"mode is {stat.S_IMODE(mode):04o}; run chmod 600")
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise MasterKeyUnsafe(path, "it is not 64 hexadecimal digits; restore it from its backup")
    return key


def write_private(path: Path, content: bytes, *, exclusive: bool = False) -> None:
    """Write a file of mode 0600 so that a crash leaves the old or the new content, never a part.

    With ``exclusive`` an existing file wins over the new content (two processes starting at once agree on one key).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if exclusive:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return
        else:
            temporary.replace(path)
            return
    finally:
        temporary.unlink(missing_ok=True)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
