"""The demo's city, forged in each way that whoever owns the chain, or a node, has: its audit never says PASS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger.audit import AuditReport, auditor
from ledger.audit.calls import read_calls
from ledger.chain.embedded.engine import EmbeddedEngine
from ledger.deployment.artifacts import call_data
from ledger.deployment.deploy import EXCHANGE, FINANCE
from ledger.deployment.file import Deployment
from ledger.proofs.layout import Layout
from ledger.standard.ids import address_bytes
from ledger.standard.keccak import keccak256
from ledger.standard.signatures import SigningKey
from tests.integration.ledger.audit.forger import (
    LyingNode,
    forged_chain,
    member_slot,
    resign,
    send_as,
    send_plain,
    undone,
    write_word,
)
from tongdui.clock import clock_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STRANGER = SigningKey(keccak256(b"stranger"))
PROGRAMME = 1


@dataclass(frozen=True, slots=True)
class Forgeable:
    """A copy of the demo's chain, and what an auditor is given of the city."""

    rpc: Any
    deployment: Deployment
    leaves: Path

    def audit(self, node: Any = None) -> AuditReport:
        return auditor.Audit(node or self.rpc, self.deployment, auditor.silent).run(None, [self.leaves])

    def refusal(self, node: Any = None) -> str:
        """Return the first contradiction of an audit that fails."""
        report = self.audit(node)
        assert (report.verdict, report.ok) == ("FAIL", False)
        found = report.contradiction
        assert found is not None
        return f"{found.what} | {found.where} | {found.found}"


@pytest.fixture(scope="module")
def city(undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forgeable]:
    folder = tmp_path_factory.mktemp("forged") / "city"
    shutil.copytree(undisturbed, folder)
    deployment = Deployment.read(folder / "deployment.json")
    with EmbeddedEngine.open(folder / "chain", clock_of(folder)) as engine:
        yield Forgeable(engine.rpc, deployment, folder / "leaves")


def test_the_city_as_it_is_passes(city: Forgeable) -> None:
    """Through the same doors, or the tests below would prove nothing."""
    assert city.audit().verdict == "PASS"


def test_a_batch_that_no_issuer_signed_fails(city: Forgeable) -> None:
    """The ledger's code was another for one block: a well-formed mint whose signature is garbage, with the event of a
    true one; every root and hash is computed anew."""
    names = {address_bytes(city.deployment.address("PointsLedger")): "PointsLedger"}
    forged: list[str] = []

    def change(transaction: dict[str, Any], receipt: dict[str, Any]) -> None:
        if forged or transaction["to"] is None or receipt["status"] != "0x1":
            return
        data, target = bytes.fromhex(transaction["input"][2:]), address_bytes(transaction["to"])
        call = next(iter(read_calls(names, bytes(20), target, data)), None)
        if call is None or call.function != "mint":
            return
        signature: bytes = call.args["signature"]
        resign(transaction, STRANGER, data.replace(signature, keccak256(b"garbage") * 2 + signature[64:]))
        transaction["from"] = STRANGER.address
        receipt["transactionHash"] = transaction["hash"]
        forged.append(transaction["hash"])

    found = city.refusal(forged_chain(city.rpc, change))
    assert len(forged) == 1
    assert found.startswith("signer of batch 1")


def test_an_administrator_written_into_storage_fails(city: Forgeable) -> None:
    with undone(city.rpc):
        write_word(city.rpc, city.deployment.address("AccessManager"), member_slot(0, STRANGER.address), 1)
        city.rpc.call("evm_mine")
        assert city.refusal().startswith("storage of AccessManager")


@pytest.mark.parametrize(
    ("contract", "function", "args"),
    [
        ("AccessManager", "grantRole", (EXCHANGE, STRANGER.address, 0)),
        ("PointsLedger", "addIssuerKey", (PROGRAMME, STRANGER.address)),
    ],
    ids=["a role", "an issuer key"],
)
def test_what_such_an_administrator_did_fails(
    city: Forgeable, contract: str, function: str, args: tuple[Any, ...]
) -> None:
    """In an ordinary transaction; storage is put back, and looks clean at the end."""
    manager, slot = city.deployment.address("AccessManager"), member_slot(0, STRANGER.address)
    with undone(city.rpc):
        before = write_word(city.rpc, manager, slot, 1)
        send_plain(city.rpc, STRANGER, city.deployment.address(contract), call_data(contract, function, args))
        write_word(city.rpc, manager, slot, before)
        city.rpc.call("evm_mine")
        found = city.refusal()
    assert found.startswith(f"who calls {contract}.{function}")
    assert STRANGER.address in found


@pytest.mark.parametrize(
    ("contract", "function", "args"),
    [
        ("PointsLedger", "addIssuerKey", (PROGRAMME, STRANGER.address)),
        ("Exchange", "setResidentCap", (1,)),
        ("AccessManager", "grantRole", (FINANCE, STRANGER.address, 0)),
    ],
    ids=["an issuer key", "a cap", "the finance bureau"],
)
def test_what_the_council_did_without_a_decision_fails(
    city: Forgeable, contract: str, function: str, args: tuple[Any, ...]
) -> None:
    """From its address, with no proposal carried out."""
    data = call_data(contract, function, args)
    with undone(city.rpc):
        send_as(city.rpc, city.deployment.address("Council"), city.deployment.address(contract), data)
        found = city.refusal()
    assert found.startswith(("signature of a transaction", "sender of a transaction", f"who calls {contract}"))


@pytest.mark.parametrize(
    ("contract", "label", "word"),
    [
        ("Exchange", "_authority", 7),
        ("Exchange", "_residentCapFen", 1),
        ("Redemption", "pausedUntil", 1 << 168),
        ("ClearingBook", "arbiterKey", 7),
        ("Council", "threshold", 0),
    ],
)
def test_storage_of_any_contract_fails(city: Forgeable, contract: str, label: str, word: int) -> None:
    with undone(city.rpc):
        write_word(city.rpc, city.deployment.address(contract), Layout.load(contract).at(label), word)
        city.rpc.call("evm_mine")
        assert contract in city.refusal()


def test_a_node_that_shows_another_receiver_of_orders_fails(city: Forgeable) -> None:
    """All signatures and nonces in them would be out of sight: they would look relayed by a contract."""
    modules = {city.deployment.address(name).lower() for name in ("Exchange", "Redemption")}

    def lie(method: str, params: Any, answer: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[1]:
            for transaction in answer["transactions"]:
                if transaction["to"] in modules:
                    transaction["to"] = "0x" + "11" * 20
        return answer

    assert city.refusal(LyingNode(city.rpc, lie)).startswith("transactions of block")
