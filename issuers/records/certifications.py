"""Certifications in SQL: looked up around a chunk within bounds, and written once a record.

Bounded whatever the history: people are certified a few times a month, so the edges towards a chunk's people are few;
who has no certifier, as an organisation, ends the search; a ring is followed a few steps, over so many people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from issuers.records import sql
from issuers.rules.certifiers import Certification, CertifierScreens, DayTotal
from issuers.rules.rulebook import CertifierRule
from ledger.store.database import bulk_insert_new
from ledger.store.models.issuance import IssuanceCertificationRow

PEOPLE_MAX = 5_000
"""Beyond a chunk's own people, how many are followed at each step of a ring."""
COUNTED_MAX = 10_000
"""A certifier's deeds are counted up to this number: a person with more depends on no single certifier."""
_TABLE = cast(Table, IssuanceCertificationRow.__table__)
_COLUMNS = ("record_id", "programme", "certifier", "subject", "deed_day", "started_at", "ended_at")
_EDGES = (
    "SELECT subject, certifier, record_id FROM issuance_certifications "
    "WHERE programme = {0} AND deed_day BETWEEN {0} AND {0} AND subject"
)
_DAYS = (
    "SELECT certifier, deed_day, count(*), min(started_at), max(ended_at) FROM issuance_certifications "
    "WHERE programme = {0} AND deed_day BETWEEN {0} AND {0} AND certifier"
)
_COUNT = (
    "SELECT count(*) FROM (SELECT 1 AS one FROM issuance_certifications WHERE programme = {0} AND certifier = {0} "
    "AND deed_day BETWEEN {0} AND {0} LIMIT {0}) AS counted"
)


def load_certifications(
    session: Session, screens: CertifierScreens, wanted: Sequence[tuple[Certification, CertifierRule]]
) -> None:
    """Load what the screens need around the certifications of a chunk."""
    if not wanted:
        return
    rules = [rule for _, rule in wanted]
    window = max(rule.window_days for rule in rules)
    first, last = min(one.day for one, _ in wanted), max(one.day for one, _ in wanted)
    place = (screens.programme, first - window, last + window)
    asked: set[bytes] = set()
    people = {one.subject for one, _ in wanted} | {one.certifier for one, _ in wanted}
    for step in range(max(rule.ring_size_max for rule in rules)):
        people -= asked
        if not people or (step and len(people) > PEOPLE_MAX):
            break
        asked |= people
        found: set[bytes] = set()
        for subject, certifier, record_id in sql.rows_in(session, _EDGES, sorted(people), place):
            screens.facts.add(record_id, bytes(certifier), bytes(subject))
            found.add(bytes(certifier))
        people = found
    certifiers = sorted({one.certifier for one, rule in wanted if rule.counts_days})
    tail = " GROUP BY certifier, deed_day"
    for certifier, day, *total in sql.rows_in(session, _DAYS, certifiers, (screens.programme, first, last), tail):
        screens.facts.days[bytes(certifier), day] = DayTotal(*total)
    _count_totals(session, screens, wanted, place)


def _count_totals(
    session: Session,
    screens: CertifierScreens,
    wanted: Sequence[tuple[Certification, CertifierRule]],
    place: tuple[int, int, int],
) -> None:
    """Count only for certifiers who signed often for one person; few do."""
    facts = screens.facts
    coming: dict[tuple[bytes, bytes], int] = {}
    for one, _ in wanted:
        edge = (one.certifier, one.subject)
        coming[edge] = coming.get(edge, 0) + 1
    often = {
        one.certifier
        for one, rule in wanted
        if rule.share_percent is not None
        and facts.deeds(one.certifier, one.subject) + coming[one.certifier, one.subject] >= rule.share_deeds_min
    }
    programme, first, last = place
    mark = "?" if sql.is_sqlite(session) else "%s"
    for certifier in sorted(often):
        values = (programme, certifier, first, last, COUNTED_MAX)
        facts.totals[certifier] = session.connection().exec_driver_sql(_COUNT.format(mark), values).scalar_one()


def store_certifications(session: Session, screens: CertifierScreens) -> None:
    """Write the certifications of the records that were judged; a record that is decided again keeps its row."""
    rows = [
        (one.record_id, screens.programme, one.certifier, one.subject, one.day, one.started_at, one.ended_at)
        for one in screens.judged
    ]
    if rows:
        bulk_insert_new(session, _TABLE, list(_COLUMNS), rows)
        screens.judged.clear()
