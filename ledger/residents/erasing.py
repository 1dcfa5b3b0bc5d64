"""What stays of somebody who was erased, so that one person remains one resident: a tombstone.

A tombstone holds no name, no number, no account and no time. It is found by a memory-hard hash of the identity's HMAC
and opened by the other half of that hash, so whoever has the whole installation pays about a third of a second and
128 MiB for each number that is tried, and learns that it was erased here. Inside is a random id, the pseudonym under
which what was used of the caps and the fingerprints of deeds go on: who comes back becomes the resident of that id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from ledger.custody.keyring import IdentityHasher
from ledger.custody.master import Envelope
from ledger.standard.civil_time import month_start
from ledger.standard.ids import ProgrammeId
from ledger.store.database import Database
from ledger.store.models.residents import (
    ErasureRow,
    ResidentRow,
    SourceClaimRow,
    SourceDecisionRow,
    SourceIdRow,
    SourceLinkEventRow,
    TombstoneRow,
)

_CONTEXT: Final = b"tombstone"
AGAIN_S: Final = 3_600
"""When an erasure is gone over a second time: whatever was under way when it was made has ended by then."""


@dataclass(frozen=True, slots=True)
class Erased:
    """Whom the rest of the books has to forget, and what goes on in the place of the resident."""

    resident_id: int
    person: int
    """The pseudonym in the tombstone."""
    sources: tuple[tuple[ProgrammeId, bytes], ...]
    """(programme, HMAC) of the source ids that were claimed."""
    words: tuple[tuple[ProgrammeId, str], ...]
    """(programme, source id as it was given): what sealed rows are searched for."""


Stretched = Mapping[bytes, tuple[bytes, bytes]]
"""What `IdentityHasher.stretch` gave for HMACs of a document, computed before the transaction that needs it: a third of
a second and 128 MiB are too much while others wait to write."""


def has_tombstones(session: Session) -> bool:
    """Return whether anybody was ever erased and has not come back."""
    return session.scalar(select(TombstoneRow.tag).limit(1)) is not None


def stretch_document(database: Database, identities: IdentityHasher, document_number: str) -> Stretched:
    """Return what registering a document needs if it was erased here; call it outside any transaction.

    Nothing is computed where nobody was erased, or where the document is a resident's.
    """
    hashes = [digest for _, digest in identities.hash_live(document_number)]
    with database.read() as session:
        known = select(ResidentRow.resident_id).where(ResidentRow.identity_hmac.in_(hashes))
        if not has_tombstones(session) or session.scalar(known.limit(1)) is not None:
            return {}
    return {digest: identities.stretch(digest) for digest in hashes}


def stretch_resident(database: Database, identities: IdentityHasher, resident_id: int) -> Stretched:
    """Return what erasing a resident needs; call it outside any transaction."""
    with database.read() as session:
        found = session.scalar(select(ResidentRow.identity_hmac).where(ResidentRow.resident_id == resident_id))
    return {} if found is None else {bytes(found): identities.stretch(bytes(found))}


def leave_tombstone(
    session: Session, identities: IdentityHasher, identity_hmac: bytes, person: int, stretched: Stretched
) -> None:
    """Write the tombstone of an identity document."""
    tag, key = stretched.get(identity_hmac) or identities.stretch(identity_hmac)
    sealed = Envelope(key).wrap(person.to_bytes(8, "big"), _CONTEXT)
    session.merge(TombstoneRow(tag=tag, sealed=sealed))


def recall(session: Session, identities: IdentityHasher, document_number: str, stretched: Stretched) -> int | None:
    """Return the pseudonym of a document that was erased, and take its tombstone away; None where there is none.

    Costs nothing while there is no tombstone at all.
    """
    if not has_tombstones(session):
        return None
    for _, digest in identities.hash_live(document_number):
        tag, key = stretched.get(digest) or identities.stretch(digest)
        row = session.get(TombstoneRow, tag)
        if row is not None:
            person = int.from_bytes(Envelope(key).unwrap(bytes(row.sealed), _CONTEXT), "big")
            session.delete(row)
            session.flush()
            return person
    return None


def forget_links(session: Session, resident_id: int, sources: Iterable[tuple[ProgrammeId, bytes]]) -> None:
    """Cut what still ties a resident to source ids: claims, links, decisions, and the resident's part of their history.

    The history of an id that nobody else ever claimed goes as a whole, for it would say that the id was here.
    """
    for table in (SourceClaimRow, SourceIdRow, SourceDecisionRow, SourceLinkEventRow):
        session.execute(delete(table).where(table.resident_id == resident_id))
    for programme, digest in sources:
        others = select(SourceClaimRow.resident_id).where(
            SourceClaimRow.programme == programme, SourceClaimRow.source_hmac == digest
        )
        is_anothers = session.scalar(others.limit(1)) is not None
        session.execute(
            update(SourceDecisionRow)
            .where(SourceDecisionRow.programme == programme, SourceDecisionRow.source_hmac == digest)
            .values(note=None)
        )
        for history in (SourceDecisionRow, SourceLinkEventRow):
            if not is_anothers:
                session.execute(delete(history).where(history.programme == programme, history.source_hmac == digest))


def make_unreadable(row: ResidentRow, now: int) -> None:
    """Destroy a resident's keys, and what they would open."""
    row.identity_hmac = row.account_key = row.data_key = row.profile = None
    row.status = "erased"
    row.erased_at = month_start(now)


def ask_for_sweep(session: Session, resident_id: int, programmes: Iterable[ProgrammeId], now: int) -> None:
    """Ask the workers to do what a transaction cannot: originals in folders, the database's log and free pages."""
    text = ",".join(str(one) for one in sorted(set(programmes)))
    session.merge(ErasureRow(resident_id=resident_id, programmes=text, is_swept=False, again_at=now + AGAIN_S))
