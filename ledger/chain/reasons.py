"""Why a call to a node failed: a closed set of reasons, and the node's words for each.

The words are matched where the node's source says them:

- Anvil: `crates/anvil/src/eth/error.rs` (foundry-rs/foundry@02ad6de)
- geth, and GoQuorum which is built on it: `core/txpool/errors.go` (ethereum/go-ethereum@0dfc43a), `core/error.go`
  (@003d175), `core/txpool/legacypool/legacypool.go` (@2daaf7d), `rpc/errors.go` (@12e9e41)
- Besu: `ethereum/api/src/main/java/org/hyperledger/besu/ethereum/api/jsonrpc/internal/response/RpcErrorType.java`
  (hyperledger/besu@06af6b5)
- codes: JSON-RPC 2.0 section 5.1 and EIP-1474
"""

from __future__ import annotations

from enum import StrEnum


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


# Each row: what a node says, lower case, as a part of its message; what it means. First match wins, so longer and more
# special phrases stand before those they contain.
NODE_PHRASES: tuple[tuple[str, RpcReason], ...] = (
    # Anvil error.rs `PoolError::AlreadyImported`; geth txpool `ErrAlreadyKnown`; Besu ETH_SEND_TX_ALREADY_KNOWN.
    ("already imported", RpcReason.ALREADY_KNOWN),
    ("already known", RpcReason.ALREADY_KNOWN),
    # "unknown transaction type" contains "known transaction".
    ("unknown transaction", RpcReason.INVALID_TRANSACTION),
    ("known transaction", RpcReason.ALREADY_KNOWN),
    # Anvil `InvalidTransactionError::NonceTooLow`; geth core `ErrNonceTooLow`; Besu NONCE_TOO_LOW.
    # As others say it: OpenEthereum and its heirs "Transaction nonce is too low", Nethermind "OldNonce".
    ("nonce too low", RpcReason.NONCE_TOO_LOW),
    ("nonce is too low", RpcReason.NONCE_TOO_LOW),
    ("nonce is lower than", RpcReason.NONCE_TOO_LOW),
    ("oldnonce", RpcReason.NONCE_TOO_LOW),
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
    # OpenEthereum and its heirs say "VM execution error." and, in the data, "Reverted 0x…".
    ("execution reverted", RpcReason.REVERTED),
    ("reverted 0x", RpcReason.REVERTED),
    ("vm execution error", RpcReason.REVERTED),
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
    ("batch size", RpcReason.RANGE_TOO_LARGE),
    ("batch limit", RpcReason.RANGE_TOO_LARGE),
    ("query returned more than", RpcReason.RANGE_TOO_LARGE),
    ("block range", RpcReason.RANGE_TOO_LARGE),
    ("exceeds maximum rpc range limit", RpcReason.RANGE_TOO_LARGE),
    ("exceeds max batch size", RpcReason.RANGE_TOO_LARGE),
    ("too large request", RpcReason.RANGE_TOO_LARGE),
    # geth ethapi `errTxIndexingInProgress` ("transaction indexing is in progress"): it has no answer yet.
    ("indexing is in progress", RpcReason.NOT_READY),
    ("indexing in progress", RpcReason.NOT_READY),
    # Besu CHAIN_HEAD_WORLD_STATE_NOT_AVAILABLE, TX_POOL_DISABLED.
    ("initial sync is still in progress", RpcReason.NOT_READY),
    ("transaction pool not enabled", RpcReason.NOT_READY),
    # What stands before a node, in the body of an answer with status 200.
    ("too many requests", RpcReason.RATE_LIMITED),
    ("rate limit", RpcReason.RATE_LIMITED),
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
    429: RpcReason.RATE_LIMITED,  # HTTP's status, in an error object
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


def classify_status(status: int) -> RpcReason:
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
