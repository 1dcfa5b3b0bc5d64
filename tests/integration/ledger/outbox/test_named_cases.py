"""Each way in which a node fails a sender, by name: on a real Anvil, or through a real proxy that answers for it.

In every case: nothing is lost, nothing lands twice, and the sender goes on by itself.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from ledger.chain.embedded.anvil import AnvilNode, NodeSettings
from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.chain.transactions import sign_legacy
from ledger.gateway import Gateway
from ledger.outbox.sender import SenderLimits
from ledger.outbox.states import MessageState
from ledger.store.models.outbox import OutboxTransactionRow
from tests.eventually import eventually
from tests.integration.ledger.gateway.lab import QUARTER, START, key
from tests.integration.ledger.gateway.test_remote import ALICE, BOB, RemoteLab, Steady, open_remote
from tests.integration.ledger.outbox.between import Between, error

RELAYER = key("relayer")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[AnvilNode]:
    node = AnvilNode.start(NodeSettings(chain_id=77_777, genesis_timestamp=int(START.timestamp())), tmp_path / "node")
    yield node
    node.kill()


@pytest.fixture
def between(node: AnvilNode) -> Iterator[Between]:
    between = Between(node.url)
    yield between
    between.close()


@pytest.fixture
def lab(tmp_path: Path, between: Between) -> Iterator[RemoteLab]:
    lab = open_remote(tmp_path, between.url, f"sqlite:///{tmp_path}/desk.sqlite3", 0)
    yield lab
    lab.close()


@dataclass
class Shared:
    """One installation for the cases that leave it as they found it; each takes new batch numbers."""

    lab: RemoteLab
    between: Between
    number: int = 0

    def mint(self) -> str:
        """Enqueue a batch of 5 minor for Alice under a new number."""
        self.number += 1
        return self.lab.enqueue_mint(1, [(ALICE.address, 5)], self.number)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("shared")
    node = AnvilNode.start(NodeSettings(chain_id=77_777, genesis_timestamp=int(START.timestamp())), folder / "node")
    between = Between(node.url)
    lab = open_remote(folder, between.url, f"sqlite:///{folder}/desk.sqlite3", 0)
    yield Shared(lab, between)
    lab.close()
    between.close()
    node.kill()


def transactions(lab: RemoteLab, last: int = 1_000) -> list[str]:
    """The states of all transactions, or the last, by nonce."""
    with lab.database.read() as session:
        states = session.scalars(select(OutboxTransactionRow.state).order_by(OutboxTransactionRow.nonce)).all()
        return list(states)[-last:]


def raw_of(lab: RemoteLab, nonce: int) -> bytes:
    with lab.database.read() as session:
        found = session.scalars(select(OutboxTransactionRow.raw).where(OutboxTransactionRow.nonce == nonce)).one()
        return bytes(found)


def submissions(call: dict[str, Any]) -> bool:
    return bool(call["method"] == "eth_sendRawTransaction")


def refuse(code: int, message: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    return lambda call: error(code, message) if submissions(call) else None


def heal(lab: RemoteLab, between: Between, steady: Steady) -> None:
    """The cause goes away; time passes; the sender needs nobody."""
    between.answer = lambda _call: None
    steady.now_s += 11
    lab.gateway.run_until_idle(timeout_s=20)


def test_already_known(lab: RemoteLab) -> None:
    """A node that has the very bytes says so; for us that is as good as accepted."""
    lab.network.is_mining = False
    steady = Steady()
    lab.sender(steady)
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.step()
    (outcome,) = lab.network.submit([raw_of(lab, 0)])
    assert (outcome.reason, outcome.in_pool) == (RpcReason.ALREADY_KNOWN, True)
    steady.now_s += 6
    lab.gateway.step()
    lab.gateway.step()
    assert transactions(lab) == ["pending"]
    lab.network.mine()
    lab.gateway.run_until_idle()
    assert (lab.state_of(sent), lab.balance()) == (MessageState.DONE, 5)
    assert lab.gateway.sender.alarms == ()


def test_nonce_too_low_after_an_answer_that_was_lost(lab: RemoteLab, between: Between) -> None:
    """The node took the transaction and mined it while the connection broke: the receipt decides, not the answer."""
    lab.network.is_mining = False
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    between.cuts = 1
    with pytest.raises(RpcError) as caught:
        lab.gateway.step()
    assert caught.value.reason is RpcReason.UNREACHABLE
    lab.network.mine()
    (outcome,) = lab.network.submit([raw_of(lab, 0)])
    assert outcome.reason is RpcReason.NONCE_TOO_LOW
    lab.gateway.run_until_idle()
    assert (lab.state_of(sent), lab.balance(), transactions(lab)) == (MessageState.DONE, 5, ["mined"])


def test_a_slow_node(tmp_path: Path, lab: RemoteLab, between: Between) -> None:
    """The answer comes after our patience: handed in again, it is known, and lands once."""
    lab.network._rpc.close()
    lab.network._rpc = RpcClient(between.url, timeout_s=0.5)
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    between.late_s = 1.0
    with pytest.raises(RpcError) as caught:
        lab.gateway.step()
    assert caught.value.reason is RpcReason.TIMEOUT
    between.late_s = 0.0
    lab.gateway.run_until_idle()
    assert (lab.state_of(sent), lab.balance(), transactions(lab)) == (MessageState.DONE, 5, ["mined"])


def test_underpriced(lab: RemoteLab) -> None:
    """Another transaction of the relayer's holds the nonce in the pool: nothing is outbid; once it is mined, our
    messages get a new nonce."""
    lab.network.is_mining = False
    steady = Steady()
    lab.sender(steady)
    rival, _ = sign_legacy(RELAYER, lab.network.chain_id, 0, BOB.address, b"", 21_000)
    assert lab.network.submit([rival])[0].in_pool
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    lab.gateway.step()
    (outcome,) = lab.network.submit([raw_of(lab, 0)])
    assert outcome.reason is RpcReason.UNDERPRICED
    assert transactions(lab) == ["signed"]
    steady.now_s += 11
    lab.network.mine()
    lab.gateway.step()
    lab.network.is_mining = True
    steady.now_s += 11
    lab.gateway.run_until_idle(timeout_s=20)
    assert (lab.state_of(sent), lab.balance(), transactions(lab)) == (MessageState.DONE, 5, ["replaced", "mined"])


CASES = [
    ("nonce gap (Besu)", -32006, "Nonce too high", RpcReason.NONCE_GAP),
    (
        "nonce gap (Besu pool)",
        -32000,
        "Transaction nonce is too distant from current sender nonce",
        RpcReason.NONCE_GAP,
    ),
    ("pool full (geth)", -32000, "txpool is full", RpcReason.POOL_FULL),
    ("pool share full (geth)", -32000, "account limit exceeded", RpcReason.POOL_FULL),
    ("underpriced (Besu)", -32009, "Gas price below configured minimum gas price", RpcReason.UNDERPRICED),
    ("syncing (Besu)", -32000, "Initial sync is still in progress", RpcReason.NOT_READY),
    ("rate limited", -32005, "daily request count exceeded", RpcReason.RATE_LIMITED),
    ("node internal", -32603, "Internal error", RpcReason.NODE_INTERNAL),
]


@pytest.mark.parametrize(("code", "message", "reason"), [one[1:] for one in CASES], ids=[one[0] for one in CASES])
def test_what_passes_is_waited_out(shared: Shared, code: int, message: str, reason: RpcReason) -> None:
    """The node refuses every submission for a while; several batches wait, in order, and all land once."""
    lab, steady, before = shared.lab, Steady(), shared.lab.balance()
    lab.sender(steady)
    keys = [shared.mint() for _ in range(3)]
    shared.between.answer = refuse(code, message)
    (outcome, *_) = lab.network.submit([b"\x01"])
    assert outcome.reason is reason
    for _ in range(5):
        lab.gateway.step()
        steady.now_s += 11
    assert transactions(lab, 3) == ["signed"] * 3
    assert lab.gateway.sender.alarms == (), "what passes is nobody's business at first"
    heal(lab, shared.between, steady)
    assert {lab.state_of(one) for one in keys} == {MessageState.DONE}
    assert (lab.balance() - before, transactions(lab, 3)) == (15, ["mined"] * 3)


def test_what_does_not_pass_for_minutes_becomes_an_alarm_and_heals_all_the_same(shared: Shared) -> None:
    lab, steady = shared.lab, Steady()
    lab.sender(steady)
    sent = shared.mint()
    shared.between.answer = refuse(-32000, "txpool is full")
    for _ in range(25):
        lab.gateway.step()
        steady.now_s += 11
    (alarm,) = lab.gateway.sender.alarms
    assert "pool_full" in alarm
    heal(lab, shared.between, steady)
    assert (lab.state_of(sent), lab.gateway.sender.alarms) == (MessageState.DONE, ())


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (-32007, "Sender account not authorized to send transactions", RpcReason.NOT_PERMITTED),
        (-32000, "insufficient funds for gas * price + value", RpcReason.INSUFFICIENT_FUNDS),
        (-31999, "the moon is in the wrong phase", RpcReason.UNKNOWN),
    ],
)
def test_what_a_person_must_mend_is_an_alarm_at_once_and_heals_when_it_is_mended(
    shared: Shared, code: int, message: str, reason: RpcReason
) -> None:
    """Nothing is given up meanwhile."""
    lab, steady, before = shared.lab, Steady(), shared.lab.balance()
    lab.sender(steady)
    sent = shared.mint()
    shared.between.answer = refuse(code, message)
    lab.gateway.step()
    (alarm,) = lab.gateway.sender.alarms
    assert reason.value in alarm
    heal(lab, shared.between, steady)
    assert (lab.state_of(sent), lab.balance() - before, lab.gateway.sender.alarms) == (MessageState.DONE, 5, ())


def test_a_gap_that_the_node_complains_about_is_closed_from_below(lab: RemoteLab, between: Between) -> None:
    """The first of three is refused for a while; those behind it wait in the node's queue and follow it."""
    steady = Steady()
    lab.sender(steady)
    keys = [lab.enqueue_mint(1, [(ALICE.address, 5)], number) for number in (1, 2, 3)]
    seen: list[str] = []

    def first_only(call: dict[str, Any]) -> dict[str, Any] | None:
        if not submissions(call):
            return None
        seen.append(call["params"][0])
        return error(-32000, "txpool is full") if call["params"][0] == seen[0] else None

    between.answer = first_only
    lab.gateway.step()
    assert transactions(lab) == ["signed", "pending", "pending"]
    heal(lab, between, steady)
    assert {lab.state_of(one) for one in keys} == {MessageState.DONE}
    assert lab.balance() == 15


