"""Nodes that others run, whose answers lag, are cut, of another chain, or in forms that public reports know.

The gateway talks to a real node through lines that spoil its answers. None of them loses, doubles or stops anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from ledger.chain.embedded.anvil import AnvilNode
from ledger.chain.nodes import NodesClient
from ledger.chain.remote import Finality, RemoteEngine
from ledger.chain.rpc import RpcClient, RpcError
from ledger.clock import ManualClock
from ledger.gateway import Gateway
from ledger.indexer.errors import InconsistentAnswer
from ledger.outbox.states import MessageState
from ledger.store.database import Database
from ledger.store.migrations import upgrade
from ledger.store.models.outbox import OutboxTransactionRow
from tests.integration.ledger.gateway.lab import START, deploy_city, key
from tests.integration.ledger.gateway.test_lies import (
    Liar,
    Spoil,
    assert_minted,
    deployed,
    mint,
    node,
    refusal,
    result,
    transactions,
)
from tests.integration.ledger.gateway.test_remote import ALICE, IMPATIENT, Network, RemoteLab

__all__ = ["deployed", "node"]  # fixtures

NOTHING: Spoil = result(lambda _: None)


class Served(Network):
    """A network behind lines; blocks are made at the node itself."""

    real: RpcClient

    @classmethod
    def behind(cls, lines: list[str], real: str) -> Served:
        client = RpcClient(real)
        rpc = NodesClient(lines, 10.0)
        made = cls(rpc, int(client.call("eth_chainId"), 16), Finality(0), reorg_patience_s=0.0)
        made.real = client
        return made

    def produce(self) -> int:
        if self.is_mining and int(self.real.call("txpool_status")["pending"], 16):
            self.mine()
        return 0

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.real.call("evm_mine")

    def close(self) -> None:
        self.real.close()
        super().close()


@pytest.fixture
def lines(node: AnvilNode) -> Iterator[list[Liar]]:
    """Two lines to the same node."""
    made = [Liar(node.url), Liar(node.url)]
    yield made
    for one in made:
        one.close()


def open_behind(tmp_path: Path, node: AnvilNode, lines: list[Liar]) -> RemoteLab:
    """An installation whose gateway knows these lines only."""
    shallow = Network.on(node.url, 0)
    deployment = deploy_city(shallow)
    shallow.close()
    database = Database(f"sqlite:///{tmp_path}/desk.sqlite3")
    upgrade(database)
    network: Any = Served.behind([one.url for one in lines], node.url)

    clock = ManualClock(START)
    relayers = [key("relayer")]
    gateway = Gateway(database, network, deployment, relayers, clock, sender_limits=IMPATIENT, poll_s=0.01)
    lab = RemoteLab(tmp_path, clock, network, database, deployment, gateway)
    lab.gateway.run_until_idle(timeout_s=20.0)
    return lab


@pytest.fixture
def lab(tmp_path: Path, node: AnvilNode, lines: list[Liar]) -> Iterator[RemoteLab]:
    """Behind one line."""
    lab = open_behind(tmp_path, node, lines[:1])
    yield lab
    lab.close()


@pytest.fixture
def twofold(tmp_path: Path, node: AnvilNode, lines: list[Liar]) -> Iterator[RemoteLab]:
    """Behind two lines."""
    lab = open_behind(tmp_path, node, lines)
    yield lab
    lab.close()


# An index of hashes that is behind the head


@pytest.mark.parametrize("knows_blocks", [True, False])
def test_an_index_behind_the_head_sends_nothing_anew(lab: RemoteLab, lines: list[Liar], knows_blocks: bool) -> None:
    """Receipt and transaction by hash are not there while the account's count is right, for as long as one likes."""
    lines[0].always = {"eth_getTransactionReceipt": NOTHING, "eth_getTransactionByHash": NOTHING}
    lab.network.is_mining = False
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.step()
    lab.network.mine(3)
    if not knows_blocks:  # as after a restart: the block that has it is not among those that are new
        lab.gateway.sender._receipts._witnessed_height = None
    for _ in range(4):
        lab.gateway.sender.settle()
        lab.network.mine()
    assert transactions(lab) == ["mint mined" if knows_blocks else "mint pending"]
    lines[0].always = {}
    lab.network.is_mining = True
    lab.gateway.run_until_idle(timeout_s=20.0)
    assert_minted(lab, sent, 5)
    assert transactions(lab) == ["mint mined"]


# Logs that are not the chain's, or not all


