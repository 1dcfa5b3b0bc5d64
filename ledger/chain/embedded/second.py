"""A second node that makes each block as well, before it counts as final.

Where the system gives a node no network of its own, any process of the machine can change the first node's state
(``anvil_setBalance``): the block that comes of it could not be made again at the next start. A second node that was
only ever given the journaled transactions makes another block then, and nothing is journaled.
"""

from __future__ import annotations

from pathlib import Path

from ledger.chain.embedded.anvil import kill_orphan
from ledger.chain.embedded.journal import Journal, JournaledBlock
from ledger.chain.embedded.replay import NodeChoices, ReplayedNode, replay_block, replayed_node
from ledger.chain.embedded.snapshots import Snapshots
from ledger.chain.errors import ReplayMismatch
from ledger.chain.rpc import RpcError
from ledger.errors import TongduiError


class SecondDiffers(TongduiError):
    """The two nodes do not make the same block; it is not known which of them was changed."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"block {number} is another one on the second node: {reason}")


class SecondNode:
    """The second node of an engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Where the node keeps what it writes."""
        self._at_head: ReplayedNode | None = None

    def start(self, choices: NodeChoices, journal: Journal, snapshots: Snapshots) -> None:
        """Start it at the journal's head. Raises what `replayed_node` raises."""
        self.drop()
        self._at_head = replayed_node(choices, journal, snapshots)

    def make(self, block: JournaledBlock) -> None:
        """Make a block here too. Raises SecondDiffers if it is another one, or if this node fails."""
        if self._at_head is None:
            raise SecondDiffers(block.number, "it is not there")
        try:
            replay_block(self._at_head.client, block)
        except (ReplayMismatch, RpcError) as error:
            raise SecondDiffers(block.number, str(error)) from error

    def drop(self) -> None:
        """Throw the node away."""
        if self._at_head is not None:
            self._at_head.client.close()
            self._at_head.node.kill()
            self._at_head = None
        kill_orphan(self.folder)
