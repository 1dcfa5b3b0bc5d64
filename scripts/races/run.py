"""Rounds of races, each judged when everything has come to rest."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from ledger.errors import ConfigurationError
from ledger.standard.ids import OrderId
from ledger.store.models.projection import OrderOutcomeRow
from ledger.store.models.redemption import RedemptionActRow, RedemptionOrderRow
from redemption.acts.book import ActState
from redemption.acts.table import Act
from redemption.orders import Kind
from redemption.states import State
from scripts.bench import postgres
from scripts.races.judge import ActRow, Asked, Findings, Truth, judge
from scripts.races.plan import Hand, Move, OrderPlan, draw
from scripts.races.town import DESK, OFFER, OTHER_SHOP, PIN, SHOP, Payer, Town, alone, found, several
from tongdui.bootstrap import OVERDUE_MARGIN_S
from tongdui.logs import configure_logs

ORDERS = 8
"""Orders a round, one a resident."""
GATEWAYS = 2
_LAPSES_EVERY = 4
_BEFORE_END_S = 2
_CHAIN_ACTS = ("capture", "release", "refund")

Tell = Callable[[str], None]


@dataclass(slots=True)
class Result:
    """What all rounds came to."""

    rounds: int = 0
    orders: int = 0
    requests: int = 0
    acts: int = 0
    failed_acts: int = 0
    towns: list[str] = field(default_factory=list)
    opened_s: float = 0.0
    seconds: float = 0.0
    findings: Findings = field(default_factory=Findings)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong."""
        return not self.findings.all


@dataclass(slots=True)
class _Race:
    """An order of a round while it runs."""

    plan: OrderPlan
    payer: Payer
    order_id: str = ""
    codes: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)
    """What each of the two requests that placed it was told."""


def run(rounds: int, seed: int, tell: Tell, on_round: Callable[[int, int], None], rpc: str | None = None) -> Result:
    """Run every other round on several gateways with PostgreSQL, where it is installed, the others on one with SQLite.

    One town after the other, so that neither takes the other's time. ``rpc``: nodes of a network; then every round is
    run on several gateways there. Raises ConfigurationError where that lacks PostgreSQL.
    """
    if rpc is not None and postgres.programs() is None:
        raise ConfigurationError("several gateways on a network need PostgreSQL's programs on this machine")
    configure_logs("warning")
    result, began = Result(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="races") as name:
        root = Path(name)
        towns: list[AbstractContextManager[Town]] = []
        if rpc is None:
            found(root / "founded")
            towns.append(alone(root / "founded", root / "alone", ORDERS))
        result.opened_s = time.monotonic() - began
        if postgres.programs() is not None:
            towns.append(several(root / "founded", root / "several", ORDERS, GATEWAYS, rpc))
        for place, opening in enumerate(towns):
            opened = time.monotonic()
            with opening as town:
                result.towns.append(town.name)
                result.opened_s += time.monotonic() - opened
                for number in range(place + 1, rounds + 1, len(towns)):
                    wrong = _round(town, seed, number, result)
                    for text in wrong.all:
                        tell(f"round {number} on {town.name}: {text}")
                    result.findings.add(wrong)
                    result.rounds += 1
                    on_round(result.rounds, rounds)
    result.seconds = time.monotonic() - began
    return result


