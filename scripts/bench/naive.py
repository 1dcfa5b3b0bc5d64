"""The naive way: one web3.py transaction a mint, many under way at once, each receipt awaited.

It runs against an Anvil of the same binary and settings as the embedded engine's, with the same contracts on it, and a
block every 50 ms. The issuer's signature of each mint is made with our fast signer and the gas is given, so that only
what everybody does with web3.py is counted: build, sign with eth_account, send, wait for the receipt.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
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
from ledger.deployment.city import CityConfig
from ledger.deployment.deploy import deploy
from ledger.deployment.file import Deployment
from ledger.standard.ids import ProgrammeId, address_bytes, to_address
from ledger.standard.keccak import keccak256
from ledger.standard.quarters import expiry_quarter
from ledger.standard.signatures import SigningKey
from ledger.standard.typed_data import MintBatch
from tongdui.bootstrap import city_actors

BLOCK_S = 0.05
SENDERS = 64
_CHAIN_ID = 1_337
_PROGRAMME = ProgrammeId(1)
_GAS = 300_000
_WARM_UP_S = 2.0
_GENESIS = 1_788_220_800  # 2026-09-01 08:00 in the city


def naive_per_s(folder: Path, config: CityConfig, seconds: float, seed: int, tell: Callable[[str], None]) -> float:
    """Return how many mints a second came through, receipts included."""
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
        tell(f"the naive way for {seconds:.0f} s")
        slug = deployment.programme(_PROGRAMME).slug
        issuer = SigningKey(keystore.get(f"issuers/{slug}").private_key)
        return asyncio.run(_Naive(node.url, deployment, issuer).run(seconds))
    finally:
        stop.set()
        miner.join()
        node.kill()


def _mine(url: str, stop: threading.Event) -> None:
    with RpcClient(url) as client:
        while not stop.wait(BLOCK_S):
            client.call("evm_mine")


class _Naive:
    """Senders that each do one mint after another."""

    def __init__(self, url: str, deployment: Deployment, issuer: SigningKey) -> None:
        self._w3 = AsyncWeb3(AsyncHTTPProvider(url))
        self._domain = deployment.domain()
        self._issuer = issuer
        address: Any = deployment.address("PointsLedger")
        abi: Any = artifacts.load("PointsLedger").abi
        self._contract: Any = self._w3.eth.contract(address=address, abi=abi)
        self._number = 0
        self._done = 0
        self._quarter = expiry_quarter(TODAY, 8)

    async def run(self, seconds: float) -> float:
        """Measure after a short warm-up."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self._send(Account.create(), stop)) for _ in range(SENDERS)]
        try:
            await asyncio.sleep(_WARM_UP_S)
            began, before = time.perf_counter(), self._done
            await asyncio.sleep(seconds)
            rate = (self._done - before) / (time.perf_counter() - began)
            stop.set()
            await asyncio.gather(*tasks)
            return rate
        finally:
            for task in tasks:
                task.cancel()
            await self._w3.provider.disconnect()

    async def _send(self, account: Any, stop: asyncio.Event) -> None:
        nonce = 0
        while not stop.is_set():
            call = self._mint()
            built = await call.build_transaction(
                {
                    "from": account.address,
                    "nonce": nonce,
                    "gas": _GAS,
                    "gasPrice": 0,
                    "chainId": _CHAIN_ID,
                }
            )
            signed = account.sign_transaction(built)
            digest = await self._w3.eth.send_raw_transaction(signed.raw_transaction)
            receipt = await self._w3.eth.wait_for_transaction_receipt(digest, timeout=60, poll_latency=BLOCK_S)
            if receipt["status"] != 1:
                raise RuntimeError("a naive mint failed")
            nonce += 1
            self._done += 1

    def _mint(self) -> Any:
        """Return the contract call of a batch of one grant to a new holder."""
        self._number += 1
        number = self._number
        packed = address_bytes(to_address(keccak256(number.to_bytes(8, "big"))[:20])) + (100).to_bytes(8, "big")
        root = keccak256(packed)
        message = MintBatch(_PROGRAMME, self._quarter, number, root, keccak256(packed))
        signature = self._issuer.sign_digest(message.digest(self._domain))
        return self._contract.functions.mint((_PROGRAMME, self._quarter, number, root, packed), signature)
