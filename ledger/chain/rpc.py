"""A JSON-RPC 2.0 client for Ethereum nodes whose failures are a closed set of reasons.

The node's words are matched where its source says them:

- Anvil: `crates/anvil/src/eth/error.rs` (foundry-rs/foundry@02ad6de)
- geth, and GoQuorum which is built on it: `core/txpool/errors.go` (ethereum/go-ethereum@0dfc43a), `core/error.go`
  (@003d175), `core/txpool/legacypool/legacypool.go` (@2daaf7d), `rpc/errors.go` (@12e9e41)
- Besu: `ethereum/api/src/main/java/org/hyperledger/besu/ethereum/api/jsonrpc/internal/response/RpcErrorType.java`
  (hyperledger/besu@06af6b5)
- codes: JSON-RPC 2.0 section 5.1 and EIP-1474
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx
import orjson

from ledger.chain.errors import ChainError
from ledger.errors import Unavailable


class RpcReason(StrEnum):
    """Why a call failed. Every failure is exactly one of these."""

    ALREADY_KNOWN = "already_known"
    """The node has this very transaction: as good as accepted."""
    NONCE_TOO_LOW = "nonce_too_low"
    """The account's nonce was used: by this transaction, mined, or by another one. Look for the receipt."""
    NONCE_GAP = "nonce_gap"
    """The nonce is ahead of what the node accepts; earlier ones are missing."""
    UNDERPRICED = "underpriced"
    """The gas price is under the node's minimum, or another transaction with this nonce waits in the pool."""
    POOL_FULL = "pool_full"
    """The pool, or the sender's share of it, is full."""
    REVERTED = "reverted"
    """The call ran and reverted; `RpcError.data` has the revert data if the node gave it."""
    GAS_TOO_HIGH = "gas_too_high"
    """The transaction asks for more gas than a block has."""
    GAS_TOO_LOW = "gas_too_low"
    """The gas does not even pay for the transaction's bytes."""
    INSUFFICIENT_FUNDS = "insufficient_funds"
    """The sender cannot pay; on a chain without gas price this means a value or a price that should not be there."""
    INVALID_TRANSACTION = "invalid_transaction"
    """The raw bytes, signature, type or chain id are wrong. The same bytes will never be accepted."""
    NOT_PERMITTED = "not_permitted"
    """The node's allow-list or authentication refuses the sender or the caller."""
    BLOCK_UNAVAILABLE = "block_unavailable"
    """The node has no such block, or no longer its state."""
    RANGE_TOO_LARGE = "range_too_large"
    """Too many blocks, results or bytes for one request; ask for less."""
    INVALID_PARAMS = "invalid_params"
    """The request is malformed in the node's eyes."""
    METHOD_NOT_FOUND = "method_not_found"
    """The node does not offer the method, or not to us."""
    NOT_READY = "not_ready"
    """The node is starting or syncing."""
    RATE_LIMITED = "rate_limited"
    """The node, or what stands before it, wants fewer requests."""
    UNREACHABLE = "unreachable"
    """No connection, or it broke. Whether the call had its effect is not known."""
    TIMEOUT = "timeout"
    """No answer in time. Whether the call had its effect is not known."""
    MALFORMED_ANSWER = "malformed_answer"
    """The answer is not JSON-RPC, answers another question, or is larger than allowed."""
    NODE_INTERNAL = "node_internal"
    """The node says that it failed."""
    UNKNOWN = "unknown"
    """None of the above: raise an alarm and add the case."""


def is_retryable(reason: RpcReason) -> bool:
    """Say whether the same request can succeed later without anybody changing it."""
    match reason:
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
        ):
            return True
        case (
            RpcReason.ALREADY_KNOWN
            | RpcReason.NONCE_TOO_LOW
            | RpcReason.UNDERPRICED
            | RpcReason.REVERTED
            | RpcReason.GAS_TOO_HIGH
            | RpcReason.GAS_TOO_LOW
            | RpcReason.INSUFFICIENT_FUNDS
            | RpcReason.INVALID_TRANSACTION
            | RpcReason.NOT_PERMITTED
            | RpcReason.RANGE_TOO_LARGE
            | RpcReason.INVALID_PARAMS
            | RpcReason.METHOD_NOT_FOUND
            | RpcReason.UNKNOWN
        ):
            return False


