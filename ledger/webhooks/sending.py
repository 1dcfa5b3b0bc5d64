"""Sends the messages whose time has come. No request is made inside a transaction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ledger.clock import Clock
from ledger.outgoing import AddressRefused, NoAnswer, Outgoing
from ledger.store.database import Database
from ledger.webhooks.book import Due, WebhookBook
from ledger.webhooks.signing import signed_headers

AT_ONCE = 4
_ANSWER_MAX = 1 << 16
_DEADLINE_S = 10.0
"""Four rounds of it are still within the lease."""
_ROUND = 16


@dataclass(frozen=True, slots=True)
class WebhookSender:
    """One round after the other; a stop between request and record sends the message once more, under its id."""

    database: Database
    book: WebhookBook
    outgoing: Outgoing
    clock: Clock

    def send_due(self) -> int:
        """Send what is due, some at once; return how many messages were tried."""
        with self.database.read() as session:
            if not self.book.has_due(session):
                return 0
        with self.database.transaction() as session:
            due = self.book.take(session, _ROUND)
        if not due:
            return 0
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhooks") as pool:
            answers = list(pool.map(self._send, due))
        for one, (status, failure) in zip(due, answers, strict=True):
            with self.database.transaction() as session:
                self.book.ended(session, one, status, failure)
        return len(due)

    def _send(self, due: Due) -> tuple[int | None, str | None]:
        """Return (status, what was wrong) of one attempt."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Tongdui-Webhooks",
            **signed_headers(due.secrets, due.message_id, self.clock.timestamp(), due.body),
        }
        try:
            answer = self.outgoing.ask(
                due.url,
                method="POST",
                body=due.body,
                headers=headers,
                bytes_max=_ANSWER_MAX,
                deadline_s=_DEADLINE_S,
            )
        except (AddressRefused, NoAnswer) as error:
            return None, error.reason
        is_taken = 200 <= answer.status < 300
        return answer.status, None if is_taken else f"it answered {answer.status}"
