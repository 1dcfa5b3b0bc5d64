"""What can be wrong with a request before any service sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.errors import TongduiError
from ledger.standard.ids import Address, GrantIdText, OrderIdText


class RequestError(TongduiError):
    """Base of the errors of this package."""


class Unauthenticated(RequestError):
    """There is no bearer token."""

    def __init__(self) -> None:
        super().__init__("this needs a bearer token in the Authorization header")


class Forbidden(RequestError):
    """The token does not allow this. ``needed`` are the scopes of which one would."""

    def __init__(self, needed: tuple[str, ...]) -> None:
        self.needed = needed
        super().__init__(f"the token needs one of these scopes: {', '.join(needed)}")


class NotRegistered(RequestError):
    """The token's subject is no resident yet."""

    def __init__(self) -> None:
        super().__init__("the token's subject is not registered as a resident; POST /v1/residents first")


class SubjectBound(RequestError):
    """The token's subject stands for another resident already."""

    def __init__(self) -> None:
        super().__init__("the token's subject is bound to another resident; one login is one resident")


class IdentityMismatch(RequestError):
    """The document in the request is not the one that the identity provider checked."""

    def __init__(self) -> None:
        super().__init__("the document number differs from the one that the identity provider checked")


class IdentityUnproven(RequestError):
    """The token does not carry the identity document that was checked, and without it this account stays closed."""

    def __init__(self) -> None:
        super().__init__("the token carries no checked identity document (claim identity); log in with one")


class UnusableAccount(RequestError):
    """The account can never hold points: the zero address, or the ledger itself."""

    def __init__(self, account: Address) -> None:
        self.account = account
        super().__init__(f"account {account} can never hold points")


class IdempotencyKeyMissing(RequestError):
    """A write came without a usable Idempotency-Key."""

    def __init__(self) -> None:
        super().__init__("every write needs an Idempotency-Key header of 8 to 160 printable characters")


class IdempotencyKeyReused(RequestError):
    """The key was used for another request."""

    def __init__(self) -> None:
        self.outcome = "exists_with_different_request"
        super().__init__("this Idempotency-Key was used for a different request; nothing was done")


class BadCursor(RequestError):
    """A cursor that this API never gave out."""

    def __init__(self) -> None:
        super().__init__("the cursor is not one of ours; start again without it")


class BodyTooLarge(RequestError):
    """The request body exceeds what is read."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        super().__init__(f"the request body may have {bytes_max} bytes")


class MalformedBody(RequestError):
    """A JSON body says one thing twice, has a number that is none, nests too deeply, or is no UTF-8.

    ``reason`` is ``duplicate_member``, ``not_a_number``, ``too_deep`` or ``not_utf_8``; ``member`` the name that is
    there twice, the number, or how deep it may be.
    """

    def __init__(self, reason: str, member: str) -> None:
        self.reason = reason
        self.member = member
        said = {
            "duplicate_member": f"{member!r} is there twice in one object",
            "not_a_number": f"{member!r} is no number of JSON",
            "too_deep": f"arrays and objects may be nested {member} deep",
        }
        super().__init__(said.get(reason, "JSON is UTF-8"))


class TooManyRequests(RequestError):
    """The rate limit of this subject or address."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many requests; try again in {retry_after_s} s")


class NotFound(RequestError):
    """Something asked for by id does not exist, or is not for this subject to see."""

    def __init__(self, what: str, key: str) -> None:
        self.what = what
        self.key = key
        super().__init__(f"there is no {what} {key!r}")


class NotFinal(RequestError):
    """A receipt was asked for before the chain has the answer."""

    def __init__(self, order_id: OrderIdText | GrantIdText) -> None:
        self.order_id = order_id
        super().__init__(f"order {order_id} is not final yet; wait for it (wait_s) and ask again")


class MalformedId(RequestError):
    """An id is not 0x and 64 hexadecimal digits."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"{field} must be 0x and 64 hexadecimal digits")


class MalformedAmount(RequestError):
    """An amount of points is not a decimal text with at most two places."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"{field} must be text like 12 or 12.50: points with at most two decimals, more than 0")


class UnsupportedBody(RequestError):
    """The body's media type is none that a push may have."""

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type[:80]
        super().__init__(
            "push application/json (a record, an array, or the mapping's object) or application/x-ndjson (JSON Lines)"
        )


class ErasureDiffers(RequestError):
    """What an erasure gives up is not what was said back. ``loses`` is what it is now."""

    def __init__(self, loses: Mapping[str, Any]) -> None:
        self.loses = loses
        super().__init__("what would be lost has changed, or was not said back; nothing was erased")


class UnreadableForm(RequestError):
    """A page was sent something that none of its forms sends."""

    def __init__(self) -> None:
        super().__init__("this is not a form of ours")


class CrossSite(RequestError):
    """A form came from another site, or without its token: nothing was done."""

    def __init__(self) -> None:
        super().__init__("the form was not sent by this page; open the page again and repeat")


class UnknownHost(RequestError):
    """A page was asked for under a name that is none of ours."""

    def __init__(self) -> None:
        super().__init__("pages are not served under this name (TONGDUI_PUBLIC_URL declares it)")
