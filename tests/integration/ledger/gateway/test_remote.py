"""The same gateway against a node that others run: blocks come when they come, and nodes lose things."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from ledger.chain.embedded.anvil import AnvilNode, NodeSettings
from ledger.chain.remote import Finality, RemoteEngine
from ledger.chain.rpc import RpcClient, RpcError
from ledger.chain.transactions import sign_legacy
from ledger.clock import ManualClock
from ledger.gateway import Gateway, GatewayStuck
from ledger.indexer.errors import ReorgTooDeep
from ledger.outbox.liveness import Stall
from ledger.outbox.sender import Sender, SenderLimits
from ledger.outbox.states import MessageState
from ledger.store.database import Database
from ledger.store.migrations import upgrade
from ledger.store.models.outbox import OutboxMessageRow, OutboxTransactionRow
from ledger.store.models.projection import BalanceRow
from tests.integration.ledger.gateway.lab import START, GatewayLab, deploy_city, key
from tongdui.invariants import InvariantWatch

ALICE, BOB = key("alice"), key("bob")


class Network(RemoteEngine):
    """A remote chain whose blocks the test makes; ``is_mining`` makes one whenever the gateway asks for none."""

    is_mining = True

    @classmethod
    def on(cls, url: str, depth: int) -> Network:
        rpc = RpcClient(url)
        return cls(rpc, int(rpc.call("eth_chainId"), 16), Finality(depth))

    def produce(self) -> int:
        if self.is_mining and int(self.rpc.call("txpool_status")["pending"], 16):
            self.mine()
        return 0

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.rpc.call("evm_mine")


class Steady:
    """A steady clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class RemoteLab(GatewayLab):
    """An installation on a network."""

    @property
    def network(self) -> Network:
        network: Any = self.engine
        assert isinstance(network, Network)
        return network

    def state_of(self, dedupe_key: str) -> MessageState:
        with self.database.read() as session:
            found = self.gateway.outbox.status(session, dedupe_key)
        assert found is not None
        return found.state

    def balance(self) -> int:
        with self.database.read() as session:
            account = bytes.fromhex(ALICE.address[2:])
            return sum(session.scalars(select(BalanceRow.amount_minor).where(BalanceRow.account == account)))

    def watched(self, steady: Steady) -> Gateway:
        """The gateway, watched by a clock of the test's."""
        self.gateway = Gateway(
            self.database, self.engine, self.deployment, [key("relayer")], self.clock, steady=steady, poll_s=0.01
        )
        return self.gateway

    def sender(self, steady: Steady, owner: str = key("relayer").address) -> Sender:
        """The gateway's sender, with a clock of the test's."""
        made = self.gateway.sender
        sender = Sender(
            self.database,
            self.engine,
            [key("relayer")],
            made._routes,
            self.clock,
            owner=owner,
            blocks=made._receipts._blocks,
            steady=steady,
        )
        self.gateway.sender = sender
        return sender


IMPATIENT = SenderLimits(patience_s=0.2)
"""Where a lie makes bytes be sent again, the test need not wait as long as a network is given."""


def open_remote(
    tmp_path: Path, url: str, database_url: str, depth: int, limits: SenderLimits | None = None
) -> RemoteLab:
    clock = ManualClock(START)
    network = Network.on(url, depth)
    if depth == 0:
        deployment = deploy_city(network)
    else:
        shallow = Network.on(url, 0)
        deployment = deploy_city(shallow)
        shallow.close()
        network.mine(depth)
    database = Database(database_url)
    upgrade(database)
    gateway = Gateway(database, network, deployment, [key("relayer")], clock, sender_limits=limits, poll_s=0.01)
    engine: Any = network
    return RemoteLab(tmp_path, clock, engine, database, deployment, gateway)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[AnvilNode]:
    node = AnvilNode.start(NodeSettings(chain_id=77_777, genesis_timestamp=int(START.timestamp())), tmp_path / "node")
    yield node
    node.kill()


@pytest.fixture
def lab(tmp_path: Path, node: AnvilNode) -> Iterator[RemoteLab]:
    lab = open_remote(tmp_path, node.url, f"sqlite:///{tmp_path}/desk.sqlite3", 0)
    yield lab
    lab.close()


def test_a_batch_lands_when_the_network_makes_a_block(lab: RemoteLab) -> None:
    lab.network.is_mining = False
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.step()
    assert lab.state_of(sent) is MessageState.SENT
    with pytest.raises(GatewayStuck):
        lab.gateway.run_until_idle(timeout_s=0.1)
    lab.network.mine()
    lab.gateway.run_until_idle()
    assert (lab.state_of(sent), lab.balance()) == (MessageState.DONE, 5)
    assert lab.gateway.check_projection().is_equal


