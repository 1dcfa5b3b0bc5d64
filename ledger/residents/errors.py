"""What can be wrong with a request about a resident."""

from __future__ import annotations

from ledger.errors import TongduiError
from ledger.standard.ids import Address, ProgrammeId


class ResidentError(TongduiError):
    """Base of the errors of this package."""


class ResidentNotFound(ResidentError):
    """No such resident."""

    def __init__(self, resident_id: int | str) -> None:
        self.resident_id = resident_id
        super().__init__(f"there is no resident {resident_id}")


class ResidentErased(ResidentError):
    """The resident was erased and can do nothing any more."""

    def __init__(self, resident_id: int) -> None:
        self.resident_id = resident_id
        super().__init__(f"resident {resident_id} was erased")


class EmptyIdentifier(ResidentError):
    """An identity document number or source id is empty, or only white space."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"{field} is empty")


class NoSuchClaim(ResidentError):
    """The resident never claimed this source id."""

    def __init__(self, resident_id: int, programme: ProgrammeId) -> None:
        self.resident_id = resident_id
        self.programme = programme
        super().__init__(f"resident {resident_id} has no claim to this source id of programme {programme}")


class LinkCodeRefused(ResidentError):
    """A link code is wrong, for another source id, or too old."""

    def __init__(self, programme: ProgrammeId) -> None:
        self.programme = programme
        super().__init__(f"the link code is not good for this source id of programme {programme}; ask its agency anew")


class TooManyClaims(ResidentError):
    """A resident claims more source ids, or more that others claim, than a person has."""

    def __init__(self, limit: int, what: str) -> None:
        self.limit = limit
        self.what = what
        super().__init__(f"more than {limit} {what}; use a link code of the agency, or wait for its decision")


class SameDecider(ResidentError):
    """The second of two people who decide must be another."""

    def __init__(self, decider: str) -> None:
        self.decider = decider
        super().__init__(f"{decider} has decided this already; a second person must confirm it")


class AccountUnproven(ResidentError):
    """An account was given without a good signature of its key."""

    def __init__(self, account: Address) -> None:
        self.account = account
        super().__init__(f"account {account} is not shown to be yours; sign what /v1/own-key/account-proof gives")
