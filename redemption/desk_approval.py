"""How a resident without a phone says yes at a community desk: card and PIN, or a second clerk who was there.

A wrong PIN has to be remembered although the request fails, so `try_pin` returns its verdict and never raises: the
caller commits it first and refuses afterwards.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.custody.master import RandomBytes
from ledger.standard.civil_time import DAY_S
from ledger.store.models.redemption import DeskApprovalRow, DeskPinProposalRow, DeskPinRow
from redemption.errors import DeskProofRefused, PinLocked, WeakPin

PIN_LENGTH = 6
PIN_FAILURES_MAX = 5
PIN_LOCK_S = DAY_S
APPROVAL_LIFETIME_S = 15 * 60

_SCRYPT_N = 1 << 14
_SEQUENCES = ("01234567890", "09876543210")


class PinVerdict(StrEnum):
    """The outcome of a PIN attempt."""

    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "locked"
    NOT_SET = "not_set"
    OWN = "own"
    """The clerk who asks is the one who set this PIN, and may know it."""


@dataclass(frozen=True, slots=True)
class PinTry:
    """The verdict, and until when (Unix seconds) the PIN is locked, where it is."""

    verdict: PinVerdict
    locked_until: int = 0

    def require(self) -> None:
        """Raise DeskProofRefused or PinLocked unless the PIN was right."""
        match self.verdict:
            case PinVerdict.RIGHT:
                return
            case PinVerdict.LOCKED:
                raise PinLocked(self.locked_until)
            case PinVerdict.WRONG:
                raise DeskProofRefused("the PIN is wrong")
            case PinVerdict.OWN:
                raise DeskProofRefused("whoever set a PIN cannot use it; another clerk has to serve")
            case PinVerdict.NOT_SET:
                raise DeskProofRefused("no PIN is set for this card; a second clerk can approve")


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a second clerk approves: just this, for just this resident."""

    desk_id: str
    resident_id: int
    offer_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A second clerk's approval that nobody has used yet."""

    approval_id: str
    approver: str
    expires_at: int


