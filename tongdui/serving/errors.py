"""Why an API cannot be served."""

from __future__ import annotations

from ledger.errors import Unavailable


class CannotListen(Unavailable):
    """The address cannot be listened on, most often because another process does."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        super().__init__(f"cannot listen on {host}, port {port}: another process may; --port 0 takes a free one")


class ApiFailed(Unavailable):
    """An API process could not start; ``reason`` is its own word."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"an API process did not start: {reason}")
