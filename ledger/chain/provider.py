"""The one web3 provider of this project: web3.py's contracts over our own `RpcClient`.

Whatever web3 asks goes through the client, so failures keep their closed reasons (an `RpcError`, revert data included,
passes through web3 as it was raised), answers keep their deadlines, and a node that was replaced is found again.

It only reads. Transactions are signed by our signers and submitted by the `Engine`, which on the embedded chain makes
the blocks: a transaction that went round it would be in no journal.

Warning: importing this module imports web3, which takes most of a second. Workers, the command line's start and
verification must not import it; import contracts in pyproject.toml hold that.
See `docs/adr/0014-what-stands-on-web3.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from web3 import Web3
from web3.middleware import ExtraDataToPOAMiddleware
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from ledger.chain.answers import hex_bytes, logs
from ledger.chain.rpc import RpcClient, RpcError, RpcReason

_CHAIN_ID = "eth_chainId"

READ_METHODS = frozenset(
    {
        _CHAIN_ID,
        "eth_blockNumber",
        "eth_call",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getProof",
        "eth_getStorageAt",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "web3_clientVersion",
    }
)
"""What the provider forwards. Nothing that signs, submits, prices gas, or keeps a filter on the node."""

_SHAPES: Mapping[str, Callable[[Any, str], object]] = {
    "eth_call": hex_bytes,
    "eth_getCode": hex_bytes,
    "eth_getLogs": logs,
}
"""Answers that web3 would take apart without looking: read strictly here, so that a wrong one is the node's fault."""


class RpcProvider(JSONBaseProvider):
    """Forwards web3's reads to an `RpcClient`. Safe to share between threads, as the client is."""

    global_ccip_read_enabled = False
    """EIP-3668 would let a contract's revert send this process to any address on the network."""

    def __init__(self, rpc: RpcClient, chain_id: int | None = None) -> None:
        """``chain_id``: what the engine knows already; None asks the node once."""
        super().__init__()
        self._rpc = rpc
        self._chain_id = None if chain_id is None else hex(chain_id)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Return the answer to one call. Raises `RpcError`."""
        _require_read(method)
        if method == _CHAIN_ID and self._chain_id is not None:
            return _answer(method, self._chain_id)
        result = self._rpc.call(method, _plain(params))
        if method == _CHAIN_ID:
            self._chain_id = result
        return _answer(method, result)

    def make_batch_request(self, requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
        """Return the answers to many calls in their order. Raises `RpcError`: the first call's that failed."""
        for method, _ in requests:
            _require_read(method)
        results = self._rpc.batch([(method, _plain(params)) for method, params in requests])
        return [_answer(method, result) for (method, _), result in zip(requests, results, strict=True)]

    def is_connected(self, show_traceback: bool = False) -> bool:
        """Return whether the node answers; ``show_traceback`` raises the `RpcError` instead of returning False."""
        try:
            self._rpc.call(_CHAIN_ID)
        except RpcError:
            if show_traceback:
                raise
            return False
        return True


def connect(rpc: RpcClient, chain_id: int | None = None) -> Web3:
    """Return a web3 over a client, without name service and without web3's own middleware.

    Left out: gas prices (0 here, always), estimates, and the validation that refuses blocks of permissioned engines.
    The one middleware renames ``extraData``, which QBFT and Clique fill with more than 32 bytes, to
    ``proofOfAuthorityData``: https://web3py.readthedocs.io/en/stable/middleware.html#proof-of-authority
    """
    return Web3(RpcProvider(rpc, chain_id), middleware=[(ExtraDataToPOAMiddleware, "poa")], ens=None)


def _require_read(method: str) -> None:
    if method not in READ_METHODS:
        raise RpcError(RpcReason.METHOD_NOT_FOUND, "this provider only reads", method=method)


def _plain(value: Any) -> Any:
    """Return parameters as JSON has them: web3 leaves bytes, tuples and mappings of its own in them."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _answer(method: str, result: Any) -> RPCResponse:
    shape = _SHAPES.get(method)
    if shape is not None:
        shape(result, method)
    return {"jsonrpc": "2.0", "id": 0, "result": result}
