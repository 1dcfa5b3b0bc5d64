"""What can be wrong with an order of the finance bureau."""

from __future__ import annotations

from ledger.errors import TongduiError
from ledger.standard.ids import ProgrammeId


class ClearingError(TongduiError):
    """Base of the errors of this package."""


class ProgrammeUnknown(ClearingError):
    """The chain has no such programme."""

    def __init__(self, programme: ProgrammeId) -> None:
        self.programme = programme
        super().__init__(f"the chain has no programme {programme}")


class AppropriationDiffers(ClearingError):
    """The document was recorded before, with another amount or fiscal year."""

    def __init__(self, programme: ProgrammeId, document: str) -> None:
        self.programme = programme
        self.document = document
        super().__init__(
            f"the document {document!r} is recorded for programme {programme} with another amount or fiscal year;"
            " a supplement has a document of its own"
        )


class NoFinanceKey(ClearingError):
    """The finance bureau keeps its key itself, so it sends the call itself."""

    def __init__(self, to: str, data: bytes) -> None:
        self.to = to
        self.data = data
        super().__init__("this installation does not keep the finance bureau's key; send the call with that key")
