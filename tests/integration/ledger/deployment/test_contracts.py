"""Our contracts through web3 on a real chain: named results, reverts with their data, and a node that is replaced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.chain.embedded.engine import EmbeddedEngine
from ledger.chain.rpc import RpcError, RpcReason
from ledger.chain.transactions import contract_address, sign_legacy
from ledger.deployment import artifacts
from ledger.deployment.contracts import Contracts, call_data, read
from ledger.standard.ids import Address
from ledger.standard.signatures import SigningKey
from tests.integration.ledger.chain.kit import manual_clock

DEPLOYER = SigningKey(b"\x55" * 32)
MANAGER = contract_address(DEPLOYER.address, 0)
ADMIN = 0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    with EmbeddedEngine.open(tmp_path / "state", manual_clock()) as engine:
        yield engine


@pytest.fixture
def contracts(engine: EmbeddedEngine) -> Contracts:
    """An access manager of the deployer's, created with the data that web3 made."""
    contracts = Contracts(engine.rpc, {"AccessManager": MANAGER}, engine.chain_id)
    data = contracts.creation_data("AccessManager", (DEPLOYER.address,))
    raw, _ = sign_legacy(DEPLOYER, engine.chain_id, 0, None, data, 12_000_000)
    engine.submit([raw])
    engine.produce()
    return contracts


def test_results_carry_the_names_of_the_interface(engine: EmbeddedEngine, contracts: Contracts) -> None:
    has_role = contracts["AccessManager"].functions.hasRole
    found = read(has_role(ADMIN, DEPLOYER.address), engine.final_height())
    assert (found.isMember, found.executionDelay) == (True, 0)
    assert found == (True, 0)
    views = [has_role(ADMIN, DEPLOYER.address), has_role(7, DEPLOYER.address), has_role(ADMIN, MANAGER)]
    assert [state.isMember for state in contracts.read_all(views, engine.final_height())] == [True, False, False]
    assert contracts.read_all([], engine.final_height()) == []


def test_call_data_is_what_the_codec_makes(contracts: Contracts) -> None:
    grant = contracts["AccessManager"].functions.grantRole(1, DEPLOYER.address, 5)
    assert call_data(grant) == artifacts.call_data("AccessManager", "grantRole", (1, DEPLOYER.address, 5))


def test_a_revert_brings_the_contracts_own_error(engine: EmbeddedEngine, contracts: Contracts) -> None:
    grant = contracts["AccessManager"].functions.grantRole(1, MANAGER, 0)
    for act in (
        lambda: read(grant, engine.final_height()),
        lambda: contracts.read_all([grant], engine.final_height()),
    ):
        with pytest.raises(RpcError) as caught:
            act()
        assert caught.value.reason is RpcReason.REVERTED
        assert "AccessManagerUnauthorizedAccount" in artifacts.explain_revert(caught.value.data)


def test_an_address_without_a_contract_is_a_malformed_answer(engine: EmbeddedEngine) -> None:
    nothing = Contracts(engine.rpc, {"AccessManager": Address("0x" + "ab" * 20)}, engine.chain_id)
    has_role = nothing["AccessManager"].functions.hasRole(ADMIN, DEPLOYER.address)
    for act in (lambda: read(has_role, "latest"), lambda: nothing.read_all([has_role], "latest")):
        with pytest.raises(RpcError) as caught:
            act()
        assert caught.value.reason is RpcReason.MALFORMED_ANSWER


def test_a_block_that_is_not_there_is_unavailable(engine: EmbeddedEngine, contracts: Contracts) -> None:
    with pytest.raises(RpcError) as caught:
        read(contracts["AccessManager"].functions.hasRole(ADMIN, MANAGER), engine.final_height() + 5)
    assert caught.value.reason is RpcReason.BLOCK_UNAVAILABLE


def test_a_node_that_was_killed_is_replaced_under_web3(engine: EmbeddedEngine, contracts: Contracts) -> None:
    has_role = contracts["AccessManager"].functions.hasRole(ADMIN, DEPLOYER.address)
    before = engine.url
    engine._node.kill()
    assert read(has_role, engine.final_height()).isMember
    assert engine.url != before