def test_a_reverted_batch_frees_its_nonce_and_keeps_nobody_waiting(lab: RemoteLab) -> None:
    """A batch with a bad signature between two good ones: it fails by name, they land."""
    good = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    calldata = lab.mint_calldata(1, [(ALICE.address, 7)], 2, QUARTER)[:-96] + bytes(96)
    with lab.database.transaction() as session:
        lab.gateway.outbox.enqueue_call(session, "mint", "bad", lab.deployment.address("PointsLedger"), calldata, 10**6)
    also = lab.enqueue_mint(1, [(ALICE.address, 5)], 3)
    lab.gateway.run_until_idle()
    assert [lab.state_of(one) for one in (good, "bad", also)] == [
        MessageState.DONE,
        MessageState.FAILED,
        MessageState.DONE,
    ]
    assert (transactions(lab), lab.balance()) == (["mined", "reverted", "mined"], 10)
    with lab.database.read() as session:
        found = lab.gateway.outbox.status(session, "bad")
    assert found is not None
    assert (found.reason or "").startswith("PointsLedgerBadIssuer(")


def until_landed(lab: RemoteLab, keys: list[str], minor: int) -> None:
    """Wait for the loops, which nobody helps."""
    eventually(
        lambda: ({lab.state_of(key) for key in keys}, lab.balance()),
        lambda seen: seen == ({MessageState.DONE}, minor),
        timeout_s=60,
        context=lambda: transactions(lab),
    )