class RpcError(ChainError, Unavailable):
    """A call failed. ``code`` and ``data`` are the node's, where it gave them; ``data`` is revert data as bytes."""

    def __init__(
        self,
        reason: RpcReason,
        message: str,
        *,
        method: str = "",
        code: int | None = None,
        data: bytes | None = None,
    ) -> None:
        self.reason = reason
        self.node_message = message
        self.method = method
        self.code = code
        self.data = data
        at = f"{method}: " if method else ""
        super().__init__(f"{at}{reason.value}: {message}" + (f" (code {code})" if code is not None else ""))

    @property
    def is_retryable(self) -> bool:
        """See `is_retryable`."""
        return is_retryable(self.reason)


# Each row: what a node says, lower case, as a part of its message; what it means. First match wins, so longer and more
# special phrases stand before those they contain.
NODE_PHRASES: tuple[tuple[str, RpcReason], ...] = (
    # Anvil error.rs `PoolError::AlreadyImported`; geth txpool `ErrAlreadyKnown`; Besu ETH_SEND_TX_ALREADY_KNOWN.
    ("already imported", RpcReason.ALREADY_KNOWN),
    ("already known", RpcReason.ALREADY_KNOWN),
    ("known transaction", RpcReason.ALREADY_KNOWN),
    # Anvil `InvalidTransactionError::NonceTooLow`; geth core `ErrNonceTooLow`; Besu NONCE_TOO_LOW.
    ("nonce too low", RpcReason.NONCE_TOO_LOW),
    # Anvil `NonceTooHigh`; geth core `ErrNonceTooHigh`; Besu NONCE_TOO_HIGH, NONCE_TOO_FAR_IN_FUTURE_FOR_SENDER,
    # LOWER_NONCE_INVALID_TRANSACTION_EXISTS; geth legacypool `ErrOutOfOrderTxFromDelegated`.
    ("nonce too high", RpcReason.NONCE_GAP),
    ("too distant from current sender nonce", RpcReason.NONCE_GAP),
    ("lower nonce exists", RpcReason.NONCE_GAP),
    ("gapped-nonce", RpcReason.NONCE_GAP),
    # Anvil `ReplacementUnderpriced`; geth txpool `ErrReplaceUnderpriced`, `ErrUnderpriced`, core `ErrFeeCapTooLow`;
    # Besu ETH_SEND_TX_REPLACEMENT_UNDERPRICED, GAS_PRICE_TOO_LOW, GAS_PRICE_BELOW_CURRENT_BASE_FEE.
    ("underpriced", RpcReason.UNDERPRICED),
    ("insufficient gas price to replace", RpcReason.UNDERPRICED),
    ("less than block base fee", RpcReason.UNDERPRICED),
    ("below configured minimum gas price", RpcReason.UNDERPRICED),
    ("below current base fee", RpcReason.UNDERPRICED),
    # geth legacypool `ErrTxPoolOverflow`, txpool `ErrAccountLimitExceeded`, `ErrFutureReplacePending`.
    ("txpool is full", RpcReason.POOL_FULL),
    ("transaction pool is full", RpcReason.POOL_FULL),
    ("account limit exceeded", RpcReason.POOL_FULL),
    ("future transaction tries to replace pending", RpcReason.POOL_FULL),
    # Anvil `InvalidTransactionError::Revert`, `EvmError(Revert)`; geth vm `ErrExecutionReverted`; Besu REVERT_ERROR,
    # EXECUTION_HALTED.
    ("execution reverted", RpcReason.REVERTED),
    ("evm error", RpcReason.REVERTED),
    ("could not be completed due to an exception", RpcReason.REVERTED),
    ("gas required exceeds allowance", RpcReason.REVERTED),
    # Anvil `GasTooHigh`; geth txpool `ErrGasLimit`; Besu EXCEEDS_BLOCK_GAS_LIMIT.
    ("intrinsic gas too high", RpcReason.GAS_TOO_HIGH),
    ("greater than the block gas limit", RpcReason.GAS_TOO_HIGH),
    ("exceeds block gas limit", RpcReason.GAS_TOO_HIGH),
    ("gas limit reached", RpcReason.GAS_TOO_HIGH),
    # Anvil `GasTooLow`; geth core `ErrIntrinsicGas`; Besu INTRINSIC_GAS_EXCEEDS_LIMIT.
    ("intrinsic gas too low", RpcReason.GAS_TOO_LOW),
    ("intrinsic gas exceeds gas limit", RpcReason.GAS_TOO_LOW),
    # Anvil `InsufficientFunds`; geth core `ErrInsufficientFunds`; Besu TRANSACTION_UPFRONT_COST_EXCEEDS_BALANCE.
    ("insufficient funds", RpcReason.INSUFFICIENT_FUNDS),
    ("upfront cost exceeds account balance", RpcReason.INSUFFICIENT_FUNDS),
    # Anvil `FailedToDecodeSignedTransaction`, `InvalidChainId`, `IncompatibleEIP155`, `SenderNoEOA`, `NonceMaxValue`,
    # `MaxInitCodeSizeExceeded`; geth types `ErrInvalidSig`, `ErrTxTypeNotSupported`, txpool `ErrInvalidSender`,
    # `ErrOversizedData`; Besu INVALID_TRANSACTION_SIGNATURE, INVALID_TRANSACTION_TYPE, WRONG_CHAIN_ID,
    # REPLAY_PROTECTED_SIGNATURE_REQUIRED, REPLAY_PROTECTED_SIGNATURES_NOT_SUPPORTED.
    ("failed to decode transaction", RpcReason.INVALID_TRANSACTION),
    ("empty transaction data", RpcReason.INVALID_TRANSACTION),
    ("invalid chain id", RpcReason.INVALID_TRANSACTION),
    ("wrong chainid", RpcReason.INVALID_TRANSACTION),
    ("chainid is required", RpcReason.INVALID_TRANSACTION),
    ("chainid not supported", RpcReason.INVALID_TRANSACTION),
    ("signed for another chain", RpcReason.INVALID_TRANSACTION),
    ("only replay-protected", RpcReason.INVALID_TRANSACTION),
    ("sender not an eoa", RpcReason.INVALID_TRANSACTION),
    ("nonce has max value", RpcReason.INVALID_TRANSACTION),
    ("max initcode size exceeded", RpcReason.INVALID_TRANSACTION),
    ("invalid sender", RpcReason.INVALID_TRANSACTION),
    ("invalid signature", RpcReason.INVALID_TRANSACTION),
    ("invalid transaction v, r, s values", RpcReason.INVALID_TRANSACTION),
    ("transaction type not supported", RpcReason.INVALID_TRANSACTION),
    ("invalid transaction type", RpcReason.INVALID_TRANSACTION),
    ("oversized data", RpcReason.INVALID_TRANSACTION),
    # Besu TX_SENDER_NOT_AUTHORIZED, UNAUTHORIZED.
    ("not authorized", RpcReason.NOT_PERMITTED),
    ("unauthorized", RpcReason.NOT_PERMITTED),
    # Anvil `BlockOutOfRange`, `BlockNotFound`, `DataUnavailable`; geth api `header not found`, trie
    # `missing trie node`; Besu UNKNOWN_BLOCK, BLOCK_NOT_FOUND, WORLD_STATE_UNAVAILABLE.
    ("blockoutofrangeerror", RpcReason.BLOCK_UNAVAILABLE),
    ("resource not found", RpcReason.BLOCK_UNAVAILABLE),
    ("required data unavailable", RpcReason.BLOCK_UNAVAILABLE),
    ("header not found", RpcReason.BLOCK_UNAVAILABLE),
    ("missing trie node", RpcReason.BLOCK_UNAVAILABLE),
    ("unknown block", RpcReason.BLOCK_UNAVAILABLE),
    ("block not found", RpcReason.BLOCK_UNAVAILABLE),
    ("world state unavailable", RpcReason.BLOCK_UNAVAILABLE),
    # geth rpc `errMsgResponseTooLarge`, `errMsgBatchTooLarge`; Besu EXCEEDS_RPC_MAX_BLOCK_RANGE,
    # EXCEEDS_RPC_MAX_BATCH_SIZE, INVALID_RANGE_REQUEST_TOO_LARGE.
    ("response too large", RpcReason.RANGE_TOO_LARGE),
    ("batch too large", RpcReason.RANGE_TOO_LARGE),
    ("exceeds maximum rpc range limit", RpcReason.RANGE_TOO_LARGE),
    ("exceeds max batch size", RpcReason.RANGE_TOO_LARGE),
    ("too large request", RpcReason.RANGE_TOO_LARGE),
    # Besu CHAIN_HEAD_WORLD_STATE_NOT_AVAILABLE, TX_POOL_DISABLED.
    ("initial sync is still in progress", RpcReason.NOT_READY),
    ("transaction pool not enabled", RpcReason.NOT_READY),
    # geth rpc `errMsgTimeout`; Besu TIMEOUT_ERROR.
    ("request timed out", RpcReason.TIMEOUT),
    ("timeout expired", RpcReason.TIMEOUT),
    # geth rpc `methodNotFoundError`; Besu METHOD_NOT_ENABLED.
    ("does not exist/is not available", RpcReason.METHOD_NOT_FOUND),
    ("method not found", RpcReason.METHOD_NOT_FOUND),
    ("method not enabled", RpcReason.METHOD_NOT_FOUND),
)