def test_an_event_that_was_taken_back_ends_no_message(lab: RemoteLab, lines: list[Liar]) -> None:
    """An answer to the query for logs that names our transaction, whatever it says of itself, is not asked for."""
    lab.network.is_mining = False
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.step()
    lab.network.real.call("anvil_dropAllTransactions")  # type: ignore[attr-defined]
    lab.network.mine()
    with lab.database.read() as session:
        (digest,) = session.scalars(select(OutboxTransactionRow.hash))
    log = {
        "address": lab.deployment.address("PointsLedger").lower(),
        "topics": ["0x" + "11" * 32],
        "data": "0x",
        "blockNumber": hex(lab.network.final_height()),
        "blockHash": "0x" + "22" * 32,
        "transactionHash": "0x" + digest.hex(),
        "transactionIndex": "0x0",
        "logIndex": "0x0",
        "removed": True,
    }
    lines[0].always = {"eth_getLogs": result(lambda _: [log])}
    lab.gateway.sender.settle()
    assert lab.state_of(sent) is MessageState.SENT


@pytest.mark.parametrize(
    "always",
    [
        {
            "eth_getLogs": result(lambda _: []),
            "eth_getBlockReceipts": refusal("the method does not exist/is not available"),
        },
        {"eth_getBlockReceipts": result(lambda all_: [_shouted(one) for one in all_])},
    ],
)
def test_what_is_projected_rests_on_receipts_that_give_the_root(
    lab: RemoteLab, lines: list[Liar], always: dict[str, Spoil]
) -> None:
    """No method for a block's receipts and logs always empty; addresses in capital letters."""
    lines[0].always = always
    assert_minted(lab, mint(lab), 5)


def _shouted(receipt: dict[str, Any]) -> dict[str, Any]:
    logs = [{**log, "address": "0x" + log["address"][2:].upper()} for log in receipt["logs"]]
    return {**receipt, "logs": logs}


def _without_one(all_: list[Any]) -> list[Any]:
    return [{**one, "logs": one["logs"][1:]} for one in all_]


@pytest.mark.parametrize(
    ("method", "lie"),
    [
        ("eth_getBlockReceipts", lambda _: []),
        ("eth_getBlockReceipts", lambda _: None),
        ("eth_getBlockReceipts", _without_one),
        ("eth_getBlockReceipts", lambda all_: [{**one, "status": "0x0"} for one in all_]),
        ("eth_getBlockReceipts", lambda all_: [{**one, "status": None} for one in all_]),
        ("eth_getBlockReceipts", lambda all_: [{**one, "logs": [{"data": "0x"}]} for one in all_]),
        ("eth_getBlockReceipts", lambda all_: [*all_, *all_]),
        ("eth_getBlockReceipts", lambda _: "0x"),
        ("eth_getBlockByNumber", lambda block: block and {**block, "logsBloom": "0x" + "00" * 256}),
        ("eth_getBlockByNumber", lambda block: block and {**block, "transactions": []}),
        ("eth_getBlockByNumber", lambda block: block and {**block, "timestamp": hex(1_772_000_000 * 10**9)}),
        ("eth_getBlockByNumber", lambda block: block and {**block, "timestamp": hex(1 << 80)}),
        ("eth_getBlockByNumber", lambda block: block and {**block, "receiptsRoot": "0x" + "11" * 32}),
    ],
)
def test_a_spoiled_block_is_read_again_and_nothing_is_written_meanwhile(
    lab: RemoteLab, lines: list[Liar], method: str, lie: Any
) -> None:
    lab.network.is_mining = False
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.step()
    lab.network.mine()
    lines[0].always = {method: result(lie)}
    for _ in range(3):
        with suppress(RpcError, InconsistentAnswer):
            lab.gateway.step()
        assert (lab.state_of(sent), lab.balance()) == (MessageState.SENT, 0)
    lines[0].always = {}
    lab.network.is_mining = True
    lab.gateway.run_until_idle(timeout_s=20.0)
    assert_minted(lab, sent, 5)


# One bad answer among many


def test_one_block_that_cannot_be_read_holds_up_nobody_elses_outcome(lab: RemoteLab, lines: list[Liar]) -> None:
    lab.network.is_mining = False
    first = lab.enqueue_mint(1, [(ALICE.address, 1)], 1)
    lab.gateway.sender.step()
    lab.network.mine()
    spoiled = lab.network.final_height()
    second = lab.enqueue_mint(1, [(ALICE.address, 2)], 2)
    lab.gateway.sender.plan()
    lab.gateway.sender.broadcast()
    lab.network.mine()
    lines[0].always = {
        "eth_getBlockReceipts": result(
            lambda all_: [] if all_ and all_[0]["blockNumber"] == hex(spoiled) else all_,
        )
    }
    lab.gateway.sender.settle()
    assert (lab.state_of(first), lab.state_of(second)) == (MessageState.SENT, MessageState.DONE)
    lines[0].always = {}
    lab.gateway.run_until_idle(timeout_s=20.0)
    assert_minted(lab, first, 3)


# Submissions


@pytest.mark.parametrize(
    "message",
    [
        "Transaction nonce is too low. Try incrementing the nonce.",
        "words that nobody knows",
        "unknown transaction type",
    ],
)
def test_what_landed_although_it_was_refused_each_time_is_found(
    lab: RemoteLab, lines: list[Liar], message: str
) -> None:
    """The first answer is lost, and the node refuses what it has: the receipt is looked for all the same."""
    lines[0].always = {"eth_sendRawTransaction": refusal(message)}
    assert_minted(lab, mint(lab), 5)
    assert transactions(lab) == ["mint mined"]


