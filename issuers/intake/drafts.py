"""Drafts: what a chunk comes to, judged before the write lock is taken, and what of it still stands behind the lock.

One process at a time writes a SQLite file, so what is done under its lock limits all of them together. A chunk is
therefore judged on a snapshot, while another writes. Behind the lock nothing is looked up again. It is only asked what
others have written since the snapshot:

- Records are only ever added, so the new ones are those behind the snapshot's last row. They may have used a resident's
  caps, told of another deed at the same time, or used the same device: what rests on them is judged again.
- Other changes of facts (a link, an erasure, a correction, a review) are rare. Triggers count them
  (`ledger.store.facts`), and if their count has moved, the whole chunk is judged again.

What is judged again is judged behind the lock, from look-ups of its own, and so is a whole chunk on PostgreSQL, where
others write meanwhile and rows are locked instead.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from issuers.batches.grants import Prepared, Writer
from issuers.records import sql
from issuers.records.vault import Delivery
from issuers.rules.decisions import Candidate, Judge
from issuers.rules.refusals import Fault
from issuers.rules.screens import Claim, is_concerned
from ledger.store.facts import facts_changed


class Chunk(NamedTuple):
    """Rows of a delivery that are taken in together. ``record_ids``: one a deed."""

    delivery: Delivery
    deeds: Sequence[Prepared]
    faults: Sequence[Fault]
    record_ids: Sequence[int]
    now: int
    day_may_change: bool = False
    """Whether a later revision of a record may bear another day."""


class Placed(NamedTuple):
    """A new record, and who owns it as far as that is known."""

    record_id: int
    prepared: Prepared
    holder: sql.Holder | None
    candidate: Candidate | None


class Basis(NamedTuple):
    """The state of a SQLite file that a draft rests on."""

    changes: int
    """How often facts were changed."""
    last_row: int
    """The newest record's place in its table; later ones lie behind it."""


def basis_of(session: Session) -> Basis:
    """Return the state that the session's snapshot shows. SQLite only."""
    last = session.connection().exec_driver_sql("SELECT coalesce(max(rowid), 0) FROM issuance_records").scalar_one()
    return Basis(facts_changed(session), last)


@dataclass(slots=True)
class Draft:
    """What a chunk comes to, not yet written."""

    chunk: Chunk
    basis: Basis | None
    """None: it was judged in the transaction that writes it."""
    judge: Judge
    writer: Writer
    placed: list[Placed]
    """Its new records."""
    repeated: list[Prepared]
    """Deeds whose natural id is known, or comes twice: decided when they are written."""
    statuses: Counter[str]

    def stale(self, session: Session) -> list[Placed] | None:
        """Return the new records whose judgement may be another one by now; None: all that the chunk says.

        Who shares a resident or a device with one of them is among them, so that the others rest on none of them. By
        who certified whom, a chunk hangs together as a whole.
        """
        if self.basis is None:
            return []
        if facts_changed(session) != self.basis.changes:
            return None
        same = self._since(session, "resident_id, dedupe_key", "programme = {0}")
        is_whole = self.judge.certifiers is not None
        if same and (is_whole or self._knows({dedupe_key for _, dedupe_key in same})):
            return None
        residents = {resident for resident, _ in same}
        if self.judge.looks_elsewhere:
            residents |= self._told_elsewhere(session)
        residents = self._with_shared_devices(session, residents)
        found = [one for one in self.placed if one.candidate is not None and one.candidate.resident_id in residents]
        return None if found and is_whole else found

    def drop(self, stale: Sequence[Placed]) -> None:
        """Take back what was decided about some records. They are all that the chunk has of their residents."""
        if stale:
            self.statuses -= self.writer.drop({one.record_id for one in stale})
            self.judge.forget({one.holder.resident_id for one in stale if one.holder is not None})

    def _knows(self, dedupe_keys: set[bytes]) -> bool:
        return not dedupe_keys.isdisjoint([one.dedupe_key for one in self.chunk.deeds])

    def _told_elsewhere(self, session: Session) -> set[int]:
        """Return the residents of whose deeds another programme has heard something that a screen would look at."""
        told = self._since(session, "fingerprint, resident_id", "fingerprint IS NOT NULL AND programme <> {0}")
        found = {resident for fingerprint, resident in told if fingerprint in self.judge.fingerprints}
        claims: dict[int, list[Claim]] = defaultdict(list)
        columns = f"resident_id, {sql.CLAIM_COLUMNS}"
        for resident, *claim in self._since(session, columns, "started_at IS NOT NULL AND programme <> {0}"):
            claims[resident].append(Claim(*claim))
        for one in self._owned():
            if any(is_concerned(one.deed, claim) for claim in claims.get(one.resident_id, ())):
                found.add(one.resident_id)
        return found

    def _with_shared_devices(self, session: Session, residents: set[int]) -> set[int]:
        """Return also who used a device that others have used since, or that one of the residents used."""
        used = [(one.resident_id, (one.device, one.deed.day)) for one in self._owned() if one.device is not None]
        if not used:
            return residents
        devices = set(self._since(session, "device_hmac, deed_day", "device_hmac IS NOT NULL"))
        while True:
            devices.update([place for resident, place in used if resident in residents])
            more = {resident for resident, place in used if place in devices} - residents
            if not more:
                return residents
            residents |= more

    def _owned(self) -> Iterator[Candidate]:
        return (one.candidate for one in self.placed if one.candidate is not None)

    def _since(self, session: Session, columns: str, where: str) -> list[Any]:
        """Return what others have added since the snapshot. The rows are read in their own order, by no index."""
        last = 0 if self.basis is None else self.basis.last_row
        values = (last, self.judge.programme) if "{0}" in where else (last,)
        statement = f"SELECT {columns} FROM issuance_records NOT INDEXED WHERE rowid > ? AND {where.format('?')}"  # noqa: S608
        return [tuple(row) for row in session.connection().exec_driver_sql(statement, values)]
