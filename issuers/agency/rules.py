"""What an agency's signer checks before it signs: a closed list of objections, decided by pure functions.

The order is fixed: installation and programme; the number; each grant by itself; the quarter; amounts; the records
behind the grants; the grants' history. What was approved before under its number is approved again, whatever the date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from issuers.agency.documents import Derived, LeafDocument, MintDocument, RevocationDocument, VoidDocument
from issuers.rules.deeds import Deed
from issuers.rules.rating import rate, unfit
from issuers.rules.rulebook import CompiledActivity, Rulebook
from issuers.rules.units import MICRO, UNITS
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.ids import ProgrammeId, address_bytes
from ledger.standard.keccak import keccak256
from ledger.standard.quarters import NEVER, expiry_quarter
from ledger.standard.typed_data import Domain

_SKEW = timedelta(minutes=10)
"""How far the gateway's clock may differ at the end of a quarter."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


class Objection(StrEnum):
    """Why the agency does not sign. Every refusal is exactly one of these."""

    MALFORMED_DOCUMENT = "malformed_document"
    OTHER_INSTALLATION = "other_installation"
    """The signing domain is not the one of the agency's own deployment file."""
    OTHER_PROGRAMME = "other_programme"
    NUMBER_TAKEN = "number_taken"
    """Another batch was approved under this number."""
    NUMBER_VOID = "number_void"
    """The number was given up; it can never mint again."""
    DUPLICATE_GRANT = "duplicate_grant"
    AMOUNT_INVALID = "amount_invalid"
    ACCOUNT_INVALID = "account_invalid"
    RULEBOOK_UNKNOWN = "rulebook_unknown"
    ACTIVITY_UNKNOWN = "activity_unknown"
    QUARTER_WRONG = "quarter_wrong"
    GRANT_TOO_LARGE = "grant_too_large"
    BATCH_TOO_LARGE = "batch_too_large"
    DAY_LIMIT = "day_limit"
    RECORD_MISSING = "record_missing"
    """The agency signs only for records that it is shown."""
    RECORD_DIFFERS = "record_differs"
    """The record shown is not the one behind the commitment, or is of another activity."""
    RECORD_UNKNOWN = "record_unknown"
    """The agency's own exports hold no such record."""
    WORTH_LESS = "worth_less"
    """The agency's rulebook gives less for the record than the grant does."""
    GRANT_TAKEN = "grant_taken"
    """The grant was approved under another number that is not void on chain."""
    GRANT_CHANGED = "grant_changed"
    """The grant was approved before with another amount."""
    GRANT_UNKNOWN = "grant_unknown"
    """A revocation of a grant that the agency never approved."""
    REVOKES_TOO_MUCH = "revokes_too_much"
    REVOCATION_LIMIT = "revocation_limit"
    """More would be taken back today than the agency allows: a stolen gateway must not empty every account."""
    NOT_DERIVED = "not_derived"
    """The bytes to sign follow from no document that the agency has approved."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An objection and its particulars; no value of a record."""

    objection: Objection
    detail: str


@dataclass(frozen=True, slots=True)
class Policy:
    """The agency's own rules. Amounts in minor units."""

    programme: ProgrammeId
    domain: Domain
    books: Mapping[int, Rulebook]
    """By version."""
    grant_minor_max: int
    batch_minor_max: int
    day_minor_max: int
    requires_records: bool = True
    requires_known_records: bool = False
    day_revoked_minor_max: int | None = None
    """Most that is taken back in a day; None: as much as may be granted in one."""


class KnownGrant(NamedTuple):
    """A grant that was approved: under which number, how much in minor units, and at which place of the batch."""

    number: int
    amount_minor: int
    place: int


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved under a number."""

    content_hash: bytes
    is_void: bool


@dataclass(frozen=True, slots=True)
class History:
    """What the journal says about a document's number and grants; grants by id."""

    approved: Approved | None
    is_same_digest: bool
    """This very message was approved before."""
    grants: Mapping[bytes, KnownGrant] = field(default_factory=dict)
    void_on_chain: AbstractSet[int] = frozenset()
    """Of the grants' earlier numbers, those whose void is final."""
    day_minor: int = 0
    """Approved today so far."""
    known_records: AbstractSet[bytes] = frozenset()
    """Of the records shown, those that the agency's exports hold."""
    revoked_minor: int = 0
    """Of a revocation's grant: what was approved to be taken back so far."""
    day_revoked_minor: int = 0
    """Approved today to be taken back, of all grants."""


