"""A node whose answers are well formed and wrong: none of them ends a transaction, moves a book or stops anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from ledger.chain.embedded.anvil import AnvilNode, NodeSettings
from ledger.chain.remote import RemoteEngine
from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.indexer.errors import InconsistentAnswer
from ledger.outbox.states import MessageState
from ledger.store.models.outbox import OutboxTransactionRow, RelayerRow
from scripts.faults.flaky_proxy import FlakyProxy
from tests.integration.ledger.gateway.lab import START, deploy_city
from tests.integration.ledger.gateway.test_remote import ALICE, BOB, IMPATIENT, Network, RemoteLab, Steady, open_remote

Spoil = Callable[[Any], Any]


class Liar(FlakyProxy):
    """A line on which the test spoils the results of the next calls of a method."""

    def __init__(self, target: str) -> None:
        super().__init__(target, 1, 0.0, 0.0)
        self.lies: dict[str, list[Spoil]] = {}
        self.always: dict[str, Spoil] = {}
        """What is told at every call of a method, until it is taken away."""
        self.inputs: list[str] = []

    def tell(self, method: str, *lies: Spoil) -> None:
        """Spoil the results of as many next calls of a method."""
        self.lies[method] = list(lies)

    def relay(self, body: bytes) -> bytes:
        question, answer = orjson.loads(body), orjson.loads(super().relay(body))
        calls = question if isinstance(question, list) else [question]
        answers = answer if isinstance(answer, list) else [answer]
        by_id = {one["id"]: one for one in answers}
        for call in calls:
            waiting = self.lies.get(call["method"])
            if call["method"] in self.always:
                by_id[call["id"]].update(self.always[call["method"]](by_id[call["id"]]))
                self.inputs.append(call["method"])
            elif waiting:
                by_id[call["id"]].update(waiting.pop(0)(by_id[call["id"]]))
                self.inputs.append(call["method"])
        return orjson.dumps(answer)


def result(spoil: Spoil) -> Spoil:
    """A lie about the result."""
    return lambda answer: {"result": spoil(answer["result"])}


def refusal(message: str) -> Spoil:
    """An error in the place of a result."""
    return lambda _answer: {"error": {"code": -32000, "message": message}}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnvilNode]:
    """A node with the city on it: to deploy it for each test would be most of the time."""
    folder = tmp_path_factory.mktemp("node")
    node = AnvilNode.start(NodeSettings(chain_id=77_777, genesis_timestamp=int(START.timestamp())), folder)
    network = Network.on(node.url, 0)
    deploy_city(network)
    network.close()
    yield node
    node.kill()


@pytest.fixture
def node(deployed: AnvilNode) -> Iterator[AnvilNode]:
    with RpcClient(deployed.url) as client:
        before = client.call("evm_snapshot")
        yield deployed
        client.call("anvil_dropAllTransactions")
        client.call("evm_revert", [before])


@pytest.fixture
def liar(node: AnvilNode) -> Iterator[Liar]:
    line = Liar(node.url)
    yield line
    line.close()


@pytest.fixture
def lab(tmp_path: Path, node: AnvilNode, liar: Liar) -> Iterator[RemoteLab]:
    lab = open_remote(tmp_path, node.url, f"sqlite:///{tmp_path}/desk.sqlite3", 0, IMPATIENT)
    lab.gateway.run_until_idle()
    lab.engine.close()
    network: Any = Network.on(liar.url, 0)
    lab.engine = lab.gateway.engine = network
    for part in (lab.gateway.sender, lab.gateway.indexer):
        part._engine = network
    lab.gateway.sender._receipts._engine = network
    # As the embedded engine's node is asked: without the proof of whole blocks, which test_bad_answers has.
    lab.gateway.sender._receipts._blocks = lab.gateway.indexer._blocks = None
    yield lab
    lab.close()


def mint(lab: RemoteLab, number: int = 1) -> str:
    """Mint a batch to its end, whatever the node says meanwhile."""
    sent = lab.enqueue_mint(1, [(ALICE.address, 2), (BOB.address, 4), (ALICE.address, 3)], number)
    lab.gateway.run_until_idle(timeout_s=20.0)
    return sent


def assert_minted(lab: RemoteLab, dedupe_key: str, minor: int) -> None:
    """The batch landed once, and the books are the chain's."""
    assert (lab.state_of(dedupe_key), lab.balance()) == (MessageState.DONE, minor)
    assert lab.gateway.check_projection().is_equal
    assert lab.gateway.sender.unsettled() == 0


