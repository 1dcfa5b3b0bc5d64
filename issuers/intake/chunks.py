"""The pipeline's transactions: a chunk of rows becomes records, refusals, reviews and grants in one commit.

What is decided here is remembered by natural id, so a chunk that is delivered twice, or run again after a crash, finds
itself done. A chunk that loses a race against another worker is rolled back and run again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from issuers.batches.grants import Opening, Prepared, Writer
from issuers.batches.packing import validity_of, waits_for_signer
from issuers.intake.drafts import Basis, Chunk, Draft, Placed, basis_of
from issuers.records import sql
from issuers.records.certifications import load_certifications, store_certifications
from issuers.records.known import counts_already, first_of_number, known_number, known_record, stands_for
from issuers.records.revoking import take_back
from issuers.records.vault import Delivery, RecordKeys
from issuers.rules.decisions import NO_ACCOUNT, Candidate, Judge, Judgement, fit, refused, rulebook_for
from issuers.rules.deeds import Deed
from issuers.rules.refusals import Fault, RefusalCode
from issuers.rules.rulebook import Rulebook
from issuers.states import RecordState, RefusalState, ReviewState, change
from ledger.custody.master import RandomBytes
from ledger.errors import InvariantViolation
from ledger.residents.registry import ResidentRegistry
from ledger.standard.civil_time import civil_day
from ledger.standard.ids import ProgrammeId, address_bytes
from ledger.store.models.issuance import (
    IssuanceCorrectionRow,
    IssuanceDeliveryRow,
    IssuanceRecordRow,
    IssuanceRefusalRow,
    IssuanceReviewRow,
)

_MONTH_DAYS = 30.44


class ChunkResult(NamedTuple):
    """The outcome of a chunk's rows, by status, and of its refusals, by code."""

    statuses: Counter[str]
    refusals: Counter[str]
    granted_minor: int


