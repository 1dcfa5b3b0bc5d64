"""Storage of Council."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.audit.books import Account, Books
from ledger.audit.cells import Cell, array_cells, struct_cells
from ledger.proofs.layout import Layout
from ledger.standard.ids import to_address


def council_cells(books: Books, _address: Account) -> Iterator[Cell]:
    """Return every word of Council that may be in use."""
    layout, council = Layout.load("Council"), books.council
    rules = (8, council.threshold), (40, council.delay)
    yield from struct_cells(layout.at("threshold"), "rules of the council", *rules)
    members = [int.from_bytes(member, "big") for member in council.members]
    yield from array_cells(layout.at("_members"), "members of the council", 160, members)
    for account, joining in council.joinings.items():
        yield Cell(layout.at("_joinings", account), f"joining of {to_address(account)}", joining)
    yield Cell(layout.at("_lastJoining"), "last joining of the council", council.last_joining)
    for digest, proposal in council.proposals.items():
        what = f"proposal 0x{digest.hex()}"
        state = (8, 1), (8, int(proposal.executed)), (8, proposal.needed), (40, proposal.executable_from)
        yield from struct_cells(layout.at("_proposals", digest), what, *state)
        for account, joining in proposal.approvals.items():
            yield Cell(layout.at("_approvedIn", digest, account), f"approval of {what}", joining)
