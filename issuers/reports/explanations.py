"""Why a grant is what it is: record, rule, arithmetic, caps, batch, evidence, and what the chain says of all that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from issuers.answers import Explanation
from issuers.batches.evidence import leaf_rows, tree_of
from issuers.errors import ErasedRecord, GrantNotFound
from issuers.rules.rating import render
from issuers.rules.refusals import PERIODS_ZH
from issuers.rules.rulebook import CompiledActivity, CompiledCap, Names, Rulebook, RulebookFile, compile_rulebook
from issuers.rules.units import UNITS
from issuers.states import BatchState, GrantState
from ledger.standard import contract
from ledger.standard.civil_time import day_text
from ledger.standard.ids import ProgrammeId, ProgrammeSlug, to_address, token_id
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceDeliveryRow,
    IssuanceGrantRow,
    IssuanceRecordRow,
    IssuanceRevocationRow,
    IssuanceRulebookRow,
)
from ledger.store.models.projection import BatchRow as ChainBatchRow
from ledger.store.models.projection import ChainProgrammeRow


def activity_names(
    books: Mapping[ProgrammeId, Sequence[Rulebook]], slugs: Mapping[ProgrammeId, ProgrammeSlug]
) -> dict[tuple[ProgrammeSlug, str], Names]:
    """Return how activities are called, by programme and code: as in the newest rulebook that has them."""
    return {
        (slugs[programme], code): activity.names
        for programme, versions in books.items()
        for book in versions
        for code, activity in book.activities.items()
    }


def explain(
    session: Session,
    key: bytes,
    books: Mapping[ProgrammeId, Sequence[Rulebook]],
    slugs: Mapping[ProgrammeId, ProgrammeSlug],
) -> Explanation:
    """Explain a grant; leaf, path and root once it is in a batch, and the chain's word once that has landed.

    Raises GrantNotFound or ErasedRecord.
    """
    grant = session.get(IssuanceGrantRow, key)
    if grant is None:
        raise GrantNotFound(key)
    record = _record(session, grant)
    delivery = session.get_one(IssuanceDeliveryRow, record.delivery_id)
    book = _book(session, grant, books)
    words = render(book, grant.explanation)
    caps_en, caps_zh = _caps(book.activities[grant.activity])
    programme = session.get(ChainProgrammeRow, grant.programme)
    on_chain = programme is not None and programme.rulebook_version == book.version
    batch, token, leaf, root = None, None, None, None
    proof: tuple[str, ...] = ()
    if grant.batch_number is not None:
        batch = session.get_one(IssuanceBatchRow, (grant.programme, grant.batch_number))
        token = token_id(grant.programme, batch.quarter)
        leaves = leaf_rows(session, grant.programme, grant.batch_number)
        tree, position = tree_of(leaves, token), grant.batch_position or 0
        leaf, root = _hex(leaves[position].leaf(token).hash()), _hex(tree.root)
        proof = tuple(_hex(node) for node in tree.proof(position))
    landed = None if batch is None else session.get(ChainBatchRow, (batch.programme, batch.number))
    if landed is not None and landed.state != contract.BatchState.LANDED.word:
        landed = None
    revocations = session.scalars(
        select(IssuanceRevocationRow)
        .where(IssuanceRevocationRow.grant_id == key)
        .order_by(IssuanceRevocationRow.revocation_id)
    ).all()
    return Explanation(
        grant_id=_hex(key),
        programme=slugs[grant.programme],
        account=to_address(bytes(grant.account)),
        amount_minor=grant.amount_minor,
        revoked_minor=grant.revoked_minor,
        activity=grant.activity,
        rulebook_version=grant.rulebook_version,
        rulebook_hash=_hex(book.hash),
        rulebook_hash_on_chain=_hex(programme.rulebook_hash or b"") if programme is not None and on_chain else None,
        rulebook_version_on_chain=None if programme is None else programme.rulebook_version,
        steps_en=words.en,
        steps_zh=words.zh,
        caps_en=caps_en,
        caps_zh=caps_zh,
        file=delivery.name,
        row=record.row_number,
        deed_day=day_text(record.deed_day),
        state=GrantState(grant.state),
        batch_number=grant.batch_number,
        batch_state=None if batch is None else BatchState(batch.state),
        batch_reason=None if batch is None else batch.reason,
        signer=None if batch is None or batch.signer is None else to_address(bytes(batch.signer)),
        token_id=token,
        expiry_quarter=None if batch is None else batch.quarter,
        leaf=leaf,
        proof=proof,
        evidence_root=root,
        evidence_root_on_chain=None if landed is None else _hex(landed.evidence_root or b""),
        transaction=None if landed is None else _hex(landed.transaction_hash),
        block_number=None if landed is None else landed.block_number,
        revocations=tuple(f"{one.revoked_total_minor}:{one.reason_code}:{one.state}" for one in revocations),
    )


def _record(session: Session, grant: IssuanceGrantRow) -> IssuanceRecordRow:
    record = session.get(IssuanceRecordRow, grant.record_id)
    if record is None:
        raise ErasedRecord(grant.record_id)
    return record


def _book(session: Session, grant: IssuanceGrantRow, books: Mapping[ProgrammeId, Sequence[Rulebook]]) -> Rulebook:
    """Return the version that rated a grant: from those in use, or as it was kept when it was in force."""
    for one in books[grant.programme]:
        if one.version == grant.rulebook_version:
            return one
    kept = session.get_one(IssuanceRulebookRow, (grant.programme, grant.rulebook_version))
    return compile_rulebook(RulebookFile.model_validate_json(kept.content))


def _caps(activity: CompiledActivity) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return every cap that a deed of the activity falls under, in both languages."""
    worded = [_cap(cap, activity) for cap in activity.caps]
    return tuple(one[0] for one in worded), tuple(one[1] for one in worded)


def _cap(cap: CompiledCap, activity: CompiledActivity) -> tuple[str, str]:
    is_own = cap.scope == activity.scope
    place = ("of this activity", "本活动") if is_own else ("of the programme", "本项目")
    own_unit = (activity.unit, UNITS[activity.unit].zh)
    what = {"points": ("points", "积分"), "deeds": ("deeds", "次"), "quantity": own_unit}[cap.measure]
    return (
        f"At most {cap.text} {what[0]} a {cap.per} {place[0]}.",
        f"{place[1]}{PERIODS_ZH[cap.per]}上限 {cap.text} {what[1]}。",
    )


def _hex(value: bytes) -> str:
    return "0x" + bytes(value).hex()