# Codes say less than words (-32000 is anything, Besu's -32005 is a gas limit, a range or a batch), so they come second.
_CODES: dict[int, RpcReason] = {
    3: RpcReason.REVERTED,  # geth's and Anvil's code for a revert with data
    -32601: RpcReason.METHOD_NOT_FOUND,
    -32604: RpcReason.METHOD_NOT_FOUND,  # Besu METHOD_NOT_ENABLED
    -32600: RpcReason.INVALID_PARAMS,
    -32602: RpcReason.INVALID_PARAMS,
    -32700: RpcReason.INVALID_PARAMS,
    -32603: RpcReason.NODE_INTERNAL,
    -32005: RpcReason.RATE_LIMITED,  # EIP-1474 "limit exceeded", as hosted nodes use it
    -32006: RpcReason.NONCE_GAP,  # Besu NONCE_TOO_HIGH
    -32007: RpcReason.NOT_PERMITTED,  # Besu TX_SENDER_NOT_AUTHORIZED
    -40100: RpcReason.NOT_PERMITTED,  # Besu UNAUTHORIZED
}


def classify(code: int | None, message: str) -> RpcReason:
    """Return the reason behind a node's error object: by its words first, then by its code, else UNKNOWN."""
    words = message.lower()
    for phrase, reason in NODE_PHRASES:
        if phrase in words:
            return reason
    if code is None:
        return RpcReason.UNKNOWN
    return _CODES.get(code, RpcReason.UNKNOWN)