def _round(town: Town, seed: int, number: int, result: Result) -> Findings:
    plans = draw(seed, number, ORDERS, len(town.clients))
    races = [_Race(plan, payer) for plan, payer in zip(plans, town.payers, strict=True)]
    ends_time = town.has_own_time and number // 2 % _LAPSES_EVERY == 0
    with ThreadPoolExecutor(ORDERS * 16) as pool:
        list(pool.map(lambda race: _place(town, race, f"{seed}-{number}"), races))
        if ends_time:
            _to_the_holds_end(town, races)
        if town.is_slow:
            town.until(lambda: not _under_way(town), "every order is final")
        moves = [pool.submit(_move, town, race, move, f"{seed}-{number}") for race in races for move in race.plan.moves]
        for moved in moves:
            moved.result()
    if ends_time:
        town.clock.set(town.clock.now() + timedelta(seconds=OVERDUE_MARGIN_S + 5))
    town.until(lambda: not _under_way(town), "every order and act is at its end")
    wrong = Findings()
    for race in races:
        truth = _truth(town, race)
        one = judge(truth, race.asked, is_hold=race.plan.kind is Kind.HOLD, is_late=ends_time)
        if len(set(race.placed)) != 1:
            one.duplicated.append(f"one key placed {race.placed}")
        one.answers_wrong += _seen_by_all(town, race, truth)
        wrong.add(one)
        result.orders += 1
        result.requests += len(race.asked) + len(race.placed)
        result.acts += len(truth.acts)
        result.failed_acts += sum(row.state == "failed" for row in truth.acts)
    return wrong


def _place(town: Town, race: _Race, name: str) -> None:
    """Place an order twice under one key, at two gateways, and issue its first code."""
    key = f"place-{name}-{race.payer.subject}"
    if race.plan.is_at_desk:
        proof = {"kind": "pin", "pin": PIN}
        body = {"resident_id": str(race.payer.resident_id), "offer": OFFER, "proof": proof}
        path, headers = "/v1/desk/orders", town.headers(Hand.CLERK.value, f"desk:{DESK}")
    else:
        body = {"offer": OFFER, "mode": race.plan.kind.value}
        path, headers = "/v1/redemptions", town.headers(race.payer.subject, "resident:self")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda gateway: town.post(gateway, path, body, headers, key), range(2)))
    for answer in answers:
        document = answer.json()
        order = document.get("order", document)
        race.placed.append(str(order.get("order_id", document)))
    race.order_id = race.placed[0]
    _code(town, race, 0, town.headers(race.payer.subject, "resident:self"), f"code-{key}")


def _to_the_holds_end(town: Town, races: Sequence[_Race]) -> None:
    """Move the clock to just before holds' time is over, once they are held: acts and lapse meet there."""
    town.until(lambda: not _under_way(town), "every order is final")
    with town.city.database.read() as session:
        ends = session.scalars(
            select(RedemptionOrderRow.capture_by).where(
                RedemptionOrderRow.order_id.in_([_bytes(race.order_id) for race in races]),
                RedemptionOrderRow.state == State.HELD,
            )
        ).all()
    latest = max((end for end in ends if end is not None), default=None)
    if latest is not None:
        town.clock.set(town.clock.now() + timedelta(seconds=latest - _BEFORE_END_S - town.clock.timestamp()))


def _code(town: Town, race: _Race, gateway: int, headers: dict[str, str], key: str) -> tuple[int, dict[str, Any]]:
    answer = town.post(gateway, f"/v1/redemptions/{race.order_id}/code", None, headers, key)
    if answer.status_code == 200:
        slip = town.get(gateway, f"/v1/slips/{answer.json()['slip_id']}", headers)
        race.codes.append(str(slip["code"]))
    return answer.status_code, answer.json()


def _move(town: Town, race: _Race, move: Move, name: str) -> None:
    time.sleep(move.at_s)
    by, headers = town.hand(move.hand, race.payer)
    key = f"{move.hand}-{name}-{race.payer.subject}-{move.key}"
    began = time.monotonic()
    shop = OTHER_SHOP if move.hand is Hand.OTHER_SHOP else SHOP
    path = f"/v1/merchants/{shop}/orders/{race.order_id}/{move.act}"
    body: dict[str, Any] | None
    match move.act:
        case Act.CODE:
            status, document = _code(town, race, move.gateway, headers, key)
        case Act.CANCEL:
            answer = town.post(move.gateway, f"/v1/redemptions/{race.order_id}/cancel", None, headers, key)
            status, document = answer.status_code, answer.json()
        case Act.HAND_OVER:
            code = race.codes[-1] if race.codes else "0000000000"
            answer = town.post(move.gateway, f"/v1/merchants/{shop}/codes", {"code": code}, headers, key)
            status, document = answer.status_code, answer.json()
        case _:
            body = {"keep_fen": str(move.keep_fen)} if move.act is not Act.RELEASE else {}
            if move.act is not Act.CAPTURE:
                body["reason"] = "a race"
            answer = town.post(move.gateway, path, body, headers, key)
            status, document = answer.status_code, answer.json()
    ended = time.monotonic()
    race.asked.append(Asked(move.hand, move.act, by, key, move.keep_fen, began, ended, status, document))