class Pipeline:
    """The steps that turn prepared deeds into records and grants, each within a transaction of the caller's."""

    def __init__(
        self,
        registry: ResidentRegistry,
        keys: RecordKeys,
        books: dict[ProgrammeId, tuple[Rulebook, ...]],
        random: RandomBytes = os.urandom,
    ) -> None:
        self._registry = registry
        self._keys = keys
        self._books = books
        self._random = random

    def books(self, programme: ProgrammeId) -> tuple[Rulebook, ...]:
        """Return a programme's rulebooks, oldest first."""
        return self._books[programme]

    def draft(self, session: Session, chunk: Chunk) -> Draft:
        """Judge a chunk on a snapshot of a SQLite file, for `take`."""
        basis = basis_of(session)
        return self._judged(session, chunk, basis)

    def take(
        self, session: Session, chunk: Chunk, draft: Draft | None = None, *, is_contended: bool = True
    ) -> ChunkResult:
        """Take in a chunk: everything that its rows cause, in one transaction.

        ``draft``: the same chunk, judged before; what others have changed since is judged again.
        ``is_contended``: see `sql.load_usage`.
        """
        stale = None if draft is None else draft.stale(session)
        if draft is None or stale is None:
            draft, stale = self._judged(session, chunk, is_contended=is_contended), []
        draft.drop(stale)
        self._write(session, draft)
        statuses, writer = draft.statuses, draft.writer
        if stale:
            record_ids = [one.record_id for one in stale]
            rest = chunk._replace(deeds=[one.prepared for one in stale], faults=(), record_ids=record_ids)
            again = self._judged(session, rest, corrected={one.dedupe_key for one in draft.repeated})
            self._write(session, again)
            statuses += again.statuses
            writer.refusal_codes += again.writer.refusal_codes
            writer.granted_minor += again.writer.granted_minor
        spare = iter(chunk.record_ids[len(draft.placed) :])
        for one in draft.repeated:
            statuses[self._repeat(session, writer, chunk, one, spare)] += 1
        writer.flush()
        return ChunkResult(statuses, writer.refusal_codes, writer.granted_minor)

    def _judged(
        self,
        session: Session,
        chunk: Chunk,
        basis: Basis | None = None,
        *,
        corrected: Set[bytes] = frozenset(),
        is_contended: bool = True,
    ) -> Draft:
        """Decide the new records of a chunk, and collect what is to be written.

        ``corrected``: natural ids that come again later, besides those that come twice in the chunk itself.
        """
        delivery, deeds, faults, record_ids, now, _ = chunk
        programme = delivery.programme
        writer = Writer(session, programme, self._keys, now, self._random)
        for fault in faults:
            writer.fault(delivery, fault)
        writer.tallies[RecordState.REFUSED] += len(faults)
        fresh, repeated = self._split(session, deeds)
        holders = self.holders(session, programme, [one.source_hmac for one in fresh], fresh)
        judge = Judge(self._books[programme], programme, self._keys.fingerprint, now, self._keys.source)
        placed: list[Placed] = []
        for record_id, one in zip(record_ids, fresh, strict=False):
            holder = holders.get(one.source_hmac)
            candidate = None
            if holder is not None:
                candidate = Candidate(record_id, one.dedupe_key, one.deed, holder.resident_id, NO_ACCOUNT, one.device)
            placed.append(Placed(record_id, one, holder, candidate))
        owned = [one.candidate for one in placed if one.candidate is not None]
        look_up(session, judge, owned, is_contended=is_contended)
        statuses: Counter[str] = Counter(refused=len(faults))
        for record_id, one, holder, candidate in placed:
            judgement = self._judge(judge, one, candidate, now)
            writer.record(record_id, delivery, one, holder, judgement)
            statuses[judgement.status] += 1
        if not waits_for_signer(session, programme):
            again = corrected | {one.dedupe_key for one in repeated}
            waiting = {one.record_id for one in placed if one.prepared.dedupe_key in again} if again else set()
            writer.pack(validity_of(self._books[programme]), waiting)
        return Draft(chunk, basis, judge, writer, placed, repeated, statuses)

    def _write(self, session: Session, draft: Draft) -> None:
        """Write what was decided about new records."""
        judge, writer = draft.judge, draft.writer
        writer.session = session
        sql.set_usage(session, judge.changes(), judge.stored)
        if judge.certifiers is not None:
            store_certifications(session, judge.certifiers)
        writer.flush()

    def holders(
        self, session: Session, programme: ProgrammeId, source_hmacs: Sequence[bytes], deeds: Sequence[Prepared]
    ) -> dict[bytes, sql.Holder]:
        """Return who owns source ids. An id that was linked under an older key is found by its older HMAC."""
        found = sql.load_holders(session, programme, source_hmacs)
        missing = {one.source_hmac: one.deed.source_id for one in deeds if one.source_hmac not in found}
        if missing:
            older = {
                digest: newest
                for newest, source_id in missing.items()
                for digest in self._keys.source_live(programme, source_id)[1:]
            }
            for digest, account in sql.load_holders(session, programme, list(older)).items():
                found[older[digest]] = account
        return found

    def _split(self, session: Session, deeds: Sequence[Prepared]) -> tuple[list[Prepared], list[Prepared]]:
        """Part the deeds into new ones and those whose natural id is known, or comes twice in the chunk."""
        known = sql.known_keys(session, [one.dedupe_key for one in deeds])
        fresh, repeated = [], []
        for one in deeds:
            if one.dedupe_key in known:
                repeated.append(one)
            else:
                known.add(one.dedupe_key)
                fresh.append(one)
        return fresh, repeated

    def _judge(self, judge: Judge, one: Prepared, candidate: Candidate | None, now: int) -> Judgement:
        if candidate is not None:
            return judge.decide(candidate)
        book = fit(judge.book(one.deed.day), one.deed)
        if isinstance(book, Judgement):
            return book
        if is_too_old(one.deed.day, book.file.unlinked_months, now):
            months = (("months", str(book.file.unlinked_months)),)
            return refused(RefusalCode.DEED_TOO_OLD, "day", months)
        return Judgement(RecordState.AWAITING_LINK)

    # ------------------------------------------------------------------------------------- known records again

    def _repeat(self, session: Session, writer: Writer, chunk: Chunk, one: Prepared, spare: Iterator[int]) -> str:
        """A record whose natural id is known: a duplicate, an old version, a correction, or another deed.

        ``spare``: record ids for deeds that come under a number which another deed has.
        """
        delivery, now = chunk.delivery, chunk.now
        record = known_record(session, one.dedupe_key)
        if record is None:
            raise InvariantViolation("a record that was known is gone")
        people = self._keys.source_live(writer.programme, one.deed.source_id)
        if not stands_for(session, record, one.deed, one.content_hash, people, day_may_change=chunk.day_may_change):
            first = record.record_id
            one = self._apart(delivery, one)
            record = known_record(session, one.dedupe_key)
            if record is None:
                return self._hold(session, writer, delivery, one, next(spare), first, now)
        deed = one.deed
        if counts_already(session, record, one.content_hash):
            params = (("delivery", str(record.delivery_id)), ("row", str(record.row_number)))
            fault = Fault(deed.row, deed.line, None, RefusalCode.DUPLICATE_RECORD, params)
            writer.fault(delivery, fault, record.record_id)
            writer.tallies[RecordState.REFUSED] += 1
            return RecordState.REFUSED
        if record.reason == REVOKED:
            writer.fault(delivery, Fault(deed.row, deed.line, None, RefusalCode.REVIEW_REJECTED), record.record_id)
            writer.tallies[RecordState.REFUSED] += 1
            return RecordState.REFUSED
        if record.revision is not None and deed.revision is not None and deed.revision < record.revision:
            writer.fault(delivery, Fault(deed.row, deed.line, "revision", RefusalCode.SUPERSEDED), record.record_id)
            writer.tallies[RecordState.REFUSED] += 1
            return RecordState.REFUSED
        book = rulebook_for(self._books[writer.programme], deed)
        if isinstance(book, Judgement) and book.code not in WORTH_NOTHING:
            # A version that no rule knows says nothing about what the deed was: the last good one stands.
            code = book.code or RefusalCode.UNKNOWN_ACTIVITY
            writer.fault(delivery, Fault(deed.row, deed.line, book.field, code, book.params), record.record_id)
            writer.tallies[RecordState.REFUSED] += 1
            return RecordState.REFUSED
        self._correct(session, writer, delivery, record, one, now)
        return "correction"

    def _apart(self, delivery: Delivery, one: Prepared) -> Prepared:
        """Return a deed under a key of its own, because its number stands for another one."""
        key = self._keys.apart(delivery.programme, one.dedupe_key, one.deed.source_id, one.deed.day)
        opening = Opening.new(one.deed, key, 1, self._keys, self._random)
        return one._replace(dedupe_key=key, sealed=delivery.seal.seal(one.deed.canonical, key), opening=opening)

    def _hold(
        self,
        session: Session,
        writer: Writer,
        delivery: Delivery,
        one: Prepared,
        record_id: int,
        first: int,
        now: int,
    ) -> str:
        """Hold a deed that came under the number of another one, for two people; what no rule fits is refused."""
        programme = writer.programme
        holder = self.holders(session, programme, [one.source_hmac], [one]).get(one.source_hmac)
        judge = Judge(self._books[programme], programme, self._keys.fingerprint, now)
        judgement = self._judge(judge, one, None, now)
        if judgement.code is not None and not (holder and judgement.code is RefusalCode.DEED_TOO_OLD):
            fault = Fault(one.deed.row, one.deed.line, judgement.field, judgement.code, judgement.params)
            writer.fault(delivery, fault)
            writer.tallies[RecordState.REFUSED] += 1
            return RecordState.REFUSED
        judgement = Judgement(RecordState.HELD, finding=known_number(programme, first))
        writer.record(record_id, delivery, one, holder, judgement)
        writer.flush()  # the next row of the chunk may be another version of it
        return RecordState.HELD

    def replace(
        self, session: Session, writer: Writer, delivery: Delivery, record: IssuanceRecordRow, one: Prepared, now: int
    ) -> None:
        """Correct a record by a deed of another person or day, as two people have decided."""
        self._correct(session, writer, delivery, record, one, now)

    def _correct(
        self,
        session: Session,
        writer: Writer,
        delivery: Delivery,
        record: IssuanceRecordRow,
        one: Prepared,
        now: int,
    ) -> None:
        """Replace a record's content and settle the difference: granted, or revoked."""
        before = stored_deed(record)
        correction = IssuanceCorrectionRow(
            programme=writer.programme,
            record_id=record.record_id,
            delivery_id=delivery.delivery_id,
            row_number=one.deed.row,
            previous_content_hash=record.content_hash,
            content_hash=one.content_hash,
            delta_minor=0,
            grant_id=None,
            created_at=now,
        )
        deed = one.deed
        record.content_hash = one.content_hash
        record.sealed = one.sealed
        record.delivery_id = delivery.delivery_id
        record.row_number = deed.row
        record.activity = deed.activity
        record.deed_day = deed.day
        record.started_at = deed.started_at
        record.ended_at = deed.ended_at
        record.quantity_micro = deed.quantity_micro
        record.revision = deed.revision
        record.device_hmac = one.device
        record.updated_at = now
        writer.tallies["corrections"] += 1
        is_anothers = bytes(record.source_hmac) not in self._keys.source_live(writer.programme, deed.source_id)
        record.source_hmac = one.source_hmac
        if is_anothers:
            self._change_person(session, writer, delivery, record, one, before, correction, now)
        elif record.status in (RecordState.ACCEPTED, RecordState.WAITING):
            self._settle_difference(session, writer, record, one, before, correction, now)
        elif record.status == RecordState.REFUSED:
            was_rejected = record.reason == RefusalCode.REVIEW_REJECTED
            writer.tallies[RecordState.REFUSED] -= close_refusals(session, writer, record.record_id)
            if was_rejected and (first := first_of_number(session, record.record_id)) is not None:
                held = Judgement(RecordState.HELD, finding=known_number(writer.programme, first))
                self._restate(writer, delivery, record, deed, None, held)
            else:
                self.reconsider(session, writer, delivery, [(record, deed)], now)
        elif record.status == RecordState.HELD:
            # What a first reviewer approved is not what would be granted now.
            session.execute(
                update(IssuanceReviewRow)
                .where(IssuanceReviewRow.record_id == record.record_id, IssuanceReviewRow.state == ReviewState.OPEN)
                .values(approver_first=None)
            )
        session.add(correction)
        session.flush()

    def _change_person(
        self,
        session: Session,
        writer: Writer,
        delivery: Delivery,
        record: IssuanceRecordRow,
        one: Prepared,
        before: Deed,
        correction: IssuanceCorrectionRow,
        now: int,
    ) -> None:
        """The agency had named the wrong person: all is taken back from one and decided anew for the other."""
        granted = record.granted_minor
        if granted and record.resident_id is not None:
            judge = Judge(self._books[writer.programme], writer.programme, self._keys.fingerprint, now)
            former = Candidate(record.record_id, one.dedupe_key, before, record.resident_id, NO_ACCOUNT, None)
            judge.usage, judge.stored = sql.load_usage(session, judge.needs([former]).usage)
            judge.charge(record.resident_id, before, -granted, -record.counted_micro, -1)
            sql.set_usage(session, judge.changes(), judge.stored)
            writer.flush()  # an earlier version in the same chunk may have granted what is taken back
            take_back(session, record.record_id, granted, reason_code=CORRECTION, by=None, note=None, now=now)
            writer.tallies["revoked_minor"] += granted
        record.granted_minor = 0
        record.counted_micro = 0
        record.resident_id = None
        if record.status == RecordState.REFUSED:
            writer.tallies[RecordState.REFUSED] -= close_refusals(session, writer, record.record_id)
        if record.status != RecordState.HELD:
            self.reconsider(session, writer, delivery, [(record, one.deed)], now)
        correction.delta_minor = record.granted_minor - granted

    def _settle_difference(
        self,
        session: Session,
        writer: Writer,
        record: IssuanceRecordRow,
        one: Prepared,
        before: Deed,
        correction: IssuanceCorrectionRow,
        now: int,
    ) -> None:
        resident_id = record.resident_id
        if resident_id is None:
            return
        judge = Judge(self._books[writer.programme], writer.programme, self._keys.fingerprint, now)
        keys = [
            Candidate(record.record_id, one.dedupe_key, d, resident_id, NO_ACCOUNT, None) for d in (before, one.deed)
        ]
        judge.usage, judge.stored = sql.load_usage(session, judge.needs(keys).usage)
        judge.charge(resident_id, before, -record.granted_minor, -record.counted_micro, -1)
        book = rulebook_for(self._books[writer.programme], one.deed)
        amount, counted, version, explanation = 0, 0, 0, ""
        if not isinstance(book, Judgement):
            rating = judge.rate(book, resident_id, one.deed)
            amount, counted, version = rating.amount_minor, rating.quantity_micro, rating.version
            explanation = rating.explanation
        delta = amount - record.granted_minor
        correction.delta_minor = delta
        if delta > 0:
            account = address_bytes(self._registry.get(session, resident_id).account)
            record.grants_made += 1
            opening = writer.opening(one.deed, one.dedupe_key, record.grants_made)
            correction.grant_id = opening.grant_id
            writer.grant(
                opening,
                record.record_id,
                resident_id,
                account,
                one.deed,
                delta,
                version,
                f"{explanation};correction={record.granted_minor}",
            )
        elif delta < 0:
            writer.flush()
            take_back(session, record.record_id, -delta, reason_code=CORRECTION, by=None, note=None, now=now)
            writer.tallies["revoked_minor"] += -delta
        record.granted_minor = amount
        record.counted_micro = counted
        sql.set_usage(session, judge.changes(), judge.stored)

    # ------------------------------------------------------------------------------------------- held records

    def reconsider(
        self,
        session: Session,
        writer: Writer,
        delivery: Delivery,
        records: Sequence[tuple[IssuanceRecordRow, Deed]],
        now: int,
        *,
        is_screened: bool = False,
        is_due: bool = False,
    ) -> Counter[str]:
        """Decide known records that have no grant yet once more: linked, due, approved or corrected ones.

        The caller has taken the record's old status off the tallies' count where it is ``refused``.
        """
        programme = writer.programme
        holders = sql.load_holders(session, programme, [record.source_hmac for record, _ in records])
        older = {
            record.record_id: account
            for record, deed in records
            if record.source_hmac not in holders
            for account in self._older_holder(session, programme, deed)
        }
        judge = Judge(self._books[programme], programme, self._keys.fingerprint, now, self._keys.source)
        candidates: list[tuple[IssuanceRecordRow, Candidate | None, sql.Holder | None]] = []
        for record, deed in records:
            holder = holders.get(record.source_hmac) or older.get(record.record_id)
            candidate = None
            if holder is not None:
                candidate = Candidate(
                    record.record_id,
                    record.dedupe_key,
                    deed,
                    holder.resident_id,
                    NO_ACCOUNT,
                    record.device_hmac,
                    record.grants_made,
                    is_screened,
                    is_due,
                )
            candidates.append((record, candidate, holder))
        look_up(session, judge, [one for _, one, _ in candidates if one is not None])
        outcome: Counter[str] = Counter()
        for (record, candidate, holder), (_, deed) in zip(candidates, records, strict=True):
            if candidate is None:
                book = rulebook_for(self._books[programme], deed)
                judgement = book if isinstance(book, Judgement) else Judgement(RecordState.AWAITING_LINK)
            else:
                judgement = judge.decide(candidate)
            self._restate(writer, delivery, record, deed, holder, judgement)
            outcome[judgement.status] += 1
        sql.set_usage(session, judge.changes(), judge.stored)
        if judge.certifiers is not None:
            store_certifications(session, judge.certifiers)
        session.flush()
        return outcome

    def _older_holder(self, session: Session, programme: ProgrammeId, deed: Deed) -> list[sql.Holder]:
        older = self._keys.source_live(programme, deed.source_id)[1:]
        return list(sql.load_holders(session, programme, older).values())

    def _restate(
        self,
        writer: Writer,
        delivery: Delivery,
        record: IssuanceRecordRow,
        deed: Deed,
        holder: sql.Holder | None,
        judgement: Judgement,
    ) -> None:
        if record.status != RecordState.REFUSED:
            writer.tallies[record.status] -= 1
        writer.tallies[judgement.status] += 1
        rating = judgement.rating
        record.status = change(record.status, judgement.status)
        record.reason = judgement.reason
        record.fingerprint = judgement.fingerprint
        record.pending_until = judgement.pending_until
        record.updated_at = writer.now
        if holder is not None:
            record.resident_id = holder.resident_id
        if judgement.status == RecordState.ACCEPTED and rating is not None and holder is not None:
            record.granted_minor = rating.amount_minor
            record.counted_micro = rating.quantity_micro
            record.grants_made += 1
            writer.grant(
                writer.opening(deed, record.dedupe_key, record.grants_made),
                record.record_id,
                holder.resident_id,
                holder.account,
                deed,
                rating.amount_minor,
                rating.version,
                rating.explanation,
            )
        else:
            writer.consequence(delivery, record.record_id, record.row_number, None, judgement)


