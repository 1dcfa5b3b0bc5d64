"""The naive way: one web3.py transaction a mint, or an order, many under way at once, each receipt awaited.

It runs against an Anvil of the same binary and settings as the embedded engine's, with the same contracts on it, and a
block every 50 ms. The signature of each mint and order is made with our fast signer and the gas is given, so that only
what everybody does with web3.py is counted: build, sign with eth_account, send, wait for the receipt.
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account
from web3 import AsyncHTTPProvider, AsyncWeb3

from issuers.samples.deeds import TODAY
from ledger.chain.embedded.anvil import AnvilNode, NodeSettings
from ledger.chain.remote import RemoteEngine
from ledger.chain.rpc import RpcClient
from ledger.custody.keystore import Keystore
from ledger.deployment import artifacts
from ledger.deployment.artifacts import event_topic
from ledger.deployment.city import CityConfig
from ledger.deployment.deploy import deploy
from ledger.deployment.file import Deployment
from ledger.outbox.routes import mint_gas
from ledger.standard.ids import ProgrammeId, to_address
from ledger.standard.keccak import keccak256
from ledger.standard.packed import pack_grants, pack_redeem_order
from ledger.standard.quarters import expiry_quarter
from ledger.standard.signatures import SigningKey
from ledger.standard.typed_data import Lot, MintBatch, RedeemOrder
from scripts.bench.processes import cpu_s
from tongdui.bootstrap import city_actors

BLOCK_S = 0.05
SENDERS = 64
_CHAIN_ID = 1_337
_PROGRAMME = ProgrammeId(1)
_GAS = 300_000
_WARM_UP_S = 2.0
_SEED = 1
_PURSE_MINOR = 10_000_000
_DEADLINE_S = 6 * 3_600
_MICRO, _POINT_MINOR = 1_000_000, 100
_REJECTED = event_topic("Redemption", "Rejected")
_GENESIS = 1_788_220_800  # 2026-09-01 08:00 in the city


@dataclass(frozen=True, slots=True)
class NaiveNode:
    """A node with a city's contracts on it, which makes a block every 50 ms."""

    url: str
    pid: int
    deployment: Deployment
    issuer: SigningKey
    """Of `_PROGRAMME`."""


def naive_per_s(folder: Path, config: CityConfig, seconds: float, seed: int, tell: Callable[[str], None]) -> float:
    """Return how many mints a second came through, receipts included."""
    with _node(folder, config, seed) as node:
        tell(f"the naive way for {seconds:.0f} s")
        return asyncio.run(_Mints(node).run(seconds)).per_s


def naive_orders(folder: Path, config: CityConfig, seconds: float, fen: int, tell: Callable[[str], None]) -> NaiveFound:
    """Return how many orders of ``fen`` a second came through, and what one cost.

    Nothing but the chain: no HTTP, no check of a token, no offer, no book, nothing stored.
    """
    with _node(folder, config, _SEED) as node:
        tell(f"the naive way for {seconds:.0f} s")
        return asyncio.run(_Orders(node, fen).run(seconds))


@contextmanager
def _node(folder: Path, config: CityConfig, seed: int) -> Iterator[NaiveNode]:
    folder.mkdir(parents=True, exist_ok=True)
    node = AnvilNode.start(NodeSettings(_CHAIN_ID, _GENESIS), folder / "node")
    stop = threading.Event()
    miner = threading.Thread(target=_mine, args=(node.url, stop), name="naive-miner")
    miner.start()
    try:
        keystore = Keystore(folder / "keys", seed.to_bytes(32, "big"))
        with RemoteEngine.open(node.url) as engine:
            actors = city_actors(config, keystore)
            deployment = deploy(engine, config, actors, keystore.get_or_create("deployer"))
        slug = deployment.programme(_PROGRAMME).slug
        issuer = SigningKey(keystore.get(f"issuers/{slug}").private_key)
        yield NaiveNode(node.url, node.pid, deployment, issuer)
    finally:
        stop.set()
        miner.join()
        node.kill()


def _mine(url: str, stop: threading.Event) -> None:
    with RpcClient(url) as client:
        while not stop.wait(BLOCK_S):
            client.call("evm_mine")


@dataclass(frozen=True, slots=True)
class NaiveFound:
    """How many came through a second, and the processor milliseconds of each: of this process, and of the node."""

    per_s: float
    cpu_ms: dict[str, float]