# Another chain, or another state of it, behind the same address


def test_an_answer_of_another_chain_ends_nothing(lab: RemoteLab, lines: list[Liar]) -> None:
    """Another chain for a while: its refusals give nothing up, its height is none, its accounts are nobody's."""
    lab.network.is_mining = False
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    height = lab.network.final_height()
    lines[0].always = {
        "eth_chainId": result(lambda _: "0x1"),
        "eth_sendRawTransaction": refusal("invalid chain id"),
        "eth_blockNumber": result(lambda _: "0xffffff"),
    }
    for _ in range(8):
        with pytest.raises(RpcError, match="contradicts itself"):
            lab.gateway.step()
    lines[0].always = {}
    assert lab.network.final_height() == height
    lab.network.is_mining = True
    lab.gateway.run_until_idle(timeout_s=20.0)
    assert_minted(lab, sent, 5)
    assert transactions(lab) == ["mint mined"]


def test_a_node_that_is_behind_what_was_final_is_not_believed(lab: RemoteLab, lines: list[Liar]) -> None:
    """A node at a lower height behind the same address: it does not show the block that was final."""
    assert_minted(lab, mint(lab), 5)
    height = lab.network.final_height()
    lines[0].always = {"eth_getBlockByNumber": NOTHING, "eth_blockNumber": result(lambda _: "0x1")}
    with pytest.raises(RpcError, match="does not show block"):
        lab.network.rpc.call("eth_call", [{"to": lab.deployment.address("PointsLedger"), "data": "0x"}, "latest"])
    lines[0].always = {}
    assert lab.network.final_height() == height


# Several nodes


def test_a_node_that_dies_in_the_middle_is_left_and_nothing_lands_twice(twofold: RemoteLab, lines: list[Liar]) -> None:
    keys = [twofold.enqueue_mint(1, [(ALICE.address, 1)], number) for number in range(1, 9)]
    twofold.network.is_mining = False
    twofold.gateway.step()
    lines[0].cut()
    twofold.network.is_mining = True
    twofold.gateway.run_until_idle(timeout_s=20.0)
    assert {twofold.state_of(one) for one in keys} == {MessageState.DONE}
    assert twofold.balance() == 8
    assert twofold.gateway.check_projection().is_equal
    assert any(lines[0].url in one for one in twofold.gateway.engine.troubles)
    lines[0].restore()


def test_bytes_are_submitted_to_every_node(twofold: RemoteLab, lines: list[Liar]) -> None:
    """One that says it has them and does not pass them on keeps nothing from landing."""
    lines[0].always = {"eth_sendRawTransaction": result(lambda _: "0x" + "00" * 32)}
    assert_minted(twofold, mint(twofold), 5)
    lines[1].always = {"eth_sendRawTransaction": refusal("txpool is full")}
    lines[0].always = {}
    assert_minted(twofold, mint(twofold, 2), 10)


def test_a_node_that_runs_ahead_of_the_others_makes_nothing_final(twofold: RemoteLab, lines: list[Liar]) -> None:
    height = twofold.network.final_height()
    lines[0].always = {"eth_blockNumber": result(lambda real: hex(int(real, 16) + 5_000))}
    assert twofold.network.final_height() == height
    twofold.network.mine(2)
    assert twofold.network.final_height() == height + 2


def test_nodes_that_show_two_blocks_make_nothing_final(twofold: RemoteLab, lines: list[Liar]) -> None:
    height = twofold.network.final_height()
    other = "0x" + "33" * 32
    lines[1].always = {
        "eth_getBlockByNumber": result(
            lambda block: block and (block if int(block["number"], 16) <= height else {**block, "hash": other})
        )
    }
    twofold.network.mine()
    with pytest.raises(RpcError, match="is not that of"):
        twofold.network.final_height()
    lines[1].always = {}
    assert twofold.network.final_height() == height + 1


def test_a_final_block_that_all_nodes_took_back_is_given_way_to_with_a_loud_word(
    twofold: RemoteLab, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = twofold.network.real.call("evm_snapshot")  # type: ignore[attr-defined]
    twofold.network.mine(2)
    twofold.network.final_height()
    twofold.network.real.call("evm_revert", [snapshot])  # type: ignore[attr-defined]
    twofold.network.real.call("evm_increaseTime", [99])  # type: ignore[attr-defined]
    twofold.network.mine(3)
    with pytest.raises(RpcError):
        twofold.network.final_height()
    assert twofold.network.final_height() > 0
    assert "took back a final block" in caplog.text


def test_a_network_is_opened_by_several_addresses(lines: list[Liar]) -> None:
    lines[0].cut()
    with RemoteEngine.open([one.url for one in lines]) as engine:
        assert engine.chain_id == 77_777
        assert engine.final_height() >= 0
        assert engine.url == lines[1].url
