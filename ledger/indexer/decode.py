"""Logs to changes, as a pure function; the hot path slices hexadecimal text and never builds an ABI object.

Kinds of transfers: the ledger says only who gave what to whom. Why is said by the event that the module emits after the
transfers of one order, so transfers wait until that event, or the end of their transaction, names their kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.indexer.errors import InconsistentAnswer, MalformedLog, Undecodable, UnknownEvent
from ledger.standard.contract import LOT_BYTES
from ledger.standard.ids import ProgrammeId, programme_of
from ledger.standard.keccak import keccak256

TRANSFER = "0x" + keccak256(b"Transfer(address,address,address,uint256,uint256)").hex()
_ZERO_TOPIC = "0x" + "0" * 64
_SIGN_BIT = 1 << 255
_WORD_SPAN = 1 << 256


@dataclass(frozen=True, slots=True)
class Header:
    """What the projection needs of a block."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    bloom: int = 0
    """The filter over the addresses and topics of its logs; see `ledger.indexer.completeness`."""


@dataclass(frozen=True, slots=True)
class Contracts:
    """Our contracts (address as 0x and lower-case digits → name), and the events each may emit (topic → name)."""

    names: Mapping[str, str]
    events: Mapping[str, Mapping[str, str]]
    ledger: str
    """The PointsLedger's address; what it holds itself is escrow."""


Entry = tuple[int, int, int, bytes, int, int, str, bytes | None, bytes, int]
"""(block, log index, side, account, token id, delta, kind, reference, transaction hash, block timestamp)."""


