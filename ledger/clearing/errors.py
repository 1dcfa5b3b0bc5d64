"""What can be wrong with an order of the finance bureau."""

from __future__ import annotations

from ledger.errors import TongduiError
from ledger.standard.amounts import yuan_text
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


class SecondPersonNeeded(ClearingError):
    """Whoever proposed an act confirms it too."""

    def __init__(self) -> None:
        super().__init__("whoever proposed it cannot confirm it; a second person has to")


class NothingWaits(ClearingError):
    """There is no proposal of this that waits for a second person, or it waited for more than a week."""

    def __init__(self) -> None:
        super().__init__("nothing waits for a second person here; it was confirmed, withdrawn, or a week has passed")


class YearFull(ClearingError):
    """A year's appropriations of a programme would pass what the contract takes."""

    def __init__(self, programme: ProgrammeId, left_fen: int) -> None:
        self.programme = programme
        super().__init__(
            f"at most {yuan_text(left_fen)} yuan more can be appropriated to programme {programme} in this year"
        )
