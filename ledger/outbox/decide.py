"""What the sender decides, as pure functions of what is known: (state, facts, now) -> action. No I/O, no clock.

The one rule behind them: a transaction's outcome is its receipt in a final block. Nothing else, not the node's pending
count nor its answer to a submission, ends a transaction; what is not ended is submitted again, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ledger.chain.rpc import RpcReason
from ledger.outbox.routes import GAS_MAX, ORDERS_MAX, Routes
from ledger.outbox.states import MessageState
from ledger.standard.civil_time import civil_day, day_start
from ledger.standard.ids import AccountBytes

# ---------------------------------------------------------------------------------------------------------- planning


@dataclass(frozen=True, slots=True)
class Queued:
    """A queued message, as far as planning needs it."""

    message_id: int
    kind: str
    is_order: bool
    target: bytes | None
    payload: bytes
    gas: int
    deadline: int | None
    attempts: int


@dataclass(frozen=True, slots=True)
class RelayerLoad:
    """A relayer that this process may use: its next nonce, and how many of its transactions have no outcome yet."""

    address: AccountBytes
    next_nonce: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A transaction to sign."""

    relayer: AccountBytes
    nonce: int
    kind: str
    target: bytes
    data: bytes
    gas: int
    message_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to sign now, and which orders came too late."""

    transactions: tuple[Planned, ...]
    expired: tuple[int, ...]
    is_held_back: bool = False
    """Whether gas was what kept more from being signed."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much may be signed: unsettled transactions a relayer, and the gas of all new ones together."""

    in_flight: int
    gas: int


def plan(queued: Sequence[Queued], relayers: Sequence[RelayerLoad], routes: Routes, now: int, limit: Limit) -> Plan:
    """Turn queued messages into transactions within a limit, least loaded relayer first.

    An order that was in a reverted call before travels alone, so that it can sink no neighbour twice.
    """
    expired = tuple(m.message_id for m in queued if m.deadline is not None and m.deadline < now)
    late = set(expired)
    loads = {r.address: [r.in_flight, r.next_nonce] for r in relayers}
    planned = []
    gas_left = limit.gas
    is_held_back = False
    for kind, target, data, gas, ids in _calls([m for m in queued if m.message_id not in late], routes):
        address = min(loads, key=lambda one: (loads[one][0], one), default=None)
        if address is None or loads[address][0] >= limit.in_flight:
            break
        if gas > gas_left:
            is_held_back = True
            break
        gas_left -= gas
        planned.append(Planned(address, loads[address][1], kind, target, data, gas, ids))
        loads[address][0] += 1
        loads[address][1] += 1
    return Plan(tuple(planned), expired, is_held_back)


def plan_by_office(
    queued: Sequence[Queued],
    relayers: Sequence[RelayerLoad],
    offices: Mapping[str, bytes],
    routes: Routes,
    now: int,
    limit: Limit,
) -> Plan:
    """As `plan`, where messages of some kinds are sent by one account alone (``offices``: kind → address), which sends
    nothing else."""
    duties = set(offices.values())
    common = plan(
        [one for one in queued if one.kind not in offices],
        [one for one in relayers if one.address not in duties],
        routes,
        now,
        limit,
    )
    transactions, expired, is_held_back = list(common.transactions), list(common.expired), common.is_held_back
    for address in sorted(duties):
        own = plan(
            [one for one in queued if offices.get(one.kind) == address],
            [one for one in relayers if one.address == address],
            routes,
            now,
            limit,
        )
        transactions += own.transactions
        expired += own.expired
        is_held_back = is_held_back or own.is_held_back
    return Plan(tuple(transactions), tuple(expired), is_held_back)


def _calls(queued: Sequence[Queued], routes: Routes) -> Iterator[tuple[str, bytes, bytes, int, tuple[int, ...]]]:
    """Yield (kind, target, calldata, gas, message ids): residents' orders first, then calls, each in queue order."""
    by_kind: dict[str, list[Queued]] = {}
    for message in queued:
        if message.is_order:
            by_kind.setdefault(message.kind, []).append(message)
    for kind, orders in by_kind.items():
        route = routes.get(kind)
        for group, gas in _groups(orders, routes):
            data = routes.calldata(route, b"".join([order.payload for order in group]))
            yield kind, route.target, data, routes.call_gas(gas), tuple(order.message_id for order in group)
    for message in queued:
        if not message.is_order and message.target is not None:
            yield message.kind, message.target, message.payload, min(message.gas, GAS_MAX), (message.message_id,)


def _groups(orders: Sequence[Queued], routes: Routes) -> Iterator[tuple[list[Queued], int]]:
    group: list[Queued] = []
    total = 0
    for order in orders:
        gas = routes.order_gas(order.kind, order.payload)
        if order.attempts:
            yield [order], gas
            continue
        if group and (len(group) >= ORDERS_MAX or routes.call_gas(total + gas) >= GAS_MAX):
            yield group, total
            group, total = [], 0
        group.append(order)
        total += gas
    if group:
        yield group, total


# -------------------------------------------------------------------------------------------------------- submission


class AfterSubmit(StrEnum):
    """What to do with a transaction after the node answered its submission."""

    WAIT = "wait"
    """The node has it, or used its nonce: the receipt will say."""
    RETRY = "retry"
    """Submit the same bytes later."""
    RETRY_WITH_ALARM = "retry_with_alarm"
    """As RETRY, but somebody must change something first: permission, funds, an unknown answer."""
    ABANDON = "abandon"
    """These bytes will never be accepted: fill the nonce with an empty transaction, and fail the messages."""


