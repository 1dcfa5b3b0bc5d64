"""Errors of the issuers' own: what a caller asked for that cannot be done."""

from __future__ import annotations

from typing import Literal

from ledger.errors import TongduiError
from ledger.standard.ids import ProgrammeId, ProgrammeSlug


class IssuersError(TongduiError):
    """Base of the issuers' errors."""


class UnknownProgramme(IssuersError):
    """No rulebook is loaded for the programme."""

    def __init__(self, programme: object) -> None:
        self.programme = programme
        super().__init__(f"no rulebook is loaded for programme {programme!r}")


class UnknownMapping(IssuersError):
    """No mapping of that name, or the mapping belongs to another programme."""

    def __init__(self, mapping: str, programme: ProgrammeSlug | Literal["*"]) -> None:
        self.mapping = mapping
        self.programme = programme
        super().__init__(f"no mapping {mapping!r} for programme {programme!r}")


class CaseDisagrees(IssuersError):
    """Mappings of one programme say different things of its source ids' case."""

    def __init__(self, keeping: str, ignoring: str) -> None:
        self.keeping = keeping
        self.ignoring = ignoring
        super().__init__(
            f"{keeping} keeps the case of source ids, and {ignoring} ignores it: `case` of source_id must be the same"
            " in all mappings of a programme"
        )


class GrantNotFound(IssuersError):
    """No grant has this id."""

    def __init__(self, grant_id: bytes) -> None:
        self.grant_id = grant_id
        super().__init__(f"no grant 0x{grant_id.hex()}")


class BatchNotFound(IssuersError):
    """The programme has no batch of this number."""

    def __init__(self, programme: ProgrammeId, number: int) -> None:
        self.programme = programme
        self.number = number
        super().__init__(f"programme {programme} has no batch {number}")


class BatchLanded(IssuersError):
    """The batch is on chain; its number cannot be given up any more."""

    def __init__(self, programme: ProgrammeId, number: int) -> None:
        self.programme = programme
        self.number = number
        super().__init__(f"batch {number} of programme {programme} has landed; revoke what shall be taken back")


class ReviewNotFound(IssuersError):
    """No review has this id."""

    def __init__(self, review_id: int) -> None:
        self.review_id = review_id
        super().__init__(f"no review {review_id}")


class ReviewClosed(IssuersError):
    """The review was decided before."""

    def __init__(self, review_id: int, state: str) -> None:
        self.review_id = review_id
        self.state = state
        super().__init__(f"review {review_id} is {state}")


class SameApprover(IssuersError):
    """The second approval must come from another person."""

    def __init__(self, review_id: int, approver: str) -> None:
        self.review_id = review_id
        self.approver = approver
        super().__init__(f"review {review_id} was approved by {approver} already; a second person must agree")


class SeveralDeeds(IssuersError):
    """A record number stands for several deeds, so that it does not say which of them is meant."""

    def __init__(self, number: str, deeds: int) -> None:
        self.number = number
        self.deeds = deeds
        super().__init__(f"the record number {number} stands for {deeds} deeds: say whose is meant")


class NoCorrection(IssuersError):
    """The record is not held for its number; there is nothing that it could correct."""

    def __init__(self, review_id: int) -> None:
        self.review_id = review_id
        super().__init__(f"review {review_id} is of no known number: approve the record as it is, or reject it")


class UnknownDelivery(IssuersError):
    """These bytes were not taken in for the programme."""

    def __init__(self, file: str) -> None:
        self.file = file
        super().__init__(f"{file} was not taken in for this programme as it is now")


class RefusalNotFound(IssuersError):
    """No open refusal has this id."""

    def __init__(self, refusal_id: int) -> None:
        self.refusal_id = refusal_id
        super().__init__(f"no open refusal {refusal_id}")


class ErasedRecord(IssuersError):
    """The record was erased; it can neither be read nor rated again."""

    def __init__(self, record_id: int) -> None:
        self.record_id = record_id
        super().__init__(f"record {record_id} was erased")


class SourceUnavailable(IssuersError):
    """A source system did not answer as agreed, after all attempts."""

    def __init__(self, system: str, detail: str) -> None:
        self.system = system
        self.detail = detail
        super().__init__(f"{system}: {detail}")


class WebhookRefused(IssuersError):
    """A push is not what a source system signed. The reason is for our log, not for its sender."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__("the push is not signed by a secret of this source, or too old")


class PushTooOld(WebhookRefused):
    """The clocks of the two systems differ, or the push is an old one. Everybody may know: an answer tells our time."""

    def __init__(self, seconds: int, tolerance_s: int) -> None:
        super().__init__(f"webhook-timestamp is {seconds} s from now")
        self.seconds = seconds
        self.tolerance_s = tolerance_s
        self.args = (f"webhook-timestamp is {seconds} s from this system's time; at most {tolerance_s} s are accepted",)


class PushUnreadable(IssuersError):
    """A push's body cannot be read: nothing of it is stored, and its id can be used again."""

    def __init__(self, code: str, reason_en: str, reason_zh: str) -> None:
        self.code = code
        self.reason_en = reason_en
        self.reason_zh = reason_zh
        super().__init__(f"nothing of the push is stored: {reason_en}")


class UnknownSource(IssuersError):
    """No system of that name may push."""

    def __init__(self, system: str) -> None:
        self.system = system
        super().__init__(f"no system {system!r} may push; `tongdui issuers webhook create` lets it")
