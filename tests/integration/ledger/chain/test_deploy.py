"""A city is put on a real chain: once, wholly, whatever breaks off in between, and checked before anything starts."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger.chain.embedded.anvil import AnvilNode, NodeSettings
from ledger.chain.embedded.engine import EmbeddedEngine
from ledger.chain.engine import SubmitOutcome
from ledger.chain.errors import DeploymentFailed, DeploymentMismatch
from ledger.chain.remote import RemoteEngine
from ledger.chain.rpc import RpcClient, RpcError
from ledger.chain.transactions import sign_legacy
from ledger.deployment import artifacts, deploy
from ledger.deployment.artifacts import explain_revert
from ledger.deployment.city import CityActors, CityConfig, RulebookRef, load
from ledger.deployment.contracts import Contracts, read
from ledger.deployment.ensure import ensure_deployed
from ledger.deployment.file import Deployment
from ledger.errors import ConfigurationError
from ledger.standard.ids import ZERO_ADDRESS, Address
from ledger.standard.signatures import SigningKey
from tests.integration.ledger.chain.kit import START_TIMESTAMP, manual_clock


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    with EmbeddedEngine.open(tmp_path / "state", manual_clock()) as engine:
        yield engine


@pytest.fixture(scope="module")
def config() -> CityConfig:
    return load()


@pytest.fixture
def deployer() -> SigningKey:
    return SigningKey(b"\x77" * 32)


def account(name: str) -> Address:
    return SigningKey(random.Random(name).randbytes(32)).address


@pytest.fixture
def actors(config: CityConfig) -> CityActors:
    return CityActors(
        council=tuple(account(f"council {number}") for number in range(5)),
        council_threshold=3,
        finance_bureau=account("finance"),
        guardian=account("guardian"),
        registrar=account("registrar"),
        supervisor=account("supervisor"),
        arbiter=account("arbiter"),
        arbiter_key=account("arbiter key"),
        desks=(account("desk"), account("second desk")),
        issuers={programme.id: (account(f"issuer {programme.slug}"),) for programme in config.programmes},
        merchants={merchant.id: account(f"merchant {merchant.slug}") for merchant in config.merchants},
        rulebooks={programme.id: RulebookRef(1, bytes([programme.id]) * 32) for programme in config.programmes},
    )


def ask(engine: EmbeddedEngine, deployment: Deployment, contract: str, function: str, *args: Any) -> Any:
    view_of = Contracts.of(engine, deployment)[contract].functions[function]
    return read(view_of(*args), engine.final_height())


def test_the_city_stands_as_configured(
    engine: EmbeddedEngine, config: CityConfig, actors: CityActors, deployer: SigningKey
) -> None:
    deployment = deploy.deploy(engine, config, actors, deployer)
    for programme in config.programmes:
        found = ask(engine, deployment, "PointsLedger", "programme", programme.id)
        assert found[:5] == (programme.par_microfen, programme.flag_bits, 1, 1, bytes([programme.id]) * 32)
        assert ask(engine, deployment, "PointsLedger", "isIssuerKey", programme.id, actors.issuers[programme.id][0])
        assert ask(engine, deployment, "PointsLedger", "name", programme.id << 32) == programme.names.zh
    for merchant in config.merchants:
        key, scope = ask(engine, deployment, "ClearingBook", "merchant", merchant.id)
        assert key == actors.merchants[merchant.id]
        assert int.from_bytes(scope, "big") == config.scope_bits(merchant.scopes) > 0
    for appropriation in config.appropriations:
        available = ask(engine, deployment, "ClearingBook", "fundingOf", appropriation.programme)
        assert tuple(available) == (appropriation.fen, appropriation.fen, False)
    assert ask(engine, deployment, "ClearingBook", "arbiterKey") == actors.arbiter_key
    assert ask(engine, deployment, "ClearingBook", "maturity") == config.clearing.maturity_s
    terms = ask(engine, deployment, "ClearingBook", "terms")
    assert tuple(terms) == (config.clearing.payment_term_s, config.clearing.payout_ceiling_fen)
    assert ask(engine, deployment, "Exchange", "outflow", ZERO_ADDRESS)[0] == config.resident_cap_fen
    assert ask(engine, deployment, "PointsLedger", "rebirthCapFen") == config.rebirth_cap_fen
    assert ask(engine, deployment, "PointsLedger", "domainSeparator") == deployment.domain().separator
    assert deployment.programme("culture").id == 4
    assert deployment.programme(5).flags == 0
    assert deployment.merchant("museum").id == 5
    assert deployment.block == 1


def test_roles_are_with_those_who_should_have_them(
    engine: EmbeddedEngine, config: CityConfig, actors: CityActors, deployer: SigningKey
) -> None:
    deployment = deploy.deploy(engine, config, actors, deployer)
    holders = {
        deploy.ADMIN: {deployment.address("Council")},
        deploy.EXCHANGE: {deployment.address("Exchange")},
        deploy.REDEMPTION: {deployment.address("Redemption")},
        deploy.FINANCE: {actors.finance_bureau},
        deploy.GUARDIAN: {actors.guardian},
        deploy.DESK: set(actors.desks),
        deploy.REGISTRAR: {actors.registrar},
        deploy.ARBITER: {actors.arbiter},
        deploy.SUPERVISOR: {actors.supervisor},
    }
    assert set(holders) == set(deploy.ROLE_NAMES)
    everybody = {who for having in holders.values() for who in having} | {deployer.address, account("stranger")}
    for role, wanted in holders.items():
        having = {who for who in everybody if ask(engine, deployment, "AccessManager", "hasRole", role, who)[0]}
        assert having == wanted, deploy.ROLE_NAMES[role]
    delays = {
        role: ask(engine, deployment, "AccessManager", "hasRole", role, min(holders[role]))[1] for role in holders
    }
    waiting = dict.fromkeys(deploy.SUPERVISED_ROLES, actors.institution_delay_s)
    assert delays == dict.fromkeys(holders, 0) | waiting
    for role in deploy.SUPERVISED_ROLES:
        assert ask(engine, deployment, "AccessManager", "getRoleGuardian", role) == deploy.SUPERVISOR
    for contract, functions, role in deploy.FUNCTION_ROLES:
        for function in functions:
            selector = artifacts.load(contract).function(function).selector
            address = deployment.address(contract)
            assert ask(engine, deployment, "AccessManager", "getTargetFunctionRole", address, selector) == role


def test_every_change_of_authority_waits_from_five_days_on(
    config: CityConfig, actors: CityActors, deployer: SigningKey, tmp_path: Path
) -> None:
    clock = manual_clock()
    with EmbeddedEngine.open(tmp_path / "state", clock) as engine:
        deployment = deploy.deploy(engine, config, actors, deployer)
        clock.set(clock.now() + timedelta(days=5, hours=1))
        stranger = SigningKey(b"\x78" * 32)
        engine.submit([sign_legacy(stranger, engine.chain_id, 0, stranger.address, b"", 21_000)[0]])
        engine.produce()
        delays = {
            role: ask(engine, deployment, "AccessManager", "getRoleGrantDelay", role) for role in deploy.ROLE_NAMES
        }
        assert delays == dict.fromkeys(deploy.ROLE_NAMES, 7 * 86_400) | {deploy.GUARDIAN: 0}
        for contract in set(deployment.contracts) - {"AccessManager", "Council"}:
            address = deployment.address(contract)
            assert ask(engine, deployment, "AccessManager", "getTargetAdminDelay", address) == 7 * 86_400


def test_all_power_is_with_the_council(
    engine: EmbeddedEngine, config: CityConfig, actors: CityActors, deployer: SigningKey
) -> None:
    deployment = deploy.deploy(engine, config, actors, deployer)
    members = ask(engine, deployment, "Council", "members")
    assert tuple(members) == actors.council
    assert ask(engine, deployment, "Council", "threshold") == actors.council_threshold
    assert ask(engine, deployment, "Council", "delaySeconds") == actors.council_delay_s
    data = "0x" + artifacts.call_data("AccessManager", "grantRole", (deploy.ADMIN, deployer.address, 0)).hex()
    call = {"from": deployer.address, "to": deployment.address("AccessManager"), "data": data}
    with pytest.raises(RpcError) as caught:
        engine.rpc.call("eth_call", [call, hex(engine.final_height())])
    assert "Unauthorized" in explain_revert(caught.value.data)
    engine.rpc.call("eth_call", [{**call, "from": deployment.address("Council")}, hex(engine.final_height())])


@pytest.mark.parametrize(
    ("contract", "function", "args"),
    [
        ("PointsLedger", "beginRedemption", ()),
        ("PointsLedger", "addIssuerKey", (1, account("stranger"))),
        ("PointsLedger", "freeze", (1,)),
        ("ClearingBook", "recordAppropriation", (1, 2026, 1, bytes(32))),
        ("ClearingBook", "registerMerchant", (99, account("stranger"), b"\x01" * 32)),
        ("ClearingBook", "post", ([],)),
        ("ClearingBook", "payDirectly", (1, 1, 1, b"\x01" * 32)),
        ("ClearingBook", "setArbiterKey", (account("stranger"),)),
        ("Succession", "confirm", (account("old"), account("new"))),
        ("Redemption", "pause", (60,)),
        ("AccessManager", "grantRole", (1, account("stranger"), 0)),
    ],
)
def test_a_stranger_may_do_none_of_it(
    engine: EmbeddedEngine,
    config: CityConfig,
    actors: CityActors,
    deployer: SigningKey,
    contract: str,
    function: str,
    args: tuple[Any, ...],
) -> None:
    deployment = deploy.deploy(engine, config, actors, deployer)
    data = "0x" + artifacts.call_data(contract, function, args).hex()
    call = {"from": account("stranger"), "to": deployment.address(contract), "data": data}
    with pytest.raises(RpcError) as caught:
        engine.rpc.call("eth_call", [call, hex(engine.final_height())])
    assert "Unauthorized" in explain_revert(caught.value.data)


def test_a_second_deployment_changes_nothing(
    engine: EmbeddedEngine, config: CityConfig, actors: CityActors, deployer: SigningKey, tmp_path: Path
) -> None:
    path = tmp_path / "deployment.json"
    titles: list[str] = []
    first = ensure_deployed(
        engine, config, actors, deployer, path, progress=lambda title, _done, _total: titles.append(title)
    )
    height = engine.final_height()
    assert "register programme volunteer" in titles
    assert Deployment.read(path) == first
    assert deploy.deploy(engine, config, actors, deployer) == first
    assert ensure_deployed(engine, config, actors, deployer, path) == first
    path.unlink()
    assert ensure_deployed(engine, config, actors, deployer, path) == first
    assert engine.final_height() == height


class Crash(Exception):
    """The process dies here."""


class Breaking:
    """The engine, until so many transactions have gone through it; then the process dies."""

    def __init__(self, engine: EmbeddedEngine, transactions: int) -> None:
        self._engine = engine
        self._left = transactions
        self.rpc, self.url, self.chain_id = engine.rpc, engine.url, engine.chain_id
        self.final_height, self.close = engine.final_height, engine.close

    def submit(self, raw: Sequence[bytes]) -> list[SubmitOutcome]:
        outcomes = self._engine.submit(raw[: self._left])
        if len(raw) > self._left:
            self._engine.produce()
            raise Crash
        self._left -= len(raw)
        return outcomes

    def produce(self) -> int:
        return self._engine.produce()


def test_a_deployment_that_breaks_off_is_taken_up_where_it_stopped(
    tmp_path: Path, config: CityConfig, actors: CityActors, deployer: SigningKey
) -> None:
    with EmbeddedEngine.open(tmp_path / "whole", manual_clock()) as engine:
        whole = deploy.deploy(engine, config, actors, deployer)
        total = int(engine.rpc.call("eth_getTransactionCount", [deployer.address, "latest"]), 16)
    rng = random.Random(11)
    for breaks_at in sorted({0, 1, 5, 6, 7, total - 1, *(rng.randrange(total) for _ in range(6))}):
        with EmbeddedEngine.open(tmp_path / str(breaks_at), manual_clock()) as engine:
            with pytest.raises(Crash):
                deploy.deploy(Breaking(engine, breaks_at), config, actors, deployer)
            again = deploy.deploy(engine, config, actors, deployer)
            count = int(engine.rpc.call("eth_getTransactionCount", [deployer.address, "latest"]), 16)
            assert count == total, f"broken off at {breaks_at}: nothing is sent twice"
            assert {name: each.address for name, each in again.contracts.items()} == {
                name: each.address for name, each in whole.contracts.items()
            }
            again.check(engine)


def test_a_step_that_reverts_says_why(
    engine: EmbeddedEngine, config: CityConfig, actors: CityActors, deployer: SigningKey
) -> None:
    wrong = replace(actors, issuers={**actors.issuers, config.programmes[0].id: (ZERO_ADDRESS,)})
    with pytest.raises(DeploymentFailed, match=r"register programme volunteer.*PointsLedgerBadKey"):
        deploy.deploy(engine, config, wrong, deployer)


def test_another_par_than_the_chains_is_refused(
    engine: EmbeddedEngine, config: CityConfig, actors: CityActors, deployer: SigningKey
) -> None:
    deploy.deploy(engine, config, actors, deployer)
    dearer = replace(config.programmes[0], par_microfen=30_000_000)
    with pytest.raises(DeploymentMismatch, match="par, flags and scope of programme volunteer"):
        deploy.deploy(engine, replace(config, programmes=(dearer, *config.programmes[1:])), actors, deployer)


def test_other_contracts_than_the_artifacts_are_refused(
    engine: EmbeddedEngine,
    config: CityConfig,
    actors: CityActors,
    deployer: SigningKey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deploy.deploy(engine, config, actors, deployer)
    changed = tmp_path / "artifacts"
    shutil.copytree(artifacts.folder(), changed)
    document = orjson.loads((changed / "Exchange.json").read_bytes())
    document["deployedBytecode"] = document["deployedBytecode"][:-2] + "ff"
    (changed / "Exchange.json").write_bytes(orjson.dumps(document))
    monkeypatch.setenv(artifacts.FOLDER_VARIABLE, str(changed))
    with pytest.raises(DeploymentMismatch, match="code of Exchange"):
        deploy.deploy(engine, config, actors, deployer)


def test_the_check_notices_another_chain_code_or_domain(
    engine: EmbeddedEngine, config: CityConfig, actors: CityActors, deployer: SigningKey
) -> None:
    deployment = deploy.deploy(engine, config, actors, deployer)
    deployment.check(engine)
    ledger = replace(deployment.contracts["PointsLedger"], code_hash="0x" + "00" * 32)
    forged = {**deployment.contracts, "PointsLedger": ledger}
    for wrong, words in (
        (replace(deployment, chain_id=5), "chain id"),
        (replace(deployment, block=engine.final_height() + 1), "height"),
        (replace(deployment, salt="0x" + "11" * 32), "signing domain"),
        (replace(deployment, contracts=forged), "code hash of PointsLedger"),
    ):
        with pytest.raises(DeploymentMismatch, match=words):
            wrong.check(engine)
    engine.rpc.call("anvil_setCode", [deployment.address("Exchange"), "0x00"])
    with pytest.raises(DeploymentMismatch, match="code hash of Exchange"):
        deployment.check(engine)


def test_files_that_are_no_deployment_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Deployment.read(path)
    for content in (b"", b"{}", b"[]", b'{"chain_id": "5"}'):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"deployment\.json"):
            Deployment.read(path)


def test_a_city_on_a_chain_that_others_mine(
    tmp_path: Path, config: CityConfig, actors: CityActors, deployer: SigningKey
) -> None:
    node = AnvilNode.start(NodeSettings(4_321, START_TIMESTAMP), tmp_path)
    stop = threading.Event()

    def mine() -> None:
        with RpcClient(node.url) as client:
            while not stop.wait(0.05):
                client.call("evm_mine")

    miner = threading.Thread(target=mine)
    miner.start()
    try:
        with RemoteEngine.open(node.url) as engine:
            deployment = deploy.deploy(engine, config, actors, deployer)
            deployment.check(engine)
            assert deployment.chain_id == 4_321
            assert deployment.block > 0
            assert deploy.deploy(engine, config, actors, deployer) == deployment
    finally:
        stop.set()
        miner.join()
        node.kill()