@dataclass(slots=True)
class Changes:
    """Rows and sums of a range of blocks, ready to be written. Tuples have the columns' order of their tables."""

    entries: list[Entry] = field(default_factory=list)
    balances: dict[tuple[bytes, int], int] = field(default_factory=dict)
    supplies: dict[int, list[int]] = field(default_factory=dict)
    """Token id → [supply change, escrow change]."""
    flows: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    """(programme, kind) → [amount, events]."""
    positions: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Participant → (position, block)."""
    position_changes: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    funding: list[tuple[int, int, int, str, int, int, bytes | None, int]] = field(default_factory=list)
    batches: list[tuple[Any, ...]] = field(default_factory=list)
    outcomes: list[tuple[Any, ...]] = field(default_factory=list)
    revocations: list[tuple[Any, ...]] = field(default_factory=list)
    redemption_batches: list[tuple[Any, ...]] = field(default_factory=list)
    holds_opened: dict[bytes, list[Any]] = field(default_factory=dict)
    holds_closed: dict[bytes, tuple[str, int, int, int]] = field(default_factory=dict)
    """Hold id → (state, kept lots, last amount, block)."""
    successors: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    events: list[tuple[int, int, str, str, bytes, bytes, int]] = field(default_factory=list)
    """(block, log index, contract, event, topics, data, timestamp): rare events, raw."""
    logs: int = 0


Log = Mapping[str, Any]
_Handler = Callable[["Decoder", Log, int, int], None]


def decode(contracts: Contracts, headers: Sequence[Header], logs: Sequence[Log]) -> Changes:
    """Return the changes of a range of blocks; ``logs`` are all of theirs, in chain order. Pure.

    Raises:
        InconsistentAnswer: a log has not the shape of one, or the logs do not belong together; ask again.
        UnknownEvent, MalformedLog, Undecodable: somebody must look.
    """
    try:
        return Decoder(contracts, headers).decode(logs)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        # Shapes are examined only now: this is the hot path, and a node hardly ever breaks them.
        if not all(_has_shape(log) for log in logs):
            raise InconsistentAnswer(headers[0].number, f"a log has not the shape of one: {error!r}") from error
        raise Undecodable(headers[0].number, headers[-1].number, error) from error


class Decoder:
    """Decodes the logs of one range of blocks. Make a new one for each range."""

    def __init__(self, contracts: Contracts, headers: Sequence[Header]) -> None:
        self._contracts = contracts
        self._times = {header.number: header.timestamp for header in headers}
        self._hashes = {header.number: "0x" + header.hash.hex() for header in headers}
        self._escrow = bytes.fromhex(contracts.ledger[2:])
        self.changes = Changes()
        self._waiting: list[tuple[int, bytes | None, bytes | None, int, int]] = []
        """(log index, sender, receiver, token id, amount); None is the zero address."""
        self._transaction = ""
        self._transaction_hash = b""
        self._block = -1
        self._time = 0
        self._succession = False
        self._captured: set[str] = set()
        self._reborn_from: set[int] = set()

    def decode(self, logs: Sequence[Log]) -> Changes:
        """Return the changes of all logs, which must be in chain order.

        Raises UnknownEvent, MalformedLog or InconsistentAnswer.
        """
        ledger = self._contracts.ledger
        waiting = self._waiting
        last = (-1, -1)
        for log in logs:
            block_number, log_index = int(log["blockNumber"], 16), int(log["logIndex"], 16)
            if log["transactionHash"] != self._transaction:
                self._begin(log, block_number)
            if (block_number, log_index) <= last:
                raise InconsistentAnswer(block_number, f"log {log_index} is out of order")
            last = (block_number, log_index)
            topics = log["topics"]
            if topics and topics[0] == TRANSFER and log["address"] == ledger:
                data = log["data"]
                if len(topics) != 4 or len(data) != 130:
                    raise MalformedLog("Transfer", block_number, log_index)
                sender, receiver = topics[1], topics[2]
                waiting.append(
                    (
                        log_index,
                        None if sender == _ZERO_TOPIC else bytes.fromhex(sender[26:]),
                        None if receiver == _ZERO_TOPIC else bytes.fromhex(receiver[26:]),
                        int(topics[3], 16),
                        int(data[66:], 16),
                    )
                )
            else:
                self._other(log, block_number, log_index)
        self._end_transaction()
        self.changes.logs += len(logs)
        return self.changes

    def _begin(self, log: Log, block_number: int) -> None:
        self._end_transaction()
        if log["blockHash"] != self._hashes.get(block_number):
            raise InconsistentAnswer(block_number, f"a log says block hash {log['blockHash']}, the header another")
        if log.get("removed"):
            raise InconsistentAnswer(block_number, "a log of a block that was removed")
        self._transaction = log["transactionHash"]
        self._transaction_hash = bytes.fromhex(self._transaction[2:])
        self._block = block_number
        self._time = self._times[block_number]

    def _end_transaction(self) -> None:
        if self._waiting:
            self._flush("migrate" if self._succession else "transfer", None)
        self._succession = False
        self._captured.clear()

    def _other(self, log: Log, block_number: int, log_index: int) -> None:
        address = log["address"]
        name = self._contracts.names.get(address) or self._contracts.names.get(address.lower(), "")
        topic = log["topics"][0] if log["topics"] else "(none)"
        event = self._contracts.events.get(name, {}).get(topic)
        if event is None:
            raise UnknownEvent(name or address, topic, block_number, log_index)
        handler = _HANDLERS.get(event)
        try:
            if handler is None:
                self._keep(log, name, event, log_index)
            else:
                handler(self, log, block_number, log_index)
        except (IndexError, ValueError) as error:
            raise MalformedLog(event, block_number, log_index) from error

    def _keep(self, log: Log, contract: str, event: str, log_index: int) -> None:
        topics = b"".join(bytes.fromhex(topic[2:]) for topic in log["topics"])
        data = bytes.fromhex(log["data"][2:])
        self.changes.events.append((self._block, log_index, contract, event, topics, data, self._time))

    def _flush(self, kind: str, reference: bytes | None) -> None:
        """Name the kind of the transfers that wait, and add them to rows and sums."""
        entries, balances, flows = self.changes.entries, self.changes.balances, self.changes.flows
        block, transaction, time = self._block, self._transaction_hash, self._time
        reborn = self._reborn()
        for place, (log_index, sender, receiver, token_id, amount) in enumerate(self._waiting):
            named = self._name(kind, sender, receiver, is_reborn=place in reborn)
            if receiver is not None:
                entries.append((block, log_index, 0, receiver, token_id, amount, named, reference, transaction, time))
                key = (receiver, token_id)
                balances[key] = balances.get(key, 0) + amount
            if sender is not None:
                entries.append((block, log_index, 1, sender, token_id, -amount, named, reference, transaction, time))
                key = (sender, token_id)
                balances[key] = balances.get(key, 0) - amount
            self._add_supply(sender, receiver, token_id, amount)
            if named != "release" or receiver is not None:
                add_flow(flows, programme_of(token_id), named, amount)
        self._waiting.clear()

    def _name(self, kind: str, sender: bytes | None, receiver: bytes | None, *, is_reborn: bool) -> str:
        if kind == "capture":  # what a capture does not keep goes back in the same call
            goes_back = is_reborn or (sender == self._escrow and receiver is not None)
            return "release" if goes_back else "capture"
        if kind == "exchange":
            return "exchange_in" if sender is None else "exchange_out"
        if kind == "transfer" and sender is None:
            return "mint"
        if kind == "transfer" and receiver is None:
            return "burn"
        return kind

    def _add_supply(self, sender: bytes | None, receiver: bytes | None, token_id: int, amount: int) -> None:
        supply = self.changes.supplies.get(token_id)
        if supply is None:
            supply = self.changes.supplies[token_id] = [0, 0]
        if sender is None:
            supply[0] += amount
        elif sender == self._escrow:
            supply[1] -= amount
        if receiver is None:
            supply[0] -= amount
        elif receiver == self._escrow:
            supply[1] += amount

    def _reborn(self) -> set[int]:
        """Places among the waiting transfers of lots given back reborn: a burn from escrow and the mint after it."""
        places = {place + step for place in self._reborn_from for step in (0, 1)}
        self._reborn_from.clear()
        return places

    # Handlers: one event each. Fields are 32-byte words of the data, after the indexed ones among the topics. --------

    def _batch_minted(self, log: Log, block_number: int, log_index: int) -> None:
        programme, number = ProgrammeId(int(log["topics"][1], 16)), int(log["topics"][2], 16)
        quarter, root, count, amount, signer = _words(log, 5)
        if (len(self._waiting), sum(transfer[4] for transfer in self._waiting)) != (count, amount):
            raise InconsistentAnswer(block_number, f"batch {number} has {count} grants, its transfers are others")
        self._flush("mint", batch_reference(programme, number))
        self.changes.batches.append(
            (
                programme,
                number,
                "landed",
                quarter,
                root.to_bytes(32, "big"),
                count,
                amount,
                signer.to_bytes(20, "big"),
                self._transaction_hash,
                block_number,
                self._time,
            )
        )
        _ = log_index

    def _batch_voided(self, log: Log, block_number: int, log_index: int) -> None:
        programme, number = ProgrammeId(int(log["topics"][1], 16)), int(log["topics"][2], 16)
        self.changes.batches.append(
            (programme, number, "void", None, None, 0, 0, None, self._transaction_hash, block_number, self._time)
        )
        _ = log_index

    def _revoked(self, log: Log, block_number: int, log_index: int) -> None:
        programme, leaf, account = int(log["topics"][1], 16), _hash(log, 2), _address(log, 3)
        token_id, taken, shortfall, reason = _words(log, 4)
        self._flush("revoke", leaf)
        self.changes.revocations.append(
            (
                block_number,
                log_index,
                programme,
                leaf,
                account,
                token_id,
                taken,
                shortfall,
                reason,
                self._transaction_hash,
                self._time,
            )
        )

    def _exchanged(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, holder = _hash(log, 1), _address(log, 2)
        from_id, amount_in, to_id, amount_out, fen = _words(log, 5)
        self._flush("exchange", order_id)
        self._outcome(
            block_number, log_index, order_id, "exchange", 0, holder, None, from_id, amount_in, to_id, amount_out, fen
        )

    def _redeemed(self, log: Log, block_number: int, log_index: int) -> None:
        if log["topics"][1] in self._captured:
            return  # the receipt of a capture, which has an outcome of its own
        order_id, holder, merchant = _hash(log, 1), _address(log, 2), int(log["topics"][3], 16)
        (fen,) = _words(log, 1)
        self._flush("redeem", order_id)
        self._outcome(block_number, log_index, order_id, "redeem", 0, holder, merchant, None, None, None, None, fen)

    def _hold_opened(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, holder = _hash(log, 1), _address(log, 2)
        self._flush("hold", order_id)
        data = log["data"]
        size = int(data[66:130], 16)
        lots = bytes.fromhex(data[130 : 130 + 2 * size])
        if len(lots) != size or size == 0 or size % LOT_BYTES:
            raise ValueError("lots are cut off")
        self.changes.holds_opened[order_id] = [
            order_id, holder, None, lots, None, False, "open", 0, 0, block_number, None,
        ]  # fmt: skip
        _ = log_index

    def _held(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, holder, merchant = _hash(log, 1), _address(log, 2), int(log["topics"][3], 16)
        capture_by, cancellable = _words(log, 2)
        hold = self.changes.holds_opened.get(order_id)
        if hold is None:
            raise InconsistentAnswer(block_number, "a Held without the HoldOpened before it")
        hold[2], hold[4], hold[5] = merchant, capture_by, cancellable != 0
        self._outcome(block_number, log_index, order_id, "hold", 0, holder, merchant, None, None, None, None, None)

    def _hold_closed(self, log: Log, block_number: int, log_index: int) -> None:
        order_id = _hash(log, 1)
        kept_lots, last_amount = _words(log, 2)
        state = "captured" if kept_lots else "released"
        self._flush("capture" if kept_lots else "release", order_id)
        self.changes.holds_closed[order_id] = (state, kept_lots, last_amount, block_number)
        _ = log_index

    def _captured_event(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, merchant = _hash(log, 1), int(log["topics"][2], 16)
        _lots, _last, fen = _words(log, 3)
        self._captured.add(log["topics"][1])
        self._outcome(block_number, log_index, order_id, "capture", 0, None, merchant, None, None, None, None, fen)

    def _released(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, holder, merchant = _hash(log, 1), _address(log, 2), int(log["topics"][3], 16)
        self._outcome(block_number, log_index, order_id, "release", 0, holder, merchant, None, None, None, None, None)

    def _refunded(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, receiver, merchant = _hash(log, 1), _address(log, 2), int(log["topics"][3], 16)
        _lots, _last, fen = _words(log, 3)
        self._flush("refund", order_id)
        self._outcome(block_number, log_index, order_id, "refund", 0, receiver, merchant, None, None, None, None, fen)

    def _rejected(self, log: Log, block_number: int, log_index: int) -> None:
        order_id, holder = _hash(log, 1), _address(log, 2)
        (code,) = _words(log, 1)
        self._outcome(block_number, log_index, order_id, "rejected", code, holder, None, None, None, None, None, None)

    def _redemption_batch(self, log: Log, block_number: int, log_index: int) -> None:
        root, count = _words(log, 2)
        self.changes.redemption_batches.append(
            (int(log["topics"][1], 16), root.to_bytes(32, "big"), count, self._transaction_hash, block_number)
        )
        _ = log_index

    def _lot_reborn(self, log: Log, block_number: int, log_index: int) -> None:
        self._reborn_from.add(len(self._waiting))
        _ = (log, block_number, log_index)

    def _swept(self, log: Log, block_number: int, log_index: int) -> None:
        self._flush("sweep", None)
        _ = (log, block_number, log_index)

    def _successor_set(self, log: Log, block_number: int, log_index: int) -> None:
        self._succession = True
        self.changes.successors.append((_address(log, 1), _address(log, 2), block_number))
        _ = log_index

    def _position_changed(self, log: Log, block_number: int, log_index: int) -> None:
        participant = int(log["topics"][1], 16)
        delta, position = (_signed(word) for word in _words(log, 2))
        self.changes.positions[participant] = (position, block_number)
        self.changes.position_changes.append((block_number, log_index, participant, delta, position, self._time))

    def _appropriation_recorded(self, log: Log, block_number: int, log_index: int) -> None:
        fiscal_year, fen, document = _words(log, 3)
        self.changes.funding.append(
            (
                block_number,
                log_index,
                int(log["topics"][1], 16),
                "recorded",
                fiscal_year,
                fen,
                document.to_bytes(32, "big"),
                self._time,
            )
        )

    def _appropriation_lapsed(self, log: Log, block_number: int, log_index: int) -> None:
        fiscal_year, fen = _words(log, 2)
        self.changes.funding.append(
            (block_number, log_index, int(log["topics"][1], 16), "lapsed", fiscal_year, fen, None, self._time)
        )

    def _paid_changed(self, log: Log, block_number: int, log_index: int) -> None:
        (paid,) = _words(log, 1)
        self.changes.funding.append(
            (block_number, log_index, int(log["topics"][1], 16), "paid", 0, paid, None, self._time)
        )

    def _nothing(self, log: Log, block_number: int, log_index: int) -> None:
        """Says nothing that another event does not say too."""
        _ = (log, block_number, log_index)

    def _outcome(self, block_number: int, log_index: int, *rest: Any) -> None:
        self.changes.outcomes.append((block_number, log_index, *rest, self._transaction_hash, self._time))


_HANDLERS: dict[str, _Handler] = {
    "BatchMinted": Decoder._batch_minted,
    "BatchVoided": Decoder._batch_voided,
    "Revoked": Decoder._revoked,
    "Exchanged": Decoder._exchanged,
    "Rejected": Decoder._rejected,
    "Redeemed": Decoder._redeemed,
    "Held": Decoder._held,
    "Captured": Decoder._captured_event,
    "Released": Decoder._released,
    "Refunded": Decoder._refunded,
    "RedemptionBatch": Decoder._redemption_batch,
    "HoldOpened": Decoder._hold_opened,
    "HoldClosed": Decoder._hold_closed,
    "LotReborn": Decoder._lot_reborn,
    "Swept": Decoder._swept,
    "SuccessorSet": Decoder._successor_set,
    "BatchLanded": Decoder._nothing,
    "Approval": Decoder._nothing,
    "OperatorSet": Decoder._nothing,
    "PositionChanged": Decoder._position_changed,
    "AppropriationRecorded": Decoder._appropriation_recorded,
    "AppropriationLapsed": Decoder._appropriation_lapsed,
    "PaidChanged": Decoder._paid_changed,
}
"""By the event's name: the ABIs say which contract may emit it, and a name means the same wherever it is inherited."""


