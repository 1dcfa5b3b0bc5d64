"""Signatures of outgoing webhooks: HMAC-SHA256 over ``{webhook-id}.{webhook-timestamp}.{body}``, one a live secret."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32


def signed_headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """Return the three headers of a message, with a signature by each secret, the newest first."""
    head = f"{message_id}.{timestamp}.".encode()
    signatures = [base64.b64encode(hmac.digest(one, head + body, "sha256")).decode() for one in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }


def secret_text(secret: bytes) -> str:
    """Return a secret as receivers' libraries take it."""
    return PREFIX + base64.b64encode(secret).decode()