def transactions(lab: RemoteLab) -> list[str]:
    """What was signed and how it ended, by nonce."""
    with lab.database.read() as session:
        query = select(OutboxTransactionRow.kind, OutboxTransactionRow.state).order_by(OutboxTransactionRow.nonce)
        return [f"{kind} {state}" for kind, state in session.execute(query)]


@pytest.mark.parametrize("lie", [hex(1 << 20), "0xzz", None, {}, 7])
def test_a_wrong_height_is_no_height(lab: RemoteLab, liar: Liar, lie: Any) -> None:
    """One number that is too high would otherwise be final for ever: heights never go back."""
    before = lab.engine.final_height()
    liar.tell("eth_blockNumber", result(lambda _: lie))
    with pytest.raises(RpcError) as caught:
        lab.engine.final_height()
    assert caught.value.is_retryable
    assert lab.engine.final_height() == before
    assert_minted(lab, mint(lab), 5)


@pytest.mark.parametrize(
    "lie",
    [
        lambda _: None,
        lambda receipt: {**receipt, "status": "0x0"},
        lambda receipt: {**receipt, "status": "0x0", "logs": []},
        lambda receipt: {**receipt, "logs": []},
        lambda receipt: {**receipt, "blockNumber": hex(int(receipt["blockNumber"], 16) - 1)},
        lambda receipt: {**receipt, "transactionHash": "0x" + "ab" * 32},
        lambda receipt: {**receipt, "gasUsed": None},
        lambda _: "0x",
        lambda _: [],
    ],
)
def test_a_wrong_receipt_ends_nothing(lab: RemoteLab, liar: Liar, lie: Spoil) -> None:
    """Mislaid, of another status, block or transaction, of the wrong shape: the batch lands once."""
    liar.tell("eth_getTransactionReceipt", result(lie))
    lab.gateway.sender._receipts._witnesses = []  # all by receipt
    sent = mint(lab)
    assert liar.inputs == ["eth_getTransactionReceipt"]
    assert_minted(lab, sent, 5)


def test_a_mislaid_receipt_sends_nothing_anew(lab: RemoteLab, liar: Liar) -> None:
    """Its nonce is used and the node has no receipt for it: only a second look says that another took the nonce."""
    liar.tell("eth_getTransactionReceipt", result(lambda _: None))
    lab.gateway.sender._receipts._witnesses = []
    assert_minted(lab, mint(lab), 5)
    assert transactions(lab) == ["mint mined"]


@pytest.mark.parametrize("ahead", [1, 40])
def test_a_nonce_that_is_ahead_once_sends_nothing_anew(lab: RemoteLab, liar: Liar, ahead: int) -> None:
    """Neither when a relayer is new nor when its outcomes are asked for."""
    lie = result(lambda count: hex(int(count, 16) + ahead))
    liar.tell("eth_getTransactionCount", lie)
    with pytest.raises(RpcError) as caught:
        lab.sender(Steady()).step()
    assert caught.value.reason is RpcReason.MALFORMED_ANSWER
    assert_minted(lab, mint(lab), 5)
    liar.tell("eth_getTransactionCount", lie)
    lab.network.is_mining = False
    lab.enqueue_mint(1, [(ALICE.address, 1)], 2)
    lab.gateway.step()
    lab.gateway.sender.settle()
    lab.network.is_mining = True
    lab.gateway.run_until_idle()
    assert transactions(lab) == ["mint mined", "mint mined"]


def test_nonces_that_nobody_sent_are_filled(lab: RemoteLab) -> None:
    """A database that believed a wrong count is behind a gap in which nothing can be mined: it closes it by itself."""
    assert_minted(lab, mint(lab), 5)
    with lab.database.transaction() as session:
        session.execute(update(RelayerRow).values(next_nonce=4))
    steady = Steady()
    lab.sender(steady)
    sent = lab.enqueue_mint(1, [(ALICE.address, 6)], 2)
    for _ in range(6):
        lab.gateway.step()
        steady.now_s += 10
    lab.gateway.run_until_idle()
    assert_minted(lab, sent, 11)
    assert transactions(lab) == ["mint mined", *["filler mined"] * 3, "mint mined"]


