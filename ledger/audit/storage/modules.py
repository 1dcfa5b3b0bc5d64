"""Storage of Exchange, Redemption and Succession."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.audit.books import Account, Books, ModuleBook
from ledger.audit.cells import Cell, struct_cells
from ledger.proofs.layout import Layout
from ledger.standard.contract import SuccessionState
from ledger.standard.ids import to_address


def exchange_cells(books: Books, address: Account) -> Iterator[Cell]:
    """Return every word of an Exchange that may be in use."""
    layout, book = Layout.load("Exchange"), books.exchanges[address]
    yield _head(layout, books, address, book)
    yield Cell(layout.at("_residentCapFen"), "a resident's cap a day", book.resident_cap)
    for programme, cap in book.inflow_caps.items():
        yield Cell(layout.at("_inflowCaps", programme), f"inflow cap of programme {programme}", cap)
    for programme, (day, fen) in book.inflows.items():
        what = f"inflow of programme {programme}"
        yield from struct_cells(layout.at("_inflows", programme), what, (64, day), (64, fen))
    for holder, (day, fen) in book.outflows.items():
        what = f"exchanged by {to_address(holder)}"
        yield from struct_cells(layout.at("_outflows", holder), what, (64, day), (64, fen))


def redemption_cells(books: Books, address: Account) -> Iterator[Cell]:
    """Return every word of a Redemption that may be in use."""
    yield _head(Layout.load("Redemption"), books, address, books.redemptions[address])


def succession_cells(books: Books, address: Account) -> Iterator[Cell]:
    """Return every word of Succession that may be in use."""
    layout = Layout.load("Succession")
    yield Cell(layout.at("_authority"), "authority of Succession", _manager(books, address))
    for holder, request in books.successions.items():
        slot, what = layout.at("_requests", holder), f"succession of {to_address(holder)}"
        standing = request.state is not SuccessionState.NONE
        members = (
            (160, int.from_bytes(request.new_account, "big")),
            (8, request.state),
            (40, request.since if standing else 0),
            (160, int.from_bytes(request.desk, "big")),
        )
        yield from struct_cells(slot, what, *members)


def _head(layout: Layout, books: Books, address: Account, book: ModuleBook) -> Cell:
    """The authority and the pauses share a word."""
    members = (160, _manager(books, address)), (8, 0), (40, book.paused_until), (40, book.next_pause_from)
    [cell] = struct_cells(layout.at("_authority"), f"authority and pauses of {layout.contract}", *members)
    return cell


def _manager(books: Books, address: Account) -> int:
    return int.from_bytes(books.authorities.get(address, bytes(20)), "big")
