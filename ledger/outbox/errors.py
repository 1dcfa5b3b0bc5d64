"""What can be wrong with the outbox."""

from __future__ import annotations

from ledger.errors import InvariantViolation, TongduiError


class OutboxError(TongduiError):
    """Base of the errors of this package."""


class MessageNotFound(OutboxError):
    """No message has this key."""

    def __init__(self, dedupe_key: str) -> None:
        self.dedupe_key = dedupe_key
        super().__init__(f"the outbox has no message {dedupe_key!r}")


class MessageInFlight(OutboxError):
    """The message is part of a signed transaction or done, so it cannot be changed any more."""

    def __init__(self, dedupe_key: str, state: str) -> None:
        self.dedupe_key = dedupe_key
        self.state = state
        super().__init__(f"message {dedupe_key!r} is {state}; only what is queued or waits can be changed")


class UnknownKind(InvariantViolation):
    """An order of a kind for which no module is known."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"no module takes orders of kind {kind!r}")
