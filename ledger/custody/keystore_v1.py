"""The keystore's first version, read for migration: AES-256-GCM under scrypt of the master key and the folder's salt.

A file holds ``{"version": 1, "address": …, "secret": …}``, the secret being an `Envelope` with the name as its context;
``keystore.json`` holds salt, parameters and a check. Nothing writes it any more.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ledger.custody.errors import CannotDecrypt
from ledger.custody.master import Envelope
from ledger.custody.signer import LocalSigner
from ledger.errors import ConfigurationError, TongduiError

_LOG = logging.getLogger(__name__)
VERSION = 1
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1}
_CHECK = b"tongdui"

Header = Mapping[str, Any]
"""The content of ``keystore.json``."""


class KeystoreV1:
    """What opens files of the first version. scrypt (70 ms) runs when the first of them is found."""

    def __init__(self, master_key: bytes, header: Header) -> None:
        """Take the folder's header. Raises ConfigurationError if its scrypt parameters are unknown."""
        if {name: header.get(name) for name in _SCRYPT} != _SCRYPT:
            raise ConfigurationError("keystore.json: unknown scrypt parameters")
        self._master_key = master_key
        self._header = header

    def check(self, what: str) -> None:
        """Raise CannotDecrypt if another master key made the folder."""
        if not hmac.compare_digest(self._envelope.unwrap(bytes.fromhex(self._header["check"]), b"check"), _CHECK):
            raise CannotDecrypt(what)

    def read(self, name: str, path: Path) -> bytes | None:
        """Return the private key in a file; None if the file is of another version, or cannot be opened (logged)."""
        try:
            stored = json.loads(path.read_bytes())
            if stored["version"] != VERSION:
                return None
        except (ValueError, TypeError, LookupError):
            return None
        try:
            signer = LocalSigner(self._envelope.unwrap(bytes.fromhex(stored["secret"]), name.encode()))
            if signer.address != stored["address"]:
                raise CannotDecrypt(name)
        except (ValueError, TypeError, LookupError, TongduiError):
            _LOG.warning("the key file %s is damaged or another name's: it stays in the keystore's first version", path)
            return None
        return signer.private_key

    @cached_property
    def _envelope(self) -> Envelope:
        salt = bytes.fromhex(self._header["salt"])
        return Envelope(Scrypt(salt=salt, length=32, **_SCRYPT).derive(self._master_key))
