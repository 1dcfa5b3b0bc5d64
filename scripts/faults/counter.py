"""What a workload does at the counter: holds are captured, handed over, released or cancelled, purchases are refunded
in parts and handed over in between. Each act is a step that is done or not, under an id of its own.

No hold is left to lapse: a network's blocks do not follow the workload's clock to another day. Races do that.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.orders.errors import OrderError
from ledger.standard.ids import OrderId
from ledger.store.models.redemption import RedemptionOrderRow
from redemption.acts.book import Acted
from redemption.errors import RedemptionError
from redemption.fulfilment import Actor
from redemption.orders import Kind, Purchase, RedemptionOrder
from redemption.states import State
from scripts.demo import environment as days
from scripts.demo.environment import Citizen, Environment
from scripts.demo.scenario import SHOPPING

TILL = Actor("workload:till")
_WAYS = 4
_REFUNDED_EVERY = 3


def act(env: Environment) -> None:
    """Do all of it, from where an earlier process left it."""
    env.at(days.SPENDING_DAY, 15)
    env.round("holds", lambda session, citizen: _hold(env, session, citizen))
    for number, order in enumerate(_orders(env, Kind.HOLD)):
        env.once(f"counter: {order.order_id.hex()}", partial(_end_hold, env, order, number))
    env.settle()
    env.at(days.RETURN_DAY, 15)
    returned = _orders(env, Kind.REDEEM)[::_REFUNDED_EVERY]
    _refund(env, returned, "first part", 2)
    for order in returned:
        env.once(f"hand over {order.order_id.hex()}", partial(_hand_over, env, order))
    _refund(env, returned[::2], "the rest", 0)


def _hold(env: Environment, session: Session, citizen: Citizen) -> bool:
    number = citizen.person.number
    if number % 2 == 0:
        return False
    for offer in SHOPPING:
        try:
            with session.begin_nested():
                env.city.redemptions.place(
                    session,
                    Purchase(citizen.resident.resident_id, offer, kind=Kind.HOLD, request_key=f"hold/{number}"),
                )
        except (OrderError, RedemptionError):
            continue
        return True
    return False


def _orders(env: Environment, kind: Kind) -> list[RedemptionOrder]:
    """Return the crowd's orders of a kind, in an order that every run shares."""
    row = RedemptionOrderRow
    with env.city.database.read() as session:
        found = session.scalars(
            select(row.order_id)
            .where(row.kind == kind, row.state.not_in([State.REJECTED, State.EXPIRED]), row.request_key.is_not(None))
            .order_by(row.request_key)
        ).all()
        return [env.city.redemptions.get(session, OrderId(one)) for one in found]


def _end_hold(env: Environment, order: RedemptionOrder, number: int, session: Session) -> Mapping[str, Any]:
    fulfilment, merchant, order_id = env.city.fulfilment, order.merchant_id, order.order_id
    key = f"hold-{order_id.hex()}"
    match number % _WAYS:
        case 0:
            return _hand_over(env, order, session)
        case 1:
            return _note(fulfilment.capture_part(session, merchant, order_id, order.price_fen // 2, TILL, key))
        case 2:
            return _note(fulfilment.release(session, merchant, order_id, TILL, "sold out", key))
        case _:
            by = f"resident:{order.resident_id}"
            return _note(fulfilment.cancel(session, order.resident_id, order_id, "no longer wanted", by, key))


def _hand_over(env: Environment, order: RedemptionOrder, session: Session) -> Mapping[str, Any]:
    fulfilment = env.city.fulfilment
    slip = fulfilment.issue_slip(session, order.order_id, "the resident's screen")
    code = fulfilment.codes.code(slip.slip_id)
    return _note(fulfilment.hand_over(session, order.merchant_id, code, TILL, f"give-{order.order_id.hex()}"))


def _refund(env: Environment, orders: list[RedemptionOrder], what: str, kept: int) -> None:
    """Give back all but one ``kept``-th of what each shop was paid; 0: all."""
    for order in orders:
        step = f"refund {order.order_id.hex()}: {what}"
        if env.noted(step) is not None:
            continue
        keep_fen = order.price_fen // kept if kept else 0
        proof = env.city.refunds.prove(order.order_id)  # asks the chain, so outside of the step's transaction
        key = f"{what}-{order.order_id.hex()}"
        refund = partial(env.city.refunds.refund, merchant_id=order.merchant_id, proof=proof, keep_fen=keep_fen)
        env.once(step, lambda s, do=refund, k=key: _note(do(s, actor=TILL, reason=what, key=k)))  # type: ignore[misc]
    env.settle()


def _note(done: Acted) -> Mapping[str, Any]:
    return {"act": str(done.record.act_id)}