@pytest.mark.parametrize("message", ["invalid sender", "intrinsic gas too high", "already known", "nonce too low"])
def test_a_refusal_that_is_none_loses_nothing(lab: RemoteLab, liar: Liar, message: str) -> None:
    """The node takes the transaction and refuses it, twice: what is given up is lost, so two answers are not enough."""
    liar.tell("eth_sendRawTransaction", refusal(message), refusal(message))
    assert_minted(lab, mint(lab), 5)
    assert transactions(lab) == ["mint mined"]


def test_what_is_refused_again_and_again_is_given_up(lab: RemoteLab, liar: Liar) -> None:
    """Its nonce goes to an empty transaction, and the message says why it failed."""
    steady = Steady()
    lab.sender(steady)
    liar.tell("eth_sendRawTransaction", *[refusal("invalid sender")] * 3)
    lab.network.is_mining = False
    sent = lab.enqueue_mint(1, [(ALICE.address, 5)], 1)
    for _ in range(3):
        lab.gateway.step()
        steady.now_s += 10
    assert lab.state_of(sent) is MessageState.FAILED
    assert transactions(lab) == ["mint replaced", "filler signed"]


@pytest.mark.parametrize(
    "lie",
    [
        lambda _: [],
        lambda logs: logs[1:],
        lambda logs: logs[:-1],
        lambda logs: [*logs[:1], *logs[2:]],
        lambda logs: [logs[0], *logs],
        lambda logs: [*logs[:-1], {**logs[-1], "data": None}],
        lambda logs: [{**logs[0], "blockNumber": "0x1"}, *logs[1:]],
        lambda logs: [*logs, "log"],
        lambda _: None,
    ],
)
def test_a_part_of_the_logs_is_not_projected(lab: RemoteLab, liar: Liar, lie: Spoil) -> None:
    """Nothing, one less, one twice, of the wrong shape: the page is asked for again."""
    sent = lab.enqueue_mint(1, [(ALICE.address, 2), (BOB.address, 4), (ALICE.address, 3)], 1)
    lab.gateway.sender.step()
    lab.engine.produce()
    liar.tell("eth_getLogs", result(lie))
    with pytest.raises((InconsistentAnswer, RpcError)):
        lab.gateway.indexer.step()
    assert lab.balance() == 0
    lab.gateway.run_until_idle()
    assert_minted(lab, sent, 5)


@pytest.mark.parametrize(
    "lie",
    [
        lambda _: None,
        lambda block: {**block, "hash": "0x" + "cd" * 32},
        lambda block: {**block, "parentHash": "0x" + "cd" * 32},
        lambda block: {**block, "number": "0x7"},
        lambda block: {**block, "timestamp": None},
        lambda _: "block",
    ],
)
def test_a_wrong_header_moves_nothing_for_long(lab: RemoteLab, liar: Liar, lie: Spoil) -> None:
    """It is asked for again, or what was projected from it is undone; no alarm stops the indexer."""
    sent = lab.enqueue_mint(1, [(ALICE.address, 2), (BOB.address, 4), (ALICE.address, 3)], 1)
    lab.gateway.sender.step()
    lab.engine.produce()
    lab.engine.final_height()
    liar.tell("eth_getBlockByNumber", result(lie))
    lab.gateway.run_until_idle(timeout_s=20.0)
    assert liar.inputs
    assert_minted(lab, sent, 5)


def test_an_answer_in_drops_ends_with_the_timeout(node: AnvilNode) -> None:
    """Each drop comes in time, and all of them never do."""
    line = FlakyProxy(node.url, 1, 0.0, 1.0)
    line.draw = lambda: "trickle"  # type: ignore[method-assign]
    began = time.monotonic()
    with RpcClient(line.url, 0.3) as client, pytest.raises(RpcError) as caught:
        client.call("eth_getBlockByNumber", ["0x0", False])
    assert caught.value.reason is RpcReason.TIMEOUT
    assert time.monotonic() - began < 3.0
    line.close()


def test_a_network_that_gives_no_chain_id_is_not_opened(node: AnvilNode, liar: Liar) -> None:
    """A word is no chain id."""
    liar.tell("eth_chainId", result(lambda _: "main"))
    with pytest.raises(RpcError):
        RemoteEngine.open(liar.url)
