"""Link codes: the agency's word that the person who shows it is the member whose source id it names.

The agency gives the code to the member it has checked: in its own app after login, at its counter, or by letter. It is
computed, not stored: 4 bytes of expiry and 48 bits of HMAC-SHA256 over programme, source id and expiry, in base32.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from ledger.clock import Clock
from ledger.residents.errors import EmptyIdentifier, LinkCodeRefused
from ledger.standard.civil_time import DAY_S
from ledger.standard.identifiers import IdentifierForms, normalise
from ledger.standard.ids import ProgrammeId

LIFETIME_S = 7 * DAY_S
LIFETIME_S_MAX = 90 * DAY_S
_MAC_BYTES = 6


class LinkCodes:
    """Makes and checks link codes of one installation."""

    def __init__(self, secret: bytes, clock: Clock, forms: IdentifierForms | None = None) -> None:
        self._secret = secret
        self._clock = clock
        self._forms = forms or IdentifierForms()

    def make(self, programme: ProgrammeId, source_id: str, lifetime_s: int = LIFETIME_S) -> tuple[str, int]:
        """Return (code, Unix time at which it ends). Raises EmptyIdentifier."""
        if not normalise(source_id):
            raise EmptyIdentifier("source id")
        expires_at = self._clock.timestamp() + min(max(lifetime_s, 60), LIFETIME_S_MAX)
        head = expires_at.to_bytes(4, "big")
        text = base64.b32encode(head + self._mac(programme, source_id, head)).decode()
        return "-".join(text[at : at + 4] for at in range(0, len(text), 4)), expires_at

    def check(self, programme: ProgrammeId, source_id: str, code: str) -> None:
        """Return if the code is good for the source id now. Raises LinkCodeRefused, which does not say why."""
        text = "".join(code.split()).replace("-", "").upper()
        try:
            raw = base64.b32decode(text)
        except (binascii.Error, ValueError):
            raise LinkCodeRefused(programme) from None
        head, mac = raw[:4], raw[4:]
        is_right = hmac.compare_digest(self._mac(programme, source_id, head), mac)
        if not is_right or int.from_bytes(head, "big") < self._clock.timestamp():
            raise LinkCodeRefused(programme)

    def _mac(self, programme: ProgrammeId, source_id: str, head: bytes) -> bytes:
        message = programme.to_bytes(4, "big") + head + self._forms.source_id(programme, source_id).encode()
        return hmac.digest(self._secret, message, "sha256")[:_MAC_BYTES]
