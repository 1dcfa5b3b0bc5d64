"""What can go wrong with keys."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import ConfigurationError, TongduiError


class CustodyError(TongduiError):
    """Base of the errors of this package."""


class KeyNotFound(CustodyError):
    """No key of this name is in the keystore."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the keystore has no key named {name!r}")


class KeyExists(CustodyError):
    """A different key of this name is in the keystore already."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the keystore already has another key named {name!r}")


class CannotDecrypt(CustodyError):
    """Ciphertext was changed, or it was made with another key or for another purpose."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} cannot be decrypted: wrong master key, wrong owner, or damaged")


class MasterKeyUnsafe(ConfigurationError):
    """The master key file is unusable: damaged, or readable by others."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"master key {path}: {reason}")


class Erased(CustodyError):
    """The data key was destroyed; what it protected cannot be read any more, by anybody."""

    def __init__(self, resident_id: int) -> None:
        self.resident_id = resident_id
        super().__init__(f"resident {resident_id} was erased")


class NotCustodial(CustodyError):
    """The resident holds the key; we cannot sign for that account."""

    def __init__(self, resident_id: int) -> None:
        self.resident_id = resident_id
        super().__init__(f"resident {resident_id} holds the account's key; the order must come signed")
