"""A chain whose blocks are the network's business: Besu QBFT, GoQuorum, Clique, or any JSON-RPC node, by its URL."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.chain.answers import contradiction, member, quantity
from ledger.chain.engine import SubmitOutcome
from ledger.chain.rpc import RpcClient, RpcError
from ledger.errors import ConfigurationError
from ledger.standard.keccak import keccak256

_BATCH = 100
_GET_BLOCK = "eth_getBlockByNumber"


@dataclass(frozen=True, slots=True)
class Finality:
    """When a block counts as final: ``depth`` blocks must stand on top of it.

    0 for engines with immediate finality (QBFT, IBFT: what is latest is final); a depth for Clique. The node's own
    ``finalized`` tag is never asked: permissioned engines have none, or one that means nothing.
    """

    depth: int = 0

    @classmethod
    def parse(cls, text: str) -> Finality:
        """Read ``latest`` or ``depth:12``. Raises ConfigurationError for anything else."""
        if text == "latest":
            return cls(0)
        kind, _, number = text.partition(":")
        if kind == "depth" and number.isascii() and number.isdigit() and int(number) > 0:
            return cls(int(number))
        raise ConfigurationError(f"finality is {text!r}; it must be 'latest' or 'depth:' and a number of blocks")


class RemoteEngine:
    """A node that others run. Safe to share between threads. See `engine.Engine`."""

    def __init__(self, rpc: RpcClient, chain_id: int, finality: Finality) -> None:
        self._rpc = rpc
        self._chain_id = chain_id
        self._finality = finality
        self._final = 0
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        url: str,
        finality: Finality | None = None,
        *,
        timeout_s: float = 30.0,
        headers: dict[str, str] | None = None,
    ) -> RemoteEngine:
        """Connect and ask for the chain id. ``headers`` may carry the node's bearer token. Raises `RpcError`."""
        rpc = RpcClient(url, timeout_s, headers=headers)
        try:
            return cls(rpc, quantity(rpc.call("eth_chainId"), "eth_chainId"), finality or Finality())
        except BaseException:
            rpc.close()
            raise

    @property
    def rpc(self) -> RpcClient:
        """The client to read with."""
        return self._rpc

    @property
    def url(self) -> str:
        """The node's address."""
        return self._rpc.url

    @property
    def chain_id(self) -> int:
        """The chain id the node gave when we connected."""
        return self._chain_id

    def submit(self, raw: Sequence[bytes]) -> list[SubmitOutcome]:
        """Send raw transactions in order, one outcome each. Raises `RpcError` if a request fails as a whole."""
        calls = [("eth_sendRawTransaction", ["0x" + transaction.hex()]) for transaction in raw]
        outcomes = []
        for transaction, answer in zip(raw, self._rpc.batch_outcomes(calls, chunk=_BATCH), strict=True):
            tx_hash = keccak256(transaction)
            if isinstance(answer, RpcError):
                outcomes.append(SubmitOutcome(tx_hash, answer.reason, answer.node_message))
            else:
                outcomes.append(SubmitOutcome(tx_hash, None))
        return outcomes

    def produce(self) -> int:
        """Make no block: the network does."""
        return 0

    def final_height(self) -> int:
        """Return the last final block's number; it never goes back, even if another node behind the URL lags.

        For that reason a height counts only once the node shows its block: one wrong number would be final for ever.
        Raises `RpcError`.
        """
        latest = quantity(self._rpc.call("eth_blockNumber"), "eth_blockNumber")
        final = max(latest - self._finality.depth, 0)
        if final > self._final:
            block = self._rpc.call("eth_getBlockByNumber", [hex(latest), False])
            if block is None or quantity(member(block, "number", _GET_BLOCK), _GET_BLOCK) != latest:
                raise contradiction(f"it is at block {latest} and does not show it", _GET_BLOCK)
        with self._lock:
            self._final = max(self._final, final)
            return self._final

    def close(self) -> None:
        """Close the connections."""
        self._rpc.close()

    def __enter__(self) -> RemoteEngine:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