CORRECTION = 1
"""Reason code of a revocation: the agency corrected the record."""
WORTH_NOTHING = frozenset({RefusalCode.BELOW_MINIMUM, RefusalCode.MISSING_EVIDENCE})
"""Refusals by rule that, in a correction, mean that the deed earned nothing after all."""
REVOKED = "revoked"
"""Reason of a record whose declaration proved false: no later version of it earns anything."""
FALSE_DECLARATION = 2
"""Reason code of a revocation: the declaration proved false."""


def look_up(session: Session, judge: Judge, candidates: Sequence[Candidate], *, is_contended: bool = True) -> None:
    """Load what the judge needs for the candidates, and lock what they have used of their caps."""
    needs = judge.needs(candidates)
    judge.usage, judge.stored = sql.load_usage(session, needs.usage, is_contended=is_contended)
    sql.load_claims(session, judge.facts, needs.residents, needs.first_day, needs.last_day)
    sql.load_fingerprints(session, judge.facts, needs.fingerprints)
    sql.load_devices(session, judge.facts, needs.devices, needs.first_day, needs.last_day)
    if judge.certifiers is not None:
        load_certifications(session, judge.certifiers, judge.certifications(candidates))


def is_too_old(day: int, months: int, now: int) -> bool:
    """Return whether a deed lies so many months back that nobody can link it any more."""
    return day < oldest_day(months, now)