class _Naive(ABC):
    """Senders that each do one thing after another."""

    def __init__(self, node: NaiveNode, contract: str) -> None:
        self._w3 = AsyncWeb3(AsyncHTTPProvider(node.url))
        self._node = node
        self._domain = node.deployment.domain()
        self._contract = self._at(contract)
        self._done = 0

    def _at(self, name: str) -> Any:
        address: Any = self._node.deployment.address(name)
        abi: Any = artifacts.load(name).abi
        return self._w3.eth.contract(address=address, abi=abi)

    async def run(self, seconds: float) -> NaiveFound:
        """Measure after a short warm-up."""
        stop = asyncio.Event()
        accounts = [Account.create() for _ in range(SENDERS)]
        try:
            await self._prepare(accounts)
            tasks = [asyncio.create_task(self._send(account, stop)) for account in accounts]
            try:
                return await self._measured(seconds, stop, tasks)
            finally:
                for task in tasks:
                    task.cancel()
        finally:
            await self._w3.provider.disconnect()

    async def _measured(self, seconds: float, stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> NaiveFound:
        await asyncio.sleep(_WARM_UP_S)
        began, before, used = time.perf_counter(), self._done, self._cpu_s()
        await asyncio.sleep(seconds)
        took, count, after = time.perf_counter() - began, self._done - before, self._cpu_s()
        stop.set()
        await asyncio.gather(*tasks)
        return NaiveFound(
            count / took, {kind: round(1_000 * (after[kind] - used[kind]) / max(1, count), 2) for kind in after}
        )

    def _cpu_s(self) -> dict[str, float]:
        return {"web3": time.process_time(), "node": cpu_s(self._node.pid) or 0.0}

    @abstractmethod
    async def _prepare(self, accounts: Sequence[Any]) -> None:
        """Do what has to be there before anything is counted."""

    @abstractmethod
    def _call(self, account: Any, nonce: int) -> Any:
        """Return the contract call of a sender's next transaction."""

    async def _send(self, account: Any, stop: asyncio.Event) -> None:
        nonce = 0
        while not stop.is_set():
            await self._transact(account, nonce, self._call(account, nonce), _GAS)
            nonce += 1
            self._done += 1

    async def _transact(self, account: Any, nonce: int, call: Any, gas: int) -> None:
        built = await call.build_transaction(
            {"from": account.address, "nonce": nonce, "gas": gas, "gasPrice": 0, "chainId": _CHAIN_ID}
        )
        signed = account.sign_transaction(built)
        digest = await self._w3.eth.send_raw_transaction(signed.raw_transaction)
        receipt = await self._w3.eth.wait_for_transaction_receipt(digest, timeout=60, poll_latency=BLOCK_S)
        if receipt["status"] != 1 or not self._is_done(receipt):
            raise RuntimeError("a naive transaction failed")

    def _is_done(self, receipt: Any) -> bool:  # noqa: ARG002
        """Return whether a transaction that did not revert did what it was sent for."""
        return True

    def _mint(self, contract: Any, number: int, grants: Sequence[tuple[str, int]]) -> Any:
        """Return the contract call of a batch."""
        packed, quarter = pack_grants(grants), expiry_quarter(TODAY, 8)
        root = keccak256(packed)
        message = MintBatch(_PROGRAMME, quarter, number, root, keccak256(packed))
        signature = self._node.issuer.sign_digest(message.digest(self._domain))
        return contract.functions.mint((_PROGRAMME, quarter, number, root, packed), signature)


class _Mints(_Naive):
    """Batches of one grant to a new holder."""

    def __init__(self, node: NaiveNode) -> None:
        super().__init__(node, "PointsLedger")
        self._number = 0

    async def _prepare(self, accounts: Sequence[Any]) -> None:
        """Nothing: a mint needs no points before it."""

    def _call(self, account: Any, nonce: int) -> Any:  # noqa: ARG002  (anybody's, and each is a batch of its own)
        self._number += 1
        holder = to_address(keccak256(self._number.to_bytes(8, "big"))[:20])
        return self._mint(self._contract, self._number, [(holder, 100)])


class _Orders(_Naive):
    """Payments to a shop, each signed by its holder, who is also the sender."""

    def __init__(self, node: NaiveNode, fen: int) -> None:
        super().__init__(node, "Redemption")
        par = node.deployment.programme(_PROGRAMME).par_microfen
        lot = Lot(_PROGRAMME << 32 | expiry_quarter(TODAY, 8), -(-fen * _MICRO * _POINT_MINOR // par))
        self._lots = (lot,)
        self._merchant = node.deployment.merchants[0].id
        self._keys: dict[str, SigningKey] = {}

    async def _prepare(self, accounts: Sequence[Any]) -> None:
        self._keys = {account.address: SigningKey(bytes(account.key)) for account in accounts}
        grants = [(to_address(bytes.fromhex(one.address[2:])), _PURSE_MINOR) for one in accounts]
        call = self._mint(self._at("PointsLedger"), 1, sorted(grants))
        await self._transact(Account.create(), 0, call, mint_gas(len(grants)))

    def _is_done(self, receipt: Any) -> bool:
        """A rejected order reverts nothing."""
        return not any(bytes(log["topics"][0]) == _REJECTED for log in receipt["logs"])

    def _call(self, account: Any, nonce: int) -> Any:
        key = self._keys[account.address]
        deadline = _GENESIS + _DEADLINE_S
        order = RedeemOrder(key.address, self._merchant, self._lots, nonce, deadline)
        signature = key.sign_digest(order.digest(self._domain))
        return self._contract.functions.execute(pack_redeem_order(order, signature))
