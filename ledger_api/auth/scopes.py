"""Who may do what. A scope is a word, or a word and the one thing it is good for (``merchant:7``).

``resident:self``         act for the resident that the token's subject is bound to, and for no other
``resident:register``     become a resident (the identity provider gives it to people whose document it has checked)
``issuer:<programme>``    see what one programme minted, owes and refused
``merchant:<id>``         keep one merchant's offers, hand over its orders, see its statements
``desk:<id>``             serve residents without a phone at one community desk
``finance``               see liabilities, record appropriations
``auditor``               see every aggregate and check anything; no identities
``operator``              see health and metrics, register merchants; no identities without a trace
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ledger.errors import TongduiError
from ledger.standard.ids import MerchantId, ProgrammeId

RESIDENT = "resident:self"
REGISTER = "resident:register"
FINANCE = "finance"
AUDITOR = "auditor"
OPERATOR = "operator"

PLAIN = frozenset({RESIDENT, REGISTER, FINANCE, AUDITOR, OPERATOR})
SCOPE_FORM = re.compile(r"(issuer|merchant):([1-9][0-9]{0,9})|desk:([a-z0-9-]{1,40})")

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
    "merchant:{merchant_id}": "Act for one merchant",
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
        super().__init__(f"scope {scope!r} is unknown; there are {known}, issuer:<n>, merchant:<n> and desk:<name>")


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
    """Return the scope of one merchant."""
    return f"merchant:{merchant_id}"


def desks(scopes: Iterable[str]) -> list[str]:
    """Return the desks that the scopes are good for."""
    return sorted(scope.removeprefix("desk:") for scope in scopes if scope.startswith("desk:"))