def test_a_running_gateway_outlives_the_way_to_its_node(tmp_path: Path, node: AnvilNode) -> None:
    """Nothing listens for a while, under load; when something does, the loops go on."""
    between = Between(node.url)
    lab = open_remote(tmp_path, between.url, f"sqlite:///{tmp_path}/desk.sqlite3", 0)
    lab.gateway.start()
    try:
        keys = [lab.enqueue_mint(1, [(ALICE.address, 1)], number) for number in range(1, 6)]
        until_landed(lab, keys, 5)
        between.close()
        keys += [lab.enqueue_mint(1, [(ALICE.address, 1)], number) for number in range(6, 11)]
        lab.gateway.wake()
        time.sleep(1.0)
        assert lab.state_of(keys[-1]) is not MessageState.DONE
        between = Between(node.url, between.port)
        until_landed(lab, keys, 10)
        assert lab.gateway.health().alarms == ()
    finally:
        lab.gateway.stop()
        lab.close()
        between.close()


def test_a_running_gateway_outlives_a_node_that_hangs(tmp_path: Path, node: AnvilNode, lab: RemoteLab) -> None:
    """The process stands still and takes connections without a word; when it moves again, all lands once."""
    lab.network._rpc.close()
    lab.network._rpc = RpcClient(lab.network.url, timeout_s=0.5)
    lab.gateway.start()
    try:
        os.kill(node.pid, signal.SIGSTOP)
        keys = [lab.enqueue_mint(1, [(ALICE.address, 1)], number) for number in range(1, 11)]
        lab.gateway.wake()
        time.sleep(1.5)
        os.kill(node.pid, signal.SIGCONT)
        until_landed(lab, keys, 10)
    finally:
        os.kill(node.pid, signal.SIGCONT)
        lab.gateway.stop()
    assert transactions(lab) == ["mined"] * 10


