"""What can go wrong with keys."""

from __future__ import annotations

from enum import StrEnum
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
        super().__init__(f"{what} cannot be decrypted: wrong key or passphrase, wrong owner, or damaged")


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


class SignerReason(StrEnum):
    """Why a signer in another house gave no signature. Every failure is exactly one of these."""

    UNREACHABLE = "unreachable"
    """No connection, or it broke."""
    TIMEOUT = "timeout"
    """No answer in time."""
    BUSY = "busy"
    """It, or what stands before it, wants fewer requests or is starting."""
    INTERNAL = "internal"
    """It says that it failed."""
    MALFORMED_ANSWER = "malformed_answer"
    """The answer is none of Web3Signer's API."""
    NOT_PERMITTED = "not_permitted"
    """It does not let us in: certificate, bearer token or allow-list."""
    UNKNOWN_KEY = "unknown_key"
    """It does not have the key that it is asked for."""
    BAD_REQUEST = "bad_request"
    """The request is malformed in its eyes."""
    WRONG_SIGNATURE = "wrong_signature"
    """What it returned is no signature of the programme's key over what it was asked to sign."""
    REFUSED = "refused"
    """The agency's own rules forbid it; `SignerError.code` names the rule."""


REFUSES_ALL = frozenset({"day_limit"})
"""Named reasons by which a signer refuses all that comes next too, for the time being."""


class SignerError(CustodyError):
    """A signer gave no signature. ``code`` is the agency's named reason where it refused."""

    def __init__(self, reason: SignerReason, detail: str, *, code: str | None = None) -> None:
        self.reason = reason
        self.detail = detail
        self.code = code
        named = f"{reason.value} ({code})" if code else reason.value
        super().__init__(f"the issuer's signer: {named}: {detail}")

    @property
    def is_away(self) -> bool:
        """Whether the signer as a whole cannot be used now, so that asking for another batch is of no use."""
        match self.reason:
            case (
                SignerReason.UNREACHABLE
                | SignerReason.TIMEOUT
                | SignerReason.BUSY
                | SignerReason.INTERNAL
                | SignerReason.MALFORMED_ANSWER
                | SignerReason.NOT_PERMITTED
                | SignerReason.UNKNOWN_KEY
                | SignerReason.WRONG_SIGNATURE
            ):
                return True
            case SignerReason.REFUSED:
                return self.code in REFUSES_ALL
            case SignerReason.BAD_REQUEST:
                return False

    @property
    def is_retryable(self) -> bool:
        """Whether the same request, sent again at once, may succeed. Signing is deterministic, so it does no harm."""
        return self.reason in (SignerReason.UNREACHABLE, SignerReason.TIMEOUT, SignerReason.BUSY, SignerReason.INTERNAL)
