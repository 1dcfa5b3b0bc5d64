"""Storage of AccessManager (@openzeppelin/contracts 5.3, access/manager/AccessManager.sol)."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.audit.books import Account, Books
from ledger.audit.cells import Cell, struct_cells
from ledger.proofs.layout import Layout
from ledger.standard.ids import to_address
from ledger.standard.keccak import keccak256


def access_cells(books: Books, _address: Account) -> Iterator[Cell]:
    """Return every word of AccessManager that may be in use."""
    layout, access = Layout.load("AccessManager"), books.access
    for (target, selector), role in access.function_roles.items():
        what = f"role of function 0x{selector.hex()} of {to_address(target)}"
        yield Cell(_mapped(layout.at("_targets", target), selector.ljust(32, b"\0")), what, role)
    for target in access.closed.keys() | access.target_delays.keys():
        members = (112, access.target_delays.get(target, 0)), (8, int(access.closed.get(target, False)))
        yield from struct_cells(layout.at("_targets", target) + 1, f"target {to_address(target)}", *members)
    for role, accounts in access.ever.items():
        for account in accounts:
            member = access.members.get((role, account))
            members = (48, 0 if member is None else member.since), (112, 0 if member is None else member.delay)
            slot = _mapped(layout.at("_roles", role), account.rjust(32, b"\0"))
            yield from struct_cells(slot, f"role {role} of {to_address(account)}", *members)
    for role in access.admins.keys() | access.guardians.keys() | access.grant_delays.keys():
        terms = (
            (64, access.admins.get(role, 0)),
            (64, access.guardians.get(role, 0)),
            (112, access.grant_delays.get(role, 0)),
        )
        yield from struct_cells(layout.at("_roles", role) + 1, f"terms of role {role}", *terms)
    for digest, (timepoint, nonce) in access.schedules.items():
        what = f"operation 0x{digest.hex()}"
        yield from struct_cells(layout.at("_schedules", digest), what, (48, timepoint), (32, nonce))
    yield Cell(layout.at("_executionId"), "operation under way", 0)


def _mapped(slot: int, key: bytes) -> int:
    return int.from_bytes(keccak256(key + slot.to_bytes(32, "big")), "big")
