"""Rows as they are written in bulk: the fields are the columns of their tables, in the order in which they are written.

NamedTuples: millions are made, none changes, and the database's drivers take them as they are.
"""

from __future__ import annotations

from typing import NamedTuple

from issuers.states import GrantState, RefusalState, ReviewState
from ledger.standard.ids import AccountBytes, ProgrammeId


class NewRecord(NamedTuple):
    """A record, as it is inserted into ``issuance_records``."""

    record_id: int
    programme: ProgrammeId
    dedupe_key: bytes
    content_hash: bytes
    source_hmac: bytes
    resident_id: int | None
    delivery_id: int
    row_number: int
    status: str
    """The value of a `RecordState`: the database binds a plain string faster than an enum's member."""
    reason: str | None
    activity: str
    deed_day: int
    started_at: int | None
    ended_at: int | None
    quantity_micro: int
    revision: int | None
    device_hmac: bytes | None
    fingerprint: bytes | None
    pending_until: int | None
    granted_minor: int
    counted_micro: int
    grants_made: int
    sealed: bytes
    created_at: int
    updated_at: int


class NewGrant(NamedTuple):
    """A grant, as it is inserted into ``issuance_grants`` beside its `GrantPlace`."""

    grant_id: bytes
    programme: ProgrammeId
    record_id: int
    resident_id: int
    account: AccountBytes
    amount_minor: int
    revoked_minor: int
    activity: str
    rulebook_version: int
    commitment: bytes
    salt: bytes
    explanation: str
    created_at: int


class GrantPlace(NamedTuple):
    """Where a grant is: the other columns of ``issuance_grants``."""

    state: str
    """The value of a `GrantState`."""
    batch_number: int | None
    batch_position: int | None


READY = GrantPlace(GrantState.READY.value, None, None)
GRANT_COLUMNS = NewGrant._fields + GrantPlace._fields


class NewRefusal(NamedTuple):
    """A refusal, as it is inserted into ``issuance_refusals``."""

    programme: ProgrammeId
    delivery_id: int
    row_number: int
    line: int | None
    field: str | None
    code: str
    reason_en: str
    reason_zh: str
    record_id: int | None
    raw: bytes | None
    state: RefusalState
    created_at: int


class NewReview(NamedTuple):
    """A held record, as it is inserted into ``issuance_reviews``."""

    programme: ProgrammeId
    record_id: int
    screen: str
    reason_en: str
    reason_zh: str
    other_programme: int | None
    other_record_id: int | None
    state: ReviewState
    created_at: int
