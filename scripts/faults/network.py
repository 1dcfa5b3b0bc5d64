"""A network whose blocks come by themselves: one Anvil and a miner, begun with the blocks of an embedded chain."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from ledger.chain.embedded.anvil import AnvilNode
from ledger.chain.embedded.journal import Journal
from ledger.chain.rpc import RpcClient, RpcError

_BEAT_S = 0.04
_HISTORY_STATES = 2_000


class Network:
    """A node that others run, as far as the gateway knows. It has everything that the journal of ``chain`` has."""

    def __init__(self, chain: Path, folder: Path) -> None:
        """Start the node. Raises what `AnvilNode.start` raises, or RpcError."""
        journal = Journal(chain / "journal.sqlite3")
        try:
            genesis = journal.genesis()
            if genesis is None:
                raise ValueError(f"the journal in {chain} has no genesis")
            self._node = AnvilNode.start(replace(genesis.settings, history_states=_HISTORY_STATES), folder)
            self._client = RpcClient(self._node.url)
            for block in journal.blocks():
                for raw in block.transactions:
                    self._client.call("eth_sendRawTransaction", ["0x" + raw.hex()])
                self._client.call("evm_mine", [{"timestamp": block.timestamp}])
        finally:
            journal.close()
        self._stopping = threading.Event()
        self._miner = threading.Thread(target=self._mine, name="miner", daemon=True)
        self._miner.start()

    @property
    def url(self) -> str:
        """Where the node really is."""
        return self._node.url

    def close(self) -> None:
        """End the network."""
        self._stopping.set()
        self._miner.join()
        self._client.close()
        self._node.kill()

    def _mine(self) -> None:
        while not self._stopping.wait(_BEAT_S):
            try:
                if int(self._client.call("txpool_status")["pending"], 16):
                    self._client.call("evm_mine")
            except RpcError:
                if not self._node.is_alive():
                    return
