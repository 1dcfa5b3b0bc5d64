"""What the books must say: the state that the auditor builds from calldata and events, with nothing decided in it."""

from __future__ import annotations

from ledger.audit.books.access import AccessBook, CouncilBook, Member, Operation, Proposal
from ledger.audit.books.books import Books
from ledger.audit.books.clearing import Ages, ClearingBooks, DueBook, LockBook, MerchantBook
from ledger.audit.books.modules import ExchangeBook, ModuleBook, SuccessionBook
from ledger.audit.books.points import NOBODY, Account, Batch, Hold, LotPart, PaidOrder, ProgrammeBook

__all__ = [
    "NOBODY",
    "AccessBook",
    "Account",
    "Ages",
    "Batch",
    "Books",
    "ClearingBooks",
    "CouncilBook",
    "DueBook",
    "ExchangeBook",
    "Hold",
    "LockBook",
    "LotPart",
    "Member",
    "MerchantBook",
    "ModuleBook",
    "Operation",
    "PaidOrder",
    "ProgrammeBook",
    "Proposal",
    "SuccessionBook",
]