def test_a_receipt_counts_only_below_the_depth_of_finality(tmp_path: Path, node: AnvilNode) -> None:
    lab = open_remote(tmp_path, node.url, f"sqlite:///{tmp_path}/desk.sqlite3", 3)
    lab.network.is_mining = False
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.step()
    lab.network.mine(3)
    lab.gateway.step()
    assert (lab.state_of(sent), lab.balance()) == (MessageState.SENT, 0)
    lab.network.mine()
    lab.gateway.run_until_idle()
    assert (lab.state_of(sent), lab.balance()) == (MessageState.DONE, 5)
    lab.close()


def test_what_a_node_drops_is_handed_in_again(lab: RemoteLab) -> None:
    lab.network.is_mining = False
    steady = Steady()
    lab.sender(steady)
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.step()
    lab.network.rpc.call("anvil_dropAllTransactions")
    lab.network.mine()
    lab.gateway.step()
    assert lab.state_of(sent) is MessageState.SENT
    steady.now_s += 60
    lab.gateway.step()
    lab.network.mine()
    lab.gateway.run_until_idle()
    assert (lab.state_of(sent), lab.balance()) == (MessageState.DONE, 5)


def test_a_gap_in_the_nonces_heals(lab: RemoteLab) -> None:
    lab.network.is_mining = False
    steady = Steady()
    lab.sender(steady)
    keys = [lab.enqueue_mint(1, [(ALICE.address, 5)], number) for number in (1, 2, 3)]
    lab.gateway.step()
    with lab.database.read() as session:
        first = session.scalars(select(OutboxTransactionRow).order_by(OutboxTransactionRow.nonce)).first()
    assert first is not None
    lab.network.rpc.call("anvil_dropTransaction", ["0x" + first.hash.hex()])
    lab.network.mine()
    lab.gateway.step()
    assert MessageState.DONE not in {lab.state_of(one) for one in keys}
    steady.now_s += 60
    lab.gateway.step()
    lab.network.mine()
    lab.gateway.run_until_idle()
    assert {lab.state_of(one) for one in keys} == {MessageState.DONE}
    assert lab.balance() == 15


def test_a_nonce_that_another_used_costs_nothing_but_a_second_try(lab: RemoteLab) -> None:
    lab.network.is_mining = False
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.step()
    lab.network.rpc.call("anvil_dropAllTransactions")
    raw, _ = sign_legacy(key("relayer"), lab.network.chain_id, 0, BOB.address, b"", 21_000)
    assert lab.network.submit([raw])[0].in_pool
    lab.network.mine()
    lab.network.is_mining = True
    lab.gateway.run_until_idle()
    assert (lab.state_of(sent), lab.balance()) == (MessageState.DONE, 5)
    with lab.database.read() as session:
        states = session.scalars(select(OutboxTransactionRow.state).order_by(OutboxTransactionRow.nonce)).all()
    assert states == ["replaced", "mined"]


def test_a_database_from_a_backup_goes_on_after_the_chains_nonces(lab: RemoteLab) -> None:
    lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.run_until_idle()
    raw, _ = sign_legacy(key("relayer"), lab.network.chain_id, 1, BOB.address, b"", 21_000)
    assert lab.network.submit([raw])[0].in_pool
    lab.network.mine()
    lab.sender(Steady())
    sent = lab.enqueue_mint(1, [(ALICE.address, 6)], 2)
    lab.gateway.run_until_idle()
    assert (lab.state_of(sent), lab.balance()) == (MessageState.DONE, 11)


def test_a_chain_that_stands_while_work_waits_rings(lab: RemoteLab) -> None:
    lab.network.is_mining = False
    steady = Steady()
    gateway = lab.watched(steady)
    assert gateway.look().stall is None
    steady.now_s += 3_600
    assert gateway.look().stall is None, "nothing waits: the chain may rest"
    lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    gateway.step()
    gateway.look()
    steady.now_s += 20
    seen = gateway.health().liveness
    assert seen.stall is Stall.CHAIN_STANDS
    assert "validators" in (seen.alarm or "")
    lab.network.mine()
    gateway.run_until_idle()
    assert gateway.look().stall is None


