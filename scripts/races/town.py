"""Where races are run: a city with its gateways, each answering HTTP, and the people who act there.

Either one gateway on the embedded chain and SQLite, or several processes on one PostgreSQL and one network.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr

from ledger.errors import TongduiError
from ledger.residents.registry import NewResident
from ledger.standard.ids import MerchantId, ProgrammeId
from ledger.store.models.api import ApiSubjectRow
from ledger_api.app import create_app
from redemption.merchants import Merchant
from redemption.offers import Offer
from scripts.bench import postgres
from scripts.faults.clocks import FILE as CLOCK_FILE
from scripts.faults.clocks import TownClock
from scripts.faults.network import Network
from scripts.minting import enqueue_mint
from scripts.races.plan import VALUE_FEN, Hand
from tongdui.api import open_token_issuer, services_of
from tongdui.bootstrap import City, open_city
from tongdui.settings import Settings

SHOP, OTHER_SHOP = MerchantId(1), MerchantId(2)
OFFER = "races"
DESK = "shuangnan"
PIN = "481903"
_PROGRAMME = ProgrammeId(1)
_PURSE_MINOR = 4_000_000
_RATE = 1_000_000
_PATIENCE_S = 90.0
_LOOK_S = 0.05
_TOKEN_S = 600


class TownFailed(TongduiError):
    """A city of races did not start, or does not come to rest."""


@dataclass(frozen=True, slots=True)
class Payer:
    """A resident with points enough for every round."""

    subject: str
    resident_id: int


@dataclass(slots=True)
class Town:
    """An open city, its gateways' URLs, and its people. ``city`` is read here, and only mints."""

    name: str
    city: City
    clock: TownClock
    clients: list[httpx.Client]
    payers: list[Payer] = field(default_factory=list)
    has_own_time: bool = False
    """Whether this process has the only gateway, so that the town's clock may be moved."""
    is_slow: bool = False
    """Whether an order is final only seconds later: hands wait for that, or all of them would come too early."""
    _tokens: dict[tuple[str, ...], tuple[int, str]] = field(default_factory=dict)

    def headers(self, subject: str, *scopes: str) -> dict[str, str]:
        """Return a token as a header; the same one for ten minutes of the town's clock."""
        now, key = self.clock.timestamp(), (subject, *scopes)
        made_at, token = self._tokens.get(key, (0, ""))
        if now - made_at > _TOKEN_S:
            token = open_token_issuer(self.city.settings, self.city.clock).issue(subject, scopes)
            self._tokens[key] = now, token
        return {"Authorization": f"Bearer {token}"}

    def hand(self, hand: Hand, payer: Payer) -> tuple[str, dict[str, str]]:
        """Return who acts: the subject and its headers."""
        match hand:
            case Hand.TILL_1 | Hand.TILL_2 | Hand.CLERK:
                return hand.value, self.headers(hand.value, f"merchant:{SHOP}")
            case Hand.OTHER_SHOP:
                return hand.value, self.headers(hand.value, f"merchant:{OTHER_SHOP}")
            case Hand.PAYER:
                return payer.subject, self.headers(payer.subject, "resident:self")
            case Hand.OTHER_RESIDENT:
                other = self.payers[(self.payers.index(payer) + 1) % len(self.payers)]
                return other.subject, self.headers(other.subject, "resident:self")

    def post(
        self, gateway: int, path: str, body: Mapping[str, Any] | None, headers: dict[str, str], key: str
    ) -> httpx.Response:
        """Send a write to one of the gateways."""
        client = self.clients[gateway % len(self.clients)]
        return client.post(path, json=body, headers={**headers, "Idempotency-Key": key})

    def get(self, gateway: int, path: str, headers: dict[str, str]) -> dict[str, Any]:
        """Read from one of the gateways."""
        answer = self.clients[gateway % len(self.clients)].get(path, headers=headers)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait. Raises TownFailed."""
        end = time.monotonic() + _PATIENCE_S
        while not is_so():
            if time.monotonic() > end:
                raise TownFailed(f"{self.name}: not within {_PATIENCE_S:.0f} s: {what}")
            time.sleep(_LOOK_S)

    def settle_in(self, payers: int) -> None:
        """Make the shop's offer, and residents with points and a PIN at the desk."""
        city = self.city
        with city.database.transaction() as session:
            shop: Merchant = city.merchants.get(session, SHOP)
            city.offers.create(session, Offer(OFFER, shop.merchant_id, "竞态", "Races", VALUE_FEN))
            verifier = services_of(city).verifier
            made = [city.registry.register(session, NewResident(f"5101{n:014d}")).resident for n in range(payers)]
            for number, resident in enumerate(made):
                subject = f"payer-{number}"
                token = self.headers(subject, "resident:self")["Authorization"].removeprefix("Bearer ")
                principal = verifier.verify(token).subject
                session.add(
                    ApiSubjectRow(subject=principal, resident_id=resident.resident_id, bound_at=city.clock.timestamp())
                )
                city.approvals.set_pin(session, resident.resident_id, PIN, "another clerk")
                self.payers.append(Payer(subject, resident.resident_id))
        enqueue_mint(self.city, _PROGRAMME, 1, [resident.account for resident in made], _PURSE_MINOR)
        first = self.headers(self.payers[-1].subject, "resident:self")
        self.until(lambda: _has_points(self.get(0, "/v1/wallet", first)), "the points are there")