def oldest_day(months: int, now: int) -> int:
    """Return the oldest civil day whose deeds can still be linked."""
    return civil_day(now) - round(months * _MONTH_DAYS)


def stored_deed(record: IssuanceRecordRow) -> Deed:
    """Return what charging needs of a record's current version, without opening its seal."""
    return Deed(
        record.row_number,
        None,
        "",
        "",
        record.activity,
        record.deed_day,
        record.started_at,
        record.ended_at,
        record.quantity_micro,
        "",
        record.revision,
        None,
        NO_ACCOUNT,
        frozenset(),
    )


def close_refusals(session: Session, writer: Writer, record_id: int) -> int:
    """Mark the refusals by rule of a record as settled; returns how many there were."""
    mine = (
        IssuanceRefusalRow.record_id == record_id,
        IssuanceRefusalRow.state == RefusalState.OPEN,
        IssuanceRefusalRow.code.not_in([RefusalCode.DUPLICATE_RECORD, RefusalCode.SUPERSEDED]),
    )
    count = 0
    for code in session.scalars(select(IssuanceRefusalRow.code).where(*mine)):
        writer.tallies[f"refused:{code}"] -= 1
        count += 1
    session.execute(
        update(IssuanceRefusalRow).where(*mine).values(state=change(RefusalState.OPEN, RefusalState.RESUBMITTED))
    )
    return count


def lock_delivery(session: Session, delivery_id: int) -> IssuanceDeliveryRow:
    """Return a delivery's row, locked."""
    return session.execute(
        select(IssuanceDeliveryRow).where(IssuanceDeliveryRow.delivery_id == delivery_id).with_for_update()
    ).scalar_one()
