"""The wallet's first pages: what there is, what expires, and why each line is there."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledger.standard.ids import GrantIdText, ProgrammeId
from ledger_api.dependencies import hash_of, own_account, own_resident
from ledger_api.errors import MalformedId, NotFinal, NotFound
from ledger_api.http.paging import decode_cursor, encode_cursor
from ledger_api.pages.public.charts import bar
from ledger_api.pages.shell.route import PageRoute
from ledger_api.pages.shell.session import Caller
from ledger_api.pages.wallet.access import Resident, deeds_of, name_of
from ledger_api.pages.wallet.charts import month_bars
from ledger_api.pages.wallet.figures import expiring, holdings_shown, months, months_begin, worth_down
from ledger_api.schemas.verification import ReceiptIn
from ledger_api.views import queries
from ledger_api.views.wallet import history_item_out

router = APIRouter(route_class=PageRoute, include_in_schema=False)

LINES = 20
GRANTS = 20
"""Each is explained with its batch's tree, so a page has few."""


@router.get("/wallet")
def home(caller: Resident) -> Response:
    """Return what there is by programme, what expires and when, and the last lines."""
    services, now = caller.services, caller.services.clock.timestamp()

    def name(programme: ProgrammeId) -> str:
        return name_of(caller, programme)

    with services.database.read() as session:
        resident = services.registry.get(session, own_resident(session, caller.principal))
        held = services.orders.holdings(session, resident.account)
        moved = queries.movements_since(session, resident.account, months_begin(now))
        entries = queries.history(session, resident.account, None, 5)
        names = queries.history_names(session, resident.resident_id, entries)
    pars = {programme: one.par_microfen for programme, one in held.terms.programmes.items()}
    soon = expiring(held, now, name)
    by_month = months(moved, pars, now)
    return caller.page(
        "wallet.html",
        section="wallet",
        holdings=holdings_shown(held, now, name),
        worth_fen=worth_down(held, now),
        expiring=soon,
        most_fen=max((one.worth_fen for one in soon), default=0),
        bar=bar,
        months=by_month,
        chart=month_bars(by_month),
        lines=[history_item_out(entry, names) for entry in entries],
        name=name,
        deed=deeds_of(caller),
        as_of=held.block,
        is_custodial=resident.is_custodial,
    )


@router.get("/wallet/history")
def history(caller: Resident, cursor: str | None = None) -> Response:
    """Return the account's lines, newest first."""
    services, before = caller.services, decode_cursor(cursor, 3)
    with services.database.read() as session:
        resident = services.registry.get(session, own_resident(session, caller.principal))
        entries = queries.history(session, resident.account, before, LINES + 1)
        names = queries.history_names(session, resident.resident_id, entries)
    last = entries[LINES - 1] if len(entries) > LINES else None
    return caller.page(
        "history.html",
        section="wallet",
        lines=[history_item_out(entry, names) for entry in entries[:LINES]],
        next_cursor=None if last is None else encode_cursor(last.block_number, last.log_index, last.side),
        name=lambda programme: name_of(caller, programme),
        deed=deeds_of(caller),
    )


@router.get("/wallet/earned")
def earned(caller: Resident) -> Response:
    """Return the latest awards: for which deed, on which day, by which agency."""
    with caller.services.database.read() as session:
        account = own_account(session, caller.principal)
    issuers = caller.services.issuers
    found = [issuers.explain(grant_id) for grant_id in issuers.grants_of(account, GRANTS)]
    return caller.page(
        "earned.html",
        section="wallet",
        grants=found,
        name=lambda slug: _name_of_slug(caller, slug),
        deed=deeds_of(caller),
    )


@router.get("/wallet/earned/{grant_id}")
def why(caller: Resident, grant_id: str) -> Response:
    """Return how one award came about: deed, rule step by step, and where it is proven. Raises NotFound."""
    with caller.services.database.read() as session:
        account = own_account(session, caller.principal)
    found = caller.services.issuers.explain(_grant(grant_id))
    if found.account != account:
        raise NotFound("grant", grant_id)
    steps = found.steps_zh if caller.is_chinese else found.steps_en
    caps = found.caps_zh if caller.is_chinese else found.caps_en
    return caller.page(
        "why.html",
        section="wallet",
        grant=found,
        steps=steps,
        caps=caps,
        name=_name_of_slug(caller, found.programme),
        deed=deeds_of(caller)(found.programme, found.activity),
    )


@router.get("/wallet/earned/{grant_id}/receipt")
def grant_receipt(caller: Resident, grant_id: str) -> Response:
    """Download an award's receipt, which proves itself. Raises NotFound, or NotFinal before its batch has landed."""
    key = _grant(grant_id)
    with caller.services.database.read() as session:
        account = own_account(session, caller.principal)
    if caller.services.issuers.explain(key).account != account:
        raise NotFound("grant", grant_id)
    receipt = caller.services.receipts.for_grant(key)
    if receipt is None:
        raise NotFinal(GrantIdText(grant_id))
    return receipt_file(ReceiptIn.model_validate(receipt), f"grant-{grant_id[2:14]}.json")


def receipt_file(receipt: ReceiptIn, name: str) -> Response:
    """Return a receipt to keep."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(receipt.model_dump_json(), media_type="application/json", headers=headers)


def _grant(text: str) -> bytes:
    try:
        return hash_of("grant_id", text)
    except MalformedId:
        raise NotFound("grant", text[:80]) from None


def _name_of_slug(caller: Caller, slug: str) -> str:
    found = next((one for one in caller.services.names.values() if one.slug == slug), None)
    if found is None:
        return slug
    return found.name_zh if caller.is_chinese else found.name_en
