"""Asking the issuers' signers, which may be away or refuse: what waits says why, and is asked for again by itself.

A signer that is away is left alone for a while that doubles, so that the other programmes' work does not stand behind
its timeouts; a batch that the agency refused is left alone by itself, and its neighbours go on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ledger.custody.errors import SignerError, SignerReason
from ledger.custody.signer import Document, IssuerSigner
from ledger.standard.ids import Address, ProgrammeId
from ledger.standard.typed_data import Domain, MintBatch, Revocation, VoidBatch

REASON_MAX = 512
_AWAY_S = (1.0, 60.0)
_REFUSED_S = (5.0, 600.0)


@dataclass(slots=True)
class _Rest:
    """A signer, or a message, that is left alone until a moment of the steady clock."""

    error: SignerError
    until_s: float
    delay_s: float


class Signing:
    """The issuers' signers by programme, and how they fared. Safe to share between threads."""

    def __init__(
        self,
        domain: Domain,
        signers: Mapping[ProgrammeId, IssuerSigner],
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.domain = domain
        self._signers = signers
        self._steady = steady
        self._rests: dict[tuple[int, str], _Rest] = {}
        self._lock = threading.Lock()

    def address(self, programme: ProgrammeId) -> Address:
        """Return the account that signs for a programme. Raises SignerError if none is set."""
        return self._signer(programme).address

    def is_rotated(self, programme: ProgrammeId, revert: str | None) -> bool:
        """Return whether a call reverted for a signature by a key that is not the programme's signer any more.

        ``revert``: the error with its arguments, of which one is the account that the signature recovers to.
        """
        if revert is None or not revert.startswith("PointsLedgerBadIssuer"):
            return False
        signer = self._signers.get(programme)
        return signer is not None and signer.address.lower() not in revert.lower()

    def sign(self, message: MintBatch | VoidBatch | Revocation, document: Document) -> bytes:
        """Return the issuer's signature. Raises SignerError, without asking while the signer or message rests."""
        programme, name = message.programme, _name(message)
        error = self._resting(programme, "") or self._resting(programme, name)
        if error is not None:
            raise error
        try:
            signature = self._signer(programme).sign_typed(self.domain.preimage(message.struct_hash()), document)
        except SignerError as failed:
            self._rest((programme, "" if failed.is_away else name), failed)
            raise
        with self._lock:
            self._rests.pop((programme, ""), None)
            self._rests.pop((programme, name), None)
        return signature

    def is_away(self, programme: ProgrammeId) -> bool:
        """Return whether the signer could not be used a short while ago, and is left alone until it is asked again."""
        return self._resting(programme, "") is not None

    def not_refused(self, programme: ProgrammeId, numbers: Iterable[int]) -> list[int]:
        """Return the batches that the signer did not refuse a short while ago."""
        return [number for number in numbers if self._resting(programme, f"mint {number}") is None]

    def away(self) -> dict[int, str]:
        """Return why signers are away, by programme."""
        with self._lock:
            return {programme: str(rest.error) for (programme, about), rest in self._rests.items() if not about}

    def _signer(self, programme: ProgrammeId) -> IssuerSigner:
        signer = self._signers.get(programme)
        if signer is None:
            detail = f"none is set for programme {programme} (TONGDUI_ISSUER_SIGNERS, or a key in the keystore)"
            raise SignerError(SignerReason.UNKNOWN_KEY, detail)
        return signer

    def _resting(self, programme: ProgrammeId, name: str) -> SignerError | None:
        with self._lock:
            rest = self._rests.get((programme, name))
            return rest.error if rest is not None and self._steady() < rest.until_s else None

    def _rest(self, key: tuple[int, str], error: SignerError) -> None:
        shortest, longest = _AWAY_S if error.is_away else _REFUSED_S
        with self._lock:
            before = self._rests.get(key)
            delay = shortest if before is None else min(before.delay_s * 2, longest)
            self._rests[key] = _Rest(error, self._steady() + delay, delay)


def _name(message: MintBatch | VoidBatch | Revocation) -> str:
    match message:
        case MintBatch():
            return f"mint {message.number}"
        case VoidBatch():
            return f"void {message.number}"
        case Revocation():
            return f"revoke {message.number} {message.revocations_hash.hex()}"
