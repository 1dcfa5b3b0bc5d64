"""Storage of ClearingBook."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.audit.books import Account, Ages, Books, ClearingBooks
from ledger.audit.books.clearing import Budget
from ledger.audit.cells import Cell, array_cells, struct_cells
from ledger.proofs.layout import Layout
from ledger.standard.ids import ProgrammeId

_MERCHANT_KIND = 2


def clearing_cells(books: Books, address: Account) -> Iterator[Cell]:
    """Return every word of ClearingBook that may be in use."""
    layout, book = Layout.load("ClearingBook"), books.clearing
    manager = int.from_bytes(books.authorities.get(address, bytes(20)), "big")
    yield Cell(layout.at("_authority"), "authority of ClearingBook", manager)
    for participant, fen in book.positions.items():
        if participant >> 32 != _MERCHANT_KIND:
            what = f"position of participant {participant >> 32}:{participant & 0xFFFFFFFF}"
            yield Cell(layout.at("_positions", participant), what, fen & 2**256 - 1)
    yield from _merchant_cells(layout, book)
    yield from struct_cells(layout.at("_totalAges"), "all merchants' claims", *_ages(book.total_ages))
    yield Cell(layout.at("_totalLockedFen"), "all merchants' locked fen", book.total_locked)
    for identifier, budget in book.budgets.items():
        yield from _budget_cells(layout, identifier, budget)
    yield from array_cells(layout.at("_programmes"), "programmes with an appropriation", 32, book.programmes)
    for identifier, due in book.dues.items():
        members = (96, due.fen), (96, due.older), (40, due.waived_until)
        yield from struct_cells(layout.at("_dues", identifier), f"dues of programme {identifier}", *members)
    yield from struct_cells(layout.at("_cycle"), "last cycle", (64, book.cycle), (40, book.due_by))
    terms = (40, book.payment_term), (96, book.payout_ceiling)
    yield from struct_cells(layout.at("_terms"), "clearing terms", *terms)
    yield from _order_cells(layout, book)
    for reference in book.references:
        yield Cell(layout.at("_usedReferences", reference), f"payment reference 0x{reference.hex()}", 1)
    yield Cell(layout.at("arbiterKey"), "arbiter's key", int.from_bytes(book.arbiter_key, "big"))


def _merchant_cells(layout: Layout, book: ClearingBooks) -> Iterator[Cell]:
    for identifier, merchant in book.merchants.items():
        slot = layout.at("_accounts", identifier)
        yield from struct_cells(slot, f"claim of merchant {identifier}", *_ages(merchant.ages))
        members = (96, merchant.locked), (96, merchant.paid), (64, merchant.cycle)
        yield from struct_cells(slot + 1, f"locks and payouts of merchant {identifier}", *members)
        slot = layout.at("_merchants", identifier)
        yield Cell(slot, f"key of merchant {identifier}", int.from_bytes(merchant.key, "big"))
        yield Cell(slot + 1, f"scope of merchant {identifier}", merchant.scope)


def _budget_cells(layout: Layout, identifier: ProgrammeId, budget: Budget) -> Iterator[Cell]:
    of = f"of programme {identifier}"
    sums = (128, budget.appropriated), (128, budget.paid), (128, budget.reclaimed)
    yield from struct_cells(layout.at("_budgets", identifier), f"budget {of}", *sums)
    for year, book in budget.years.items():
        members = (96, book.recorded), (96, book.lapsed), (8, int(book.is_lapsed))
        yield from struct_cells(layout.at("_years", identifier, year), f"appropriations of {year} {of}", *members)
    yield from array_cells(layout.at("_fiscalYears", identifier), f"fiscal years {of}", 32, sorted(budget.years))
    for year, document in budget.documents:
        yield Cell(layout.at("_usedDocuments", identifier, year, document), f"document of {year} {of}", 1)


def _order_cells(layout: Layout, book: ClearingBooks) -> Iterator[Cell]:
    for order_id, lock in book.locks.items():
        members = (32, lock.merchant), (96, lock.fen), (40, lock.until)
        yield from struct_cells(layout.at("orderLock", order_id), f"lock of order 0x{order_id.hex()}", *members)
    for batch, root in book.receipt_roots.items():
        yield Cell(layout.at("receiptsRoot", batch), f"receipts of batch {batch}", int.from_bytes(root, "big"))
    yield Cell(layout.at("lastReceiptsBatch"), "last receipts batch", len(book.receipt_roots))
    for order_id, lots in book.kept.items():
        prefix = len(lots) << 64 | lots[-1][1] if lots else 0
        slot = layout.at("keptPrefix", order_id)
        yield from struct_cells(slot, f"kept prefix of order 0x{order_id.hex()}", (8, 1), (72, prefix))


def _ages(ages: Ages) -> tuple[tuple[int, int], ...]:
    return (88, ages.matured), (64, ages.younger), (64, ages.youngest), (40, ages.period)