def of_mint(
    document: MintDocument, derived: Derived, policy: Policy, history: History, now: datetime
) -> Refusal | None:
    """Return the first objection to a batch, or None."""
    refusal = _place(document.programme, document.domain.chain_id, document, policy)
    if refusal is not None:
        return refusal
    approved = history.approved
    if approved is not None and approved.is_void:
        return Refusal(Objection.NUMBER_VOID, f"number {document.number} was given up")
    if approved is not None and approved.content_hash != derived.content_hash:
        return Refusal(Objection.NUMBER_TAKEN, f"number {document.number} was approved with other grants")
    if history.is_same_digest:
        return None
    refusal = _grants(document, policy) or _quarter(document, policy, now)
    if refusal is not None or approved is not None:
        # Known grants under their number, for another quarter: their amounts and records were looked at then.
        return refusal
    return (
        _amounts(document, derived, policy, history) or _records(document, policy, history) or _taken(document, history)
    )


def of_void(document: VoidDocument, policy: Policy) -> Refusal | None:
    """Return the objection to a void, or None: giving up a number takes nothing from anybody."""
    return _place(document.programme, document.domain.chain_id, document, policy)


def of_revocation(document: RevocationDocument, policy: Policy, history: History) -> Refusal | None:
    """Return the first objection to a revocation, or None."""
    refusal = _place(document.programme, document.domain.chain_id, document, policy)
    if refusal is not None:
        return refusal
    known = history.grants.get(bytes.fromhex(document.leaf.grant_id[2:]))
    if known is None or known != (int(document.number), int(document.leaf.amount_minor), document.index):
        return Refusal(Objection.GRANT_UNKNOWN, f"no such grant was approved under number {document.number}")
    if not 0 < int(document.revoked_total_minor) <= int(document.leaf.amount_minor):
        return Refusal(Objection.REVOKES_TOO_MUCH, f"{document.revoked_total_minor} minor of a grant that has less")
    if history.is_same_digest:
        return None
    more = max(int(document.revoked_total_minor) - history.revoked_minor, 0)
    most = policy.day_minor_max if policy.day_revoked_minor_max is None else policy.day_revoked_minor_max
    if history.day_revoked_minor + more > most:
        detail = f"{history.day_revoked_minor} minor taken back today and {more} more; allowed are {most}"
        return Refusal(Objection.REVOCATION_LIMIT, detail)
    return None


def quarters_allowed(validity: int | str, now: datetime) -> frozenset[int]:
    """Return the quarters in which a grant made now may expire: two within minutes of a quarter's end."""
    if validity == "never":
        return frozenset({int(NEVER)})
    moments = (now - _SKEW, now + _SKEW)
    return frozenset(int(expiry_quarter(one.astimezone(CITY_TZ).date(), int(validity))) for one in moments)


def record_hash(canonical: bytes) -> bytes:
    """Return the hash under which a record of the agency's own exports is known."""
    return keccak256(canonical)


def _place(
    programme: ProgrammeId, chain_id: int, document: MintDocument | VoidDocument | RevocationDocument, policy: Policy
) -> Refusal | None:
    named = (chain_id, document.domain.ledger, document.domain.salt)
    own = (policy.domain.chain_id, policy.domain.ledger_address.lower(), "0x" + policy.domain.salt.hex())
    if named != own:
        return Refusal(Objection.OTHER_INSTALLATION, "the domain is not that of the agency's deployment file")
    if programme != policy.programme:
        return Refusal(Objection.OTHER_PROGRAMME, f"this signer signs for programme {policy.programme} alone")
    return None


def _grants(document: MintDocument, policy: Policy) -> Refusal | None:
    seen: set[str] = set()
    forbidden = {"0x" + "00" * 20, "0x" + address_bytes(policy.domain.ledger_address).hex()}
    for at, leaf in enumerate(document.leaves):
        if leaf.grant_id in seen:
            return Refusal(Objection.DUPLICATE_GRANT, f"grant {at} repeats an earlier one")
        seen.add(leaf.grant_id)
        if not 0 < int(leaf.amount_minor) < 1 << 64:
            return Refusal(Objection.AMOUNT_INVALID, f"grant {at} is of {leaf.amount_minor} minor")
        if leaf.account in forbidden:
            return Refusal(Objection.ACCOUNT_INVALID, f"grant {at} goes to nobody's account")
        book = policy.books.get(leaf.rulebook_version)
        if book is None:
            return Refusal(Objection.RULEBOOK_UNKNOWN, f"grant {at} names rulebook {leaf.rulebook_version}")
        if leaf.activity not in book.activities:
            return Refusal(Objection.ACTIVITY_UNKNOWN, f"grant {at}: rulebook {book.version} has no {leaf.activity}")
    return None


def _quarter(document: MintDocument, policy: Policy, now: datetime) -> Refusal | None:
    for version in sorted({leaf.rulebook_version for leaf in document.leaves}):
        allowed = quarters_allowed(policy.books[version].file.validity_quarters, now)
        if document.quarter not in allowed:
            expected = " or ".join(str(one) for one in sorted(allowed))
            detail = f"quarter {document.quarter}; today's grants by rulebook {version} expire in {expected}"
            return Refusal(Objection.QUARTER_WRONG, detail)
    return None


