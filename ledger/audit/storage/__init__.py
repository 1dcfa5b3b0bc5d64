"""The storage of each contract, word by word, as the books have it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ledger.audit.books import Account, Books
from ledger.audit.cells import Cell
from ledger.audit.storage.access_manager import access_cells
from ledger.audit.storage.clearing_book import clearing_cells
from ledger.audit.storage.council import council_cells
from ledger.audit.storage.modules import exchange_cells, redemption_cells, succession_cells
from ledger.audit.storage.points_ledger import ledger_cells

CELLS: Mapping[str, Callable[[Books, Account], Iterator[Cell]]] = {
    "AccessManager": access_cells,
    "ClearingBook": clearing_cells,
    "Council": council_cells,
    "Exchange": exchange_cells,
    "PointsLedger": ledger_cells,
    "Redemption": redemption_cells,
    "Succession": succession_cells,
}
"""By contract; each takes the books and the contract's address."""

__all__ = ["CELLS"]