def test_many_keys_many_batches_in_flight_and_blocks_of_many(tmp_path: Path, node: AnvilNode) -> None:
    """Eight relayers share 128 batches; all are in flight at once, and land in a few large blocks, once each."""
    lab = open_remote(tmp_path, node.url, f"sqlite:///{tmp_path}/desk.sqlite3", 0)
    relayers = [key(f"relayer {number}") for number in range(8)]
    gateway = Gateway(
        lab.database,
        lab.network,
        lab.deployment,
        relayers,
        lab.clock,
        owner="many",
        sender_limits=SenderLimits(in_flight_max=16, calls_max=128),
    )
    lab.gateway = gateway
    lab.network.is_mining = False
    keys = [lab.enqueue_mint(1, [(ALICE.address, 1)], number) for number in range(1, 141)]
    gateway.step()
    gateway.step()
    with lab.database.read() as session:
        shares = dict(
            session.execute(
                select(OutboxTransactionRow.relayer, func.count()).group_by(OutboxTransactionRow.relayer)
            ).all()
        )
    assert sorted(shares.values()) == [16] * 8, "128 in flight, evenly over the keys; twelve wait their turn"
    before = lab.network.final_height()
    lab.network.mine()
    gateway.step()
    lab.network.mine()
    lab.network.is_mining = True
    gateway.run_until_idle()
    assert {lab.state_of(one) for one in keys} == {MessageState.DONE}
    assert lab.balance() == 140
    assert lab.network.final_height() - before <= 6, "large blocks: not one a batch"
    assert gateway.check_projection().is_equal
    lab.close()


def test_the_loops_of_a_network_that_mines_by_itself(lab: RemoteLab, between: Between) -> None:
    """Everything at once, with the loops running: cuts, refusals and a full pool, one after the other."""
    answers = iter(
        [
            *[error(-32000, "txpool is full")] * 3,
            *[error(-32006, "Nonce too high")] * 3,
            *[error(-32603, "Internal error")] * 3,
        ]
    )
    between.answer = lambda call: next(answers, None) if submissions(call) else None
    between.cuts = 2
    lab.gateway.start()
    try:
        keys = [lab.enqueue_mint(1, [(ALICE.address, 1)], number) for number in range(1, 21)]
        lab.gateway.wake()
        until_landed(lab, keys, 20)
    finally:
        lab.gateway.stop()
    assert transactions(lab) == ["mined"] * 20
