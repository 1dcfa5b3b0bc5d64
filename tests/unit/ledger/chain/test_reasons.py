"""Failures of nodes: each of their words leads to one reason of the closed set, and each reason says if to retry."""

from __future__ import annotations

import pytest

from ledger.chain.reasons import NODE_PHRASES, RpcReason, classify, is_retryable
from ledger.chain.rpc import RpcError


@pytest.mark.parametrize("reason", list(RpcReason))
def test_every_reason_says_whether_to_retry(reason: RpcReason) -> None:
    assert is_retryable(reason) in (True, False)


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        # Anvil 1.7.1, as it answers
        (-32003, "transaction already imported", RpcReason.ALREADY_KNOWN),
        (-32003, "replacement transaction underpriced", RpcReason.UNDERPRICED),
        (-32003, "nonce too low", RpcReason.NONCE_TOO_LOW),
        (-32000, "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit", RpcReason.GAS_TOO_HIGH),
        (-32000, "intrinsic gas too low", RpcReason.GAS_TOO_LOW),
        (-32003, "Insufficient funds for gas * price + value", RpcReason.INSUFFICIENT_FUNDS),
        (-32602, "Failed to decode transaction", RpcReason.INVALID_TRANSACTION),
        (-32601, "Method not found", RpcReason.METHOD_NOT_FOUND),
        (-32602, "BlockOutOfRangeError: block height is 161 but requested was 20", RpcReason.BLOCK_UNAVAILABLE),
        (3, "execution reverted: custom error 0x12345678", RpcReason.REVERTED),
        (-32603, "EVM error StackUnderflow", RpcReason.REVERTED),
        # Besu
        (-32000, "Known transaction", RpcReason.ALREADY_KNOWN),
        (-32001, "Nonce too low", RpcReason.NONCE_TOO_LOW),
        (-32006, "Nonce too high", RpcReason.NONCE_GAP),
        (-32000, "Transaction nonce is too distant from current sender nonce", RpcReason.NONCE_GAP),
        (-32000, "An invalid transaction with a lower nonce exists", RpcReason.NONCE_GAP),
        (-32005, "Transaction gas limit exceeds block gas limit", RpcReason.GAS_TOO_HIGH),
        (-32005, "Requested range exceeds maximum RPC range limit", RpcReason.RANGE_TOO_LARGE),
        (-32007, "Sender account not authorized to send transactions", RpcReason.NOT_PERMITTED),
        (-32009, "Gas price below configured minimum gas price", RpcReason.UNDERPRICED),
        (-32000, "Wrong chainId", RpcReason.INVALID_TRANSACTION),
        (-32000, "Execution reverted", RpcReason.REVERTED),
        (-32008, "Initial sync is still in progress", RpcReason.NOT_READY),
        (-32604, "Method not enabled", RpcReason.METHOD_NOT_FOUND),
        (-39001, "Unknown block", RpcReason.BLOCK_UNAVAILABLE),
        # geth, and GoQuorum
        (-32000, "already known", RpcReason.ALREADY_KNOWN),
        (-32000, "nonce too low: next nonce 5, tx nonce 3", RpcReason.NONCE_TOO_LOW),
        (-32000, "txpool is full", RpcReason.POOL_FULL),
        (-32000, "account limit exceeded", RpcReason.POOL_FULL),
        (-32000, "exceeds block gas limit", RpcReason.GAS_TOO_HIGH),
        (-32000, "invalid sender", RpcReason.INVALID_TRANSACTION),
        (-32000, "header not found", RpcReason.BLOCK_UNAVAILABLE),
        (-32002, "request timed out", RpcReason.TIMEOUT),
        (-32601, "the method foo does not exist/is not available", RpcReason.METHOD_NOT_FOUND),
        (-32000, "transaction indexing is in progress", RpcReason.NOT_READY),
        # OpenEthereum and its heirs, Nethermind, and what stands before nodes
        (-32010, "Transaction nonce is too low. Try incrementing the nonce.", RpcReason.NONCE_TOO_LOW),
        (-32010, "OldNonce, Current nonce: 5, nonce of rejected tx: 3", RpcReason.NONCE_TOO_LOW),
        (-32015, "VM execution error. Reverted 0x08c379a0", RpcReason.REVERTED),
        (-32000, "unknown transaction type", RpcReason.INVALID_TRANSACTION),
        (429, "slow down", RpcReason.RATE_LIMITED),
        (-32000, "Too Many Requests", RpcReason.RATE_LIMITED),
        (-32000, "batch limit 10 exceeded", RpcReason.RANGE_TOO_LARGE),
        # codes where the words say nothing
        (-32005, "limit", RpcReason.RATE_LIMITED),
        (-32603, "oops", RpcReason.NODE_INTERNAL),
        (-32602, "nonsense", RpcReason.INVALID_PARAMS),
        # what nobody knows stays unknown
        (-32000, "the moon is full", RpcReason.UNKNOWN),
        (None, "", RpcReason.UNKNOWN),
    ],
)
def test_a_nodes_words_come_before_its_code(code: int | None, message: str, reason: RpcReason) -> None:
    assert classify(code, message) is reason


def test_phrases_are_lower_case_and_none_hides_behind_a_shorter_one() -> None:
    for index, (phrase, reason) in enumerate(NODE_PHRASES):
        assert phrase == phrase.lower()
        hidden_by = [(other, r) for other, r in NODE_PHRASES[:index] if other in phrase and r is not reason]
        assert hidden_by == [], phrase


def test_an_error_says_method_reason_and_code() -> None:
    error = RpcError(RpcReason.POOL_FULL, "txpool is full", method="eth_sendRawTransaction", code=-32000)
    assert str(error) == "eth_sendRawTransaction: pool_full: txpool is full (code -32000)"
    assert error.is_retryable
