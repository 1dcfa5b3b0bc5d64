"""A resident who holds the key shows it: a signature over the account, the login it is for, and an end.

EIP-712, in the domain of the installation, so that a proof is good here alone; never sent to the chain. Without it
anybody could have registered somebody else's address first, and the owner would have been locked out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.residents.errors import AccountUnproven
from ledger.standard.errors import BadSignature
from ledger.standard.ids import Address, address_bytes, uint
from ledger.standard.keccak import keccak256
from ledger.standard.signatures import recover
from ledger.standard.typed_data import Domain

ACCOUNT_PROOF_TYPE: Final = "AccountProof(address account,bytes32 subject,uint40 deadline)"
LIFETIME_S: Final = 900
_TYPE_HASH = keccak256(ACCOUNT_PROOF_TYPE.encode())
_PAD12 = b"\0" * 12


@dataclass(frozen=True, slots=True)
class AccountProof:
    """What the key signs. ``subject`` is the login's issuer and name as text; its hash is signed."""

    account: Address
    subject: str
    deadline: int
    """Unix seconds."""

    @property
    def subject_hash(self) -> bytes:
        """The Keccak-256 of the login."""
        return keccak256(self.subject.encode())

    def digest(self, domain: Domain) -> bytes:
        """Return the 32 bytes that are signed."""
        deadline = uint("deadline", self.deadline, 40).to_bytes(32, "big")
        return domain.digest(
            keccak256(_TYPE_HASH + _PAD12 + address_bytes(self.account) + self.subject_hash + deadline)
        )

    def check(self, domain: Domain, signature: bytes, now: int) -> None:
        """Return if the account's key signed this, and it is neither over nor further away than it may be.

        Raises AccountUnproven.
        """
        if not now <= self.deadline <= now + LIFETIME_S:
            raise AccountUnproven(self.account)
        try:
            signer = recover(self.digest(domain), signature)
        except BadSignature:
            raise AccountUnproven(self.account) from None
        if address_bytes(signer) != address_bytes(self.account):
            raise AccountUnproven(self.account)
