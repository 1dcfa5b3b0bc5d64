"""The issuers' front door: what the command line, the demo, the API and the workers call.

One object an installation. Every method is safe to call again after a crash, and (on PostgreSQL) from several
processes at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from issuers.answers import CheckReport, Explanation, HeldPair, OpenBatch, ProgrammeCounts, Refusal, RefusalPage, Review
from issuers.batches.batcher import Batcher, Settled, store_rulebook
from issuers.batches.opening import delivery_of, openings_of
from issuers.batches.packing import validity_of, waits_for_signer
from issuers.batches.revocations import Revocations
from issuers.batches.signing import Signing
from issuers.batches.voiding import Voiding, VoidStatus
from issuers.errors import (
    CaseDisagrees,
    ErasedRecord,
    GrantNotFound,
    RefusalNotFound,
    UnknownProgramme,
)
from issuers.intake.chunks import Pipeline
from issuers.intake.deliveries import IngestReport, Intake, ProgressCallback
from issuers.intake.drop_folder import own_mapping, take_files
from issuers.intake.dry_run import dry_run
from issuers.intake.pushes import check_lines, records_of
from issuers.intake.returned import Returning
from issuers.intake.waiting import WaitingRecords
from issuers.records import sql
from issuers.records.forgetting import forget_records
from issuers.records.renormalising import Renormalised, Renormaliser
from issuers.records.vault import RecordKeys, Vault
from issuers.reports import listing
from issuers.reports.explanations import activity_names, explain
from issuers.reports.funding import FundingWait, funding_waits
from issuers.reports.stages import PipelineView, pipeline_views
from issuers.review.pairs import held_pair
from issuers.review.reviews import Reviewing
from issuers.rules.activities import approved_rulebooks
from issuers.rules.rulebook import Names, Rulebook, as_approved
from issuers.sources.mapping import FOLDER as MAPPINGS
from issuers.sources.mapping import Mapping as SourceMapping
from issuers.sources.mapping import MappingFolder
from issuers.sources.readers import Limits
from issuers.sources.rest import RestSource, StaticToken, TokenSource
from issuers.sources.resubmission import corrected
from issuers.states import BatchState, RecordState, RefusalState, RevocationState, change
from ledger.clock import Clock
from ledger.custody.keyring import Keyring
from ledger.custody.master import Envelope, RandomBytes
from ledger.custody.signer import IssuerSigner
from ledger.deployment.file import Deployment
from ledger.outbox.outbox import Outbox
from ledger.outgoing import Outgoing
from ledger.residents.erasing import Erased
from ledger.residents.registry import ResidentRegistry
from ledger.standard.ids import Address, BatchNumber, ProgrammeId, ProgrammeSlug, address_bytes
from ledger.store.database import Database
from ledger.store.models.issuance import (
    IssuanceBatchRow,
    IssuanceDeliveryRow,
    IssuanceGrantRow,
    IssuanceReadyRow,
    IssuanceRecordRow,
    IssuanceRefusalRow,
    IssuanceRevocationRow,
    IssuanceTallyRow,
)


class IssuerService:
    """Ingest, review, batch, revoke, explain. See each method for what it promises."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        registry: ResidentRegistry,
        keyring: Keyring,
        envelope: Envelope,
        outbox: Outbox,
        deployment: Deployment,
        signers: Mapping[ProgrammeId, IssuerSigner],
        *,
        rulebooks: Mapping[ProgrammeId, tuple[Rulebook, ...]] | None = None,
        mappings_folder: Path = MAPPINGS,
        leaves_folder: Path | None = None,
        limits: Limits | None = None,
        outgoing: Outgoing | None = None,
        random: RandomBytes = os.urandom,
    ) -> None:
        """Wire the service. ``signers``: each programme's issuer key by programme id; ``leaves_folder``: where leaf
        files of landed batches are published for the auditor (None: nowhere).

        Raises ConfigurationError for a broken rulebook, InvariantViolation for one changed after it was in force.
        """
        books = dict(rulebooks) if rulebooks is not None else approved_rulebooks()
        self._database = database
        self._clock = clock
        self._registry = registry
        self._books: dict[ProgrammeId, tuple[Rulebook, ...]] = books
        self._slugs = {programme: many[-1].file.slug for programme, many in self._books.items()}
        self._mappings = MappingFolder(mappings_folder)
        self._limits = limits or Limits()
        self._outgoing = outgoing or Outgoing()
        self._random = random
        self._keys = RecordKeys(keyring, registry.forms)
        self._vault = Vault(envelope, random)
        self._pipeline = Pipeline(registry, self._keys, self._books, random)
        self._intake = Intake(database, clock, self._pipeline, self._keys, self._vault, self._limits, random=random)
        self._returning = Returning(database, self._intake, self._limits)
        self._waiting = WaitingRecords(database, clock, self._pipeline, self._books, self._keys, self._vault, random)
        self._reviewing = Reviewing(database, clock, self._pipeline, self._keys, self._vault, random)
        self._deployment = deployment
        self._signing = Signing(deployment.domain(), signers)
        self._batcher = Batcher(
            database, outbox, clock, deployment, self._signing, leaves_folder, openings_of(self._vault)
        )
        self._revocations = Revocations(database, outbox, clock, deployment, self._signing)
        self._voiding = Voiding(database, outbox, clock, deployment, self._signing)
        self._keep_rulebooks()

    # ------------------------------------------------------------------------------------------------- ways in

    def ingest_file(
        self,
        programme: ProgrammeId | ProgrammeSlug,
        path: Path,
        mapping: str | Path | SourceMapping | None = None,
        progress: ProgressCallback | None = None,
    ) -> IngestReport:
        """Take one file in; the same bytes again have no effect, and after a crash it goes on where it stopped.

        ``mapping``: a name, a file or a mapping; None: the programme's own for the file's extension.
        Raises UnknownProgramme, UnknownMapping, ConfigurationError or OSError; bad content raises nothing.
        """
        number = self.programme_id(programme)
        return self._returning.take(number, self.mapping(number, mapping, path), path, progress)

    def ingest_drop_folder(
        self,
        programme: ProgrammeId | ProgrammeSlug,
        folder: Path,
        mapping: str | Path | SourceMapping | None = None,
        progress: ProgressCallback | None = None,
        *,
        min_age_s: float = 0.0,
    ) -> list[IngestReport]:
        """Take in every whole file of a drop folder, each once; see `issuers.intake.drop_folder` for where they go.

        ``mapping``: None stands for the folder's ``mapping.yaml``, or else for the programme's own by extension.
        """
        number = self.programme_id(programme)
        if mapping is None:
            mapping = own_mapping(folder)

        def ingest(path: Path) -> IngestReport:
            return self._returning.take(number, self.mapping(number, mapping, path), path, progress)

        def give_back(path: Path, target: Path) -> None:
            self.write_refused(number, path, target, mapping)

        return take_files(folder, ingest, self.refusals_of_delivery, min_age_s, give_back)

    def write_refused(
        self,
        programme: ProgrammeId | ProgrammeSlug,
        path: Path,
        target: Path,
        mapping: str | Path | SourceMapping | None = None,
    ) -> int:
        """Write the refused rows of a file that was taken in to ``target``; see `Returning.write`."""
        number = self.programme_id(programme)
        return self._returning.write(number, self.mapping(number, mapping, path), path, target)

    def pull_rest(
        self,
        programme: ProgrammeId | ProgrammeSlug,
        base_url: str,
        token: str | TokenSource,
        mapping: str | Path | SourceMapping | None = None,
        progress: ProgressCallback | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> IngestReport:
        """Pull everything new from a paged REST API; the cursor is kept with the last committed page.

        Raises SourceUnavailable once all attempts failed; what was committed stands, and the next call goes on.
        """
        number = self.programme_id(programme)
        source_mapping = self.mapping(number, mapping, None)
        tokens = StaticToken(token) if isinstance(token, str) else token
        source = RestSource(source_mapping, base_url, tokens, self._outgoing, sleep)
        return self._intake.rest(number, source_mapping, source, progress)

    def push(
        self,
        programme: ProgrammeId | ProgrammeSlug,
        name: str,
        path: Path,
        mapping: str | Path | SourceMapping,
        *,
        is_lines: bool,
    ) -> IngestReport:
        """Take in the body of a push, spooled to a file; the same bytes again have no effect, whatever their name.

        ``is_lines``: JSON Lines, read as a stream; else one JSON document, parsed whole (see `issuers.intake.pushes`).
        Raises PushUnreadable: nothing of the body is stored.
        """
        number = self.programme_id(programme)
        source_mapping = self.mapping(number, mapping, None)
        if is_lines:
            check_lines(path, self._limits)
            as_lines = source_mapping.model_copy(update={"format": "jsonl", "records": ""})
            return self._intake.file(number, as_lines, path, kind="push", name=name)
        records = records_of(path, source_mapping, self._limits)
        as_document = source_mapping.model_copy(update={"format": "json", "records": ""})
        return self._intake.rows(number, as_document, "push", name, records)

    def resubmit(
        self, refusal_id: int, values: Mapping[str, str], mapping: str | Path | SourceMapping | None = None
    ) -> IngestReport:
        """Submit a refused row again with its corrected values (by the mapping's columns); closes the refusal if it is
        taken. Raises RefusalNotFound."""
        with self._database.read() as session:
            row = session.get(IssuanceRefusalRow, refusal_id)
            if row is None or row.state != RefusalState.OPEN:
                raise RefusalNotFound(refusal_id)
            delivery = session.get_one(IssuanceDeliveryRow, row.delivery_id)
        source_mapping = self.mapping(row.programme, mapping or delivery.mapping, None)
        plain, document = corrected(source_mapping, values)
        report = self._intake.rows(row.programme, plain, "resubmission", f"refusal {refusal_id}", [document])
        if not report.statuses[RecordState.REFUSED]:
            with self._database.transaction() as session:
                done: Any = session.execute(
                    update(IssuanceRefusalRow)
                    .where(IssuanceRefusalRow.refusal_id == refusal_id, IssuanceRefusalRow.state == RefusalState.OPEN)
                    .values(state=change(RefusalState.OPEN, RefusalState.RESUBMITTED))
                )
                if done.rowcount:
                    sql.add_tallies(session, row.programme, {RecordState.REFUSED: -1, f"refused:{row.code}": -1})
        return report

    # -------------------------------------------------------------------------------------------- what is there

    def counts(self, programme: ProgrammeId | ProgrammeSlug | None = None) -> dict[ProgrammeSlug, ProgrammeCounts]:
        """Return where the records of each programme (or of one) stand, by slug."""
        wanted = list(self._books) if programme is None else [self.programme_id(programme)]
        with self._database.read() as session:
            rows = session.execute(
                select(IssuanceTallyRow.programme, IssuanceTallyRow.kind, IssuanceTallyRow.total).where(
                    IssuanceTallyRow.programme.in_(wanted)
                )
            ).all()
            repeats: dict[int, int] = {
                number: int(total)
                for number, total in session.execute(
                    select(IssuanceDeliveryRow.programme, func.sum(IssuanceDeliveryRow.repeats)).group_by(
                        IssuanceDeliveryRow.programme
                    )
                )
            }
        tallies: dict[int, dict[str, int]] = {one: {} for one in wanted}
        for number, kind, total in rows:
            tallies[number][kind] = int(total)
        return {self._slugs[one]: ProgrammeCounts.of(tallies[one], repeats.get(one, 0)) for one in sorted(wanted)}

    def pipeline(self, programme: ProgrammeId | ProgrammeSlug | None = None) -> dict[ProgrammeSlug, PipelineView]:
        """Return every stage's counts and refusals, of each programme or of one, by slug (`reports.stages`)."""
        wanted = sorted(self._books) if programme is None else [self.programme_id(programme)]
        with self._database.read() as session:
            return {self._slugs[one.programme]: one for one in pipeline_views(session, wanted)}

    def funding_waits(self) -> dict[ProgrammeSlug, FundingWait]:
        """Return what waits for funding and how much is missing, by slug; who waits for nothing is left out."""
        with self._database.read() as session:
            found = funding_waits(session)
        return {self._slugs[number]: one for number, one in sorted(found.items()) if number in self._slugs}

    def refusals(
        self,
        programme: ProgrammeId | ProgrammeSlug,
        cursor: int | None = None,
        limit: int = 100,
        *,
        open_only: bool = True,
    ) -> RefusalPage:
        """Return a page of refusals behind a cursor, oldest first."""
        number = self.programme_id(programme)
        with self._database.read() as session:
            return listing.refusal_page(session, self._slugs, number, cursor, limit, open_only=open_only)

    def refusals_of_delivery(self, delivery_id: int, limit: int = 1_000) -> list[Refusal]:
        """Return the first refusals of one delivery, in its order."""
        with self._database.read() as session:
            return listing.refusals_of_delivery(session, self._slugs, delivery_id, limit)

    def refused_row(self, refusal_id: int) -> str:
        """Return a refused row as it came (cut at 4 KiB): personal data, callers log the look. Raises
        RefusalNotFound, or CannotDecrypt."""
        with self._database.read() as session:
            row = session.get(IssuanceRefusalRow, refusal_id)
            if row is None:
                raise RefusalNotFound(refusal_id)
            delivery = session.get_one(IssuanceDeliveryRow, row.delivery_id)
        if row.raw is None:
            return ""
        seal = self._vault.open(row.programme, bytes(delivery.data_key))
        return seal.open(bytes(row.raw), b"refusal").decode("utf-8", "replace")

    def reviews(
        self, programme: ProgrammeId | ProgrammeSlug | None = None, state: str = "open", limit: int = 500
    ) -> list[Review]:
        """Return records that screens have held, oldest first."""
        number = None if programme is None else self.programme_id(programme)
        with self._database.read() as session:
            return listing.reviews(session, self._slugs, number, state, limit)

    def review(self, programme: ProgrammeId | ProgrammeSlug, review_id: int) -> Review:
        """Return one held record of a programme. Raises ReviewNotFound."""
        with self._database.read() as session:
            return listing.review(session, self._slugs, self.programme_id(programme), review_id)

    def review_pair(self, programme: ProgrammeId | ProgrammeSlug, review_id: int) -> HeldPair:
        """Return a held record beside the one that it clashes with: personal data, callers log the look.

        Raises ReviewNotFound.
        """
        number = self.programme_id(programme)
        with self._database.read() as session:
            found = listing.review(session, self._slugs, number, review_id)
            return held_pair(session, self._vault, number, found, found.record_id)

    def records_awaiting(self, programme: ProgrammeId | ProgrammeSlug, source_hmac: bytes) -> int:
        """Return how many records await the link of one source id, by its HMAC."""
        number = self.programme_id(programme)
        query = select(func.count()).where(
            IssuanceRecordRow.source_hmac == source_hmac,
            IssuanceRecordRow.status == RecordState.AWAITING_LINK,
            IssuanceRecordRow.programme == number,
        )
        with self._database.read() as session:
            return int(session.scalar(query) or 0)

    def explain(self, grant_id: bytes | str) -> Explanation:
        """Say in words how a grant came about, with its leaf and path once it is in a batch. Raises GrantNotFound."""
        key = bytes.fromhex(grant_id.removeprefix("0x")) if isinstance(grant_id, str) else grant_id
        with self._database.read() as session:
            return explain(session, key, self._books, self._slugs)

    def activity_names(self) -> dict[tuple[ProgrammeSlug, str], Names]:
        """Return how activities are called, by programme and code: as in the newest rulebook that has them."""
        return activity_names(self._books, self._slugs)

    def grants_of(self, account: Address, limit: int = 100) -> list[str]:
        """Return ids of the latest grants of the resident whose account it is, newest first, for `explain`."""
        with self._database.read() as session:
            return listing.latest_grants(session, address_bytes(account), limit)

    # ----------------------------------------------------------------------------------- records that waited

    def grant_linked(
        self, programme: ProgrammeId | ProgrammeSlug | None = None, source_ids: Sequence[str] | None = None
    ) -> int:
        """Decide records that awaited a link that now exists; see `WaitingRecords.grant_linked`."""
        return self._waiting.grant_linked(None if programme is None else [self.programme_id(programme)], source_ids)

    def release_due(self) -> int:
        """Decide self-reported records whose pending time is over; returns how many."""
        return self._waiting.release_due()

    def expire_unlinked(self) -> int:
        """Refuse records that have not been linked within the rulebook's months; returns how many."""
        return self._waiting.expire_unlinked()

    # -------------------------------------------------------------------------------------- reviews, revocations

    def approve(self, review_id: int, approver: str, *, as_correction: bool = False) -> str:
        """Approve a held record; see `Reviewing.approve`."""
        return self._reviewing.approve(review_id, approver, as_correction=as_correction)

    def reject(self, review_id: int, approver: str, note: str | None = None) -> None:
        """Reject a held record: it is refused. Raises ReviewNotFound or ReviewClosed."""
        self._reviewing.reject(review_id, approver, note)

    def revoke_false(
        self,
        programme: ProgrammeId | ProgrammeSlug,
        record_ids: Sequence[str],
        by: str,
        note: str | None = None,
        *,
        system: str | None = None,
        source_id: str | None = None,
    ) -> int:
        """Revoke all that declarations earned which proved false; see `Reviewing.revoke_false`.

        ``system``: the source system, where the programme has several; ``source_id``: whose, where several people have
        the number. Raises SeveralDeeds.
        """
        number = self.programme_id(programme)
        own = self._mappings.of(self._slugs[number])
        systems = [system] if system is not None else sorted({one.system for one in own})
        return self._reviewing.revoke_false(number, systems, record_ids, by, note, source_id)

    # ------------------------------------------------------------------------------------------ batches and chain

    def make_batches(
        self, programme: ProgrammeId | ProgrammeSlug | None = None, *, flush: bool = True
    ) -> list[tuple[ProgrammeSlug, BatchNumber]]:
        """Batch, sign and enqueue all ready grants; returns (slug, number) of each. ``flush=False`` leaves what does
        not fill a batch of 500 for later."""
        wanted = list(self._books) if programme is None else [self.programme_id(programme)]
        due = self._batcher.due(flush=flush)
        made = []
        for number in wanted:
            if number not in due:
                continue
            self._voiding.give_up_overtaken(number)
            validity = validity_of(self._books[number])
            made += [(self._slugs[number], one) for one in self._batcher.make(number, validity, flush=flush)]
        return made

    def settle(self) -> Settled:
        """Read the outcomes of batches and revocations from the outbox; publish leaf files of what landed."""
        settled = self._batcher.settle()
        self._revocations.settle()
        return settled

    def retry_waiting(self, programme: ProgrammeId | ProgrammeSlug | None = None) -> int:
        """Send batches that wait for funding (or failed) again, under the same numbers; returns how many."""
        return self._batcher.retry_waiting(None if programme is None else self.programme_id(programme))

    def send_revocations(self) -> int:
        """Sign and enqueue wanted revocations whose grants have landed; returns how many."""
        return self._revocations.send()

    def void_batch(self, programme: ProgrammeId | ProgrammeSlug, number: int, by: str, reason: str) -> VoidStatus:
        """Give up a batch number: the issuer signs a void, and once it is final the batch's grants get new numbers.

        Asking again says where it stands. Raises BatchNotFound, or BatchLanded for a batch that is on chain.
        """
        return self._voiding.request(self.programme_id(programme), number, by, reason)

    def void_status(self, programme: ProgrammeId | ProgrammeSlug, number: int) -> VoidStatus | None:
        """Return where the void of a batch stands, if one was asked for."""
        return self._voiding.status(self.programme_id(programme), number)

    def open_batches(self, programme: ProgrammeId | ProgrammeSlug | None = None) -> list[OpenBatch]:
        """Return the batches that have not landed, and why, lowest number first."""
        number = None if programme is None else self.programme_id(programme)
        with self._database.read() as session:
            return listing.open_batches(session, self._slugs, number)

    def work(self) -> bool:
        """One round of everything that needs no new input: due records, links, batches, settlement, revocations.

        Returns whether anything moved; a worker calls it in a loop.
        """
        settled = self.settle()
        moved = self._voiding.settle() + self._voiding.send()
        moved += self.release_due() + self.grant_linked() + self.expire_unlinked()
        moved += len(self.make_batches()) + self._batcher.retry_waiting(only_funded=True) + self.send_revocations()
        return bool(moved or settled.landed or settled.waiting or settled.failed)

    def under_way(self, programme: ProgrammeId | ProgrammeSlug) -> int:
        """Return how many grants and batches of a programme are still on their way to the chain; what waits for
        funding or for the issuer's signer, or has failed, is not."""
        number = self.programme_id(programme)
        ready = select(func.sum(IssuanceReadyRow.grants)).where(IssuanceReadyRow.programme == number)
        batches = select(func.count()).where(
            IssuanceBatchRow.programme == number, IssuanceBatchRow.state.in_((BatchState.PREPARED, BatchState.QUEUED))
        )
        with self._database.read() as session:
            if waits_for_signer(session, number):
                return int(session.scalar(batches.where(IssuanceBatchRow.state == BatchState.QUEUED)) or 0)
            return int(session.scalar(ready) or 0) + int(session.scalar(batches) or 0)

    def unsettled(self) -> dict[str, int]:
        """Return how many batches and revocations are in each state that is not an end."""
        with self._database.read() as session:
            batches = session.execute(
                select(IssuanceBatchRow.state, func.count())
                .where(IssuanceBatchRow.state.not_in((BatchState.LANDED, BatchState.VOID)))
                .group_by(IssuanceBatchRow.state)
            )
            revocations = session.execute(
                select(IssuanceRevocationRow.state, func.count())
                .where(IssuanceRevocationRow.state.in_((RevocationState.WANTED, RevocationState.QUEUED)))
                .group_by(IssuanceRevocationRow.state)
            )
            found = {f"batches_{state}": count for state, count in batches}
            return found | {f"revocations_{state}": count for state, count in revocations}

    # ------------------------------------------------------------------------------------------------ dry run

    def check(self, mapping: str | Path | SourceMapping, rulebook: Path | Rulebook | None, path: Path) -> CheckReport:
        """Run a file through mapping and rulebook without storing anything; see `dry_run`.

        ``rulebook``: tried out as if it were approved; None: the programme's rules in force.
        """
        if isinstance(mapping, SourceMapping):
            source_mapping = mapping
        else:
            source_mapping = self._mappings.load(mapping)
        if rulebook is None:
            books = self._books[self.programme_id(source_mapping.programme)]
        else:
            books = (as_approved(rulebook if isinstance(rulebook, Rulebook) else Rulebook.load(rulebook)),)
        deployed = [one for one in self._deployment.programmes if one.slug == source_mapping.programme]
        par = deployed[0].par_microfen if deployed else None
        return dry_run(source_mapping, books, path, self._clock.timestamp(), self._limits, par_microfen=par)

    # ------------------------------------------------------------------------------------------------- privacy

    def erase(self, session: Session, erased: Erased) -> int:
        """Forget a resident in the caller's transaction; see `issuers.records.forgetting`. Returns how many records
        were erased."""
        return forget_records(session, self._keys, self._vault, self._books, erased)

    def forget_refused_rows(self, before: int) -> None:
        """Erase the content of rows that were refused before a Unix time; place and reason stay."""
        with self._database.transaction() as session:
            session.execute(
                update(IssuanceRefusalRow)
                .where(IssuanceRefusalRow.raw.is_not(None), IssuanceRefusalRow.created_at < before)
                .values(raw=None)
                .execution_options(synchronize_session=False)
            )

    def open_record(self, grant_id: bytes | str) -> tuple[bytes, bytes]:
        """Return (salt, canonical record) of a grant, for the auditor to whom its agency opens it; callers log it.

        Raises GrantNotFound or ErasedRecord.
        """
        key = bytes.fromhex(grant_id.removeprefix("0x")) if isinstance(grant_id, str) else grant_id
        with self._database.read() as session:
            grant = session.get(IssuanceGrantRow, key)
            if grant is None:
                raise GrantNotFound(key)
            record = session.get(IssuanceRecordRow, grant.record_id)
            if record is None or grant.salt is None or record.sealed is None:
                raise ErasedRecord(grant.record_id)
            seal = delivery_of(session, self._vault, record).seal
            return bytes(grant.salt), seal.open(bytes(record.sealed), bytes(record.dedupe_key))

    # ---------------------------------------------------------------------------------------------- identifiers

    def bring_identifiers_up_to_date(self, links: Callable[[Session], int]) -> Renormalised:
        """Bring all that is stored to the present form of identifiers, once for each form; goes on after a crash.

        ``links``: moves the linked source ids, which are not the issuers'. Nothing may be taken in before it returns.
        """
        return Renormaliser(self._keys, self._vault, self._books).run(self._database, self._registry.forms, links)

    # -------------------------------------------------------------------------------------------------- inside

    def programme_id(self, programme: ProgrammeId | ProgrammeSlug) -> ProgrammeId:
        """Return a programme's id by id or slug. Raises UnknownProgramme."""
        for number, slug in self._slugs.items():
            if programme in (number, slug):
                return number
        raise UnknownProgramme(programme)

    def slug(self, programme: ProgrammeId) -> ProgrammeSlug | None:
        """Return a programme's slug, if it has rulebooks here."""
        return self._slugs.get(programme)

    def rulebooks(self) -> dict[ProgrammeSlug, tuple[Rulebook, ...]]:
        """Return all rulebooks by slug, oldest version first."""
        return {self._slugs[number]: books for number, books in self._books.items()}

    def mapping(
        self, programme: ProgrammeId | ProgrammeSlug, mapping: str | Path | SourceMapping | None, path: Path | None
    ) -> SourceMapping:
        """Return a mapping by name or file, or the programme's own for a file's extension. Raises UnknownMapping,
        or CaseDisagrees where it compares source ids otherwise than the installation does."""
        number = self.programme_id(programme)
        found = self._mappings.find(self._slugs[number], mapping, path)
        is_kept = number in self._registry.forms.case_kept
        if found.keeps_case != is_kept:
            here = "this installation"
            raise CaseDisagrees(here, found.name) if is_kept else CaseDisagrees(found.name, here)
        return found

    def _keep_rulebooks(self) -> None:
        now = self._clock.timestamp()
        with self._database.transaction() as session:
            for programme, books in self._books.items():
                for book in books:
                    store_rulebook(session, programme, book.version, book.hash, book.canonical.decode(), now)