def after_submit(reason: RpcReason | None) -> AfterSubmit:
    """Decide by the node's answer (None: accepted). Total over `RpcReason`."""
    match reason:
        case None | RpcReason.ALREADY_KNOWN | RpcReason.NONCE_TOO_LOW:
            return AfterSubmit.WAIT
        case (
            RpcReason.NONCE_GAP
            | RpcReason.POOL_FULL
            | RpcReason.NOT_READY
            | RpcReason.RATE_LIMITED
            | RpcReason.UNREACHABLE
            | RpcReason.TIMEOUT
            | RpcReason.MALFORMED_ANSWER
            | RpcReason.NODE_INTERNAL
            | RpcReason.BLOCK_UNAVAILABLE
            | RpcReason.RANGE_TOO_LARGE
            # With gas price 0 everywhere nothing can be outbid: another transaction of ours has this nonce in the pool.
            | RpcReason.UNDERPRICED
        ):
            return AfterSubmit.RETRY
        case (
            RpcReason.INSUFFICIENT_FUNDS
            | RpcReason.NOT_PERMITTED
            | RpcReason.INVALID_PARAMS
            | RpcReason.METHOD_NOT_FOUND
            | RpcReason.REVERTED
            | RpcReason.UNKNOWN
        ):
            return AfterSubmit.RETRY_WITH_ALARM
        case RpcReason.GAS_TOO_HIGH | RpcReason.GAS_TOO_LOW | RpcReason.INVALID_TRANSACTION:
            return AfterSubmit.ABANDON


# ---------------------------------------------------------------------------------------------------------- outcomes


@dataclass(frozen=True, slots=True)
class InFlight:
    """A transaction without an outcome."""

    transaction_id: int
    relayer: AccountBytes
    nonce: int
    unseen_s: float
    """Seconds of the steady clock since it was last submitted."""
    attempts: int
    """How often it was submitted."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says, as far as it matters here."""

    block_number: int
    succeeded: bool
    gas_used: int


class TransactionOutcome(StrEnum):
    """The outcome of a transaction."""

    OPEN = "open"
    RESUBMIT = "resubmit"
    MINED = "mined"
    REVERTED = "reverted"
    REPLACED = "replaced"
    """Another transaction used its nonce in a final block; it can never land."""


def transaction_outcome(
    transaction: InFlight,
    receipt: Receipt | None,
    final_height: int,
    nonces_used: Mapping[bytes, int],
    patience_s: float,
) -> TransactionOutcome:
    """Decide the outcome of a transaction.

    ``nonces_used`` is each relayer's transaction count at ``final_height``, read before the receipt: a nonce below it
    with no receipt was used by another transaction. ``patience_s`` doubles with each attempt, up to 64-fold.
    """
    if receipt is not None:
        if receipt.block_number > final_height:
            return TransactionOutcome.OPEN
        return TransactionOutcome.MINED if receipt.succeeded else TransactionOutcome.REVERTED
    if transaction.nonce < nonces_used.get(transaction.relayer, 0):
        return TransactionOutcome.REPLACED
    wait_s = patience_s * (1 << min(max(transaction.attempts - 1, 0), 6))
    return TransactionOutcome.RESUBMIT if transaction.unseen_s >= wait_s else TransactionOutcome.OPEN


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a message whose transaction reverted: a state of the outbox, why, and when to try again."""

    state: MessageState
    reason: str
    not_before: int = 0
    gas: int | None = None


ATTEMPTS_MAX = 6
PAUSE_RETRY_S = 60
"""How long a message waits before it is tried again at a contract that is paused, or for a programme that is frozen or
overdue."""
CEILING_RETRY_S = 3_600
"""How long at most a batch waits that is beyond its programme's ceiling of the day: the council may raise it."""
_PASSING = frozenset({"PausableIsPaused", "PointsLedgerFrozen", "PointsLedgerOverdue"})


def after_revert(
    kind: str, is_order: bool, error: str | None, out_of_gas: bool, attempts: int, gas: int, now: int
) -> Verdict:
    """Decide by the error's name (with arguments, from the contract's ABI; None: a replay shows none any more).

    ``attempts`` counts the calls in which this message reverted, this one included.
    """
    name = (error or "").split("(", 1)[0]
    if name == "PointsLedgerFundingExceeded":
        return Verdict(MessageState.WAITING_FUNDING, error or "")
    if name == "PointsLedgerCeilingExceeded":
        next_day = day_start(civil_day(now) + 1)
        return Verdict(MessageState.QUEUED, error or "", not_before=min(next_day, now + CEILING_RETRY_S))
    if kind != "void" and name == "PointsLedgerBatchLanded":
        return Verdict(MessageState.DONE, "another gateway relayed this batch")
    if kind == "void" and name == "PointsLedgerBatchVoid":
        return Verdict(MessageState.DONE, "another gateway relayed this void")
    if name in _PASSING:
        return Verdict(MessageState.QUEUED, error or "", not_before=now + PAUSE_RETRY_S)
    if out_of_gas and gas < GAS_MAX and attempts < ATTEMPTS_MAX:
        return Verdict(MessageState.QUEUED, "out of gas", gas=min(GAS_MAX, max(gas, 21_000) * 2))
    if out_of_gas:
        return Verdict(MessageState.FAILED, "out of gas")
    if (is_order or error is None) and attempts < ATTEMPTS_MAX:
        # An order of a reverted call may be innocent, and a replay without an error means that the cause has gone.
        return Verdict(MessageState.QUEUED, error or "reverted, for a cause that has gone")
    return Verdict(MessageState.FAILED, error or "reverted without a reason")
