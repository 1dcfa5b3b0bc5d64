"""What institutions do in the demo: a funding wait, a hold captured in part, a dispute, and a cycle opened and paid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time
from typing import Any

from sqlalchemy.orm import Session

from ledger.clearing.book import BookReader
from ledger.clearing.office import OPEN
from ledger.clearing.payments import order_funding, order_payouts
from ledger.clearing.views import positions_at
from ledger.deployment.artifacts import call_data
from ledger.deployment.city import AppropriationConfig, CityConfig, load
from ledger.orders.errors import OrderError
from ledger.standard.amounts import yuan_text
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.ids import MerchantId, OrderId
from ledger.standard.keccak import keccak256
from redemption.errors import RedemptionError
from redemption.fulfilment import Actor
from redemption.orders import Kind, Purchase, RedemptionOrder
from redemption.refunds import PaidProof
from scripts.demo import environment as days
from scripts.demo.environment import DemoStepFailed, Environment
from scripts.demo.http import Caller, FrontDoor
from scripts.demo.scenario import CULTURE, LOVER

FIRST_TRANCHE_FEN = 5_000
"""What the culture programme has at first: less than its first batch is worth."""
DAILY_MINT_FEN = 50_000_000
"""What the council lets it mint a day; a tenth of the first tranche would let nothing wait for funding."""
SUPPLEMENT = "示范市财政局关于追加2026年文化消费积分经费的通知"
RESERVED = ("rapeseed-oil-1l", "rice-5kg", "eggs-10", "noodles-1kg", "vegetables")
_OPEN_GAS = 8_000_000


@dataclass(frozen=True, slots=True)
class Institutions:
    """What came of it; amounts in fen."""

    waited_minor: int
    """Points that waited for funding."""
    held_fen: int
    captured_fen: int
    """What the shop kept of what was held."""
    disputed_fen: int
    refunded_fen: int
    cycle: int
    cycle_fen: int
    funded_fen: int
    paid_fen: int
    merchants_paid: int


def demo_city() -> CityConfig:
    """Return the default city, in which the culture programme is funded in two steps."""
    config = load()
    appropriations = tuple(
        replace(one, fen=FIRST_TRANCHE_FEN) if one.programme == CULTURE else one for one in config.appropriations
    )
    programmes = tuple(
        replace(one, daily_mint_fen=DAILY_MINT_FEN) if one.id == CULTURE else one for one in config.programmes
    )
    return replace(config, programmes=programmes, appropriations=appropriations)


def _full(config: CityConfig) -> AppropriationConfig:
    return next(one for one in config.appropriations if one.programme == CULTURE)


# The funding wait -------------------------------------------------------------------------------------------------


def wait_for_funding(env: Environment, door: FrontDoor) -> int:
    """Let culture's grants wait until finance has appropriated the rest, a day after it was announced; return how many
    minor units waited."""
    waits = env.city.issuers.funding_waits()
    slug = env.city.deployment.programme(CULTURE).slug
    waited = env.once("culture waits", lambda _: {"minor": waits[slug].amount_minor if slug in waits else 0})["minor"]
    if not waited:
        raise DemoStepFailed("the funding wait", "no grant of culture waits for funding")
    body = {
        "document": SUPPLEMENT,
        "fiscal_year": 2026,
        "amount_yuan": yuan_text(_full(load()).fen - FIRST_TRANCHE_FEN),
    }
    path = f"/v1/programmes/{CULTURE}/appropriations"
    proposed = door.post(Caller("demo:finance-wu", ("finance",)), path, body, "supplement", status=202)
    if proposed["state"] == "proposed":  # not so where an earlier run has got further
        confirm = f"{path}/{proposed['document_hash']}/confirm"
        door.post(Caller("demo:finance-hu", ("finance",)), confirm, None, "supplement-confirm", status=202)
    env.settle()
    env.at(days.DESK_DAY, 9, 30)
    _finish_acts(env)
    env.work()
    if env.city.issuers.funding_waits():
        raise DemoStepFailed("the funding wait", "grants wait although the appropriation is recorded")
    return int(waited)


def _finish_acts(env: Environment) -> None:
    """Carry out the bureau's acts whose time has come. Raises DemoStepFailed where one is not done."""
    env.settle()
    with env.city.database.read() as session:
        left = [act for act in env.city.office.acts(session) if act.state in OPEN or act.reason is not None]
    if left:
        raise DemoStepFailed("an act of the finance bureau", f"{left[0].key} is {left[0].state}: {left[0].reason}")


# The hold ---------------------------------------------------------------------------------------------------------


def reserve(env: Environment) -> None:
    """Let somebody reserve three of something at a shop."""
    env.at(days.SPENDING_DAY, 15)
    env.once("reserve", lambda session: _reserve(env, session))
    env.settle()


def _reserve(env: Environment, session: Session) -> Mapping[str, Any]:
    for citizen in env.citizens[LOVER + 1 :]:
        for offer in RESERVED:
            purchase = Purchase(
                citizen.resident.resident_id, offer, 3, kind=Kind.HOLD, request_key=f"demo-hold/{citizen.person.number}"
            )
            try:
                with session.begin_nested():
                    placed = env.city.redemptions.place(session, purchase)
            except (OrderError, RedemptionError):
                continue
            return {"order_id": placed.order.order_id.hex()}
    raise DemoStepFailed("the reservation", "nobody can reserve three of anything")


