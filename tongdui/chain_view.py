"""Asks the chain, not the projections: the answers behind the verification endpoint."""

from __future__ import annotations

from typing import Any

from eth_abi.exceptions import DecodingError
from hexbytes import HexBytes
from sqlalchemy import select
from web3.contract.contract import ContractEvent
from web3.exceptions import Web3Exception
from web3.types import LogReceipt

from ledger.chain.answers import contradiction
from ledger.chain.engine import Engine
from ledger.deployment.contracts import Contracts, read
from ledger.deployment.file import Deployment
from ledger.standard.contract import BatchState, batch_state
from ledger.standard.evidence import EvidenceLeaf, verify
from ledger.standard.ids import OrderId, ProgrammeId
from ledger.store.database import Database
from ledger.store.models.projection import BatchRow, OrderOutcomeRow
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


class EngineChainView:
    """Reads logs and contract state at final height.

    The projection is asked for one thing only: in which block to look for an order. What is said about the order is the
    log that the node shows in that block, so a projection that lies can hide an order, but never invent one.
    """

    def __init__(self, engine: Engine, deployment: Deployment, database: Database) -> None:
        self._engine = engine
        self._database = database
        self._contracts = Contracts.of(engine, deployment)
        self._addresses = [self._contracts[name].address for name in sorted({name for name, _ in _EVENTS})]
        self._events: dict[tuple[str, bytes], tuple[str, ContractEvent]] = {}
        for (name, event_name), kind in _EVENTS.items():
            event = self._contracts[name].events[event_name]()
            self._events[str(event.address), bytes.fromhex(event.topic[2:])] = (kind, event)

    def final_height(self) -> int:
        """Return the number of the last final block."""
        return self._engine.final_height()

    def order(self, order_id: OrderId) -> OrderOnChain | None:
        """Return the outcome of an order, last: its landing or what followed it, else its rejection."""
        final = self._engine.final_height()
        found = [
            one for block in self._blocks_of(order_id) if block <= final for one in self._in_block(order_id, block)
        ]
        landed = [one for one in found if one.code == 0]
        return landed[-1] if landed else (found[0] if found else None)

    def batch(self, programme: ProgrammeId, number: int) -> tuple[BatchState, bytes]:
        """Return (state, evidence root) of a batch at final height.

        The root is what the ledger's own event says, whose word is the one that is stored; it is empty where the
        projection does not know yet in which block that event is.
        """
        word_of = self._contracts["PointsLedger"].functions.batchWord
        word = bytes(read(word_of(programme, number), self._engine.final_height()))
        state = batch_state(word)
        root = self._evidence_root(programme, number, word) if state is BatchState.LANDED else b""
        return state, root

    def has_grant(self, programme: ProgrammeId, number: int, leaf: EvidenceLeaf, proof: list[bytes]) -> bool:
        """Return whether a grant is in a batch that landed, by its leaf and path to the batch's root."""
        state, root = self.batch(programme, number)
        return state is BatchState.LANDED and bool(root) and verify(root, leaf.hash(), proof)

    def _evidence_root(self, programme: ProgrammeId, number: int, word: bytes) -> bytes:
        with self._database.read() as session:
            row = session.get(BatchRow, (programme, number))
            block = None if row is None else row.block_number
        if block is None:
            return b""
        minted = self._contracts["PointsLedger"].events.BatchMinted
        wanted = {"programme": programme, "number": number}
        found = minted.get_logs(argument_filters=wanted, from_block=block, to_block=block)
        return next((bytes(log["args"]["evidenceRoot"]) for log in found if bytes(log["args"]["word"]) == word), b"")

    def _blocks_of(self, order_id: OrderId) -> list[int]:
        with self._database.read() as session:
            query = select(OrderOutcomeRow.block_number).where(OrderOutcomeRow.order_id == order_id).distinct()
            return sorted(session.scalars(query))

    def _in_block(self, order_id: OrderId, block: int) -> list[OrderOnChain]:
        logs = self._contracts.web3.eth.get_logs(
            {
                "fromBlock": block,
                "toBlock": block,
                "address": self._addresses,
                "topics": [None, HexBytes(order_id)],
            }
        )
        return [found for log in logs if (found := self._outcome(log)) is not None]

    def _outcome(self, log: LogReceipt) -> OrderOnChain | None:
        known = self._events.get((log["address"], bytes(log["topics"][0])))
        if known is None:
            return None
        kind, event = known
        try:
            found: dict[str, Any] = event.process_log(log)["args"]
        except (Web3Exception, DecodingError) as error:
            raise contradiction(f"the log of {event.event_name} does not decode", "eth_getLogs") from error
        return OrderOnChain(
            kind=kind,
            code=found.get("code", 0),
            fen=found.get("fen"),
            block_number=log["blockNumber"],
            block_hash=bytes(log["blockHash"]),
            transaction_hash=bytes(log["transactionHash"]),
        )
