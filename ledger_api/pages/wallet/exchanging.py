"""Exchanging points of one programme into another's: choose, see what rounding and expiry do, confirm."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from ledger.errors import TongduiError
from ledger.orders.desk import Holdings
from ledger_api.dependencies import own_account
from ledger_api.own import exchanging
from ledger_api.pages.shell.forms import Form
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller
from ledger_api.pages.wallet.access import Resident, ResidentForm, name_of, refusal
from ledger_api.pages.wallet.figures import holdings_shown
from ledger_api.schemas.exchange import ExchangeIn
from ledger_api.schemas.orders import OrdersPlaced

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/wallet/exchange")
def choose(caller: Resident) -> Response:
    """Return the form: from what, into what, how many."""
    return _choose(caller, dict(caller.request.query_params))


@router.get("/wallet/exchange/check")
def check(caller: Resident, request: Request) -> Response:
    """Return what would come out, lot by lot, before anything is done."""
    given = dict(request.query_params)
    try:
        body = _body(given)
        quoted = exchanging.quote(caller.services, caller.principal, body)
    except ValidationError:
        return _choose(caller, given, caller.text("exchange.malformed"), 422)
    except TongduiError as error:
        return _choose(caller, given, *refusal(caller, error))
    held = _held(caller)
    parts = [(one, _last_day(held, one.from_id)) for one in quoted.lots]
    return caller.page(
        "exchange_check.html",
        section="wallet",
        body=body,
        quoted=quoted,
        parts=parts,
        from_name=name_of(caller, body.from_programme),
        to_name=name_of(caller, body.to_programme),
        worth_in_fen=held.terms.programmes[body.from_programme].par_microfen * quoted.amount_in_minor // 100_000_000,
        worth_out_fen=held.terms.programmes[body.to_programme].par_microfen * quoted.amount_out_minor // 100_000_000,
    )


@router.post("/wallet/exchange")
def place(posted: ResidentForm) -> Response:
    """Exchange, and go to what became of it."""
    given = {key: posted.form[key] for key in ("from", "to", "amount", "min_out")}
    try:
        answer = exchanging.place(posted.write, _body(given))
    except ValidationError:
        return _choose(posted, given, posted.text("exchange.malformed"), 422)
    except TongduiError as error:
        return _choose(posted, given, *refusal(posted, error))
    placed = OrdersPlaced.model_validate_json(bytes(answer.body))
    if len(placed.orders) == 1:
        return posted.see(f"/wallet/orders/{placed.orders[0].order_id}")
    return posted.see("/wallet/orders?kind=exchange")


def _body(given: dict[str, str]) -> ExchangeIn:
    numbers = {key: int(given.get(name, "") or 0) for key, name in (("from_programme", "from"), ("to_programme", "to"))}
    return ExchangeIn.model_validate(
        {**numbers, "amount": given.get("amount", "").strip(), "min_out": given.get("min_out") or None}
    )


def _choose(caller: Caller, given: dict[str, str], problem: str = "", status: int = 200) -> Response:
    held, now = _held(caller), caller.services.clock.timestamp()
    sources = [one for one in holdings_shown(held, now, lambda number: name_of(caller, number)) if one.can_exchange]
    targets = [
        (number, name_of(caller, number))
        for number in held.terms.programmes
        if any(held.terms.refuses_exchange(other, number, now) is None for other in held.terms.programmes)
    ]
    return caller.page(
        "exchange.html",
        status=status,
        section="wallet",
        given=Form(given),
        problem=problem,
        sources=sources,
        targets=targets,
    )


def _held(caller: Caller) -> Holdings:
    with caller.services.database.read() as session:
        return caller.services.orders.holdings(session, own_account(session, caller.principal))


def _last_day(held: Holdings, token: int) -> int | None:
    promised = held.terms.promised_until(token)
    return None if promised is None else promised - 1
