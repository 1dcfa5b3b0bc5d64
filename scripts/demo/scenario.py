"""What happens on the demo's days: people register, one is served at a desk, one rides a bicycle, many spend."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from issuers.samples.people import Person
from ledger.orders.errors import OrderError
from ledger.residents.registry import NewResident
from ledger.standard.amounts import points_text
from ledger.standard.ids import Address, OrderId, ProgrammeId, ProgrammeSlug, split_token_id
from ledger.store.models.api import ApiSubjectRow
from ledger_api.auth import scopes
from ledger_api.auth.logins import NewLogin
from ledger_api.auth.scopes import Right
from ledger_api.ports import StoryPerson
from redemption.errors import RedemptionError
from redemption.orders import Purchase, RedemptionOrder
from scripts.demo import environment as days
from scripts.demo.environment import Citizen, DemoStepFailed, Environment
from scripts.demo.http import Caller, FrontDoor
from tongdui.api import services_of

ELDER, DRIVER, RIDER, LOVER = 0, 1, 2, 3
"""Places of the people who are shown, as `issuers.samples.people.population` makes them."""

VOLUNTEER, ENVIRONMENTAL, TRAFFIC, CULTURE = (ProgrammeId(number) for number in (1, 2, 3, 4))
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


def register(env: Environment, numbers: Mapping[ProgrammeSlug, ProgrammeId]) -> None:
    """Register every person and link the source ids that they have claimed. ``numbers``: programme ids by slug."""
    env.at(days.FIRST_DAY, 8, 30)
    people = env.samples.people
    for start in range(0, len(people), _REGISTER_CHUNK):
        chunk = people[start : start + _REGISTER_CHUNK]
        env.once(f"register {start}", lambda session, chunk=chunk: _register(env, session, chunk, numbers))  # type: ignore[misc]
        env.bars.set("residents", start + len(chunk), len(people))
    with env.city.database.transaction() as session:
        known = env.city.registry.register_many(session, [_new(person) for person in people])
    env.citizens = [Citizen(person, one.resident) for person, one in zip(people, known, strict=True)]
    env.bars.done("residents", f"{len(people)}")


def _new(person: Person) -> NewResident:
    return NewResident(person.identity_number, {"name": person.name})


def _register(
    env: Environment, session: Session, people: Sequence[Person], numbers: Mapping[ProgrammeSlug, ProgrammeId]
) -> dict[str, Any]:
    registered = env.city.registry.register_many(session, [_new(person) for person in people])
    claims = [
        (one.resident.resident_id, numbers[slug], person.source_ids[slug])
        for person, one in zip(people, registered, strict=True)
        for slug in sorted(person.linked)
    ]
    env.city.registry.link_many(session, claims)
    return {"residents": len(people), "links": len(claims)}


def account_of(env: Environment, place: int) -> Address:
    """Return the account of one of the told people."""
    return env.citizens[place].resident.account


# The desk ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeskVisit:
    """What happened at the desk; amounts in minor units by programme."""

    order_id: str
    code: str
    paid: tuple[tuple[int, int], ...]
    before: int
    after: int


def visit_desk(env: Environment, door: FrontDoor) -> DeskVisit:
    """Serve the 72-year-old: a clerk takes the order, a second one approves, the shop hands over, once."""
    env.at(days.DESK_DAY, 10)
    known = env.noted("desk: visit")
    if known is None:
        known = _visit_desk(env, door)
        env.note("desk: visit", known)
    return DeskVisit(
        str(known["order_id"]),
        str(known["code"]),
        tuple((int(programme), int(minor)) for programme, minor in known["paid"]),
        int(known["before"]),
        int(known["after"]),
    )


def _visit_desk(env: Environment, door: FrontDoor) -> dict[str, Any]:
    resident = env.citizens[ELDER].resident
    clerk = Caller("demo:clerk-liu", (f"desk:{DESK}",))
    second = Caller("demo:clerk-chen", (f"desk:{DESK}",))
    shop = env.city.deployment.merchant("grain-and-oil").id
    counter = Caller("demo:counter-zhao", (f"merchant:{shop}",))
    before = env.once("desk: before", lambda session: {"minor": _spendable(env, session, ELDER, VOLUNTEER)})
    asked = {"resident_id": str(resident.resident_id), "offer": RICE, "quantity": 1}
    approval = door.post(second, "/v1/desk/approvals", asked, "desk-approval", status=201)
    proof = {"kind": "second_clerk", "approval_id": approval["approval_id"]}
    placed = door.post(clerk, "/v1/desk/orders", {**asked, "proof": proof}, "desk-order", status=202)
    env.settle()
    order_id = placed["order"]["order_id"]
    _expect_paid(env, order_id, "the desk")
    code = env.city.fulfilment.codes.code(placed["slip"]["slip_id"])
    env.at(days.DESK_DAY, 10, 20)
    door.post(counter, f"/v1/merchants/{shop}/codes", {"code": code}, "desk-hand-over")
    door.post(counter, f"/v1/merchants/{shop}/codes", {"code": code}, "desk-hand-over-again", status=409)
    with env.city.database.read() as session:
        order = env.city.redemptions.get(session, OrderId(bytes.fromhex(order_id[2:])))
    paid: dict[int, int] = {}
    for lot in order.lots:
        programme = split_token_id(lot.id)[0]
        paid[programme] = paid.get(programme, 0) + lot.amount
    with env.city.database.read() as session:
        after = _spendable(env, session, ELDER, VOLUNTEER)
    return {
        "order_id": order_id,
        "code": code,
        "paid": sorted(paid.items()),
        "before": before["minor"],
        "after": after,
    }


def _spendable(env: Environment, session: Session, place: int, programme: ProgrammeId) -> int:
    lots = env.city.gateway.desk.spendable(session, account_of(env, place))
    return sum(lot.amount_minor for lot in lots if split_token_id(lot.token_id)[0] == programme)


def _expect_paid(env: Environment, order_id: str, step: str) -> None:
    with env.city.database.read() as session:
        order = env.city.redemptions.get(session, OrderId(bytes.fromhex(order_id[2:])))
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


def ride_to_museum(env: Environment, door: FrontDoor, price_fen: int) -> Ride:
    """Exchange as many green points as a museum ticket costs, then redeem the ticket with culture points alone."""
    env.at(days.DESK_DAY, 14)
    known = env.noted("rider: visit")
    if known is None:
        known = asdict(_ride_to_museum(env, door, price_fen))
        env.note("rider: visit", known)
    return Ride(**known)


def _ride_to_museum(env: Environment, door: FrontDoor, price_fen: int) -> Ride:
    citizen = env.citizens[RIDER]
    rider = Caller("demo:rider", ("resident:self", "resident:register"))
    door.post(
        rider,
        "/v1/residents",
        {"document_number": citizen.person.identity_number},
        "rider-login",
        status=200,
    )
    before = env.once("rider: before", lambda session: {"minor": _spendable(env, session, RIDER, ENVIRONMENTAL)})
    par = env.city.deployment.programme("environmental").par_microfen
    # What the ticket costs, in green points; each lot is rounded down by itself, so a fen a lot is added.
    wanted = -(-(price_fen + 2) * 100_000_000 // par)
    body = {"from_programme": ENVIRONMENTAL, "to_programme": CULTURE, "amount": points_text(wanted)}
    placed = door.post(rider, "/v1/exchange/orders", body, "rider-exchange", status=202)
    env.settle()
    with env.city.database.read() as session:
        found = env.city.gateway.desk.statuses(
            session, [OrderId(bytes.fromhex(order["order_id"][2:])) for order in placed["orders"]]
        )
    if any(one.state.value != "accepted" for one in found.values()):
        raise DemoStepFailed("the exchange", str([(one.state.value, one.reason) for one in found.values()]))
    env.at(days.DESK_DAY, 15)
    bought = door.post(rider, "/v1/redemptions", {"offer": TICKET, "programmes": [CULTURE]}, "rider-ticket", status=202)
    env.settle()
    _expect_paid(env, bought["order_id"], "the museum")
    with env.city.database.read() as session:
        order = env.city.redemptions.get(session, OrderId(bytes.fromhex(bought["order_id"][2:])))
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


def exchange_crowd(env: Environment) -> int:
    """Six residents in ten wish to exchange half of one programme's points into another's."""
    env.at(days.EXCHANGE_DAY, 9)

    def each(session: Session, citizen: Citizen) -> bool:
        number = citizen.person.number
        if number <= LOVER or number % 10 >= 6:
            return False
        source, target = _WISHES[number // 10 % len(_WISHES)]
        lots = env.city.gateway.desk.spendable(session, citizen.resident.account)
        # In whole points, so that the amount reads well on a statement.
        half = sum(lot.amount_minor for lot in lots if split_token_id(lot.token_id)[0] == source) // 200 * 100
        if half < 2_000:
            return False
        signer = env.city.registry.signer(session, citizen.resident.resident_id)
        try:
            env.city.gateway.desk.place_exchange(session, signer, source, target, half)
        except OrderError:
            return False
        return True

    return env.round("exchanges", each)


def spend_crowd(env: Environment) -> int:
    """Half of the residents redeem the first thing that they look for and can pay."""
    env.at(days.SPENDING_DAY, 9)

    def each(session: Session, citizen: Citizen) -> bool:
        number = citizen.person.number
        if number <= LOVER or number % 2:
            return False
        first = number // 2 % len(SHOPPING)
        for offer in SHOPPING[first:] + SHOPPING[:first]:
            try:
                # A savepoint, so that an offer that cannot be paid leaves nothing behind.
                with session.begin_nested():
                    env.city.redemptions.place(
                        session, Purchase(citizen.resident.resident_id, offer, request_key=f"demo/{number}")
                    )
            except (OrderError, RedemptionError):
                continue
            return True
        return False

    return env.round("redemptions", each)


def bring_back(env: Environment, door: FrontDoor) -> str:
    """Somebody brings a purchase back, and the shop refunds all of it; return the order's id."""
    env.at(days.RETURN_DAY, 11)
    known = env.noted("return")
    if known is None:
        order = _first_purchase(env)
        shop = Caller("demo:counter-sun", (f"merchant:{order.merchant_id}",))
        path = f"/v1/merchants/{order.merchant_id}/orders/0x{order.order_id.hex()}/refund"
        door.post(shop, path, {"keep_fen": "0", "reason": "brought back unused"}, "return", status=202)
        env.settle()
        with env.city.database.read() as session:
            state = env.city.redemptions.get(session, order.order_id).state.value
        if state != "refunded":
            raise DemoStepFailed("the return", f"order 0x{order.order_id.hex()} is {state}")
        known = {"order_id": f"0x{order.order_id.hex()}"}
        env.note("return", known)
    return str(known["order_id"])


