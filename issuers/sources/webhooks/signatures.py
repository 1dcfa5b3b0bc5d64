"""Standard Webhooks signatures, checked while the body streams in.

What is signed is ``{webhook-id}.{webhook-timestamp}.{body}``; ``webhook-signature`` carries ``v1,`` and the base64 of
its HMAC-SHA256, several of them by blanks while a secret is rotated. A secret is ``whsec_`` and the base64 of 24 to 64
bytes.
Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

The reference library wants the whole body in memory; a bulk push may be larger than that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from issuers.errors import PushTooOld, WebhookRefused

TOLERANCE_S = 300
SECRET_BYTES = 32
_PREFIX = "whsec_"
_SECRET_BYTES_ALLOWED = range(24, 65)
_SIGNATURES_MAX = 16
# No full stop: with one, "a.1.{}" could be read as an id and a timestamp in two ways.
_ID = re.compile(r"[A-Za-z0-9_:-]{1,160}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class WebhookHeaders:
    """The three headers of a signed push."""

    webhook_id: str
    timestamp: int
    signatures: tuple[bytes, ...]
    """The decoded ``v1`` signatures; others are left out, as the standard says."""

    @classmethod
    def read(cls, headers: Mapping[str, str], now: int) -> WebhookHeaders:
        """Read the headers (by lower-case name). Raises WebhookRefused: one is missing or malformed, or
        (PushTooOld) too far from our time."""
        webhook_id = headers.get("webhook-id", "")
        timestamp = headers.get("webhook-timestamp", "")
        if not _ID.fullmatch(webhook_id) or not _TIMESTAMP.fullmatch(timestamp):
            raise WebhookRefused("webhook-id or webhook-timestamp is missing or malformed")
        if abs(int(timestamp) - now) > TOLERANCE_S:
            raise PushTooOld(now - int(timestamp), TOLERANCE_S)
        found = []
        for part in headers.get("webhook-signature", "").split()[:_SIGNATURES_MAX]:
            version, _, text = part.partition(",")
            if version == "v1":
                try:
                    found.append(base64.b64decode(text, validate=True))
                except ValueError:  # binascii.Error is one, and so is what is said of letters beyond ASCII
                    continue
        if not found:
            raise WebhookRefused("webhook-signature has no signature of version v1")
        return cls(webhook_id, int(timestamp), tuple(found))


class SignedBody:
    """Hears a body part by part, and then says whether one of the secrets signed it."""

    def __init__(self, headers: WebhookHeaders, secrets: Sequence[bytes]) -> None:
        self._signatures = headers.signatures
        head = f"{headers.webhook_id}.{headers.timestamp}.".encode()
        self._macs = [hmac.new(secret, head, hashlib.sha256) for secret in secrets]
        self._digest = hashlib.sha256()

    def update(self, part: bytes) -> None:
        """Hear the next part."""
        self._digest.update(part)
        for mac in self._macs:
            mac.update(part)

    def verify(self) -> bytes:
        """Return the body's SHA-256 if one secret signed it. Raises WebhookRefused.

        Every secret is compared with every signature, each in constant time, so that time tells nothing.
        """
        is_signed = False
        for mac in self._macs:
            expected = mac.digest()
            for signature in self._signatures:
                is_signed |= hmac.compare_digest(expected, signature)
        if not is_signed:
            raise WebhookRefused("no signature fits a secret of this source")
        return self._digest.digest()


def sign(secret: bytes, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return a ``webhook-signature`` header: what a source system does."""
    mac = hmac.digest(secret, f"{webhook_id}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(mac).decode()


def secret_text(secret: bytes) -> str:
    """Return a secret as people hand it over."""
    return _PREFIX + base64.b64encode(secret).decode()


def secret_bytes(text: str) -> bytes:
    """Return the bytes of a secret. Raises ValueError if it is none, or not 24 to 64 bytes."""
    secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    if len(secret) not in _SECRET_BYTES_ALLOWED:
        raise ValueError("a webhook's secret has 24 to 64 bytes")
    return secret
