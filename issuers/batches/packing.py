"""Batches out of leaves: parted by validity, in a random order, with their evidence. They are numbered when stored."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from issuers.batches.evidence import LeafRow, tree_of
from issuers.records import sql
from issuers.rules.rulebook import Rulebook
from issuers.states import BatchState
from ledger.standard import contract
from ledger.standard.civil_time import city_moment
from ledger.standard.ids import ProgrammeId, token_id
from ledger.standard.quarters import NEVER, expiry_quarter
from ledger.store.models.issuance import IssuanceBatchRow

GRANTS_MAX = contract.GRANTS_MAX
_NEVER_QUARTERS = -1
_ORDER_BYTES = 16

Validity = Mapping[int, int | None]
"""For how many quarters points are valid, by rulebook version; None: for ever."""


def validity_of(books: Iterable[Rulebook]) -> Validity:
    """Return the validity that a programme's rulebooks give their points."""
    return {
        book.version: None if book.file.validity_quarters == "never" else book.file.validity_quarters for book in books
    }


def pack_batches(
    programme: ProgrammeId, leaves: Sequence[LeafRow], validity: Validity, now: int, *, flush: bool
) -> tuple[list[IssuanceBatchRow], list[LeafRow]]:
    """Return batches without numbers, and the leaves that fill none; with ``flush`` the last batches may be short."""
    by_quarters: dict[int, list[LeafRow]] = {}
    for leaf in leaves:
        quarters = validity[leaf.rulebook_version]
        by_quarters.setdefault(_NEVER_QUARTERS if quarters is None else quarters, []).append(leaf)
    made: list[IssuanceBatchRow] = []
    left: list[LeafRow] = []
    for quarters, some in by_quarters.items():
        shuffled = _shuffled(some)
        for start in range(0, len(shuffled), GRANTS_MAX):
            part = shuffled[start : start + GRANTS_MAX]
            if not flush and len(part) < GRANTS_MAX:
                left += part
                continue
            quarter = quarter_of(quarters, now)
            made.append(
                IssuanceBatchRow(
                    programme=programme,
                    quarter=quarter,
                    validity_quarters=quarters,
                    grants=len(part),
                    amount_minor=sum(leaf.amount_minor for leaf in part),
                    evidence_root=tree_of(part, token_id(programme, quarter)).root,
                    packed=b"".join([leaf.account + leaf.amount_minor.to_bytes(8, "big") for leaf in part]),
                    leaves=b"".join([leaf.pack() for leaf in part]),
                    signer=None,
                    signature=None,
                    attempt=0,
                    state=BatchState.PREPARED,
                    reason=None,
                    created_at=now,
                    updated_at=now,
                )
            )
    return made, left


def waits_for_signer(session: Session, programme: ProgrammeId) -> bool:
    """Return whether batches say why they could not be signed. Then nothing more should be batched: as long as grants
    wait for a batch, they can be taken back without a trace on the chain."""
    told = select(IssuanceBatchRow.number).where(
        IssuanceBatchRow.programme == programme,
        IssuanceBatchRow.state == BatchState.PREPARED,
        IssuanceBatchRow.reason.is_not(None),
    )
    return session.execute(told.limit(1)).first() is not None


def store_batches(session: Session, programme: ProgrammeId, made: Sequence[IssuanceBatchRow]) -> None:
    """Number batches and store them. Other transactions that number this programme's wait until this one ends."""
    for number, row in enumerate(made, sql.allot(session, f"batch:{programme}", len(made))):
        row.number = number
    # As copies: if the transaction fails, the batches are stored again.
    session.execute(insert(IssuanceBatchRow), [_values(row) for row in made])


def quarter_of(validity_quarters: int, now: int) -> int:
    """Return the expiry quarter of points that are granted at ``now`` (Unix time)."""
    if validity_quarters == _NEVER_QUARTERS:
        return NEVER
    return expiry_quarter(city_moment(now).date(), validity_quarters)


def _shuffled(leaves: list[LeafRow]) -> list[LeafRow]:
    """Return the leaves in a random order, which says nothing of the order of the records."""
    noise = os.urandom(_ORDER_BYTES * len(leaves))
    places = sorted(range(len(leaves)), key=lambda at: noise[_ORDER_BYTES * at : _ORDER_BYTES * (at + 1)])
    return [leaves[place] for place in places]


def _values(row: IssuanceBatchRow) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in IssuanceBatchRow.__table__.columns}
