"""The roles against the contracts: nothing restricted is forgotten, nothing is given away that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from ledger.deployment.deploy import ADMIN, FUNCTION_ROLES, ROLE_NAMES, SUPERVISOR

CONTRACTS = Path(__file__).resolve().parents[4] / "contracts"

# What stays with the council: programmes, keys, rulebooks, ceilings, long freezes, caps, terms, waivers, its last word.
COUNCIL = {
    ("PointsLedger", "registerProgramme"),
    ("PointsLedger", "addIssuerKey"),
    ("PointsLedger", "removeIssuerKey"),
    ("PointsLedger", "setRulebook"),
    ("PointsLedger", "setState"),
    ("PointsLedger", "setCeilings"),
    ("PointsLedger", "setFrozenUntil"),
    ("PointsLedger", "setRebirthCap"),
    ("ClearingBook", "setArbiterKey"),
    ("ClearingBook", "setWaiver"),
    ("ClearingBook", "setTerms"),
    ("Succession", "decide"),
    ("Exchange", "setInflowCap"),
    ("Exchange", "setResidentCap"),
}
PARTS = {
    "ledger": "PointsLedger",
    "clearing": "ClearingBook",
    "succession": "Succession",
    "exchange": "Exchange",
    "redemption": "Redemption",
}
"""The contract that the sources of a folder make together."""
PAUSABLE = ("Exchange", "Redemption")


def restricted() -> set[tuple[str, str]]:
    """Return (contract, function) of everything the sources restrict."""
    found = set()
    for path in CONTRACTS.rglob("*.sol"):
        source = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
        for name, head in re.findall(r"function\s+(\w+)\s*(\([^{;]*)[{;]", source):
            if re.search(r"\brestricted\b", head):
                contracts = PAUSABLE if path.stem == "Pausable" else (PARTS[path.parent.name],)
                found |= {(contract, name) for contract in contracts}
    return found


def test_everything_restricted_is_with_a_role_or_with_the_council() -> None:
    given = {(contract, function) for contract, functions, _ in FUNCTION_ROLES for function in functions}
    assert given & COUNCIL == set()
    assert given | COUNCIL == restricted()


def test_each_role_has_something_to_do() -> None:
    """The council has what is left, and the supervisor cancels what others announce."""
    assert {role for _, _, role in FUNCTION_ROLES} | {ADMIN, SUPERVISOR} == set(ROLE_NAMES)