def _first_purchase(env: Environment) -> RedemptionOrder:
    """Return a paid order of the crowd: a book voucher if there is one, of the resident with the lowest number."""
    found = []
    with env.city.database.read() as session:
        for citizen in env.citizens[LOVER + 1 :]:
            orders = env.city.redemptions.of_resident(session, citizen.resident.resident_id, 1)
            found += [order for order in orders if order.state.value in ("paid", "refunded")]
            if found and found[-1].offer_id == RETURNED:
                return found[-1]
    if not found:
        raise DemoStepFailed("the return", "nobody has bought anything")
    return found[0]


# Signing in as these people ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    login: str
    name_en: str
    role: str
    place: int | None = None
    """The resident's place among the samples."""
    name_zh: str = ""
    scopes: tuple[str, ...] = ()


def make_logins(env: Environment) -> list[StoryPerson]:
    """Make the logins of the story's people, with passwords of their own, and return whom they are for."""
    services = services_of(env.city)
    people: list[StoryPerson] = []
    made: list[tuple[_Part, NewLogin]] = []
    for part in _parts(env):
        password = secrets.token_urlsafe(12)
        hashed = services.sign_in.passwords.hash_new(part.login, password)
        made.append((part, NewLogin(part.login, hashed, frozenset(part.scopes), "demo")))
        people.append(StoryPerson(part.login, _name(env, part), part.name_en, part.role, password))
    with env.city.database.transaction() as session:
        for part, new in made:
            _make(env, session, part, new)
    return people