def _classify_status(status: int) -> RpcReason:
    match status:
        case 401 | 403:
            return RpcReason.NOT_PERMITTED
        case 408 | 504:
            return RpcReason.TIMEOUT
        case 413:
            return RpcReason.RANGE_TOO_LARGE
        case 429:
            return RpcReason.RATE_LIMITED
        case 502 | 503:
            return RpcReason.UNREACHABLE
        case _:
            return RpcReason.MALFORMED_ANSWER


@dataclass(frozen=True, slots=True)
class RpcLimits:
    """How much one HTTP request may carry and bring back. The defaults fit Besu's and geth's (1,000 calls, 5 MB)."""

    batch_calls_max: int = 500
    request_bytes_max: int = 4 * 1024 * 1024
    answer_bytes_max: int = 256 * 1024 * 1024


Call = tuple[str, Sequence[Any]]


class RpcClient:
    """Calls one node over HTTP with keep-alive. Safe to share between threads. It never retries by itself.

    Raises `RpcError`, and nothing else, for each failure on the way.
    """

    def __init__(
        self,
        url: str,
        timeout_s: float = 30.0,
        *,
        limits: RpcLimits | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Prepare to call ``url``. ``headers`` may carry a bearer token; they are never logged."""
        self._url = url
        self._limits = limits or RpcLimits()
        self._ids = itertools.count(1)
        self._timeout_s = timeout_s
        # trust_env would send loopback calls through a proxy that the environment names.
        self._http = httpx.Client(
            timeout=timeout_s,
            trust_env=False,
            headers={"content-type": "application/json", "accept-encoding": "identity", **(headers or {})},
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=60.0),
        )

    @property
    def url(self) -> str:
        """The node's address."""
        return self._url

    def call(self, method: str, params: Sequence[Any] = (), *, timeout_s: float | None = None) -> Any:
        """Return the result of one call, as JSON gives it."""
        identifier = next(self._ids)
        answer = self._post(_request(identifier, method, params), method, timeout_s)
        if not isinstance(answer, dict):
            raise RpcError(RpcReason.MALFORMED_ANSWER, "the answer is not an object", method=method)
        result = _read_one(answer, identifier, method)
        if isinstance(result, RpcError):
            raise result
        return result

    def batch(self, calls: Sequence[Call], *, timeout_s: float | None = None, chunk: int | None = None) -> list[Any]:
        """Return the results of many calls in their order; raise the first failure, if any.

        Warning: a node may run the calls of a batch in any order. Anvil does so from the 64th call on (measured).
        """
        results = self.batch_outcomes(calls, timeout_s=timeout_s, chunk=chunk)
        for result in results:
            if isinstance(result, RpcError):
                raise result
        return results

    def batch_outcomes(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, chunk: int | None = None
    ) -> list[Any]:
        """Return for each call, in order, its result or the `RpcError` it failed with.

        A failure of the whole request (unreachable, timeout) is raised; what earlier chunks did then stays done.
        ``chunk`` limits the calls of one HTTP request further than the client's limits do.
        """
        results: list[Any] = []
        for part in self._chunks(calls, chunk):
            results.extend(self._batch_once(part, timeout_s))
        return results

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> RpcClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _chunks(self, calls: Sequence[Call], chunk: int | None) -> Iterator[list[tuple[int, str, bytes]]]:
        calls_max = min(chunk or self._limits.batch_calls_max, self._limits.batch_calls_max)
        part: list[tuple[int, str, bytes]] = []
        size = 0
        for method, params in calls:
            identifier = next(self._ids)
            body = _request(identifier, method, params)
            if part and (len(part) >= calls_max or size + len(body) > self._limits.request_bytes_max):
                yield part
                part, size = [], 0
            part.append((identifier, method, body))
            size += len(body) + 1
        if part:
            yield part

    def _batch_once(self, part: list[tuple[int, str, bytes]], timeout_s: float | None) -> list[Any]:
        label = part[0][1] if len({method for _, method, _ in part}) == 1 else "batch"
        answer = self._post(b"[" + b",".join(body for _, _, body in part) + b"]", label, timeout_s)
        if isinstance(answer, dict):  # the node refused the batch as a whole
            refused = _read_one(answer, None, label)
            raise (
                refused
                if isinstance(refused, RpcError)
                else RpcError(RpcReason.MALFORMED_ANSWER, "a batch was answered by one result", method=label)
            )
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise RpcError(RpcReason.MALFORMED_ANSWER, "the answer to a batch is not a list of objects", method=label)
        by_id = {item.get("id"): item for item in answer}
        if len(answer) != len(part) or len(by_id) != len(part):
            raise RpcError(RpcReason.MALFORMED_ANSWER, f"{len(part)} calls got {len(answer)} answers", method=label)
        missing = [identifier for identifier, _, _ in part if identifier not in by_id]
        if missing:
            raise RpcError(RpcReason.MALFORMED_ANSWER, f"no answer to call {missing[0]}", method=label)
        return [_read_one(by_id[identifier], identifier, method) for identifier, method, _ in part]

    def _post(self, body: bytes, method: str, timeout_s: float | None) -> Any:
        timeout = self._timeout_s if timeout_s is None else timeout_s
        try:
            with self._http.stream("POST", self.url, content=body, timeout=timeout) as response:
                content = self._read(response, method, time.monotonic() + timeout)
                status = response.status_code
        except httpx.TimeoutException as error:
            raise RpcError(RpcReason.TIMEOUT, type(error).__name__, method=method) from error
        except httpx.InvalidURL as error:
            raise RpcError(RpcReason.UNREACHABLE, str(error), method=method) from error
        except httpx.DecodingError as error:
            raise RpcError(RpcReason.MALFORMED_ANSWER, str(error), method=method) from error
        except httpx.HTTPError as error:
            raise RpcError(RpcReason.UNREACHABLE, str(error) or type(error).__name__, method=method) from error
        except RuntimeError as error:  # httpx: "Cannot send a request, as the client has been closed."
            raise RpcError(RpcReason.UNREACHABLE, str(error), method=method) from error
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            reason = RpcReason.MALFORMED_ANSWER if status == 200 else _classify_status(status)
            raise RpcError(reason, f"HTTP {status}, {len(content)} bytes: {error}", method=method) from error
        if status != 200 and not (isinstance(answer, dict) and "error" in answer):
            raise RpcError(_classify_status(status), f"HTTP {status}", method=method, code=status)
        return answer

    def _read(self, response: httpx.Response, method: str, deadline_s: float) -> bytes:
        """Read the body; httpx's timeout is for each piece, so an answer in drops would never end by it."""
        chunks: list[bytes] = []
        size = 0
        for piece in response.iter_bytes():
            size += len(piece)
            if time.monotonic() > deadline_s:
                raise RpcError(RpcReason.TIMEOUT, "the answer does not end", method=method)
            if size > self._limits.answer_bytes_max:
                raise RpcError(
                    RpcReason.MALFORMED_ANSWER,
                    f"the answer is larger than {self._limits.answer_bytes_max} bytes",
                    method=method,
                )
            chunks.append(piece)
        return b"".join(chunks)


class HealingRpcClient(RpcClient):
    """A client that can be moved to another address, and that asks for healing when the node is gone.

    The embedded engine gives this one to readers: a node that died is replaced, and the reader's call goes to the new
    one. ``heal`` returns True if the call should be tried again; it is called without any lock held here.
    """

    def __init__(self, url: str, timeout_s: float, heal: Callable[[str], bool], *, limits: RpcLimits | None = None):
        super().__init__(url, timeout_s, limits=limits)
        self._heal = heal
        self._moved = threading.Lock()

    def move_to(self, url: str) -> None:
        """Send all further calls to ``url``."""
        with self._moved:
            self._url = url

    def _post(self, body: bytes, method: str, timeout_s: float | None) -> Any:
        for _attempt in range(_HEALING_ATTEMPTS):
            url = self.url
            try:
                return super()._post(body, method, timeout_s)
            except RpcError as error:
                if error.reason is not RpcReason.UNREACHABLE or not self._heal(url):
                    raise
        return super()._post(body, method, timeout_s)


_HEALING_ATTEMPTS = 3


def _request(identifier: int, method: str, params: Sequence[Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": identifier, "method": method, "params": list(params)})


def _read_one(answer: dict[str, Any], identifier: int | None, method: str) -> Any:
    """Return the result in an answer object, or the `RpcError` it carries (returned, so that a batch can go on)."""
    error = answer.get("error")
    if error is not None:
        return _node_error(error, method)
    if "result" not in answer or (identifier is not None and answer.get("id") != identifier):
        return RpcError(RpcReason.MALFORMED_ANSWER, "no result, or the answer to another call", method=method)
    return answer["result"]


def _node_error(error: Any, method: str) -> RpcError:
    if not isinstance(error, dict):
        return RpcError(RpcReason.MALFORMED_ANSWER, f"the error is {error!r}"[:200], method=method)
    code = error.get("code")
    code = code if isinstance(code, int) else None
    message = str(error.get("message", ""))[:2_000]
    return RpcError(classify(code, message), message, method=method, code=code, data=_revert_data(error.get("data")))


def _revert_data(data: Any) -> bytes | None:
    if isinstance(data, dict):  # some nodes wrap it once more
        data = data.get("data")
    if not isinstance(data, str) or not data.startswith("0x"):
        return None
    try:
        return bytes.fromhex(data[2:])
    except ValueError:
        return None
