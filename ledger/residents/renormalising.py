"""Links that were made under an older form of source ids, made again under the present one.

HMACs are keyed and cannot be changed in place: each claim keeps its original under the resident's data key, and is
claimed again, in the order of the first claims and with the same proof. So two residents who had linked one number in
two spellings now contest it, as if it had come in one. Identity documents have no original here: a resident who was
registered with an unseen character in the number is known by that spelling alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.orm import Session

from ledger.custody.custodian import Custodian
from ledger.custody.keyring import SourceIdHasher
from ledger.residents.claims import Proof, SourceIdState
from ledger.residents.registry import ResidentRegistry, SourceKey
from ledger.standard.ids import ProgrammeId
from ledger.store.models.residents import (
    ResidentRow,
    SourceClaimRow,
    SourceDecisionRow,
    SourceIdRow,
    SourceLinkEventRow,
)

_PAGE = 1_000


def renormalise_links(
    session: Session, registry: ResidentRegistry, sources: SourceIdHasher, custodian: Custodian
) -> int:
    """Bring all links to the present form of source ids; returns how many ids were moved. Again it finds none."""
    moved: dict[SourceKey, list[tuple[SourceClaimRow, str]]] = {}
    for claim, source_id in _originals(session, custodian):
        live = [digest for _, digest in sources.hash_live(claim.programme, source_id)]
        if bytes(claim.source_hmac) not in live:
            moved.setdefault((claim.programme, bytes(claim.source_hmac)), []).append((claim, source_id))
    for (programme, before), claims in moved.items():
        source_id = claims[0][1]
        after = sources.hash(programme, source_id)[1]
        for table in (SourceDecisionRow, SourceLinkEventRow):
            session.execute(
                update(table).where(table.programme == programme, table.source_hmac == before).values(source_hmac=after)
            )
        session.execute(
            delete(SourceClaimRow).where(SourceClaimRow.programme == programme, SourceClaimRow.source_hmac == before)
        )
        session.execute(
            delete(SourceIdRow).where(SourceIdRow.programme == programme, SourceIdRow.source_hmac == before)
        )
    every = [one for claims in moved.values() for one in claims]
    every.sort(key=lambda one: (one[0].claimed_at, one[0].resident_id))
    for claim, source_id in every:
        after = sources.hash(claim.programme, source_id)[1]
        if claim.state in ("live", "waiting"):
            registry.link(session, claim.resident_id, claim.programme, source_id, Proof(claim.proof))
            session.execute(
                update(SourceClaimRow)
                .where(SourceClaimRow.programme == claim.programme, SourceClaimRow.source_hmac == after)
                .where(SourceClaimRow.resident_id == claim.resident_id)
                .values(claimed_at=claim.claimed_at)
            )
    for claim, source_id in every:
        if claim.state not in ("live", "waiting"):
            _keep_closed(session, claim, *sources.hash(claim.programme, source_id))
    return len(moved)


def _keep_closed(session: Session, claim: SourceClaimRow, version: int, digest: bytes) -> None:
    """Keep a claim that was refused or withdrawn: it wins nothing."""
    who = (claim.programme, digest, claim.resident_id)
    if session.get(SourceIdRow, who[:2]) is None:
        at = claim.claimed_at
        unlinked = {"state": SourceIdState.UNLINKED, "linked_at": at, "updated_at": at}
        ids = {"programme": claim.programme, "source_hmac": digest, "resident_id": claim.resident_id}
        session.add(SourceIdRow(**ids, key_version=version, **unlinked))
    if session.get(SourceClaimRow, who) is None:
        session.add(
            SourceClaimRow(
                programme=claim.programme,
                source_hmac=digest,
                resident_id=claim.resident_id,
                original=claim.original,
                state=claim.state,
                proof=claim.proof,
                claimed_at=claim.claimed_at,
            )
        )
    session.flush()


def _originals(session: Session, custodian: Custodian) -> Iterator[tuple[SourceClaimRow, str]]:
    """Yield every claim with the source id as its resident gave it, page by page."""
    last: tuple[Any, ...] | None = None
    key = (SourceClaimRow.programme, SourceClaimRow.source_hmac, SourceClaimRow.resident_id)
    while True:
        page = (
            select(SourceClaimRow, ResidentRow.data_key)
            .join(ResidentRow, ResidentRow.resident_id == SourceClaimRow.resident_id)
            .order_by(*key)
            .limit(_PAGE)
        )
        rows = session.execute(page if last is None else page.where(tuple_(*key) > last)).all()
        for claim, data_key in rows:
            session.expunge(claim)
            if claim.original is None or data_key is None:
                continue
            place = f"src{claim.programme}"
            yield claim, custodian.unseal(claim.resident_id, bytes(data_key), bytes(claim.original), place).decode()
        if len(rows) < _PAGE:
            return
        final = rows[-1][0]
        last = (ProgrammeId(final.programme), bytes(final.source_hmac), final.resident_id)
