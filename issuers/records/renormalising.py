"""Records whose keys were made under an older form of identifiers, under keys of the present one.

HMACs are keyed and cannot be changed in place: the sealed record has the identifiers as they came, so its keys are
derived again from there. What was erased stays as it is: nobody can be found by it any more, but a record that was
erased under a number with blanks or unseen characters is not recognised when it comes again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from issuers.records.known import first_of_number
from issuers.records.vault import RecordKeys, Seal, Vault
from issuers.rules.rulebook import Rulebook
from ledger.custody.errors import CannotDecrypt
from ledger.standard.identifiers import IdentifierForms, normalise
from ledger.standard.ids import ProgrammeId
from ledger.store.database import Database
from ledger.store.models.issuance import (
    IssuanceCertificationRow,
    IssuanceCounterRow,
    IssuanceDeliveryRow,
    IssuanceRecordRow,
)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Renormalised:
    """What a pass over the records changed."""

    records: int = 0
    """Records whose number or person has another key now."""
    clashes: int = 0
    """Records whose number another record has in its present form: both stand, and later versions go to the other."""
    unknown: int = 0
    """Records whose key fits neither form, or whose seal does not open: left as they are."""
    links: int = 0
    """Linked source ids that were moved."""

    def plus(self, other: Renormalised) -> Renormalised:
        """Return the sum."""
        return Renormalised(
            self.records + other.records,
            self.clashes + other.clashes,
            self.unknown + other.unknown,
            self.links + other.links,
        )


class Renormaliser:
    """Brings records to the present form of identifiers, page by page. Again it finds nothing to do."""

    def __init__(self, keys: RecordKeys, vault: Vault, books: Mapping[ProgrammeId, tuple[Rulebook, ...]]) -> None:
        self._keys = keys
        self._vault = vault
        self._seals: dict[int, Seal] = {}
        self._certifiers = {
            number: rule.certifier.field
            for number, many in books.items()
            for book in many
            for rule in book.activities.values()
            if rule.certifier is not None
        }
        """The field that names a certifier, of programmes whose rules look at it."""

    def run(self, database: Database, forms: IdentifierForms, links: Callable[[Session], int]) -> Renormalised:
        """Do all records, once for each form: how far it came is kept with each page, so that it goes on after a crash.

        ``links``: moves the linked source ids, which are not the issuers'.
        """
        with database.read() as session:
            known = session.get(IssuanceCounterRow, forms.name)
            at = 0 if known is None else known.next_value
        found = Renormalised()
        if known is None:
            with database.transaction() as session:
                found = Renormalised(links=links(session))
                session.merge(IssuanceCounterRow(name=forms.name, next_value=0))
        while at != _ALL_DONE:
            with database.transaction() as session:
                part, last = self.page(session, at, _PAGE_ROWS)
                at = _ALL_DONE if last is None else last
                session.merge(IssuanceCounterRow(name=forms.name, next_value=at))
            found = found.plus(part)
        if found != Renormalised():
            _LOG.warning("identifiers were brought to their present form: %s", found)
        return found

    def page(self, session: Session, after: int, limit: int) -> tuple[Renormalised, int | None]:
        """Do the records behind a record id; returns what changed, and the last id (None: there are no more)."""
        rows = session.scalars(
            select(IssuanceRecordRow)
            .where(IssuanceRecordRow.record_id > after)
            .order_by(IssuanceRecordRow.record_id)
            .limit(limit)
        ).all()
        found = Renormalised()
        for row in rows:
            if row.sealed is not None:
                found = found.plus(self._record(session, row))
        session.flush()
        last = rows[-1].record_id if rows else None
        session.expunge_all()
        return found, last

    def _record(self, session: Session, row: IssuanceRecordRow) -> Renormalised:
        seal = self._seal(session, row.delivery_id)
        before = bytes(row.dedupe_key)
        try:
            canonical = seal.open(bytes(row.sealed or b""), before)
        except CannotDecrypt:
            return Renormalised(unknown=1)
        content: dict[str, str] = orjson.loads(canonical)
        programme, source_id = row.programme, content["source_id"]
        changed: dict[str, Any] = {}
        if bytes(row.source_hmac) not in self._keys.source_live(programme, source_id):
            changed["source_hmac"] = self._keys.source(programme, source_id)
            self._certification(session, row, content)
        after = self._key(session, row, content)
        result = Renormalised()
        if after is None:
            result = replace(result, unknown=1)
        elif after != before:
            taken = select(IssuanceRecordRow.record_id).where(IssuanceRecordRow.dedupe_key == after)
            if session.scalar(taken) is not None:
                result = replace(result, clashes=1)
            else:
                changed |= {"dedupe_key": after, "sealed": seal.seal(canonical, after)}
        if changed:
            formed = {name: normalise(content[name], keep_case=True) for name in _IDENTIFIERS if name in content}
            again = orjson.dumps(content | formed, option=orjson.OPT_SORT_KEYS)
            changed["content_hash"] = self._keys.content(again)
            session.execute(
                update(IssuanceRecordRow).where(IssuanceRecordRow.record_id == row.record_id).values(**changed)
            )
            result = replace(result, records=1)
        return result

    def _key(self, session: Session, row: IssuanceRecordRow, content: dict[str, str]) -> bytes | None:
        """Return the key that a record has under the present form; None: its key comes from no form that is known."""
        keys, programme, before = self._keys, row.programme, bytes(row.dedupe_key)
        system, number = content["system"], content["record_id"]
        key = keys.dedupe(programme, system, number)
        if before in (key, keys.dedupe_as_is(programme, system, number)):
            return key
        if first_of_number(session, row.record_id) is not None:
            return keys.apart(programme, key, content["source_id"], row.deed_day)
        return None

    def _certification(self, session: Session, row: IssuanceRecordRow, content: dict[str, str]) -> None:
        field = self._certifiers.get(row.programme)
        if field is None or field not in content:
            return
        session.execute(
            update(IssuanceCertificationRow)
            .where(IssuanceCertificationRow.record_id == row.record_id)
            .values(
                certifier=self._keys.source(row.programme, content[field]),
                subject=self._keys.source(row.programme, content["source_id"]),
            )
        )

    def _seal(self, session: Session, delivery_id: int) -> Seal:
        if delivery_id not in self._seals:
            row = session.get_one(IssuanceDeliveryRow, delivery_id)
            if len(self._seals) >= _SEALS_KEPT:
                self._seals.clear()
            self._seals[delivery_id] = self._vault.open(row.programme, bytes(row.data_key))
        return self._seals[delivery_id]


_PAGE_ROWS = 2_000
_ALL_DONE = -1
_IDENTIFIERS = ("record_id", "source_id", "device")
_SEALS_KEPT = 1_000
