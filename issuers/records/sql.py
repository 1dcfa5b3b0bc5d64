"""Set-wise statements of the pipeline, the same on SQLite and PostgreSQL. Every value is bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import orjson
from sqlalchemy import Table, select, update
from sqlalchemy.orm import Session

from issuers.rules.rating import ResidentUsageKey, Used
from issuers.rules.screens import Claim, Facts
from issuers.states import GrantState, RecordState
from ledger.standard.ids import AccountBytes, ProgrammeId
from ledger.store.database import (
    SQLITE_PARAMETERS_MAX,
    bulk_add,
    bulk_insert,
    bulk_insert_new,
    bulk_set_existing,
    prefer_indexes,
)
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceCorrectionRow,
    IssuanceCounterRow,
    IssuanceGrantRow,
    IssuanceReadyRow,
    IssuanceRecordRow,
    IssuanceRefusalRow,
    IssuanceReviewRow,
    IssuanceRevocationRow,
    IssuanceTallyRow,
    IssuanceUsageRow,
)

RECORDS = cast(Table, IssuanceRecordRow.__table__)
REFUSALS = cast(Table, IssuanceRefusalRow.__table__)
GRANTS = cast(Table, IssuanceGrantRow.__table__)
READY = cast(Table, IssuanceReadyRow.__table__)
BATCHES = cast(Table, IssuanceBatchRow.__table__)
REVIEWS = cast(Table, IssuanceReviewRow.__table__)
TALLIES = cast(Table, IssuanceTallyRow.__table__)
USAGE = cast(Table, IssuanceUsageRow.__table__)
COUNTERS = cast(Table, IssuanceCounterRow.__table__)
CORRECTIONS = cast(Table, IssuanceCorrectionRow.__table__)
REVOCATIONS = cast(Table, IssuanceRevocationRow.__table__)

# A list of thousands is bound as one joined value: psycopg writes an array element by element, with a regular
# expression for each, which took a fifth of a chunk's time.
_SEPARATOR = "\x1f"
_USAGE_KEYS = (
    "unnest(string_to_array(%s, ',')::bigint[], string_to_array(%s, E'\\x1f'), string_to_array(%s, E'\\x1f')) "
    "AS k(r, s, p)"
)
_MAKE_USAGE = (
    "INSERT INTO issuance_usage (resident_id, scope, period, points_minor, quantity_micro, deeds) "  # noqa: S608
    "SELECT r, s, p, 0, 0, 0 FROM " + _USAGE_KEYS + " ON CONFLICT DO NOTHING"
)
# Key after key, in the order in which they are given, so that workers lock in one order. As a plain join the planner
# would rather read the whole table for each chunk.
_LOCK_USAGE = (
    "SELECT k.r, k.s, k.p, u.points_minor, u.quantity_micro, u.deeds FROM " + _USAGE_KEYS + " CROSS JOIN LATERAL "  # noqa: S608
    "(SELECT points_minor, quantity_micro, deeds FROM issuance_usage "
    "WHERE resident_id = k.r AND scope = k.s AND period = k.p FOR UPDATE) AS u"
)
_ANY_INTEGER = " = ANY(string_to_array(%s, ',')::bigint[])"
_ANY_HASH = (
    " = ANY(ARRAY(SELECT substr(v.joined, i * 32 + 1, 32) FROM (SELECT %s::bytea AS joined) AS v, "
    "generate_series(0, length(v.joined) / 32 - 1) AS i))"
)
_NOT_READY = f"SELECT grant_id FROM issuance_grants WHERE state <> '{GrantState.READY}' AND grant_id"  # noqa: S608


def known_keys(session: Session, dedupe_keys: Sequence[bytes]) -> set[bytes]:
    """Return which records are known already."""
    statement = "SELECT dedupe_key FROM issuance_records WHERE dedupe_key"
    return {bytes(dedupe_key) for (dedupe_key,) in rows_in(session, statement, dedupe_keys, ())}


def is_sqlite(session: Session) -> bool:
    """Return whether the session's database is SQLite."""
    return session.get_bind().dialect.name == "sqlite"


