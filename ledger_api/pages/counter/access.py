"""Who works at a shop, and what its pages show of them: the scopes are the API's, and so are their meanings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from ledger.standard.ids import MerchantId
from ledger_api.auth import scopes
from ledger_api.auth.scopes import Right
from ledger_api.auth.tokens import Principal
from ledger_api.dependencies import require
from ledger_api.pages.shell.policy import Surface
from ledger_api.pages.shell.session import Caller, Posting, posting, signed_in

Staff = Annotated[Caller, Depends(signed_in())]
"""Whoever has signed in; each route then asks for its right at its shop."""
StaffForm = Annotated[Posting, Depends(posting())]

_SHOP = re.compile(r"merchant:([1-9][0-9]{0,9})(:.*)?")


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop as its staff sees it, with what this member of it may do."""

    merchant_id: MerchantId
    name: str
    serves: bool
    refunds: bool
    manages: bool


def shops_of(held: Iterable[str]) -> list[MerchantId]:
    """Return the shops for which the scopes are good, by number."""
    return sorted({MerchantId(int(found[1])) for one in held if (found := _SHOP.fullmatch(one))})


def require_staff(caller: Caller, merchant_id: MerchantId) -> None:
    """Raise Forbidden for whoever does not act for the shop."""
    require(caller.principal, *scopes.anybody_of_shop(merchant_id))


def require_till(caller: Caller, merchant_id: MerchantId) -> None:
    """Raise Forbidden for whoever may not serve there."""
    require(caller.principal, *scopes.of_shop(merchant_id, Right.TILL))


def require_refunds(caller: Caller, merchant_id: MerchantId) -> None:
    """Raise Forbidden for whoever may not give back there."""
    require(caller.principal, *scopes.of_shop(merchant_id, Right.REFUNDS))


def require_manager(caller: Caller, merchant_id: MerchantId) -> None:
    """Raise Forbidden for whoever does not keep the shop's books."""
    require(caller.principal, *scopes.of_shop(merchant_id))


def shop_of(caller: Caller, merchant_id: MerchantId) -> Shop:
    """Return a shop, and what the caller may do there. Raises UnknownMerchant."""
    with caller.services.database.read() as session:
        found = caller.services.merchants.get(session, merchant_id)
    name = found.name_zh if caller.is_chinese else found.name_en
    who = caller.principal
    return Shop(
        merchant_id,
        name,
        serves=_has(who, scopes.of_shop(merchant_id, Right.TILL)),
        refunds=_has(who, scopes.of_shop(merchant_id, Right.REFUNDS)),
        manages=_has(who, scopes.of_shop(merchant_id)),
    )


def shop_page(
    caller: Caller, merchant_id: MerchantId, template: str, tab: str, *, status: int = 200, **content: object
) -> Response:
    """Return a page of a shop, with the camera allowed."""
    return caller.page(
        template,
        status=status,
        surface=Surface.SCANNING,
        section="counter",
        shop=shop_of(caller, merchant_id),
        tab=tab,
        **content,
    )


def _has(principal: Principal, needed: Iterable[str]) -> bool:
    return any(principal.has(one) for one in needed)
