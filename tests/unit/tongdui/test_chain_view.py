"""What is said of an order is the log that the node shows; the projection says only where to look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.deployment import artifacts
from ledger.standard.ids import Address, to_address
from ledger.store.database import Database
from ledger.store.models.projection import OrderOutcomeRow
from tests.empty_books import empty_books
from tongdui.chain_view import EngineChainView

ORDER = b"\x0a" * 32
HOLDER = "0x" + "00" * 12 + "22" * 20
MERCHANT = "0x" + (7).to_bytes(32, "big").hex()
CONTRACTS = {
    name: to_address(bytes([number]) * 20) for number, name in enumerate(("Exchange", "Redemption", "PointsLedger"), 1)
}


class Node(RpcClient):
    """A client whose node has these logs."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9")
        self.logs: list[dict[str, Any]] = []

    def call(self, method: str, params: Sequence[Any] = (), *, timeout_s: float | None = None) -> Any:
        assert method == "eth_getLogs"
        [wanted] = params
        return [log for log in self.logs if log["blockNumber"] == wanted["fromBlock"] == wanted["toBlock"]]


@dataclass
class Chain:
    """As much of an engine as reading takes."""

    rpc: Node = field(default_factory=Node)
    chain_id: int = 7
    final: int = 20

    def final_height(self) -> int:
        return self.final


@dataclass
class Lab:
    chain: Chain
    database: Database
    view: EngineChainView

    def project(self, *blocks: int) -> None:
        """Let the projection say that something happened to the order in these blocks."""
        with self.database.transaction() as session:
            session.add_all(
                OrderOutcomeRow(
                    block_number=block,
                    log_index=0,
                    order_id=ORDER,
                    kind="redeem",
                    code=0,
                    is_by_arbiter=False,
                    transaction_hash=bytes(32),
                    block_timestamp=0,
                )
                for block in blocks
            )

    def emit(self, block: int, contract: str, event: str, topics: Sequence[str], data: Sequence[int]) -> dict[str, Any]:
        """Let the node have an event of the order in a block."""
        log = {
            "address": CONTRACTS[contract].lower(),
            "topics": ["0x" + artifacts.event_topic(contract, event).hex(), "0x" + ORDER.hex(), *topics],
            "data": "0x" + b"".join(word.to_bytes(32, "big") for word in data).hex(),
            "blockNumber": hex(block),
            "transactionIndex": "0x0",
            "logIndex": hex(len(self.chain.rpc.logs)),
            "blockHash": "0x" + bytes([block]).hex() * 32,
            "transactionHash": "0x" + "ee" * 32,
        }
        self.chain.rpc.logs.append(log)
        return log


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    database = empty_books(tmp_path / "books.db")
    contracts: dict[str, Any] = {name: SimpleNamespace(address=Address(at)) for name, at in CONTRACTS.items()}
    chain: Any = Chain()
    deployment: Any = SimpleNamespace(contracts=contracts)
    yield Lab(chain, database, EngineChainView(chain, deployment, database))
    database.close()


def test_a_capture_follows_its_hold(lab: Lab) -> None:
    lab.project(5, 9)
    lab.emit(5, "Redemption", "Held", [MERCHANT], [1_800_000_000, 1])
    lab.emit(9, "Redemption", "Captured", [MERCHANT], [450, 2 << 64 | 300, 7])
    found = lab.view.order(ORDER)
    assert found is not None
    assert (found.kind, found.code, found.fen, found.block_number) == ("capture", 0, 450, 9)
    assert (found.block_hash, found.transaction_hash) == (b"\x09" * 32, b"\xee" * 32)


def test_a_hold_has_no_fen_and_an_exchange_has_its_last_word(lab: Lab) -> None:
    lab.project(5)
    lab.emit(5, "Redemption", "Held", [MERCHANT], [1_800_000_000, 1])
    held = lab.view.order(ORDER)
    assert held is not None
    assert (held.kind, held.fen) == ("hold", None)
    lab.emit(5, "Exchange", "Exchanged", [HOLDER], [20])
    exchanged = lab.view.order(ORDER)
    assert exchanged is not None
    assert (exchanged.kind, exchanged.fen) == ("exchange", 20)


@pytest.mark.parametrize("contract", ["Exchange", "Redemption"])
def test_a_rejection_counts_only_where_nothing_landed(lab: Lab, contract: str) -> None:
    lab.project(5, 6)
    lab.emit(5, contract, "Rejected", [HOLDER], [11])
    rejected = lab.view.order(ORDER)
    assert rejected is not None
    assert (rejected.kind, rejected.code, rejected.fen) == ("rejected", 11, None)
    lab.emit(6, "Redemption", "Redeemed", [MERCHANT], [450, 7])
    landed = lab.view.order(ORDER)
    assert landed is not None
    assert (landed.kind, landed.code, landed.fen) == ("redeem", 0, 450)


def test_a_projection_that_lies_invents_nothing(lab: Lab) -> None:
    lab.project(5)
    assert lab.view.order(ORDER) is None
    lab.project(30)
    lab.emit(30, "Redemption", "Redeemed", [MERCHANT], [450, 7])
    assert lab.view.order(ORDER) is None, "block 30 is not final"


@pytest.mark.parametrize("cut", ["data", "topics"])
def test_a_log_that_does_not_decode_is_the_nodes_fault(lab: Lab, cut: str) -> None:
    lab.project(5)
    log = lab.emit(5, "Redemption", "Redeemed", [MERCHANT], [450, 7])
    log[cut] = log[cut][:-2] if cut == "data" else log[cut][:-1]
    with pytest.raises(RpcError) as caught:
        lab.view.order(ORDER)
    assert caught.value.reason is RpcReason.MALFORMED_ANSWER
