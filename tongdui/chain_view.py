"""Asks the chain, not the projections: the answers behind the verification endpoint."""

from __future__ import annotations

from sqlalchemy import select

from ledger.chain.engine import Engine
from ledger.deployment import artifacts
from ledger.deployment.file import Deployment
from ledger.standard.contract import BatchState
from ledger.standard.evidence import EvidenceLeaf, verify
from ledger.store.database import Database
from ledger.store.models.projection import OrderOutcomeRow
from ledger_api.ports import OrderOnChain

_EVENTS = {
    ("Exchange", "Exchanged"): "exchange",
    ("Exchange", "Rejected"): "rejected",
    ("Redemption", "Redeemed"): "redeem",
    ("Redemption", "Held"): "hold",
    ("Redemption", "Captured"): "capture",
    ("Redemption", "Released"): "release",
    ("Redemption", "Refunded"): "refund",
    ("Redemption", "Rejected"): "rejected",
}
_FEN_IS_LAST = frozenset({"exchange", "redeem", "capture", "refund"})
_WORD = 32


class EngineChainView:
    """Reads logs and contract state at final height.

    The projection is asked for one thing only: in which block to look for an order. What is said about the order is the
    log that the node shows in that block, so a projection that lies can hide an order, but never invent one.
    """

    def __init__(self, engine: Engine, deployment: Deployment, database: Database) -> None:
        self._engine = engine
        self._deployment = deployment
        self._database = database
        self._kinds = {
            (deployment.address(contract).lower(), "0x" + artifacts.event_topic(contract, event).hex()): kind
            for (contract, event), kind in _EVENTS.items()
        }

    def final_height(self) -> int:
        """Return the number of the last final block."""
        return self._engine.final_height()

    def order(self, order_id: bytes) -> OrderOnChain | None:
        """Return what became of an order, last: its landing or what followed it, else its rejection."""
        final = self._engine.final_height()
        found = [
            one for block in self._blocks_of(order_id) if block <= final for one in self._in_block(order_id, block)
        ]
        landed = [one for one in found if one.code == 0]
        return landed[-1] if landed else (found[0] if found else None)

    def batch(self, programme: int, number: int) -> tuple[BatchState, bytes]:
        """Return (state, evidence root) of a batch at final height."""
        height = self._engine.final_height()
        state = self._view("batchState", (programme, number), height)
        root = self._view("batchRoot", (programme, number), height)
        return BatchState(int(state)), bytes(root)

    def has_grant(self, programme: int, number: int, leaf: EvidenceLeaf, proof: list[bytes]) -> bool:
        """Return whether a grant is in a batch that landed, by its leaf and path to the batch's root."""
        state, root = self.batch(programme, number)
        return state is BatchState.LANDED and verify(root, leaf.hash(), proof)

    def _view(self, function: str, args: tuple[int, ...], height: int) -> int | bytes:
        address = self._deployment.address("Issuance")
        answer: int | bytes = artifacts.view(self._engine.rpc, "Issuance", address, function, args, height)
        return answer

    def _blocks_of(self, order_id: bytes) -> list[int]:
        with self._database.read() as session:
            query = select(OrderOutcomeRow.block_number).where(OrderOutcomeRow.order_id == order_id).distinct()
            return sorted(session.scalars(query))

    def _in_block(self, order_id: bytes, block: int) -> list[OrderOnChain]:
        addresses = sorted({address for address, _ in self._kinds})
        logs = self._engine.rpc.call(
            "eth_getLogs",
            [
                {
                    "fromBlock": hex(block),
                    "toBlock": hex(block),
                    "address": addresses,
                    "topics": [None, "0x" + order_id.hex()],
                }
            ],
        )
        found = []
        for log in logs:
            kind = self._kinds.get((log["address"].lower(), log["topics"][0]))
            if kind is None:
                continue
            last = int.from_bytes(bytes.fromhex(log["data"][2:])[-_WORD:], "big")
            found.append(
                OrderOnChain(
                    kind=kind,
                    code=last if kind == "rejected" else 0,
                    fen=last if kind in _FEN_IS_LAST else None,
                    block_number=block,
                    block_hash=bytes.fromhex(log["blockHash"][2:]),
                    transaction_hash=bytes.fromhex(log["transactionHash"][2:]),
                )
            )
        return found