def found(folder: Path) -> None:
    """Deploy a city on an embedded chain, for both towns to begin with."""
    with open_city(_settings(folder), TownClock(datetime.now(UTC), folder / CLOCK_FILE)):
        pass


@contextmanager
def alone(founded: Path, folder: Path, payers: int) -> Iterator[Town]:
    """One gateway, in this process: SQLite and the embedded chain, and a clock that can be moved."""
    shutil.copytree(founded, folder)
    clock = TownClock(datetime.now(UTC) + timedelta(seconds=1), folder / CLOCK_FILE)
    with ExitStack() as stack:
        settings = _settings(folder).model_copy(update={"workers": True})
        city = stack.enter_context(open_city(settings, clock, steady=clock.steady))
        url = stack.enter_context(_serving(city))
        town = Town("sqlite", city, clock, [stack.enter_context(_client(url))], has_own_time=True)
        town.settle_in(payers)
        yield town


@contextmanager
def several(founded: Path, folder: Path, payers: int, gateways: int, rpc: str | None = None) -> Iterator[Town]:
    """Several gateways, a process each, on one PostgreSQL and one network. Raises TownFailed.

    ``rpc``: nodes of a network on which a city of its own is deployed, at ``TONGDUI_FINALITY``; None: one that is made
    for it and begins with the blocks of ``founded``.
    """
    with ExitStack() as stack:
        database = stack.enter_context(postgres.running()).create("races")
        if rpc is None:
            shutil.copytree(founded, folder)
            network = Network(folder / "chain", folder / "network")
            stack.callback(network.close)
            chain = {"rpc_url": network.url, "finality": "latest"}
        else:
            folder.mkdir()
            chain = {"rpc_url": rpc, "finality": Settings().finality}
        clock = TownClock(datetime.now(UTC), folder / CLOCK_FILE)
        settings = _settings(folder).model_copy(update={"database_url": SecretStr(database)} | chain)
        city = stack.enter_context(open_city(settings, clock, steady=clock.steady))
        clients = []
        for number in range(gateways):
            url = stack.enter_context(_process(settings, folder / f"gateway-{number}.log"))
            clients.append(stack.enter_context(_client(url)))
        town = Town("postgresql", city, clock, clients, is_slow=rpc is not None)
        for client in clients:
            town.until(lambda client=client: _is_ready(client), "the gateways are ready")  # type: ignore[misc]
        town.settle_in(payers)
        yield town


def _settings(folder: Path) -> Settings:
    return Settings(
        state_dir=folder,
        workers=False,
        port=0,
        rate_per_minute=_RATE,
        database_url=None,
        rpc_url=None,
        deployment_file=None,
        master_key_file=None,
        oidc_issuer=None,
        oidc_jwks_url=None,
        _env_file=None,
    )


@contextmanager
def _serving(city: City) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(create_app(services_of(city)), host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise TownFailed("the server did not start")
        time.sleep(_LOOK_S)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(15)


@contextmanager
def _process(settings: Settings, log: Path) -> Iterator[str]:
    """Run ``tongdui serve`` on a free port, workers included."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")}
    url = settings.database_url
    env |= {
        "TONGDUI_STATE_DIR": str(settings.state_dir),
        "TONGDUI_DATABASE_URL": "" if url is None else url.get_secret_value(),
        "TONGDUI_RPC_URL": settings.rpc_url or "",
        "TONGDUI_FINALITY": settings.finality,
        "TONGDUI_PORT": str(port),
        "TONGDUI_RATE_PER_MINUTE": str(_RATE),
    }
    with log.open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "tongdui", "serve"],
            env=env,
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _client(url: str) -> httpx.Client:
    # A server closes connections that were idle for five seconds, perhaps just when one is used again.
    return httpx.Client(base_url=url, timeout=60, limits=httpx.Limits(max_connections=100, keepalive_expiry=1))


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _has_points(wallet: Mapping[str, Any]) -> bool:
    return any(lot["amount"]["minor"] != "0" for lot in wallet["lots"])
