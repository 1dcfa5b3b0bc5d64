"""Why a proof is not one."""

from __future__ import annotations

from ledger.errors import TongduiError


class ProofError(TongduiError):
    """Base of the errors of this package."""


class MalformedRlp(ProofError):
    """Bytes are not the canonical RLP of anything."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        self.reason = reason
        super().__init__(f"bytes are not canonical RLP at offset {offset}: {reason}")


class BrokenPath(ProofError):
    """A Merkle-Patricia path does not lead from the root to the key."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the trie path is broken: {reason}")


class BadHeader(ProofError):
    """A block header lacks a field, or one has the wrong form."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"not a block header: {reason}")


class BadTransactionBytes(ProofError):
    """A transaction is not one that can be hashed again, or nobody signed it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"not a transaction of a known form: {reason}")


class BadSeal(ProofError):
    """The validators' seals in a header do not carry it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the seals do not carry the block: {reason}")


class UnprovableLog(ProofError):
    """The chain's answers do not allow a proof of this log: no such log, or receipts that do not give the root."""

    def __init__(self, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(f"{what} cannot be proven: {reason}")


class BadReceipt(ProofError):
    """A receipt file is not in its format, or a claim in it does not follow from its proof."""

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"{where}: {reason}")


class UnknownEvent(ProofError):
    """A log is not an event of the contract it comes from: what it should be, and what it is."""

    def __init__(self, what: str, where: str, expected: object, found: object) -> None:
        self.what = what
        self.where = where
        self.expected = str(expected)
        self.found = str(found)
        super().__init__(f"{what} at {where}: expected {expected}, found {found}")