def test_empty_blocks_while_work_waits_ring_too(lab: RemoteLab) -> None:
    lab.network.is_mining = False
    steady = Steady()
    gateway = lab.watched(steady)
    lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    gateway.step()
    seen = gateway.look()
    lab.network.rpc.call("anvil_dropAllTransactions")
    for _ in range(10):
        steady.now_s += 2
        lab.network.mine()
        seen = gateway.look()
    assert (seen.final_age_s, seen.stall) == (0, Stall.NOT_INCLUDED)


def test_running_until_idle_ends_on_a_network_of_empty_blocks(lab: RemoteLab) -> None:
    class EmptyBlocks(Network):
        def produce(self) -> int:
            self.rpc.call("anvil_dropAllTransactions")
            self.mine()
            return 0

    lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    network = EmptyBlocks.on(lab.network.url, 0)
    gateway = Gateway(lab.database, network, lab.deployment, [key("relayer")], lab.clock, poll_s=0.01)
    with pytest.raises(GatewayStuck):
        gateway.run_until_idle(timeout_s=0.5)
    with lab.database.transaction() as session:
        session.execute(delete(OutboxMessageRow))
        session.execute(delete(OutboxTransactionRow))
    gateway.run_until_idle(timeout_s=0.5)
    network.close()


def test_the_running_check_says_the_blocks_time_and_not_the_clocks(lab: RemoteLab) -> None:
    lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.run_until_idle()
    lab.clock.set(START + timedelta(days=3))
    report = InvariantWatch(lab.gateway).refresh()
    block = lab.network.rpc.call("eth_getBlockByNumber", [hex(report.block_number), False])
    assert report.timestamp == int(block["timestamp"], 16)


def test_without_a_node_nothing_is_lost(lab: RemoteLab, node: AnvilNode) -> None:
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.step()
    more = lab.enqueue_mint(1, [(ALICE.address, 6)], 2)
    node.kill()
    for _ in range(3):
        with pytest.raises(RpcError):
            lab.gateway.step()
    assert {lab.state_of(sent), lab.state_of(more)} <= {MessageState.QUEUED, MessageState.SENT, MessageState.DONE}


def test_a_reorganised_chain_is_undone_and_read_again(lab: RemoteLab) -> None:
    lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.run_until_idle()
    snapshot = lab.network.rpc.call("evm_snapshot")
    lab.enqueue_mint(1, [(ALICE.address, 7)], 2)
    lab.gateway.run_until_idle()
    assert lab.balance() == 12
    lab.network.rpc.call("evm_revert", [snapshot])
    lab.network.rpc.call("anvil_dropAllTransactions")
    lab.network.rpc.call("evm_increaseTime", [77])
    lab.network.mine(3)
    lab.gateway.indexer.run_until_idle()
    assert lab.balance() == 5
    assert lab.gateway.check_projection().is_equal


def test_another_chain_under_the_same_projection_is_refused(lab: RemoteLab, tmp_path: Path) -> None:
    lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.run_until_idle()
    other = AnvilNode.start(
        NodeSettings(chain_id=77_777, genesis_timestamp=int(START.timestamp()) + 9), tmp_path / "other"
    )
    network = Network.on(other.url, 0)
    network.mine(30)
    gateway = Gateway(lab.database, network, lab.deployment, [key("relayer")], lab.clock)
    with pytest.raises(ReorgTooDeep):
        gateway.indexer.run_until_idle()
    network.close()
    other.kill()


def test_two_gateways_share_a_database_and_no_key(tmp_path: Path, node: AnvilNode, postgres_url: str) -> None:
    from tests.integration.ledger.postgres import fresh_database

    with fresh_database(postgres_url, "two") as url:
        lab = open_remote(tmp_path, node.url, url, 0)
        keys = [lab.enqueue_mint(1, [(ALICE.address, 1)], number) for number in range(1, 41)]
        second_network = Network.on(node.url, 0)
        second = Gateway(
            lab.database, second_network, lab.deployment, [key("relayer two")], lab.clock, owner="second", poll_s=0.01
        )
        lab.gateway.start()
        second.start()
        try:
            for _ in range(600):
                if {lab.state_of(one) for one in keys} == {MessageState.DONE} and lab.balance() == 40:
                    break
                lab.gateway._stopping.wait(0.05)
        finally:
            lab.gateway.stop()
            second.stop()
        assert lab.gateway.health().alarms == second.health().alarms == ()
        assert lab.balance() == 40
        with lab.database.read() as session:
            senders = set(session.scalars(select(OutboxTransactionRow.relayer)))
            assert senders <= {bytes.fromhex(key(name).address[2:]) for name in ("relayer", "relayer two")}
        assert lab.gateway.check_projection().is_equal
        second_network.close()
        lab.close()