def allot(session: Session, name: str, count: int) -> int:
    """Allot ``count`` consecutive numbers of a counter, from 1, and return the first. Gaps are harmless."""
    bulk_insert_new(session, COUNTERS, ["name", "next_value"], [(name, 1)])
    first = session.execute(
        select(IssuanceCounterRow.next_value).where(IssuanceCounterRow.name == name).with_for_update()
    ).scalar_one()
    session.execute(update(IssuanceCounterRow).where(IssuanceCounterRow.name == name).values(next_value=first + count))
    return int(first)


def add_ready(session: Session, programme: ProgrammeId, leaves: Sequence[bytes]) -> None:
    """Let packed grants (see `issuers.batches.evidence`) wait for a batch."""
    if leaves:
        bulk_insert(session, READY, ("programme", "grants", "leaves"), [(programme, len(leaves), b"".join(leaves))])


def not_ready(session: Session, grant_ids: Sequence[bytes]) -> set[bytes]:
    """Return which of the grants wait for no batch any more: they were taken back."""
    return {bytes(grant_id) for (grant_id,) in rows_in(session, _NOT_READY, grant_ids, ())}


def add_tallies(session: Session, programme: ProgrammeId, changes: dict[str, int]) -> None:
    """Add to a programme's running counts."""
    rows = [(programme, kind, change) for kind, change in changes.items() if change]
    bulk_add(session, TALLIES, ["programme", "kind"], ["total"], rows)


class Usage(NamedTuple):
    """What residents have used of their caps, by resident, and which of the rows asked for are stored already."""

    used: dict[int, dict[tuple[str, str], Used]]
    stored: set[ResidentUsageKey]


def load_usage(session: Session, keys: Iterable[ResidentUsageKey], *, is_contended: bool = True) -> Usage:
    """Return what residents have used of their caps, and lock it until the transaction ends.

    No two workers pass a cap together: stored rows are locked in one order, and a row that is missing can only be
    inserted once, so that the second worker's insert fails and its chunk is run again. With ``is_contended`` missing
    rows are made first and locked too: dearer by a half, but it never loses that race. SQLite: the write transaction
    is the lock.
    """
    wanted = sorted(set(keys))
    found = Usage({}, set())
    if not wanted:
        return found
    connection = session.connection()
    if is_sqlite(session):
        rows: Any = connection.exec_driver_sql(
            "SELECT u.resident_id, u.scope, u.period, u.points_minor, u.quantity_micro, u.deeds FROM json_each(?) k "
            "CROSS JOIN issuance_usage u ON u.resident_id = json_extract(k.value, '$[0]') "
            "AND u.scope = json_extract(k.value, '$[1]') AND u.period = json_extract(k.value, '$[2]')",
            (orjson.dumps(wanted).decode(),),
        ).all()
    else:
        columns = (
            ",".join([str(key[0]) for key in wanted]),
            _SEPARATOR.join([key[1] for key in wanted]),
            _SEPARATOR.join([key[2] for key in wanted]),
        )
        prefer_indexes(session)
        if is_contended:
            connection.exec_driver_sql(_MAKE_USAGE, columns)
        rows = connection.exec_driver_sql(_LOCK_USAGE, columns).all()
    used, stored = found
    for resident, scope, period, points, quantity, deeds in rows:
        used.setdefault(resident, {})[scope, period] = Used(points, quantity, deeds)
        stored.add((resident, scope, period))
    return found


def set_usage(session: Session, changes: Mapping[ResidentUsageKey, Used], stored: set[ResidentUsageKey]) -> None:
    """Write what residents have used now. ``stored``: the rows that `load_usage` found, and locked.

    Raises:
        sqlalchemy.exc.IntegrityError | psycopg.errors.UniqueViolation: another worker was first to insert a row.
    """
    changed = [(*key, *changes[key]) for key in changes.keys() & stored]
    bulk_set_existing(session, USAGE, _USAGE_KEY, _USAGE_COUNTS, changed)
    fresh = sorted([(*key, *used) for key, used in changes.items() if key not in stored])
    bulk_insert(session, USAGE, [*_USAGE_KEY, *_USAGE_COUNTS], fresh)


_USAGE_KEY = ("resident_id", "scope", "period")
_USAGE_COUNTS = ("points_minor", "quantity_micro", "deeds")


