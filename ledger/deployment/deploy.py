"""Put a city on a chain: contracts, roles, programmes, merchants, appropriations; then give all power to the council.

Idempotent: each step looks at the chain first, so a deployment that broke off anywhere is taken up where it stopped,
and one that is complete is only checked. Contract addresses follow from the deployer's account and its first nonces,
so nothing has to be remembered between runs but the deployer's key, which is worthless after the last step.

Calls and views are built by web3's contracts. Transactions are signed by `sign_legacy` and submitted by the engine: the
deployer is a signer whose secret need not be in this process, and the embedded engine makes the blocks itself.

Warning: importing this module imports web3; `ledger.deployment.ensure` does so only where there is something to deploy.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from web3.contract import Contract
from web3.contract.contract import ContractEvent, ContractFunction
from web3.types import EventData

from ledger.chain.engine import Engine
from ledger.chain.errors import DeploymentFailed, DeploymentMismatch
from ledger.chain.rpc import RpcError, RpcReason
from ledger.chain.transactions import DigestSigner, contract_address, sign_legacy
from ledger.deployment import artifacts
from ledger.deployment.city import CityActors, CityConfig, ProgrammeConfig
from ledger.deployment.contracts import Contracts, call_data, read
from ledger.deployment.file import Contract as DeployedContract
from ledger.deployment.file import DeployedMerchant, DeployedProgramme, Deployment, bytes32
from ledger.standard.civil_time import DAY_S
from ledger.standard.ids import ZERO_ADDRESS, Address
from ledger.standard.keccak import keccak256

ADMIN = 0
"""The council's role; what has no other role belongs to it."""
EXCHANGE, REDEMPTION, FINANCE, GUARDIAN, DESK, REGISTRAR, ARBITER, SUPERVISOR = range(1, 9)

ROLE_NAMES: Mapping[int, str] = {
    ADMIN: "ADMIN",
    EXCHANGE: "EXCHANGE",
    REDEMPTION: "REDEMPTION",
    FINANCE: "FINANCE",
    GUARDIAN: "GUARDIAN",
    DESK: "DESK",
    REGISTRAR: "REGISTRAR",
    ARBITER: "ARBITER",
    SUPERVISOR: "SUPERVISOR",
}

FUNCTION_ROLES: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("PointsLedger", ("beginExchange",), EXCHANGE),
    ("PointsLedger", ("beginRedemption",), REDEMPTION),
    ("PointsLedger", ("freeze",), GUARDIAN),
    ("Succession", ("requestSuccession", "confirm"), DESK),
    ("ClearingBook", ("post",), EXCHANGE),
    ("ClearingBook", ("postReceipts", "postRefund", "lockOrder"), REDEMPTION),
    ("ClearingBook", ("recordAppropriation", "lapse", "reclaim", "fund", "payout", "payDirectly"), FINANCE),
    ("ClearingBook", ("registerMerchant",), REGISTRAR),
    ("Exchange", ("pause", "unpause"), GUARDIAN),
    ("Redemption", ("pause", "unpause"), GUARDIAN),
    ("Redemption", ("lockOrder",), ARBITER),
)
"""Which role may call what. Everything else that is restricted stays with the council."""

SUPERVISED_ROLES = (FINANCE, REGISTRAR)
"""Their acts are announced and wait (`CityActors.institution_delay_s`); the supervisor can cancel them meanwhile."""

DELAYED_ROLES = (ADMIN, EXCHANGE, REDEMPTION, FINANCE, DESK, REGISTRAR, ARBITER, SUPERVISOR)
"""Whoever is granted one of these has it after `AUTHORITY_DELAY_S`. A guardian, who can only brake, has it at once."""

DELAYED_TARGETS = ("PointsLedger", "ClearingBook", "Succession", "Exchange", "Redemption")
"""Another role for a function of these, another authority, or their closing is announced and waits as long."""