def _under_way(town: Town) -> int:
    with town.city.database.read() as session:
        placed = select(func.count()).where(RedemptionOrderRow.state == State.PLACED)
        acts = select(func.count()).where(RedemptionActRow.state == ActState.UNDER_WAY)
        unpaid = select(func.count()).where(
            RedemptionOrderRow.state == State.HELD, RedemptionOrderRow.capture_by < town.clock.timestamp()
        )
        return sum(int(session.scalar(one) or 0) for one in (placed, acts, unpaid))


def _truth(town: Town, race: _Race) -> Truth:
    order_id = _bytes(race.order_id)
    with town.city.database.read() as session:
        row = session.scalars(select(RedemptionOrderRow).where(RedemptionOrderRow.order_id == order_id)).one()
        acts = session.scalars(
            select(RedemptionActRow).where(RedemptionActRow.order_id == order_id).order_by(RedemptionActRow.act_id)
        ).all()
        chain = session.execute(
            select(OrderOutcomeRow.kind, OrderOutcomeRow.fen)
            .where(
                OrderOutcomeRow.order_id == order_id,
                OrderOutcomeRow.code == 0,
                OrderOutcomeRow.kind.in_(_CHAIN_ACTS),
            )
            .order_by(OrderOutcomeRow.block_number, OrderOutcomeRow.log_index)
        ).all()
    rows = tuple(
        ActRow(Act(one.act), _plain(one.requested_by), one.act_key, one.state, one.fen, one.left_fen, one.failure)
        for one in acts
    )
    pairs = tuple((str(kind), int(fen or 0)) for kind, fen in chain)
    return Truth(State(row.state), row.paid_fen, row.handed_over_at is not None, rows, pairs)


def _seen_by_all(town: Town, race: _Race, truth: Truth) -> list[str]:
    """Return what a gateway tells of the order, to shop or payer, that is not so."""
    wrong = []
    for gateway in range(len(town.clients)):
        shop = town.get(
            gateway, f"/v1/merchants/{SHOP}/orders/{race.order_id}", town.headers("till-1", f"merchant:{SHOP}")
        )
        payer = town.get(gateway, f"/v1/orders/{race.order_id}", town.headers(race.payer.subject, "resident:self"))
        said = (shop["state"], int(shop["paid"]["fen"]), shop["handed_over_at"] is not None)
        if said != (truth.state.value, truth.paid_fen, truth.is_handed_over):
            wrong.append(f"gateway {gateway} tells the shop {said}")
        acts = [(act["act"], act["state"]) for act in shop["acts"]]
        if acts != [(row.act.value, row.state) for row in truth.acts]:
            wrong.append(f"gateway {gateway} tells the shop of the acts {acts}")
        if (payer["state"], payer["handed_over_at"] is not None) != (truth.state.value, truth.is_handed_over):
            wrong.append(f"gateway {gateway} tells the payer {payer['state']}")
        if bool(payer["taken"]) != (truth.paid_fen > 0):
            wrong.append(f"gateway {gateway} tells the payer that the shop has {payer['taken']}")
    return wrong


def _plain(subject: str) -> str:
    """Return a subject without its issuer, as the hands are named."""
    return subject.rpartition(" ")[2]


def _bytes(order_id: str) -> OrderId:
    return OrderId(bytes.fromhex(order_id.removeprefix("0x")))