class Holder(NamedTuple):
    """Where grants for a source id go; the account as raw bytes."""

    resident_id: int
    account: AccountBytes


_account = cast("Callable[[bytes], AccountBytes]", bytes)
"""`bytes`, under the type of an account: rows are many, so nothing wraps each."""

_HOLDER_SQL = (
    "SELECT s.source_hmac, s.resident_id, r.account FROM source_ids s JOIN residents r "
    "ON r.resident_id = s.resident_id WHERE s.programme = {0} AND s.state = 'linked' AND r.status = 'active' "
    "AND s.source_hmac"
)


def load_holders(session: Session, programme: ProgrammeId, source_hmacs: Sequence[bytes]) -> dict[bytes, Holder]:
    """Return who owns linked source ids; as `ResidentRegistry.resolve`, in one query and without checksums."""
    rows = rows_in(session, _HOLDER_SQL, source_hmacs, (programme,))
    return {bytes(digest): Holder(resident, _account(account)) for digest, resident, account in rows}


CLAIM_COLUMNS = "programme, record_id, activity, deed_day, started_at, ended_at, quantity_micro"
"""The columns of a `Claim`."""
_CLAIM_SQL = (
    "SELECT resident_id, " + CLAIM_COLUMNS + " FROM issuance_records WHERE started_at IS NOT NULL "  # noqa: S608
    f"AND status <> '{RecordState.REFUSED}' AND deed_day BETWEEN {{0}} AND {{0}} AND resident_id"
)
_FINGERPRINT_SQL = (
    "SELECT fingerprint, programme, record_id FROM issuance_records "  # noqa: S608
    f"WHERE status <> '{RecordState.REFUSED}' AND fingerprint"
)


def load_claims(session: Session, facts: Facts, residents: Sequence[int], first_day: int, last_day: int) -> None:
    """Load the residents' timed records of some days into ``facts``."""
    for resident, *claim in rows_in(session, _CLAIM_SQL, residents, (first_day, last_day)):
        facts.add_claim(resident, Claim(*claim))


def load_fingerprints(session: Session, facts: Facts, fingerprints: Sequence[bytes]) -> None:
    """Load who claimed the same deeds into ``facts``."""
    for fingerprint, programme, record_id in rows_in(session, _FINGERPRINT_SQL, fingerprints, ()):
        facts.add_fingerprint(bytes(fingerprint), programme, record_id)


def load_devices(session: Session, facts: Facts, devices: Sequence[bytes], first_day: int, last_day: int) -> None:
    """Load who used the devices on some days into ``facts``."""
    sql = (
        "SELECT device_hmac, deed_day, resident_id FROM issuance_records WHERE resident_id IS NOT NULL "
        "AND deed_day BETWEEN {0} AND {0} AND device_hmac"
    )
    for device, day, resident in rows_in(session, sql, devices, (first_day, last_day)):
        facts.add_device(bytes(device), day, resident)


def rows_in(session: Session, sql: str, values: Sequence[Any], fixed: tuple[Any, ...], tail: str = "") -> Iterator[Any]:
    """Yield the rows whose last named column is one of ``values``: 32-byte hashes, or integers.

    ``{0}`` in the statement stands for each of the ``fixed`` values; ``tail`` follows the condition. Thousands of
    values may take several statements, so that what a ``tail`` groups by must contain the column.
    """
    wanted = list(dict.fromkeys(values))
    if not wanted:
        return
    connection = session.connection()
    if not is_sqlite(session):
        is_hash = isinstance(wanted[0], bytes)
        joined: bytes | str = b"".join(wanted) if is_hash else ",".join(map(str, wanted))
        condition = _ANY_HASH if is_hash else _ANY_INTEGER
        yield from connection.exec_driver_sql(sql.format("%s") + condition + tail, (*fixed, joined)).all()
        return
    for start in range(0, len(wanted), SQLITE_PARAMETERS_MAX):
        part = wanted[start : start + SQLITE_PARAMETERS_MAX]
        marks = ",".join("?" * len(part))
        yield from connection.exec_driver_sql(f"{sql.format('?')} IN ({marks}){tail}", (*fixed, *part)).all()
