"""What stops the indexer. It never passes over what it does not understand."""

from __future__ import annotations

from ledger.errors import InvariantViolation, TongduiError


class IndexerError(TongduiError):
    """Base of the errors of this package."""


class UnknownEvent(InvariantViolation):
    """One of our contracts said something that this version does not know."""

    def __init__(self, contract: str, topic: str, block_number: int, log_index: int) -> None:
        self.contract = contract
        self.topic = topic
        self.block_number = block_number
        self.log_index = log_index
        super().__init__(
            f"{contract} emitted an event with topic {topic} in block {block_number} (log {log_index}) that is not in "
            "its ABI; the indexer stops: install the version that knows it, then start again"
        )


class MalformedLog(InvariantViolation):
    """A log does not have the shape of its event."""

    def __init__(self, event: str, block_number: int, log_index: int) -> None:
        self.event = event
        self.block_number = block_number
        self.log_index = log_index
        super().__init__(f"log {log_index} of block {block_number} is no well-formed {event}")


class Undecodable(InvariantViolation):
    """Our decoder failed on logs that have the shape of logs: a defect of this program, which no node can cure."""

    def __init__(self, first: int, last: int, cause: Exception) -> None:
        self.first = first
        self.last = last
        super().__init__(f"blocks {first} to {last}: a well-formed log cannot be decoded: {cause!r}")


class InconsistentAnswer(IndexerError):
    """The node's logs and headers do not belong together: it is lagging, reorganising or wrong. Ask again."""

    def __init__(self, block_number: int, reason: str) -> None:
        self.block_number = block_number
        self.reason = reason
        super().__init__(f"block {block_number}: {reason}")


class ReorgTooDeep(InvariantViolation):
    """No block that we remember is in the node's chain: it is another chain, or finality was set too low."""

    def __init__(self, oldest_known: int) -> None:
        self.oldest_known = oldest_known
        super().__init__(
            f"the chain differs from ours back to block {oldest_known} and before; check the node, then `reindex`"
        )


class OtherChain(InvariantViolation):
    """The projection in this database belongs to another installation."""

    def __init__(self, field: str, ours: object, theirs: object) -> None:
        self.field = field
        self.ours = ours
        self.theirs = theirs
        super().__init__(f"the projection has {field} {ours}, the deployment {theirs}; use its own database")


class ProjectionBroken(InvariantViolation):
    """Events would make a projected amount negative or too large: events were lost, or a table was changed by hand."""

    def __init__(self, table: str, detail: str) -> None:
        self.table = table
        self.detail = detail
        super().__init__(f"projection {table}: {detail}; run `reindex`, and the auditor")
