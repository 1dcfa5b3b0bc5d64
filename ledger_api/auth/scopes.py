"""Who may do what. A scope is a word, or a word and the one thing it is good for (``merchant:7``).

``resident:self``         act for the resident that the token's subject is bound to, and for no other
``resident:register``     become a resident (the identity provider gives it to people whose document it has checked)
``issuer:<programme>``    see what one programme minted, owes and refused
``merchant:<id>``         own one merchant: everything below, its staff and what people read about it
``merchant:<id>:manager`` till and refunds; keep its offers, see its statements
``merchant:<id>:refunds`` see its orders, give points back
``merchant:<id>:till``    see its orders; check codes, hand over, capture, release
``desk:<id>``             serve residents without a phone at one community desk
``finance``               see liabilities, record appropriations
``auditor``               see every aggregate and check anything; no identities
``operator``              see health and metrics, register merchants; no identities without a trace
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from ledger.errors import TongduiError
from ledger.standard.ids import MerchantId, ProgrammeId

RESIDENT = "resident:self"
REGISTER = "resident:register"
FINANCE = "finance"
AUDITOR = "auditor"
OPERATOR = "operator"

PLAIN = frozenset({RESIDENT, REGISTER, FINANCE, AUDITOR, OPERATOR})
SCOPE_FORM = re.compile(
    r"issuer:[1-9][0-9]{0,9}|merchant:[1-9][0-9]{0,9}(:(till|refunds|manager))?|desk:[a-z0-9-]{1,40}"
)


class Right(StrEnum):
    """What one of a shop's staff may do; the owner may do all of it, and more."""

    TILL = "till"
    REFUNDS = "refunds"
    MANAGER = "manager"


ROLES: dict[str, tuple[str, ...]] = {
    "resident": (RESIDENT, REGISTER),
    "finance": (FINANCE,),
    "auditor": (AUDITOR,),
    "operator": (OPERATOR,),
}
"""What ``tongdui token --role`` stands for; issuers, merchants and desks name their scope."""

DESCRIPTIONS: dict[str, str] = {
    RESIDENT: "Act on one's own account",
    REGISTER: "Register oneself as a resident",
    "issuer:{programme}": "See one programme's issuance and liabilities",
    "merchant:{merchant_id}": "Own one merchant",
    "merchant:{merchant_id}:manager": "Keep one merchant's offers, see its statements, serve and refund",
    "merchant:{merchant_id}:refunds": "Give one merchant's orders back",
    "merchant:{merchant_id}:till": "Serve at one merchant's counter",
    "desk:{desk_id}": "Serve residents at one community desk",
    FINANCE: "See liabilities, record appropriations",
    AUDITOR: "See every aggregate",
    OPERATOR: "Operate the installation",
}


class UnknownScope(TongduiError):
    """A scope that means nothing here."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        known = ", ".join(sorted(PLAIN))
        known += ", issuer:<n>, merchant:<n>[:till|:refunds|:manager] and desk:<name>"
        super().__init__(f"scope {scope!r} is unknown; there are {known}")


def check_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """Return the scopes. Raises UnknownScope."""
    checked = frozenset(scopes)
    for scope in sorted(checked):
        if scope not in PLAIN and not SCOPE_FORM.fullmatch(scope):
            raise UnknownScope(scope)
    return checked


def issuer(programme: ProgrammeId) -> str:
    """Return the scope of one programme's agency."""
    return f"issuer:{programme}"


def merchant(merchant_id: MerchantId) -> str:
    """Return the scope of one merchant's owner."""
    return f"merchant:{merchant_id}"


def staff(merchant_id: MerchantId, right: Right) -> str:
    """Return the scope of one of a merchant's staff."""
    return f"merchant:{merchant_id}:{right}"


def of_shop(merchant_id: MerchantId, *rights: Right) -> tuple[str, ...]:
    """Return the scopes of the owner, of managers, and of staff with one of the rights."""
    wanted = dict.fromkeys((Right.MANAGER, *rights))
    return (merchant(merchant_id), *(staff(merchant_id, right) for right in wanted))


def anybody_of_shop(merchant_id: MerchantId) -> tuple[str, ...]:
    """Return the scopes of everybody who acts for a merchant."""
    return of_shop(merchant_id, *Right)


def institution(scopes: Iterable[str]) -> str:
    """Return for whom a clerk of a desk or of an agency looks at a person; everybody else is the operator."""
    found = [scope for scope in sorted(scopes) if scope.startswith(("desk:", "issuer:"))]
    return " ".join(found)[:160] or OPERATOR


def desks(scopes: Iterable[str]) -> list[str]:
    """Return the desks that the scopes are good for."""
    return sorted(scope.removeprefix("desk:") for scope in scopes if scope.startswith("desk:"))