class DeskApprovals:
    """The only writer of PINs and approvals."""

    def __init__(self, clock: Clock, random: RandomBytes = os.urandom) -> None:
        self._clock = clock
        self._random = random

    def set_pin(self, session: Session, resident_id: int, pin: str, set_by: str) -> None:
        """Set or change a PIN; it unlocks. Raises WeakPin."""
        if not _is_strong(pin):
            raise WeakPin
        salt = self._random(16)
        row = session.get(DeskPinRow, resident_id) or DeskPinRow(resident_id=resident_id)
        row.salt, row.digest = salt, _digest(pin, salt)
        row.failures, row.locked_until = 0, 0
        row.set_by, row.set_at = set_by, self._clock.timestamp()
        session.add(row)
        session.flush()

    def reset_pin(self, session: Session, resident_id: int, pin: str, clerk: str) -> int | None:
        """Set a resident's first PIN; where there is one, propose the new one to a second clerk.

        Returns until when (Unix seconds) a second clerk may confirm it; None: it is set. Until then the old one holds,
        and so does its lock. Raises WeakPin.
        """
        if session.get(DeskPinRow, resident_id) is None:
            self.set_pin(session, resident_id, pin, clerk)
            return None
        if not _is_strong(pin):
            raise WeakPin
        salt = self._random(16)
        row = session.get(DeskPinProposalRow, resident_id) or DeskPinProposalRow(resident_id=resident_id)
        row.salt, row.digest, row.proposed_by = salt, _digest(pin, salt), clerk
        row.expires_at = self._clock.timestamp() + APPROVAL_LIFETIME_S
        session.add(row)
        session.flush()
        return row.expires_at

    def confirm_pin(self, session: Session, resident_id: int, clerk: str) -> None:
        """Let a proposed PIN take the old one's place, and lift its lock. Raises DeskProofRefused."""
        found = session.get(DeskPinProposalRow, resident_id, with_for_update=True)
        now = self._clock.timestamp()
        if found is None or now >= found.expires_at:
            raise DeskProofRefused("no new PIN waits for this resident")
        if found.proposed_by == clerk:
            raise DeskProofRefused("the second clerk has to be somebody else")
        row = session.get_one(DeskPinRow, resident_id, with_for_update=True)
        row.salt, row.digest, row.set_by, row.set_at = found.salt, found.digest, found.proposed_by[:255], now
        row.failures, row.locked_until = 0, 0
        session.delete(found)
        session.flush()

    def try_pin(self, session: Session, resident_id: int, pin: str, clerk: str) -> PinTry:
        """Check a PIN that ``clerk`` passes on, and remember the try. Five wrong ones lock it for a day."""
        row = session.get(DeskPinRow, resident_id, with_for_update=True)
        if row is None:
            return PinTry(PinVerdict.NOT_SET)
        if row.set_by == clerk:
            return PinTry(PinVerdict.OWN)
        now = self._clock.timestamp()
        if now < row.locked_until:
            return PinTry(PinVerdict.LOCKED, row.locked_until)
        if hmac.compare_digest(_digest(pin, row.salt), row.digest):
            row.failures = 0
            return PinTry(PinVerdict.RIGHT)
        row.failures += 1
        if row.failures >= PIN_FAILURES_MAX:
            row.failures = 0
            row.locked_until = now + PIN_LOCK_S
            return PinTry(PinVerdict.LOCKED, row.locked_until)
        return PinTry(PinVerdict.WRONG)

    def approve(self, session: Session, purchase: Purchase, approver: str) -> str:
        """Record a second clerk's approval; return its id, good once and for fifteen minutes."""
        now = self._clock.timestamp()
        approval_id = self._random(16).hex()
        session.add(
            DeskApprovalRow(
                approval_id=approval_id,
                desk_id=purchase.desk_id,
                resident_id=purchase.resident_id,
                offer_id=purchase.offer_id,
                quantity=purchase.quantity,
                approver=approver,
                expires_at=now + APPROVAL_LIFETIME_S,
                used_at=None,
                created_at=now,
            )
        )
        session.flush()
        return approval_id

    def waiting(self, session: Session, purchase: Purchase, clerk: str) -> list[Waiting]:
        """Return the approvals of a purchase that ``clerk`` may use now, the newest first."""
        row = DeskApprovalRow
        found = session.scalars(
            select(row)
            .where(
                row.desk_id == purchase.desk_id,
                row.resident_id == purchase.resident_id,
                row.offer_id == purchase.offer_id,
                row.quantity == purchase.quantity,
                row.approver != clerk,
                row.used_at.is_(None),
                row.expires_at > self._clock.timestamp(),
            )
            .order_by(row.created_at.desc())
        )
        return [Waiting(one.approval_id, one.approver, one.expires_at) for one in found]

    def use_approval(self, session: Session, approval_id: str, purchase: Purchase, clerk: str) -> str:
        """Use up an approval, in the transaction of the purchase; return who gave it. Raises DeskProofRefused."""
        row = session.get(DeskApprovalRow, approval_id, with_for_update=True)
        if row is None or (row.desk_id, row.resident_id, row.offer_id, row.quantity) != (
            purchase.desk_id,
            purchase.resident_id,
            purchase.offer_id,
            purchase.quantity,
        ):
            raise DeskProofRefused("there is no approval of this purchase")
        if row.approver == clerk:
            raise DeskProofRefused("the second clerk has to be somebody else")
        now = self._clock.timestamp()
        if now >= row.expires_at:
            raise DeskProofRefused("the approval has expired")
        done = session.execute(
            update(DeskApprovalRow)
            .where(DeskApprovalRow.approval_id == approval_id, DeskApprovalRow.used_at.is_(None))
            .values(used_at=now)
            .returning(DeskApprovalRow.approval_id)
        )
        if done.first() is None:
            raise DeskProofRefused("the approval was used before")
        return row.approver


def _is_strong(pin: str) -> bool:
    if len(pin) != PIN_LENGTH or not (pin.isascii() and pin.isdigit()):
        return False
    return len(set(pin)) > 1 and not any(pin in sequence for sequence in _SEQUENCES)


def _digest(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=_SCRYPT_N, r=8, p=1, dklen=32)
