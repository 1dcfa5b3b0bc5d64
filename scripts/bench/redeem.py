"""``bench redeem``: orders over HTTP until they are final, and wallet reads, on a real ``tongdui serve``."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import select

from ledger.deployment.artifacts import event_topic
from ledger.errors import InvariantViolation
from ledger.residents.registry import NewResident
from ledger.standard.contract import GRANTS_MAX
from ledger.standard.ids import MerchantId, ProgrammeId
from ledger.store.models.api import ApiSubjectRow
from ledger.store.models.projection import BalanceRow
from ledger.store.models.redemption import RedemptionOrderRow
from redemption.offers import Offer
from redemption.states import State
from scripts.bench import padding, postgres
from scripts.bench.issue import bench_city, work_folder
from scripts.bench.naive import NaiveFound, naive_orders
from scripts.bench.processes import cpu_s, own_children
from scripts.minting import enqueue_mint
from tongdui.api import open_token_issuer, services_of
from tongdui.bootstrap import City, open_city
from tongdui.clock import clock_of
from tongdui.settings import Settings

SHOP = MerchantId(1)
OFFER = "bench"
PROGRAMMES = (ProgrammeId(1), ProgrammeId(2))
_PURSE_MINOR = 2_000_000
_PRICE_FEN = 50
_RATE = 10_000_000
_CONNECTIONS = 64
_PATIENCE_S = 180.0
_LOOK_S = 0.05
_BLOCKS_A_QUESTION = 1_000
_RESIDENT = ("resident:self",)

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RedeemSizes:
    """What is measured."""

    wallets: int
    orders: int
    read_s: float
    database: str
    """``sqlite`` or ``postgresql``."""
    before: int = 0
    """Orders that are placed the former way, one by one; wallets are read the former way too. 0: neither."""
    naive_s: float = 0.0
    """How long the naive way is measured, half before and half after; 0: not at all."""
    connections: int = _CONNECTIONS
    padding: int = 0
    """Residents beside those, who have spent all: only the tables are larger by them."""
    history: int = 0
    """Movements of the past, spread over all residents."""
    processes: int = 1
    """API processes beside one with the workers; 1: one process does everything."""


@dataclass(frozen=True, slots=True)
class RedeemReport:
    """The result, and what it cost: processor milliseconds by kind of process, an order and a read."""

    result: dict[str, Any]
    phases: dict[str, dict[str, Any]]
    cpu_ms: dict[str, dict[str, float]]


def bench_redeem(sizes: RedeemSizes, folder: Path | None, tell: Tell) -> RedeemReport:
    """Measure and return the result. ``folder``: where state and files are kept; None: thrown away at the end.

    Raises InvariantViolation where the city does not start, or a request was refused: a fast wrong run is none.
    """
    with (
        work_folder(folder) as root,
        postgres.running() if sizes.database == "postgresql" else nullcontext() as server,
    ):
        naive = [_naive(root / "naive-before", sizes, tell)]
        settings = settings_for(root / "city", None if server is None else server.create("bench"))
        tell(f"open a city with {sizes.wallets} wallets")
        clock = clock_of(settings.state_dir)
        with open_city(settings, clock, config=bench_city()) as city:
            tokens = settle_in(city, sizes.wallets)
            database = city.database.url.render_as_string(hide_password=False)
            _pad(city, sizes, tell)
        with serving(settings, root / "serve.log", sizes.processes) as (port, pid):
            plan = root / "plan.json"
            asked = {"host": "127.0.0.1", "port": port, "tokens": tokens, "offer": OFFER, "database": database}
            plan.write_text(json.dumps({**asked, "connections": sizes.connections}), encoding="utf-8")
            with _load(plan) as load:
                cost = _Cost({"workers": pid, "load": load.pid, "postgresql": None if server is None else server.pid})
                phases, placed = _phases(load, sizes, cost, tell)
        with open_city(settings, clock, config=bench_city()) as city:
            lost, duplicated = count_paid(city, placed)
        naive.append(_naive(root / "naive-after", sizes, tell))
    reads, orders = phases["reads"], phases["orders"]
    result = {
        "orders_per_s": round(orders["per_s"], 1),
        "final_p50_s": round(orders["final_p50_s"], 2),
        "final_p99_s": round(orders["final_p99_s"], 2),
        "reads_per_s": round(reads["per_s"], 1),
        "reads_p99_ms": round(phases["reads at half load"]["p99_ms"], 1),
        "lost": lost,
        "duplicated": duplicated,
        "database": sizes.database,
    }
    if sizes.before:
        result["before_orders_per_s"] = round(phases["orders, one by one"]["per_s"], 1)
        result["before_reads_per_s"] = round(phases["reads, one by one"]["per_s"], 1)
    legs = [one for one in naive if one is not None]
    for leg in legs:
        cost.spent_ms[f"naive orders ({leg.per_s:.1f} a second)"] = leg.cpu_ms
    if legs:
        result["naive_orders_per_s"] = round(sum(leg.per_s for leg in legs) / len(legs), 1)
    return RedeemReport(result, phases, cost.spent_ms)


def _pad(city: City, sizes: RedeemSizes, tell: Tell) -> None:
    with city.database.read() as session:
        tokens = list(session.scalars(select(BalanceRow.token_id).distinct()))
    now = city.clock.timestamp()
    if sizes.padding:
        tell(f"add {sizes.padding} residents")
        padding.add_residents(city.database, sizes.padding, tokens, now)
    if sizes.history:
        tell(f"add {sizes.history} movements")
        padding.add_history(city.database, sizes.history, tokens, now)
    if sizes.padding or sizes.history:
        padding.settle(city.database)


def _naive(folder: Path, sizes: RedeemSizes, tell: Tell) -> NaiveFound | None:
    """Half of the naive way: a machine is not equally fast all the time, so it is measured on both sides of ours."""
    return naive_orders(folder, bench_city(), sizes.naive_s / 2, _PRICE_FEN, tell) if sizes.naive_s else None


class _Cost:
    """Processor time by kind of process, a phase at a time."""

    def __init__(self, pids: dict[str, int | None]) -> None:
        self._pids = {kind: pid for kind, pid in pids.items() if pid is not None}
        self._apis = [child for child in own_children(self._pids["workers"]) if _is_api(child)]
        self.spent_ms: dict[str, dict[str, float]] = {}

    def read(self) -> dict[str, float]:
        """Return the seconds used so far; API processes and node are children of the one with the workers."""
        used = {kind: cpu_s(pid) or 0.0 for kind, pid in self._pids.items()}
        apis = sum(cpu_s(child) or 0.0 for child in self._apis)
        children = own_children(self._pids["workers"])
        used["node"] = sum(cpu_s(child) or 0.0 for child in children if child not in self._apis)
        used["workers"] -= apis + used["node"]
        if self._apis:
            return used | {"api": apis}
        return {"api and workers": used.pop("workers"), **used}

    def note(self, phase: str, before: dict[str, float], count: int) -> None:
        """Keep what a phase used, for each of ``count``."""
        after = self.read()
        self.spent_ms[phase] = {kind: round((after[kind] - before[kind]) / count * 1e3, 2) for kind in after}


def _is_api(pid: int) -> bool:
    return b"tongdui.serving.child" in Path(f"/proc/{pid}/cmdline").read_bytes()


class _LoadProcess:
    """The load generator."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def ask(self, phase: str, **sizes: Any) -> dict[str, Any]:
        """Run a phase and return its figures. Raises InvariantViolation if the generator ended."""
        if self._process.stdin is None or self._process.stdout is None:
            raise InvariantViolation("the load generator has no pipes")
        self._process.stdin.write(json.dumps({"phase": phase, **sizes}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise InvariantViolation("the load generator ended")
        found: dict[str, Any] = json.loads(line)
        return found


def _phases(
    load: _LoadProcess, sizes: RedeemSizes, cost: _Cost, tell: Tell
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    half = max(1, sizes.wallets // 2)
    tell("warm up")
    load.ask("reads", seconds=1.0)
    warm = load.ask("orders", count=max(50, sizes.orders // 10), wallets=half)
    phases: dict[str, dict[str, Any]] = {}
    placed = list(warm["placed"])
    if sizes.before:
        tell(f"place {sizes.before} orders, one by one")
        before = cost.read()
        phases["orders, one by one"] = load.ask("orders", count=sizes.before, wallets=half, is_single=True)
        cost.note("orders, one by one", before, sizes.before)
        before = cost.read()
        phases["reads, one by one"] = load.ask("reads", seconds=sizes.read_s / 2, is_single=True)
        cost.note("reads, one by one", before, max(1, phases["reads, one by one"]["count"]))
    tell(f"place {sizes.orders} orders")
    before = cost.read()
    # The wallets that change now are the half that was changed recently when wallets are read.
    phases["orders"] = load.ask("orders", count=sizes.orders, wallets=half)
    cost.note("orders", before, sizes.orders)
    tell(f"read wallets for {sizes.read_s:.0f} s")
    before = cost.read()
    phases["reads"] = load.ask("reads", seconds=sizes.read_s)
    cost.note("reads", before, max(1, phases["reads"]["count"]))
    tell("read wallets at half of that rate")
    phases["reads at half load"] = load.ask("reads", seconds=sizes.read_s, per_s=phases["reads"]["per_s"] / 2)
    tell("read wallets that are known (304)")
    phases["reads of known"] = load.ask("reads", seconds=sizes.read_s / 2, is_known=True)
    for found in [warm, *(one for one in phases.values() if "placed" in one)]:
        if found["refused"]:
            raise InvariantViolation(f"{found['refused']} orders were refused: {found['last_body']}")
        placed += found["placed"] if found is not warm else []
    wrong = {name: set(found["statuses"]) for name, found in phases.items() if "statuses" in found}
    if any(statuses - {"200", "304"} for statuses in wrong.values()):
        raise InvariantViolation(f"reads were refused: {wrong}")
    return phases, placed


def settle_in(city: City, wallets: int) -> list[str]:
    """Make residents with points of two programmes, a subject and a token each, and the shop's offer; return the
    tokens."""
    issuer, verifier = open_token_issuer(city.settings, city.clock), services_of(city).verifier
    tokens = [issuer.issue(f"wallet-{number}", _RESIDENT, lifetime=timedelta(hours=12)) for number in range(wallets)]
    with city.database.transaction() as session:
        shop = city.merchants.get(session, SHOP)
        city.offers.create(session, Offer(OFFER, shop.merchant_id, "基准", "Bench", _PRICE_FEN))
        made = city.registry.register_many(session, [NewResident(f"5101{number:014d}") for number in range(wallets)])
        people = [one.resident for one in made]
        now = city.clock.timestamp()
        session.add_all(
            ApiSubjectRow(subject=verifier.verify(token).subject, resident_id=one.resident_id, bound_at=now)
            for token, one in zip(tokens, people, strict=True)
        )
    accounts = sorted(one.account for one in people)
    number = 0
    for programme in PROGRAMMES:
        for start in range(0, wallets, GRANTS_MAX):
            number += 1
            enqueue_mint(city, programme, number, accounts[start : start + GRANTS_MAX], _PURSE_MINOR)
    city.gateway.run_until_idle()
    return tokens


def count_paid(city: City, placed: Sequence[str]) -> tuple[int, int]:
    """Return how many orders that were answered are not paid exactly once, in the database and on chain.

    Raises InvariantViolation if the projection differs from the chain.
    """
    with city.database.read() as session:
        stored = dict(session.execute(select(RedemptionOrderRow.order_id, RedemptionOrderRow.state)).all())
    check = city.gateway.check_projection()
    if not check.is_equal:
        raise InvariantViolation(f"the projection differs from the chain: {check.differences[:3]}")
    paid = _paid_on_chain(city)
    asked = {bytes.fromhex(order_id[2:]) for order_id in placed}
    lost = sum(stored.get(key) != State.PAID or paid[key] == 0 for key in asked)  # type: ignore[call-overload]
    doubled = sum(count - 1 for count in paid.values()) + len(paid.keys() - asked) + len(stored.keys() - asked)
    return lost, doubled + len(placed) - len(asked)


def _paid_on_chain(city: City) -> Counter[bytes]:
    """Return how often the chain says of each order that it paid."""
    found: Counter[bytes] = Counter()
    address, topic = city.deployment.address("Redemption"), "0x" + event_topic("Redemption", "Redeemed").hex()
    for start in range(0, city.engine.final_height() + 1, _BLOCKS_A_QUESTION):
        end = min(start + _BLOCKS_A_QUESTION - 1, city.engine.final_height())
        question = {"fromBlock": hex(start), "toBlock": hex(end), "address": address, "topics": [topic]}
        logs: Any = city.engine.rpc.call("eth_getLogs", [question])
        found.update(bytes.fromhex(log["topics"][1][2:]) for log in logs)
    return found


def settings_for(state_dir: Path, database_url: str | None) -> Settings:
    return Settings(
        state_dir=state_dir,
        database_url=None if database_url is None else SecretStr(database_url),
        workers=False,
        rpc_url=None,
        deployment_file=None,
        master_key_file=None,
        oidc_issuer=None,
        oidc_jwks_url=None,
        _env_file=None,
    )


@contextmanager
def serving(settings: Settings, log: Path, processes: int) -> Iterator[tuple[int, int]]:
    """Run ``tongdui serve`` with its workers and a log, and yield its port and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = settings.database_url
    env = {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")} | {
        "TONGDUI_STATE_DIR": str(settings.state_dir),
        "TONGDUI_PORT": str(port),
        "TONGDUI_RPC_PROXY_PORT": "0",
        "TONGDUI_RATE_PER_MINUTE": str(_RATE),
        "TONGDUI_PROCESSES": str(processes),
    }
    if url is not None:
        env["TONGDUI_DATABASE_URL"] = url.get_secret_value()
    with log.open("ab") as said:
        command = [sys.executable, "-m", "tongdui", "serve"]
        root = Path(__file__).resolve().parents[2]
        process = subprocess.Popen(command, env=env, cwd=root, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        _await_ready(f"http://127.0.0.1:{port}/readyz", process, log)
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(_LOOK_S)
    raise InvariantViolation(f"the server is not ready: {log.read_text(errors='replace')[-500:]}")


@contextmanager
def _load(plan: Path) -> Iterator[_LoadProcess]:
    command = [sys.executable, "-m", "scripts.bench.redeem_load", str(plan)]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield _LoadProcess(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
