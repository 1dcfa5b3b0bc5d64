"""What can go wrong between us and a chain, apart from what a node answers (see `rpc.RpcError`)."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import ConfigurationError, InvariantViolation, TongduiError, Unavailable


class ChainError(TongduiError):
    """Base of the errors of this package."""


class NodeBinaryMissing(ConfigurationError):
    """No native anvil binary was found."""

    def __init__(self, looked_at: list[Path]) -> None:
        self.looked_at = looked_at
        places = ", ".join(str(path) for path in looked_at)
        super().__init__(
            f"no anvil binary at {places}; run `npm ci` in the project's folder, or set TONGDUI_ANVIL to the binary"
        )


class NodeStartFailed(ChainError, Unavailable):
    """The node process ended, or did not answer, before it was ready."""

    def __init__(self, reason: str, log_tail: str) -> None:
        self.reason = reason
        self.log_tail = log_tail
        super().__init__(f"the node did not start: {reason}" + (f"; its log ends: {log_tail}" if log_tail else ""))


class EngineBusy(ChainError, Unavailable):
    """Another process holds the lock of this state folder and makes its blocks."""

    def __init__(self, lock: Path) -> None:
        self.lock = lock
        super().__init__(f"another process makes the blocks of this folder (it holds {lock}); stop it first")


class EngineClosed(ChainError):
    """The engine was closed, and is used nevertheless."""

    def __init__(self) -> None:
        super().__init__("the engine is closed")


class EngineStopped(ChainError):
    """The engine raised an alarm earlier and makes no more blocks until a person has looked and it is opened anew."""

    def __init__(self, alarm: str) -> None:
        self.alarm = alarm
        super().__init__(f"the engine has stopped: {alarm}")


class ClockJumped(ChainError):
    """The wall clock and the steady clock disagree. A wrong block time would let lots die or deadlines pass."""

    def __init__(self, jump_s: float, tolerance_s: float) -> None:
        self.jump_s = jump_s
        self.tolerance_s = tolerance_s
        super().__init__(
            f"the wall clock jumped by {jump_s:+.1f} s against the steady clock (tolerated: {tolerance_s:.0f} s); "
            "no block is made; set the clock right and start again"
        )


class JournalCorrupt(InvariantViolation):
    """The journal of blocks contradicts itself."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the journal {path} is damaged: {reason}; restore it from a backup, nothing was changed")


class JournalUnavailable(ChainError, Unavailable):
    """The journal cannot be opened now: the disk is full or away, or permissions are wrong. It is not damaged."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"the journal {path} cannot be opened: {reason}; see that its disk has room and that it may be written, "
            "then start again"
        )


class JournalWriteFailed(ChainError):
    """A block could not be written durably (disk full, read-only, lost). The block never happened."""

    def __init__(self, path: Path, block_number: int, reason: str) -> None:
        self.path = path
        self.block_number = block_number
        self.reason = reason
        super().__init__(f"block {block_number} could not be written to {path}: {reason}")


class GenesisMismatch(ConfigurationError):
    """The journal was begun with another chain than the one that was asked for, or the node's genesis differs."""

    def __init__(self, field: str, journaled: object, given: object) -> None:
        self.field = field
        self.journaled = journaled
        self.given = given
        super().__init__(f"the journal's genesis has {field} {journaled}, not {given}")


class ReplayMismatch(InvariantViolation):
    """A replayed block is not the block that was reported final. The engine refuses to start."""

    def __init__(self, block_number: int, field: str, journaled: object, replayed: object, node: str) -> None:
        self.block_number = block_number
        self.field = field
        self.journaled = journaled
        self.replayed = replayed
        super().__init__(
            f"block {block_number} was journaled with {field} {journaled}, but its replay by {node} gives {replayed}; "
            "the engine refuses to start: use the node version that made the journal, restore the journal, or see what "
            "`tongdui chain check` says"
        )


class SnapshotUnfit(ChainError):
    """A snapshot cannot be loaded or is not of this chain; everything is replayed instead."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the snapshot is of no use: {reason}")


class UnexpectedBlock(InvariantViolation):
    """The node made a block that does not follow the head, or contains what was not submitted."""

    def __init__(self, block_number: int, reason: str) -> None:
        self.block_number = block_number
        self.reason = reason
        super().__init__(f"the node's block {block_number} is not acceptable: {reason}")


class ArtifactMissing(ConfigurationError):
    """A compiled contract is not where it should be."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        super().__init__(f"no artifact of contract {name} at {path}; compile the contracts first")


class UnknownAbiEntry(ChainError):
    """A contract's ABI has no function, event or error of this name, or several."""

    def __init__(self, contract: str, kind: str, name: str, candidates: list[str]) -> None:
        self.contract = contract
        self.kind = kind
        self.name = name
        self.candidates = candidates
        hint = f"; it has {', '.join(candidates)}" if candidates else ""
        super().__init__(f"{contract} has no single {kind} {name}{hint}")


class BadTransaction(ChainError):
    """Raw bytes are not a transaction of the kind this chain takes: type 0, EIP-155, gas price 0."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"not an acceptable transaction: {reason}")


class DeploymentMismatch(InvariantViolation):
    """The chain does not carry what the deployment file says. Nothing may start on it."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        self.what = what
        self.expected = expected
        self.found = found
        super().__init__(f"{what}: the deployment file says {expected}, the chain says {found}")


class DeploymentFailed(ChainError):
    """A step of the deployment was reverted or its result is not what it must be."""

    def __init__(self, step: str, reason: str) -> None:
        self.step = step
        self.reason = reason
        super().__init__(f"deployment step {step!r} failed: {reason}")
