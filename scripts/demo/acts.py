"""What happens on the demo's days: people register, one is served at a desk, one rides a bicycle, many spend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from issuers.samples.people import Person
from ledger.orders.errors import OrderError
from ledger.residents.registry import NewResident
from ledger.standard.amounts import points_text
from ledger.standard.ids import Address, split_token_id
from redemption.errors import RedemptionError
from redemption.orders import Purchase, RedemptionOrder
from scripts.demo import stage as days
from scripts.demo.http import Caller, FrontDoor
from scripts.demo.stage import Citizen, DemoStepFailed, Stage

ELDER, DRIVER, RIDER, LOVER = 0, 1, 2, 3
"""Places of the people whose stories are told, as `issuers.samples.people.population` makes them."""

VOLUNTEER, ENVIRONMENTAL, TRAFFIC, CULTURE = 1, 2, 3, 4
DESK = "yulin"
RICE = "rice-5kg"
TICKET = "museum-ticket"
RETURNED = "book-voucher-20"
SHOPPING = (
    "vegetables",
    "noodles-1kg",
    "senior-lunch",
    "eggs-10",
    "bicycle-repair",
    "rapeseed-oil-1l",
    "metro-day-pass",
    "book-voucher-20",
    "swim-once",
    "museum-ticket",
    "metro-single",
)
"""What people look for; everybody begins elsewhere in the list and takes the first thing that can be paid."""
_REGISTER_CHUNK = 200


def register(stage: Stage, numbers: Mapping[str, int]) -> None:
    """Register every person and link the source ids that they have claimed. ``numbers``: programme ids by slug."""
    stage.at(days.FIRST_DAY, 8, 30)
    people = stage.samples.people
    for start in range(0, len(people), _REGISTER_CHUNK):
        chunk = people[start : start + _REGISTER_CHUNK]
        stage.once(f"register {start}", lambda session, chunk=chunk: _register(stage, session, chunk, numbers))  # type: ignore[misc]
        stage.bars.set("residents", start + len(chunk), len(people))
    with stage.city.database.transaction() as session:
        known = stage.city.registry.register_many(session, [_new(person) for person in people])
    stage.citizens = [Citizen(person, one.resident) for person, one in zip(people, known, strict=True)]
    stage.bars.done("residents", f"{len(people)}")


def _new(person: Person) -> NewResident:
    return NewResident(person.identity_number, {"name": person.name})


def _register(stage: Stage, session: Session, people: Sequence[Person], numbers: Mapping[str, int]) -> dict[str, Any]:
    registered = stage.city.registry.register_many(session, [_new(person) for person in people])
    claims = [
        (one.resident.resident_id, numbers[slug], person.source_ids[slug])
        for person, one in zip(people, registered, strict=True)
        for slug in sorted(person.linked)
    ]
    stage.city.registry.link_many(session, claims)
    return {"residents": len(people), "links": len(claims)}


def account_of(stage: Stage, place: int) -> Address:
    """Return the account of one of the told people."""
    return stage.citizens[place].resident.account


# The desk ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeskVisit:
    """What happened at the desk; amounts in minor units by programme."""

    order_id: str
    code: str
    paid: tuple[tuple[int, int], ...]
    before: int
    after: int


def visit_desk(stage: Stage, door: FrontDoor) -> DeskVisit:
    """Serve the 72-year-old: a clerk takes the order, a second one approves, the shop hands over, once."""
    stage.at(days.DESK_DAY, 10)
    known = stage.noted("desk: visit")
    if known is None:
        known = _visit_desk(stage, door)
        stage.note("desk: visit", known)
    return DeskVisit(
        str(known["order_id"]),
        str(known["code"]),
        tuple((int(programme), int(minor)) for programme, minor in known["paid"]),
        int(known["before"]),
        int(known["after"]),
    )


def _visit_desk(stage: Stage, door: FrontDoor) -> dict[str, Any]:
    resident = stage.citizens[ELDER].resident
    clerk = Caller("demo:clerk-liu", (f"desk:{DESK}",))
    second = Caller("demo:clerk-chen", (f"desk:{DESK}",))
    shop = stage.city.deployment.merchant("grain-and-oil").id
    counter = Caller("demo:counter-zhao", (f"merchant:{shop}",))
    before = stage.once("desk: before", lambda session: {"minor": _spendable(stage, session, ELDER, VOLUNTEER)})
    asked = {"resident_id": str(resident.resident_id), "offer": RICE, "quantity": 1}
    approval = door.post(second, "/v1/desk/approvals", asked, "desk-approval", status=201)
    proof = {"kind": "second_clerk", "approval_id": approval["approval_id"]}
    placed = door.post(clerk, "/v1/desk/orders", {**asked, "proof": proof}, "desk-order", status=202)
    stage.settle()
    order_id = placed["order"]["order_id"]
    _expect_paid(stage, order_id, "the desk")
    code = stage.city.handover.codes.code(placed["slip"]["slip_id"])
    stage.at(days.DESK_DAY, 10, 20)
    door.post(counter, f"/v1/merchants/{shop}/codes", {"code": code}, "desk-hand-over")
    door.post(counter, f"/v1/merchants/{shop}/codes", {"code": code}, "desk-hand-over-again", status=409)
    with stage.city.database.read() as session:
        order = stage.city.redemptions.get(session, bytes.fromhex(order_id[2:]))
    paid: dict[int, int] = {}
    for lot in order.lots:
        programme = split_token_id(lot.id)[0]
        paid[programme] = paid.get(programme, 0) + lot.amount
    with stage.city.database.read() as session:
        after = _spendable(stage, session, ELDER, VOLUNTEER)
    return {
        "order_id": order_id,
        "code": code,
        "paid": sorted(paid.items()),
        "before": before["minor"],
        "after": after,
    }


def _spendable(stage: Stage, session: Session, place: int, programme: int) -> int:
    lots = stage.city.gateway.desk.spendable(session, account_of(stage, place))
    return sum(lot.amount_minor for lot in lots if split_token_id(lot.token_id)[0] == programme)


def _expect_paid(stage: Stage, order_id: str, step: str) -> None:
    with stage.city.database.read() as session:
        order = stage.city.redemptions.get(session, bytes.fromhex(order_id[2:]))
    if order.state.value not in ("paid", "captured"):
        raise DemoStepFailed(step, f"order {order_id} is {order.state.value} (code {order.reject_code})")


# The bicycle ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ride:
    """How green points became a ticket; amounts in minor units and fen."""

    order_id: str
    green_before: int
    exchanged: int
    exchanged_fen: int
    received: int
    paid: int


def ride_to_museum(stage: Stage, door: FrontDoor, price_fen: int) -> Ride:
    """Exchange as many green points as a museum ticket costs, then redeem the ticket with culture points alone."""
    stage.at(days.DESK_DAY, 14)
    known = stage.noted("rider: visit")
    if known is None:
        known = asdict(_ride_to_museum(stage, door, price_fen))
        stage.note("rider: visit", known)
    return Ride(**known)


def _ride_to_museum(stage: Stage, door: FrontDoor, price_fen: int) -> Ride:
    citizen = stage.citizens[RIDER]
    rider = Caller("demo:rider", ("resident:self", "resident:register"))
    door.post(
        rider,
        "/v1/residents",
        {"document_number": citizen.person.identity_number},
        "rider-login",
        status=200,
    )
    before = stage.once("rider: before", lambda session: {"minor": _spendable(stage, session, RIDER, ENVIRONMENTAL)})
    par = stage.city.deployment.programme("environmental").par_microfen
    # What the ticket costs, in green points; each lot is rounded down by itself, so a fen a lot is added.
    wanted = -(-(price_fen + 2) * 100_000_000 // par)
    body = {"from_programme": ENVIRONMENTAL, "to_programme": CULTURE, "amount": points_text(wanted)}
    placed = door.post(rider, "/v1/exchange/orders", body, "rider-exchange", status=202)
    stage.settle()
    with stage.city.database.read() as session:
        found = stage.city.gateway.desk.statuses(
            session, [bytes.fromhex(order["order_id"][2:]) for order in placed["orders"]]
        )
    if any(one.state.value != "accepted" for one in found.values()):
        raise DemoStepFailed("the exchange", str([(one.state.value, one.reason) for one in found.values()]))
    stage.at(days.DESK_DAY, 15)
    bought = door.post(rider, "/v1/redemptions", {"offer": TICKET, "programmes": [CULTURE]}, "rider-ticket", status=202)
    stage.settle()
    _expect_paid(stage, bought["order_id"], "the museum")
    with stage.city.database.read() as session:
        order = stage.city.redemptions.get(session, bytes.fromhex(bought["order_id"][2:]))
    return Ride(
        order_id=bought["order_id"],
        green_before=int(before["minor"]),
        exchanged=wanted,
        exchanged_fen=sum(one.fen or 0 for one in found.values()),
        received=sum(one.amount_out_minor or 0 for one in found.values()),
        paid=sum(lot.amount for lot in order.lots),
    )


# The crowd --------------------------------------------------------------------------------------------------------

_WISHES = (
    (ENVIRONMENTAL, CULTURE),
    (TRAFFIC, VOLUNTEER),
    (VOLUNTEER, CULTURE),
    (ENVIRONMENTAL, TRAFFIC),
    (CULTURE, VOLUNTEER),
)


def exchange_crowd(stage: Stage) -> int:
    """Six residents in ten wish to exchange half of one programme's points into another's."""
    stage.at(days.EXCHANGE_DAY, 9)

    def each(session: Session, citizen: Citizen) -> bool:
        number = citizen.person.number
        if number <= LOVER or number % 10 >= 6:
            return False
        source, target = _WISHES[number // 10 % len(_WISHES)]
        lots = stage.city.gateway.desk.spendable(session, citizen.resident.account)
        # In whole points, so that the amount reads well on a statement.
        half = sum(lot.amount_minor for lot in lots if split_token_id(lot.token_id)[0] == source) // 200 * 100
        if half < 2_000:
            return False
        signer = stage.city.registry.signer(session, citizen.resident.resident_id)
        try:
            stage.city.gateway.desk.place_exchange(session, signer, source, target, half)
        except OrderError:
            return False
        return True

    return stage.round("exchanges", each)


def spend_crowd(stage: Stage) -> int:
    """Half of the residents redeem the first thing that they look for and can pay."""
    stage.at(days.SPENDING_DAY, 9)

    def each(session: Session, citizen: Citizen) -> bool:
        number = citizen.person.number
        if number <= LOVER or number % 2:
            return False
        first = number // 2 % len(SHOPPING)
        for offer in SHOPPING[first:] + SHOPPING[:first]:
            try:
                # A savepoint, so that an offer that cannot be paid leaves nothing behind.
                with session.begin_nested():
                    stage.city.redemptions.place(
                        session, Purchase(citizen.resident.resident_id, offer, request_key=f"demo/{number}")
                    )
            except (OrderError, RedemptionError):
                continue
            return True
        return False

    return stage.round("redemptions", each)


def bring_back(stage: Stage, door: FrontDoor) -> str:
    """Somebody brings a purchase back, and the shop refunds all of it; return the order's id."""
    stage.at(days.RETURN_DAY, 11)
    known = stage.noted("return")
    if known is None:
        order = _first_purchase(stage)
        shop = Caller("demo:counter-sun", (f"merchant:{order.merchant_id}",))
        path = f"/v1/merchants/{order.merchant_id}/orders/0x{order.order_id.hex()}/refund"
        door.post(shop, path, {"keep_fen": "0", "reason": "brought back unused"}, "return", status=202)
        stage.settle()
        with stage.city.database.read() as session:
            state = stage.city.redemptions.get(session, order.order_id).state.value
        if state != "refunded":
            raise DemoStepFailed("the return", f"order 0x{order.order_id.hex()} is {state}")
        known = {"order_id": f"0x{order.order_id.hex()}"}
        stage.note("return", known)
    return str(known["order_id"])


def _first_purchase(stage: Stage) -> RedemptionOrder:
    """Return a paid order of the crowd: a book voucher if there is one, of the resident with the lowest number."""
    found = []
    with stage.city.database.read() as session:
        for citizen in stage.citizens[LOVER + 1 :]:
            orders = stage.city.redemptions.of_resident(session, citizen.resident.resident_id, None, 1)
            found += [order for order in orders if order.state.value in ("paid", "refunded")]
            if found and found[-1].offer_id == RETURNED:
                return found[-1]
    if not found:
        raise DemoStepFailed("the return", "nobody has bought anything")
    return found[0]
