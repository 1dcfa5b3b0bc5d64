"""``bench network``: the same work on the embedded engine and on a trial network of processes, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from datetime import time as day_time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from sqlalchemy import select

from issuers.samples.deeds import TODAY
from ledger.clock import Clock, ManualClock, SystemClock
from ledger.errors import InvariantViolation
from ledger.residents.registry import NewResident
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.ids import MerchantId, ProgrammeId
from ledger.store.models.redemption import RedemptionOrderRow
from redemption.offers import Offer
from redemption.orders import Purchase
from redemption.states import State
from scripts.bench.issue import Sizes, bench_city, bench_settings, measure, work_folder
from scripts.minting import enqueue_mint
from tongdui.bootstrap import City, open_city
from tongdui.network import geth, processes
from tongdui.network.folder import NetworkChoices, folder_of, make_trial
from tongdui.network.plan import NetworkPlan
from tongdui.settings import Settings

VALIDATORS = 4
_OFFER = "bench"
_SHOP = MerchantId(1)
_PROGRAMME, _BATCH = ProgrammeId(1), 900_000
"""A batch number that the measured files never reach."""
_PRICE_FEN = 500
_PURSE_MINOR = 1_000_000
_CHUNK = 50
_LOOK_S = 0.05
_PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class NetworkSizes:
    """What is measured on each of the two."""

    records: int
    residents: int
    orders: int


def bench_network(sizes: NetworkSizes, folder: Path | None, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure both and return {"embedded": …, "network": …, "ratio_records": …}. Needs `make engine`.

    Raises InvariantViolation if a record or an order was lost, doubled or judged otherwise than planted.
    """
    with work_folder(folder) as root:
        manual = ManualClock(datetime.combine(TODAY, day_time(9), CITY_TZ))
        tell("the embedded engine")
        embedded_dir = root / "embedded"
        embedded = _measured(
            bench_settings(embedded_dir),
            manual,
            sizes,
            root,
            lambda: _bytes(embedded_dir / "chain" / "journal.sqlite3"),
            tell,
        )
        with _network(root / "network") as plan:
            tell(f"{VALIDATORS} signers and a node that answers")
            settings = bench_settings(root / "city").model_copy(
                update={"rpc_url": plan.member("rpc").url, "finality": plan.finality}
            )
            data = folder_of(root / "network", plan.member("rpc")) / geth.DATA
            network = _measured(settings, SystemClock(), sizes, root, lambda: _bytes(data), tell)
    return {
        "embedded": embedded,
        "network": network,
        "ratio_records": round(network["records_per_s"] / embedded["records_per_s"], 2),
        "ratio_orders": round(network["orders_per_s"] / embedded["orders_per_s"], 2),
    }


@contextmanager
def _network(folder: Path) -> Iterator[NetworkPlan]:
    plan = make_trial(folder, VALIDATORS, NetworkChoices())
    try:
        processes.up(folder, plan)
        yield plan
    finally:
        processes.down(folder, plan)


def _measured(
    settings: Settings,
    clock: Clock,
    sizes: NetworkSizes,
    root: Path,
    chain_bytes: Callable[[], int],
    tell: Callable[[str], None],
) -> dict[str, Any]:
    wanted = Sizes(sizes.records, sizes.residents, "sqlite", naive_s=0.0)
    with open_city(settings, clock, config=bench_city()) as city:
        before = chain_bytes()
        issued = measure(city, wanted, root / f"files-{settings.state_dir.name}", None, tell)
        grown = chain_bytes() - before
        orders = _orders(city, sizes.orders, tell)
    return {
        "records_per_s": round(issued.records / issued.seconds, 1),
        "bytes_a_grant": round(grown / issued.grants),
        **orders,
    }


def _orders(city: City, count: int, tell: Callable[[str], None]) -> dict[str, float]:
    """Place ``count`` orders in this process, as fast as it goes, and wait until each is paid."""
    with city.database.transaction() as session:
        made = city.registry.register_many(session, [NewResident(f"88{number:016d}") for number in range(_CHUNK)])
        city.offers.create(session, Offer(_OFFER, _SHOP, "测量", "Measured", _PRICE_FEN))
    enqueue_mint(city, _PROGRAMME, _BATCH, [one.resident.account for one in made], _PURSE_MINOR)
    city.run_until_idle()
    tell(f"place {count} orders")
    placed: dict[bytes, float] = {}
    paid: dict[bytes, float] = {}
    city.gateway.start()
    try:
        began = time.monotonic()
        for number in range(count):
            buyer = made[number % len(made)].resident.resident_id
            with city.database.transaction() as session:
                order = city.redemptions.place(session, Purchase(buyer, _OFFER)).order
            placed[bytes(order.order_id)] = time.monotonic()
            city.gateway.wake()
            if number % _CHUNK == 0:
                _note_paid(city, placed, paid)
        while len(paid) < count:
            if time.monotonic() - began > _PATIENCE_S:
                raise InvariantViolation(f"{count - len(paid)} of {count} orders are not paid")
            _note_paid(city, placed, paid)
            time.sleep(_LOOK_S)
        seconds = time.monotonic() - began
    finally:
        city.gateway.stop()
    waits = [paid[one] - placed[one] for one in placed]
    return {
        "orders_per_s": round(count / seconds, 1),
        "final_p50_s": round(median(waits), 2),
        "final_p99_s": round(quantiles(waits, n=100)[98], 2),
    }


def _note_paid(city: City, placed: dict[bytes, float], paid: dict[bytes, float]) -> None:
    city.upkeep()
    with city.database.read() as session:
        query = select(RedemptionOrderRow.order_id).where(
            RedemptionOrderRow.offer_id == _OFFER, RedemptionOrderRow.state == State.PAID
        )
        found = [bytes(one) for one in session.scalars(query)]
    now = time.monotonic()
    for one in found:
        paid.setdefault(one, now)
    if len(found) > len(placed):
        raise InvariantViolation(f"{len(found)} orders are paid, {len(placed)} were placed")


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size + sum(one.stat().st_size for one in path.parent.glob(f"{path.name}-wal"))
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