def add_flow(
    flows: dict[tuple[int, str], list[int]], programme: ProgrammeId, kind: str, amount: int, events: int = 1
) -> None:
    """Add one movement to the running totals of a programme."""
    flow = flows.get((programme, kind))
    if flow is None:
        flows[(programme, kind)] = [amount, events]
    else:
        flow[0] += amount
        flow[1] += events


def batch_reference(programme: ProgrammeId, number: int) -> bytes:
    """Return what the entries of a mint refer to: programme 4 bytes, batch number 8 bytes."""
    return programme.to_bytes(4, "big") + number.to_bytes(8, "big")


_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")
_WORD = re.compile("0x[0-9a-fA-F]{64}")
_BYTES = re.compile("0x(?:[0-9a-fA-F]{2})*")
_QUANTITY = re.compile("0x[0-9a-fA-F]+")
_MEMBERS = {
    "address": _ADDRESS,
    "data": _BYTES,
    "blockNumber": _QUANTITY,
    "logIndex": _QUANTITY,
    "blockHash": _WORD,
    "transactionHash": _WORD,
}
_TOPICS_MAX = 4


def _has_shape(log: Log) -> bool:
    """Return whether an object has what `eth_getLogs` promises of a log."""
    topics = log.get("topics")
    return (
        all(_matches(form, log.get(name)) for name, form in _MEMBERS.items())
        and isinstance(topics, list)
        and len(topics) <= _TOPICS_MAX
        and all(_matches(_WORD, topic) for topic in topics)
    )


def _matches(form: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _words(log: Log, count: int) -> list[int]:
    data = log["data"]
    if len(data) != 2 + 64 * count:
        raise ValueError(f"{count} words wanted")
    return [int(data[at : at + 64], 16) for at in range(2, 2 + 64 * count, 64)]


def _hash(log: Log, topic: int) -> bytes:
    return bytes.fromhex(log["topics"][topic][2:])


def _address(log: Log, topic: int) -> bytes:
    return bytes.fromhex(log["topics"][topic][26:])


def _signed(word: int) -> int:
    return word - _WORD_SPAN if word >= _SIGN_BIT else word