def _parts(env: Environment) -> list[_Part]:
    shop = env.city.deployment.merchant("grain-and-oil").id
    resident = (scopes.RESIDENT, scopes.REGISTER)
    desk = (f"desk:{DESK}",)
    return [
        _Part("story-elder", "an elder who volunteers", "resident", ELDER, "做志愿的老人", resident),
        _Part("story-driver", "a careful driver", "resident", DRIVER, "守规矩的司机", resident),
        _Part("story-rider", "a cyclist", "resident", RIDER, "骑车出行的人", resident),
        _Part("story-lover", "a theatre-goer", "resident", LOVER, "常看戏的人", resident),
        _Part("story-owner", "Qian", "owner", name_zh="钱老板", scopes=(scopes.merchant(shop),)),
        _Part("story-till", "Zhao", "till", name_zh="小赵", scopes=(scopes.staff(shop, Right.TILL),)),
        _Part("story-clerk-liu", "Liu", "desk", name_zh="刘文员", scopes=desk),
        _Part("story-clerk-chen", "Chen", "desk", name_zh="陈文员", scopes=desk),
    ]


def _name(env: Environment, part: _Part) -> str:
    return part.name_zh if part.place is None else f"{env.citizens[part.place].person.name}，{part.name_zh}"


def _make(env: Environment, session: Session, part: _Part, new: NewLogin) -> None:
    logins = services_of(env.city).sign_in.logins
    row = logins.row(session, new.name)  # made by a run that ended before it wrote the file
    login = logins.add(session, new) if row is None else logins.set_password(session, new.name, new.password_hash)
    if part.place is not None and session.get(ApiSubjectRow, login.subject) is None:
        # A resident may come in at several doors; the clerk who would have checked the document is the demo itself.
        resident = env.citizens[part.place].resident
        now = env.clock.timestamp()
        session.add(ApiSubjectRow(subject=login.subject, resident_id=resident.resident_id, bound_at=now))
