"""A chain whose blocks are the network's business: Besu QBFT, GoQuorum, Clique, or any JSON-RPC node, by its URL."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.chain.answers import contradiction, hash32, member, quantity
from ledger.chain.engine import SubmitOutcome
from ledger.chain.nodes import Anchor, NodesClient, OtherFork
from ledger.chain.rpc import RpcClient, RpcError
from ledger.errors import ConfigurationError
from ledger.standard.keccak import keccak256

_LOG = logging.getLogger(__name__)
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
    """Nodes that others run. Safe to share between threads. See `engine.Engine`.

    With several addresses, bytes are submitted to each, reads go to one that answers, and a block becomes final for us
    when two of them show it (or one, where the others are away).
    """

    def __init__(self, rpc: RpcClient, chain_id: int, finality: Finality, *, reorg_patience_s: float = 15.0) -> None:
        """``reorg_patience_s``: how long all nodes must show another block than the final one to be believed."""
        self._rpc = rpc
        self._chain_id = chain_id
        self._finality = finality
        self._reorg_patience_s = reorg_patience_s
        self._other_fork_since_s: float | None = None
        self._final = 0
        self._lock = threading.Lock()
        if isinstance(rpc, NodesClient):
            rpc.guard.chain_id = chain_id

    @classmethod
    def open(
        cls,
        urls: str | Sequence[str],
        finality: Finality | None = None,
        *,
        timeout_s: float = 30.0,
        headers: dict[str, str] | None = None,
    ) -> RemoteEngine:
        """Connect and ask for the chain id. ``headers`` may carry the nodes' bearer token. Raises `RpcError`."""
        rpc = NodesClient([urls] if isinstance(urls, str) else urls, timeout_s, headers=headers)
        try:
            return cls(rpc, quantity(rpc.call("eth_chainId"), "eth_chainId"), finality or Finality())
        except BaseException:
            rpc.close()
            raise

    @property
    def is_own(self) -> bool:
        """No: others run the nodes."""
        return False

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
        """Send raw transactions in order to every node, one outcome each: the best that any of them gave.

        Raises `RpcError` if no node could be asked.
        """
        calls = [("eth_sendRawTransaction", ["0x" + transaction.hex()]) for transaction in raw]
        if isinstance(self._rpc, NodesClient):
            answers = self._rpc.everywhere(calls, chunk=_BATCH)
        else:
            answers = [self._rpc.batch_outcomes(calls, chunk=_BATCH)]
        outcomes = []
        for transaction, given in zip(raw, zip(*answers, strict=True), strict=True):
            tx_hash = keccak256(transaction)
            found = [_outcome(tx_hash, answer) for answer in given]
            outcomes.append(min(found, key=lambda one: (not one.in_pool, not one.is_retryable)))
        return outcomes

    def produce(self) -> int:
        """Make no block: the network does."""
        return 0

    def final_height(self) -> int:
        """Return the last final block's number; it never goes back, even if another node behind the URL lags.

        For that reason a height counts only once the node shows its block, and another node shows it too: one wrong
        number would be final for ever. Raises `RpcError`.
        """
        try:
            latest = quantity(self._rpc.call("eth_blockNumber"), "eth_blockNumber")
        except OtherFork as fork:
            self._give_way(fork)
            raise
        self._other_fork_since_s = None
        if isinstance(self._rpc, NodesClient) and latest - self._finality.depth > self._final:
            latest = self._rpc.common_height(latest)
        final = max(latest - self._finality.depth, 0)
        if final > self._final:
            numbers = (latest, final)
            head, block = self._rpc.batch([(_GET_BLOCK, [hex(number), False]) for number in numbers])
            for number, shown in zip(numbers, (head, block), strict=True):
                if shown is None or quantity(member(shown, "number", _GET_BLOCK), _GET_BLOCK) != number:
                    raise contradiction(f"it is at block {latest} and does not show block {number}", _GET_BLOCK)
            anchor = Anchor(final, hash32(member(block, "hash", _GET_BLOCK), _GET_BLOCK))
            if isinstance(self._rpc, NodesClient):
                self._rpc.agree(anchor)
                self._rpc.guard.anchor = anchor
        with self._lock:
            self._final = max(self._final, final)
            return self._final

    def _give_way(self, fork: OtherFork) -> None:
        """Forget the final block once all nodes have shown another for long: what was final was not.

        The finality that was set is too low for this network, or its operators set it back. The indexer undoes what it
        must, and says so.
        """
        now_s = time.monotonic()
        if self._other_fork_since_s is None:
            self._other_fork_since_s = now_s
        if now_s - self._other_fork_since_s >= self._reorg_patience_s and isinstance(self._rpc, NodesClient):
            _LOG.critical("the network took back a final block (see TONGDUI_FINALITY): %s", fork)
            self._rpc.guard.anchor, self._other_fork_since_s = None, None
            with self._lock:
                self._final = 0

    @property
    def troubles(self) -> tuple[str, ...]:
        """Which nodes were left, and why."""
        return self._rpc.troubles if isinstance(self._rpc, NodesClient) else ()

    def close(self) -> None:
        """Close the connections."""
        self._rpc.close()

    def __enter__(self) -> RemoteEngine:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _outcome(tx_hash: bytes, answer: object) -> SubmitOutcome:
    if isinstance(answer, RpcError):
        return SubmitOutcome(tx_hash, answer.reason, answer.node_message)
    return SubmitOutcome(tx_hash, None)
