"""What a resident who is at the desk has, and what they could have for it now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from ledger.errors import TongduiError
from ledger.orders.desk import Holdings
from ledger.residents.registry import Resident
from ledger.standard.ids import ProgrammeId, split_token_id
from ledger.standard.typed_data import Lot
from ledger_api.pages.shell.session import Caller
from ledger_api.ports import ProgrammeName
from ledger_api.services import Services
from ledger_api.views.common import nameless
from redemption.offers import Offer
from redemption.orders import Purchase

OFFERS_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Points:
    """One programme's points in minor units, and the last moment (Unix time) of those that expire first."""

    programme: ProgrammeId
    name: str
    available_minor: int
    next_minor: int
    next_until: int | None
    can_spend: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """An offer, its shop, and what it would take: (programme's name, minor units). ``refusal`` says why not now."""

    offer: Offer
    title: str
    shop: str
    address: str
    takes: tuple[tuple[str, int], ...]
    refusal: str | None


def name_of(names: Mapping[ProgrammeId, ProgrammeName], programme: ProgrammeId, *, is_chinese: bool) -> str:
    """Return what a programme is called."""
    found = names.get(programme) or nameless(programme)
    return found.name_zh if is_chinese else found.name_en


def points_of(
    held: Holdings, names: Mapping[ProgrammeId, ProgrammeName], now: int, *, is_chinese: bool
) -> list[Points]:
    """Return what somebody has of each programme at Unix time ``now``; programmes without points are left out. Pure."""
    found = []
    for one in held.terms.programmes.values():
        live = {
            token: held.spendable.get(token, 0)
            for token, _ in held.balances
            if split_token_id(token)[0] == one.programme and not held.terms.is_dead(token, now)
        }
        available = sum(live.values())
        if not available:
            continue
        ends = {token: until for token, minor in live.items() if minor and (until := held.terms.promised_until(token))}
        first = min(ends.values(), default=None)
        found.append(
            Points(
                programme=one.programme,
                name=name_of(names, one.programme, is_chinese=is_chinese),
                available_minor=available,
                next_minor=sum(live[token] for token, until in ends.items() if until == first),
                next_until=None if first is None else first - 1,
                can_spend=one.can_spend(now),
            )
        )
    return found


def totals_by_programme(
    lots: Sequence[Lot], names: Mapping[ProgrammeId, ProgrammeName], *, is_chinese: bool
) -> tuple[tuple[str, int], ...]:
    """Return what lots come to by programme, in their order. Pure."""
    sums: dict[ProgrammeId, int] = {}
    for lot in lots:
        programme = split_token_id(lot.id)[0]
        sums[programme] = sums.get(programme, 0) + lot.amount
    return tuple((name_of(names, one, is_chinese=is_chinese), minor) for one, minor in sums.items())


def menu(session: Session, caller: Caller, resident: Resident) -> list[Choice]:
    """Return the offers that are open, those that the resident can have now first."""
    services = caller.services
    offers = services.offers.page(session, merchant_id=None, after=None, limit=OFFERS_SHOWN, only_open=True)
    found = [choice(session, caller, services, resident, offer) for offer in offers]
    return sorted(found, key=lambda one: one.refusal is not None)


def choice(
    session: Session, caller: Caller, services: Services, resident: Resident, offer: Offer, quantity: int = 1
) -> Choice:
    """Return what an offer would take of a resident's points now, or why it cannot be had."""
    shop = services.merchants.get(session, offer.merchant_id)
    takes: tuple[tuple[str, int], ...] = ()
    refusal = None
    try:
        quote = services.redemptions.quote(session, Purchase(resident.resident_id, offer.offer_id, quantity))
        takes = totals_by_programme(quote.lots, services.names, is_chinese=caller.is_chinese)
    except TongduiError as error:
        refusal = caller.what_is_wrong(error)
    chinese = caller.is_chinese
    return Choice(
        offer=offer,
        title=offer.title_zh if chinese else offer.title_en,
        shop=shop.name_zh if chinese else shop.name_en,
        address=shop.address_zh if chinese else shop.address_en,
        takes=takes,
        refusal=refusal,
    )