def _amounts(document: MintDocument, derived: Derived, policy: Policy, history: History) -> Refusal | None:
    largest = max(int(leaf.amount_minor) for leaf in document.leaves)
    if largest > policy.grant_minor_max:
        return Refusal(Objection.GRANT_TOO_LARGE, f"{largest} minor; the agency allows {policy.grant_minor_max}")
    if derived.amount_minor > policy.batch_minor_max:
        detail = f"{derived.amount_minor} minor; the agency allows {policy.batch_minor_max} a batch"
        return Refusal(Objection.BATCH_TOO_LARGE, detail)
    if history.day_minor + derived.amount_minor > policy.day_minor_max:
        detail = f"{history.day_minor} minor today and {derived.amount_minor} more; allowed are {policy.day_minor_max}"
        return Refusal(Objection.DAY_LIMIT, detail)
    return None


def _records(document: MintDocument, policy: Policy, history: History) -> Refusal | None:
    for at, leaf in enumerate(document.leaves):
        if leaf.record is None or leaf.salt is None:
            if policy.requires_records:
                return Refusal(Objection.RECORD_MISSING, f"grant {at} comes without its record")
            continue
        canonical = leaf.record.encode()
        if keccak256(bytes.fromhex(leaf.salt[2:]) + canonical) != bytes.fromhex(leaf.commitment[2:]):
            return Refusal(Objection.RECORD_DIFFERS, f"grant {at}: the record is not behind the commitment")
        if policy.requires_known_records and record_hash(canonical) not in history.known_records:
            return Refusal(Objection.RECORD_UNKNOWN, f"grant {at}: the agency has no such record")
        refusal = _worth(at, leaf, canonical, policy.books[leaf.rulebook_version])
        if refusal is not None:
            return refusal
    return None


def _worth(at: int, leaf: LeafDocument, canonical: bytes, book: Rulebook) -> Refusal | None:
    """Rate the record by the agency's own rulebook as if no cap were used: no grant can be worth more."""
    deed = deed_of(canonical)
    if deed is None or deed.activity != leaf.activity or not book.covers(deed.day) or unfit(book, deed) is not None:
        return Refusal(Objection.RECORD_DIFFERS, f"grant {at}: rulebook {book.version} does not rate such a record")
    most = most_minor(book, deed)
    if int(leaf.amount_minor) > most:
        detail = f"grant {at} gives {leaf.amount_minor} minor; rulebook {book.version} gives {most} at most"
        return Refusal(Objection.WORTH_LESS, detail)
    return None


def most_minor(book: Rulebook, deed: Deed) -> int:
    """Return the most that a deed can earn, whatever was earned before it, in minor units."""
    activity = book.activities[deed.activity]
    if len(activity.bands) > 1 and activity.bands_over != "deed":
        return _highest_band(activity, deed.quantity_micro)
    return rate(book, deed, {}).amount_minor


def _highest_band(activity: CompiledActivity, micro: int) -> int:
    if activity.maximum_micro is not None:
        micro = min(micro, activity.maximum_micro)
    return max(micro * numerator // denominator for _, numerator, denominator in activity.bands)


def deed_of(canonical: bytes) -> Deed | None:
    """Return what rating needs of a canonical record, or None if it is none."""
    try:
        record: dict[str, Any] = orjson.loads(canonical)
        unit = UNITS[record["unit"]]
        micro = int(Decimal(record["quantity"]) * unit.factor * MICRO)
        day = datetime.fromisoformat(record["day"]).toordinal() - _EPOCH
        activity = record["activity"]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, InvalidOperation, OverflowError):
        return None
    if micro < 0 or not isinstance(activity, str):
        return None
    present = frozenset(record)
    return Deed(0, None, "", "", activity, day, None, None, micro, unit.dimension, None, None, canonical, present)


def _taken(document: MintDocument, history: History) -> Refusal | None:
    for at, leaf in enumerate(document.leaves):
        known = history.grants.get(bytes.fromhex(leaf.grant_id[2:]))
        if known is None:
            continue
        if known.number not in history.void_on_chain:
            detail = f"grant {at} was approved under number {known.number}, which is not void"
            return Refusal(Objection.GRANT_TAKEN, detail)
        if known.amount_minor != int(leaf.amount_minor):
            return Refusal(Objection.GRANT_CHANGED, f"grant {at} was approved with {known.amount_minor} minor")
    return None


def earlier_numbers(document: MintDocument, grants: Mapping[bytes, KnownGrant]) -> Sequence[int]:
    """Return the numbers other than the document's under which its grants were approved."""
    return sorted({known.number for known in grants.values()} - {int(document.number)})
