"""The filters that every list of orders has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query

from ledger.standard.ids import MerchantId
from ledger_api.schemas.common import Moment
from redemption.lists import OrderFilter
from redemption.orders import Kind
from redemption.states import State

RedemptionState = Literal[
    "placed", "paid", "held", "captured", "released", "part_refunded", "refunded", "rejected", "expired"
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list was asked for."""

    states: list[RedemptionState] | None
    kind: Literal["redeem", "hold"] | None
    since: datetime | None
    until: datetime | None
    under_way: bool | None
    handed_over: bool | None


def _wanted(
    state: Annotated[
        list[RedemptionState] | None, Query(max_length=9, description="Only orders in these states; may be repeated.")
    ] = None,
    kind: Annotated[Literal["redeem", "hold"] | None, Query(description="Only paid at once, or only holds.")] = None,
    since: Annotated[Moment | None, Query(description="Placed from then on: RFC 3339, with its offset.")] = None,
    until: Annotated[Moment | None, Query(description="Placed before then: RFC 3339, with its offset.")] = None,
    under_way: Annotated[
        bool | None,
        Query(description="Only orders that are on their way or have an act under way; or only the others."),
    ] = None,
    handed_over: Annotated[
        bool | None, Query(description="Only orders whose goods are out; or only the others.")
    ] = None,
) -> Wanted:
    return Wanted(state, kind, since, until, under_way, handed_over)


OrderQuery = Annotated[Wanted, Depends(_wanted)]


def order_filter(
    wanted: Wanted,
    *,
    resident_id: int | None = None,
    merchant_id: MerchantId | None = None,
    desk_id: str | None = None,
    offer_id: str | None = None,
) -> OrderFilter:
    """Return what was asked for, of one resident, shop or desk."""
    return OrderFilter(
        resident_id=resident_id,
        merchant_id=merchant_id,
        desk_id=desk_id,
        states=None if wanted.states is None else [State(one) for one in wanted.states],
        kind=None if wanted.kind is None else Kind(wanted.kind),
        offer_id=offer_id,
        placed_from=_unix(wanted.since),
        placed_before=_unix(wanted.until),
        is_under_way=wanted.under_way,
        is_handed_over=wanted.handed_over,
    )


def _unix(when: datetime | None) -> int | None:
    return None if when is None else int(when.timestamp())
