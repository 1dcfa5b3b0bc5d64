"""Who may call what: AccessManager's own answer, computed from the books."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.audit.books import Account, Books
from ledger.audit.books.access import ADMIN, delay_at
from ledger.audit.calls import Call
from ledger.deployment import artifacts

_ADMIN_ONLY = ("labelRole", "setRoleAdmin", "setRoleGuardian", "setGrantDelay", "setTargetAdminDelay")
_ADMIN_OF_TARGET = ("updateAuthority", "setTargetClosed", "setTargetFunctionRole")
_ADMIN_OF_ROLE = ("grantRole", "revokeRole")


def may_call(books: Books, addresses: Mapping[str, Account], call: Call, time: int) -> bool:
    """Whether an account may make a call now: it has the role, and does not have to wait, or has waited."""
    allowed, wait = required_wait(books, addresses, call, time)
    return allowed and (wait == 0 or call.consumed)


def required_wait(books: Books, addresses: Mapping[str, Account], call: Call, time: int) -> tuple[bool, int]:
    """Return (whether an account may make a call at all, how long it has to be scheduled ahead)."""
    access = books.access
    council = addresses.get("Council")
    if call.target == council:
        return call.caller == council, 0
    if call.target != addresses["AccessManager"]:
        if access.closed.get(call.target, False):
            return False, 0
        role = access.function_roles.get((call.target, call.selector), ADMIN)
        return access.role_of(call.caller, role, time)
    role, target_wait = ADMIN, 0
    if call.function in _ADMIN_OF_TARGET:
        target_wait = delay_at(access.target_delays.get(call.args["target"], 0), time)
    elif call.function in _ADMIN_OF_ROLE:
        role = access.admins.get(call.args["roleId"], ADMIN)
    elif call.function not in _ADMIN_ONLY:
        role = access.function_roles.get((call.target, call.selector), ADMIN)
    allowed, wait = access.role_of(call.caller, role, time)
    return allowed, max(wait, target_wait)


def selector_of(contract: str, function: str) -> bytes:
    """Return the first four bytes of a call of a function."""
    return artifacts.load(contract).function(function).selector