def collect_two_of_three(env: Environment) -> tuple[int, int]:
    """Let the shop hand over two of three and keep the price of these; return (held, captured) fen."""
    env.at(days.RETURN_DAY, 10)
    order_id = OrderId(bytes.fromhex(str((env.noted("reserve") or {})["order_id"])))

    def capture(session: Session) -> Mapping[str, Any]:
        order = env.city.redemptions.get(session, order_id)
        keep_fen = order.price_fen * 2 // 3
        env.city.fulfilment.capture_part(session, order.merchant_id, order_id, keep_fen, Actor("demo:counter-zhao", ()))
        return {"held_fen": order.price_fen}

    held = int(env.once("collect", capture)["held_fen"])
    env.settle()
    order = _order(env, order_id)
    if order.state.value != "captured":
        raise DemoStepFailed("the reservation", f"order 0x{order_id.hex()} is {order.state.value}")
    return held, order.paid_fen


# The dispute ------------------------------------------------------------------------------------------------------


def dispute(env: Environment, returned: str) -> tuple[int, int]:
    """Let a resident complain, the arbiter lock the shop's value and decide; return (locked, refunded) fen."""
    env.at(days.DISPUTE_DAY, 10)
    order = _purchase(env, returned)
    city, proof = env.city, env.city.refunds.prove(order.order_id)
    complaint = keccak256(b"complaint of 0x" + order.order_id.hex().encode())

    def lock(session: Session) -> Mapping[str, Any]:
        city.disputes.lock(session, proof, proof.receipt.fen, complaint)
        return {"fen": proof.receipt.fen}

    locked = int(env.once("dispute: lock", lock)["fen"])
    env.settle()
    env.at(days.DECISION_DAY, 10)
    refunded = int(env.once("dispute: refund", lambda s: {"fen": _decide(env, s, proof)})["fen"])
    env.settle()
    if _order(env, order.order_id).state.value != "refunded":
        raise DemoStepFailed("the dispute", f"order 0x{order.order_id.hex()} was not refunded")
    return locked, refunded


def _decide(env: Environment, session: Session, proof: PaidProof) -> int:
    return env.city.disputes.refund(session, proof, 0, "demo:arbiter").record.fen


def _purchase(env: Environment, returned: str) -> RedemptionOrder:
    """Return a paid order of the crowd other than the one that was brought back."""
    with env.city.database.read() as session:
        known = env.noted("dispute: order")
        if known is not None:
            return env.city.redemptions.get(session, OrderId(bytes.fromhex(str(known["order_id"]))))
        for citizen in reversed(env.citizens[LOVER + 1 :]):
            for order in env.city.redemptions.of_resident(session, citizen.resident.resident_id, 1):
                if order.state.value == "paid" and f"0x{order.order_id.hex()}" != returned:
                    break
            else:
                continue
            break
        else:
            raise DemoStepFailed("the dispute", "nobody has a purchase to complain about")
    env.note("dispute: order", {"order_id": order.order_id.hex()})
    return order


def _order(env: Environment, order_id: OrderId) -> RedemptionOrder:
    with env.city.database.read() as session:
        return env.city.redemptions.get(session, order_id)


# The cycle --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cycle:
    """A cycle that was opened, funded and paid; amounts in fen."""

    cycle: int
    total_fen: int
    funded_fen: int
    paid_fen: int
    merchants: int


def clear(env: Environment) -> Cycle:
    """Open a cycle when the September purchases have matured, let every debtor pay its due, and pay the merchants."""
    env.at(days.CYCLE_DAY, 9)
    city = env.city
    book = city.deployment.address("ClearingBook")

    def open_cycle(session: Session) -> Mapping[str, Any]:
        call = call_data("ClearingBook", "openCycle")
        city.gateway.outbox.enqueue_call(session, "cycle", "cycle:1", book, call, _OPEN_GAS)
        return {}

    env.once("cycle: open", open_cycle)
    env.settle()
    known = env.noted("cycle: paid")
    if known is not None:
        return Cycle(**known)
    standing = _reader(env).standing()
    dues = {programme: due.fen for programme, due in _reader(env).dues(list(standing.owed_fen)).items() if due.fen}
    with city.database.transaction() as session:
        for programme, fen in dues.items():
            order_funding(city.office, session, programme, fen, f"demo/in/2026-09/{programme}", "demo:finance-wu")
    env.settle()
    env.at(days.FUNDED_DAY, 10)
    _finish_acts(env)
    merchants = [MerchantId(merchant.id) for merchant in city.deployment.merchants]
    payable = {merchant: claim.payable_fen for merchant, claim in _reader(env).claims(merchants).items()}
    pool_fen = _reader(env).standing().pool_fen
    with city.database.transaction() as session:
        order_payouts(city.office, session, payable, "demo/out/2026-09", "demo:finance-wu")
    env.settle()
    env.at(days.PAID_DAY, 11)
    _finish_acts(env)
    paid = pool_fen - _reader(env).standing().pool_fen
    done = Cycle(standing.cycle, sum(dues.values()), pool_fen, paid, sum(fen > 0 for fen in payable.values()))
    if not done.cycle or not done.paid_fen:
        raise DemoStepFailed("the cycle", f"nothing was paid: {done}")
    env.note("cycle: paid", asdict(done))
    return done


def positions_before_cycle(env: Environment) -> dict[int, int]:
    """Return every participant's position in fen as it was on the morning of the cycle."""
    morning = datetime.combine(days.CYCLE_DAY, time(), CITY_TZ)
    with env.city.database.read() as session:
        return positions_at(session, int(morning.timestamp()))


def _reader(env: Environment) -> BookReader:
    engine = env.city.engine
    return BookReader(engine.rpc, env.city.deployment.address("ClearingBook"), engine.final_height())


def last_day() -> date:
    """Return the last of the demo's days."""
    return days.PAID_DAY
