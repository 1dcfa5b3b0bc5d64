"""What an issuer has signed, on its way to the contract: enqueued with the row that wants it, and settled by outcome.

Voids and revocations share this life. A row is wanted; its issuer signs, outside any transaction; the call goes into
the outbox, under a key that says what it is for, in the transaction that marks the row as queued; and the row ends when
its message has. A call that failed is signed anew where that can help (its key was rotated) and takes the old one's
place. Batches go another way in all but the key: they are enqueued many at once, and to wait for funding is no end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from ledger.outbox.outbox import MessageStatus, Outbox
from ledger.outbox.states import MessageState
from ledger.standard.ids import Address

_ENDS = frozenset({MessageState.DONE, MessageState.FAILED})


@dataclass(frozen=True, slots=True)
class IssuerCalls:
    """The signed calls of one kind, to one contract."""

    outbox: Outbox
    kind: str
    to: Address
    gas: int

    def enqueue(self, session: Session, key: str, calldata: bytes) -> None:
        """Enqueue a signed call, or put it in the place of the one that failed. Any other of that key stays."""
        self.outbox.enqueue_call(session, self.kind, key, self.to, calldata, self.gas)
        known = self.outbox.status(session, key)
        if known is not None and known.state is MessageState.FAILED:
            self.outbox.replace_call(session, key, calldata, self.gas)

    def ended(self, session: Session, keys: Iterable[str]) -> dict[str, MessageStatus]:
        """Return the outcome of the calls that are done or failed, by key."""
        statuses = self.outbox.statuses(session, list(keys))
        return {key: status for key, status in statuses.items() if status.state in _ENDS}