AUTHORITY_DELAY_S = 7 * DAY_S
"""How long everybody sees a change of who may do what before it takes effect."""

_CREATION_GAS = 12_000_000
_CALL_GAS = 1_500_000
_RESUBMIT_S = 5.0
_POLL_S = 0.2

Progress = Callable[[str, int, int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Creation:
    contract: str
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """A call that changes the chain, and a view that tells whether it has been made."""

    title: str
    call: ContractFunction
    view: ContractFunction
    is_done: Callable[[Any], bool]


def deploy(
    engine: Engine,
    config: CityConfig,
    actors: CityActors,
    deployer: DigestSigner,
    *,
    salt: bytes | None = None,
    progress: Progress | None = None,
    timeout_s: float = 120.0,
) -> Deployment:
    """Bring the chain to where the city stands on it, and return what stands.

    ``deployer`` is an account that never sent anything but this deployment. ``salt`` is the deployment id of the
    signing domain; None derives it from the chain id and the deployer's account, which is random. ``progress`` hears
    (step, done, total). Raises DeploymentFailed if a step reverts or takes longer than ``timeout_s``,
    DeploymentMismatch if the chain carries something else already, or `RpcError` if the node fails for as long.
    """
    salt = salt or keccak256(b"tongdui deployment" + engine.chain_id.to_bytes(32, "big") + deployer.address.encode())
    work = _Work(engine, deployer, _addresses(deployer.address), progress, timeout_s)
    contracts = work.contracts
    work.create(_creations(work.addresses, deployer.address, salt, config, actors))
    if work.view(contracts["AccessManager"].functions.hasRole(ADMIN, deployer.address)).isMember:
        work.perform(_city_steps(contracts, config, actors))
        work.perform(_role_steps(contracts, work.addresses, actors))
        work.perform(_hand_over_steps(contracts["AccessManager"], work.addresses, deployer.address))
    _check_programmes(work, config)
    return _describe(work, config, actors, salt)


# The plan ---------------------------------------------------------------------------------------------------------

_ORDER = (
    "AccessManager",
    "ClearingBook",
    "Succession",
    "PointsLedger",
    "Exchange",
    "Redemption",
    "Council",
)
"""The deployer's first nonces create these, in this order. The book and the succession are made for the address of a
ledger that is still to come, whose constructor checks that they were."""


def _addresses(deployer: Address) -> dict[str, Address]:
    return {name: contract_address(deployer, nonce) for nonce, name in enumerate(_ORDER)}


def _creations(
    addresses: Mapping[str, Address], deployer: Address, salt: bytes, config: CityConfig, actors: CityActors
) -> list[_Creation]:
    manager, ledger = addresses["AccessManager"], addresses["PointsLedger"]
    terms = (config.clearing.payment_term_s, config.clearing.payout_ceiling_fen)
    arguments: dict[str, tuple[Any, ...]] = {
        "AccessManager": (deployer,),
        "ClearingBook": (manager, ledger, config.clearing.maturity_s, terms),
        "Succession": (manager, ledger),
        "PointsLedger": (manager, salt, addresses["ClearingBook"], addresses["Succession"]),
        "Exchange": (manager, ledger),
        "Redemption": (manager, ledger),
        "Council": (actors.council, actors.council_threshold, actors.council_delay_s),
    }
    return [_Creation(name, arguments[name]) for name in _ORDER]


def _city_steps(contracts: Contracts, config: CityConfig, actors: CityActors) -> list[_Step]:
    book = contracts["ClearingBook"].functions
    steps: list[_Step] = []
    for programme in config.programmes:
        steps += _programme_steps(contracts, programme, config, actors)
    for merchant in config.merchants:
        scope = _scope(config.scope_bits(merchant.scopes))
        steps.append(
            _Step(
                f"register merchant {merchant.slug}",
                book.registerMerchant(merchant.id, actors.merchants[merchant.id], scope),
                book.merchant(merchant.id),
                lambda found: int(found.key, 16) != 0,
            )
        )
    for appropriation in config.appropriations:
        key = (appropriation.programme, appropriation.fiscal_year)
        steps.append(
            _Step(
                f"record the appropriation of {appropriation.fiscal_year} to programme {appropriation.programme}",
                book.recordAppropriation(*key, appropriation.fen, keccak256(appropriation.document.encode())),
                book.appropriation(*key),
                lambda found: found.recordedFen > 0,
            )
        )
    steps.append(
        _Step(
            "set the consumer arbiter's key",
            book.setArbiterKey(actors.arbiter_key),
            book.arbiterKey(),
            lambda found: int(found, 16) != 0,
        )
    )
    return steps + _cap_steps(contracts, config)


def _cap_steps(contracts: Contracts, config: CityConfig) -> list[_Step]:
    steps = []
    if config.resident_cap_fen:
        exchange = contracts["Exchange"].functions
        steps.append(
            _Step(
                "cap what a resident exchanges a day",
                exchange.setResidentCap(config.resident_cap_fen),
                exchange.outflow(ZERO_ADDRESS),
                lambda found: found.capFen == config.resident_cap_fen,
            )
        )
    if config.rebirth_cap_fen:
        ledger = contracts["PointsLedger"].functions
        steps.append(
            _Step(
                "cap what is reborn for a resident a quarter",
                ledger.setRebirthCap(config.rebirth_cap_fen),
                ledger.rebirthCapFen(),
                lambda found: found == config.rebirth_cap_fen,
            )
        )
    return steps


def _programme_steps(
    contracts: Contracts, programme: ProgrammeConfig, config: CityConfig, actors: CityActors
) -> list[_Step]:
    ledger, exchange = contracts["PointsLedger"].functions, contracts["Exchange"].functions
    first_key, *further_keys = actors.issuers[programme.id]
    steps = [
        _Step(
            f"register programme {programme.slug}",
            ledger.registerProgramme(
                programme.id,
                programme.par_microfen,
                programme.flag_bits,
                _scope(config.scope_bits(programme.spend_scope)),
                first_key,
                programme.names.zh,
                programme.symbol,
            ),
            ledger.programme(programme.id),
            lambda found: found.state != 0,
        )
    ]
    steps += [
        _Step(
            f"add issuer key {key} of {programme.slug}",
            ledger.addIssuerKey(programme.id, key),
            ledger.issuerKeyActiveFrom(programme.id, key),
            bool,
        )
        for key in further_keys
    ]
    if programme.daily_mint_fen or programme.daily_revoke_fen:
        wanted = (programme.daily_mint_fen, programme.daily_revoke_fen)
        steps.append(
            _Step(
                f"set the ceilings of {programme.slug}",
                ledger.setCeilings(programme.id, *wanted),
                ledger.ceilings(programme.id),
                lambda found: (found.mintFen, found.revokeFen) == wanted,
            )
        )
    rulebook = actors.rulebooks.get(programme.id)
    if rulebook is not None:
        steps.append(
            _Step(
                f"set rulebook {rulebook.version} of {programme.slug}",
                ledger.setRulebook(programme.id, rulebook.version, rulebook.hash),
                ledger.programme(programme.id),
                lambda found: found.rulebookVersion >= rulebook.version,
            )
        )
    if programme.inflow_cap_fen:
        steps.append(
            _Step(
                f"cap what is exchanged into {programme.slug} a day",
                exchange.setInflowCap(programme.id, programme.inflow_cap_fen),
                exchange.inflow(programme.id),
                lambda found: found.capFen == programme.inflow_cap_fen,
            )
        )
    return steps


def _role_steps(contracts: Contracts, addresses: Mapping[str, Address], actors: CityActors) -> list[_Step]:
    """Give the roles away. These steps come after the city's, for they take the city's functions from the deployer."""
    manager = contracts["AccessManager"]
    steps = []
    for contract, functions, role in FUNCTION_ROLES:
        for function in functions:
            selector = artifacts.load(contract).function(function).selector
            steps.append(
                _Step(
                    f"give {contract}.{function} to role {ROLE_NAMES[role]}",
                    manager.functions.setTargetFunctionRole(addresses[contract], [selector], role),
                    manager.functions.getTargetFunctionRole(addresses[contract], selector),
                    _equals(role),
                )
            )
    holders = [
        (EXCHANGE, addresses["Exchange"], 0),
        (REDEMPTION, addresses["Redemption"], 0),
        (FINANCE, actors.finance_bureau, actors.institution_delay_s),
        (REGISTRAR, actors.registrar, actors.institution_delay_s),
        (SUPERVISOR, actors.supervisor, 0),
        (GUARDIAN, actors.guardian, 0),
        (ARBITER, actors.arbiter, 0),
        *((DESK, desk, 0) for desk in actors.desks),
    ]
    steps += [_grant(manager, role, account, delay_s) for role, account, delay_s in holders]
    return steps


def _grant(manager: Contract, role: int, account: Address, delay_s: int = 0) -> _Step:
    return _Step(
        f"grant role {ROLE_NAMES[role]} to {account}",
        manager.functions.grantRole(role, account, delay_s),
        manager.functions.hasRole(role, account),
        lambda found: bool(found.isMember),
    )


def _hand_over_steps(manager: Contract, addresses: Mapping[str, Address], deployer: Address) -> list[_Step]:
    # After the last grant and in one call, for the manager shows these delays only once they are in force, five days
    # after they were set: until then a city that has just begun can correct what it granted.
    restraints = [manager.functions.setGrantDelay(role, AUTHORITY_DELAY_S) for role in DELAYED_ROLES]
    restraints += [
        manager.functions.setTargetAdminDelay(addresses[target], AUTHORITY_DELAY_S) for target in DELAYED_TARGETS
    ]
    restraints += [manager.functions.setRoleGuardian(role, SUPERVISOR) for role in SUPERVISED_ROLES]
    return [
        _grant(manager, ADMIN, addresses["Council"]),
        _Step(
            "let every change of authority wait, and the supervisor cancel what finance and registrar announce",
            manager.functions.multicall([call_data(restraint) for restraint in restraints]),
            manager.functions.getRoleGuardian(SUPERVISED_ROLES[-1]),
            _equals(SUPERVISOR),
        ),
        _Step(
            "renounce the deployer's power",
            manager.functions.renounceRole(ADMIN, deployer),
            manager.functions.hasRole(ADMIN, deployer),
            lambda found: not found.isMember,
        ),
    ]


# The work ---------------------------------------------------------------------------------------------------------


class _Work:
    """Sends the deployer's transactions and waits until each is final."""

    def __init__(
        self,
        engine: Engine,
        deployer: DigestSigner,
        addresses: Mapping[str, Address],
        progress: Progress | None,
        timeout_s: float,
    ) -> None:
        self.engine = engine
        self.addresses = addresses
        self.contracts = Contracts(engine.rpc, addresses, engine.chain_id)
        self._deployer = deployer
        self._progress = progress
        self._timeout_s = timeout_s

    def patiently(self, act: Callable[[], T]) -> T:
        """Return what ``act`` returns; try again what may be tried again. Raises `RpcError` when the time is up."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return act()
            except RpcError as error:
                if not error.is_retryable or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_S)

    def call(self, method: str, params: list[Any]) -> Any:
        """Ask the node."""
        return self.patiently(lambda: self.engine.rpc.call(method, params))

    def final_height(self) -> int:
        """Return the engine's final height."""
        return self.patiently(self.engine.final_height)

    def view(self, function: ContractFunction) -> Any:
        """Ask a contract at the final height."""
        return self.patiently(lambda: read(function, self.engine.final_height()))

    def code(self, contract: str) -> bytes:
        """Return a contract's runtime code at the final height."""
        return bytes.fromhex(self.call("eth_getCode", [self.addresses[contract], hex(self.final_height())])[2:])

    def create(self, creations: Sequence[_Creation]) -> None:
        """Create the contracts that are missing. Raises DeploymentMismatch if other code is in their place."""
        nonce = self._nonce()
        missing = [creation for creation in creations if not self.code(creation.contract)]
        if missing:
            first = creations.index(missing[0])
            if list(missing) != list(creations[first:]) or nonce != first:
                raise DeploymentMismatch("the deployer's nonce", first, nonce)
            self._send(
                [
                    (f"create {each.contract}", None, self.contracts.creation_data(each.contract, each.args))
                    for each in missing
                ],
                _CREATION_GAS,
                nonce,
            )
        for creation in creations:
            self._check_code(creation.contract)

    def perform(self, steps: Sequence[_Step]) -> None:
        """Send what is not done yet, in order, and check that it is done afterwards."""
        todo = [step for step, done in zip(steps, self._states(steps), strict=True) if not done]
        if not todo:
            return
        calls = [(step.title, Address(str(step.call.address)), call_data(step.call)) for step in todo]
        self._send(calls, _CALL_GAS, self._nonce())
        for step, done in zip(todo, self._states(todo), strict=True):
            if not done:
                raise DeploymentFailed(step.title, "the transaction succeeded, but the chain does not show it")

    def _check_code(self, contract: str) -> None:
        artifact = artifacts.load(contract)
        if artifact.without_immutables(self.code(contract)) != artifact.deployed_bytecode:
            what = f"code of {contract} at {self.addresses[contract]}"
            raise DeploymentMismatch(what, "what contracts/artifacts has", "another version")

    def _states(self, steps: Sequence[_Step]) -> list[bool]:
        height = self.final_height()
        views = [step.view for step in steps]
        found = self.patiently(lambda: self.contracts.read_all(views, height))
        return [step.is_done(state) for step, state in zip(steps, found, strict=True)]

    def _nonce(self) -> int:
        return int(self.call("eth_getTransactionCount", [self._deployer.address, hex(self.final_height())]), 16)

    def _send(self, calls: Sequence[tuple[str, Address | None, bytes]], gas: int, nonce: int) -> None:
        """Send calls with rising nonces and wait until all are final; they are signed alike however often we come."""
        signed = [
            sign_legacy(self._deployer, self.engine.chain_id, nonce + index, to, data, gas)
            for index, (_, to, data) in enumerate(calls)
        ]
        deadline = time.monotonic() + self._timeout_s
        waiting = dict(enumerate(signed))
        submitted_at = -_RESUBMIT_S
        while waiting:
            if time.monotonic() - submitted_at >= _RESUBMIT_S:
                self._submit([(calls[index][0], raw) for index, (raw, _) in waiting.items()])
                submitted_at = time.monotonic()
            self.patiently(self.engine.produce)
            for index, receipt in self._final_receipts({index: tx for index, (_, tx) in waiting.items()}).items():
                if receipt["status"] != "0x1":
                    title, to, data = calls[index]
                    raise DeploymentFailed(title, self._why(to, data, receipt))
                del waiting[index]
                if self._progress is not None:
                    self._progress(calls[index][0], len(calls) - len(waiting), len(calls))
            if waiting and time.monotonic() > deadline:
                raise DeploymentFailed(calls[min(waiting)][0], f"no final receipt in {self._timeout_s:.0f} s")
            if waiting:
                time.sleep(_POLL_S)

    def _submit(self, titled: Sequence[tuple[str, bytes]]) -> None:
        outcomes = self.patiently(lambda: self.engine.submit([raw for _, raw in titled]))
        for (title, _), outcome in zip(titled, outcomes, strict=True):
            # Too low: an earlier run, or round, sent it; its receipt will say how it went.
            mined = outcome.reason is RpcReason.NONCE_TOO_LOW
            if not outcome.in_pool and not mined and not outcome.is_retryable:
                raise DeploymentFailed(title, f"the node refuses it: {outcome.message}")

    def _final_receipts(self, hashes: Mapping[int, bytes]) -> dict[int, Any]:
        final = self.final_height()
        calls = [("eth_getTransactionReceipt", ["0x" + tx_hash.hex()]) for tx_hash in hashes.values()]
        answers = self.patiently(lambda: self.engine.rpc.batch(calls))
        return {
            index: receipt
            for index, receipt in zip(hashes, answers, strict=True)
            if receipt is not None and int(receipt["blockNumber"], 16) <= final
        }

    def _why(self, to: Address | None, data: bytes, receipt: Any) -> str:
        request = {"from": self._deployer.address, "data": "0x" + data.hex(), "gas": hex(_CREATION_GAS)}
        if to is not None:
            request["to"] = to
        try:
            self.call("eth_call", [request, receipt["blockNumber"]])
        except RpcError as error:
            return artifacts.explain_revert(error.data) if error.reason is RpcReason.REVERTED else str(error)
        return "it reverted, but would not now"


def _check_programmes(work: _Work, config: CityConfig) -> None:
    """What never changes must be as configured. Raises DeploymentMismatch."""
    for programme in config.programmes:
        found = work.view(work.contracts["PointsLedger"].functions.programme(programme.id))
        wanted = (programme.par_microfen, programme.flag_bits, _scope(config.scope_bits(programme.spend_scope)))
        if found.state == 0:
            raise DeploymentMismatch(f"programme {programme.slug}", "registered", "unknown to the ledger")
        registered = (found.par, found.flags, found.spendScope)
        if registered != wanted:
            raise DeploymentMismatch(f"par, flags and scope of programme {programme.slug}", wanted, registered)


def _describe(work: _Work, config: CityConfig, actors: CityActors, salt: bytes) -> Deployment:
    return Deployment(
        chain_id=work.engine.chain_id,
        salt="0x" + salt.hex(),
        block=_first_block(work),
        city=config.names,
        contracts={
            name: DeployedContract(address, "0x" + keccak256(work.code(name)).hex())
            for name, address in work.addresses.items()
        },
        programmes=tuple(
            DeployedProgramme(
                id=programme.id,
                slug=programme.slug,
                names=programme.names,
                agency=programme.agency,
                symbol=programme.symbol,
                par_microfen=programme.par_microfen,
                flags=programme.flag_bits,
                spend_scope=bytes32(config.scope_bits(programme.spend_scope)),
            )
            for programme in config.programmes
        ),
        merchants=tuple(
            DeployedMerchant(
                id=merchant.id,
                slug=merchant.slug,
                names=merchant.names,
                scopes=merchant.scopes,
                scope=bytes32(config.scope_bits(merchant.scopes)),
                key=actors.merchants[merchant.id],
            )
            for merchant in config.merchants
        ),
        scopes=config.scopes,
    )


def _first_block(work: _Work) -> int:
    """Return the block of the first contract: there the AccessManager gave its first role, to the deployer."""
    granted = work.contracts["AccessManager"].events.RoleGranted
    final = work.final_height()
    for first in range(0, final + 1, _LOG_RANGE):
        last = min(first + _LOG_RANGE - 1, final)
        logs = work.patiently(functools.partial(_admins_granted, granted, first, last))
        if logs:
            return int(logs[0]["blockNumber"])
    raise DeploymentMismatch("the AccessManager's first event", "there", "missing")


def _admins_granted(granted: ContractEvent, first: int, last: int) -> Sequence[EventData]:
    return list(granted.get_logs(argument_filters={"roleId": ADMIN}, from_block=first, to_block=last))


_LOG_RANGE = 5_000


def _equals(wanted: int) -> Callable[[Any], bool]:
    return lambda found: bool(found == wanted)


def _scope(bits: int) -> bytes:
    return bits.to_bytes(32, "big")
