"""The signer itself, without HTTP: approves documents, then signs what it has derived from them, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from issuers.agency import documents, rules
from issuers.agency.documents import Derived, MintDocument, NotADocument, RevocationDocument, SigningDocument
from issuers.agency.journal import Journal
from issuers.agency.rules import History, Objection, Policy, Refusal
from ledger.clock import Clock
from ledger.custody.signer import LocalSigner
from ledger.errors import TongduiError
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.keccak import keccak256

_LOG = logging.getLogger(__name__)

VoidsOnChain = Callable[[Sequence[int]], frozenset[int]]
"""Which of some batch numbers are void in a final block; what cannot be asked is not void."""


class Refused(TongduiError):
    """The agency does not sign this."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(f"{refusal.objection.value}: {refusal.detail}")


@dataclass(frozen=True, slots=True)
class SigningDesk:
    """Keys by identifier (the public key, lower case, without 0x), rules and journal of one programme."""

    keys: Mapping[str, LocalSigner]
    policy: Policy
    journal: Journal
    clock: Clock
    voids: VoidsOnChain

    def approve(self, content: bytes) -> Derived:
        """Derive what a document says, check it against the rules, and remember the approval durably.

        The same document again is approved again. Raises Refused.
        """
        try:
            document = documents.read(content)
            derived = documents.derive(document, self.policy.domain)
        except NotADocument as error:
            raise Refused(Refusal(Objection.MALFORMED_DOCUMENT, str(error)[:256])) from error
        voided = self._voided(document)
        now = self.clock.now()
        day = now.astimezone(CITY_TZ).date().isoformat()
        with self.journal.transaction():
            refusal = self._judge(document, derived, voided, day)
            if refusal is None:
                self.journal.approve(document, derived, day, int(now.timestamp()))
        if refusal is not None:
            _LOG.warning("refused %s %s: %s", document.kind, document.number, refusal.objection)
            raise Refused(refusal)
        _LOG.info("approved %s %s: %d minor", document.kind, document.number, derived.amount_minor)
        return derived

    def sign(self, identifier: str, preimage: bytes) -> bytes:
        """Return the signature over the keccak of ``preimage``. Raises KeyError, or Refused for what is not derived."""
        key = self.keys[identifier]
        digest = keccak256(preimage)
        if not self.journal.may_sign(digest):
            _LOG.warning("refused to sign what follows from no approved document")
            raise Refused(Refusal(Objection.NOT_DERIVED, "show the document first; blind data is not signed"))
        return key.sign_digest(digest)

    def _voided(self, document: SigningDocument) -> frozenset[int]:
        """Ask the chain, outside the journal's transaction, about numbers that the grants had before."""
        if not isinstance(document, MintDocument):
            return frozenset()
        known = self.journal.grants([bytes.fromhex(one.grant_id[2:]) for one in document.leaves])
        earlier = rules.earlier_numbers(document, known)
        return self.voids(earlier) if earlier else frozenset()

    def _judge(self, document: SigningDocument, derived: Derived, voided: frozenset[int], day: str) -> Refusal | None:
        number = str(int(document.number))
        if isinstance(document, MintDocument):
            shown = [one.record.encode() for one in document.leaves if one.record is not None]
            hashes = [rules.record_hash(one) for one in shown] if self.policy.requires_known_records else []
            history = History(
                self.journal.approved(number),
                self.journal.has_digest(derived.digest),
                self.journal.grants([bytes.fromhex(one.grant_id[2:]) for one in document.leaves]),
                voided,
                self.journal.day_minor(day),
                self.journal.known_records(hashes),
            )
            return rules.of_mint(document, derived, self.policy, history, self.clock.now())
        if isinstance(document, RevocationDocument):
            grant_id = bytes.fromhex(document.leaf.grant_id[2:])
            history = History(
                None,
                self.journal.has_digest(derived.digest),
                self.journal.grants([grant_id]),
                revoked_minor=self.journal.revoked_minor(grant_id),
                day_revoked_minor=self.journal.day_revoked_minor(day),
            )
            return rules.of_revocation(document, self.policy, history)
        return rules.of_void(document, self.policy)
