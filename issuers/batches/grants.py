"""What one transaction of a programme writes: new records with their grants, refusals and reviews, set-wise."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Set
from itertools import compress
from typing import NamedTuple

from sqlalchemy.orm import Session

from issuers.batches.evidence import LeafRow, grant_ids
from issuers.batches.packing import Validity, pack_batches, store_batches
from issuers.records import sql
from issuers.records.rows import GRANT_COLUMNS, READY, GrantPlace, NewGrant, NewRecord, NewRefusal, NewReview
from issuers.records.vault import Delivery, RecordKeys, Seal
from issuers.rules.decisions import Judgement
from issuers.rules.deeds import Deed
from issuers.rules.refusals import Fault
from issuers.states import GrantState, RecordState, RefusalState, ReviewState, change
from ledger.custody.master import RandomBytes
from ledger.standard.ids import AccountBytes, ProgrammeId
from ledger.standard.keccak import keccak256
from ledger.store.database import bulk_insert
from ledger.store.models.issuance import IssuanceBatchRow


class Prepared(NamedTuple):
    """A deed with its keyed hashes, sealed: everything that needs no database."""

    deed: Deed
    dedupe_key: bytes
    content_hash: bytes
    source_hmac: bytes
    device: bytes | None
    sealed: bytes
    opening: Opening


class Opening(NamedTuple):
    """What makes a record's grant unlike any other."""

    grant_id: bytes
    salt: bytes
    commitment: bytes
    """Keccak-256 of salt and canonical record: what the leaf says of the record."""

    @classmethod
    def new(cls, deed: Deed, dedupe_key: bytes, sequence: int, keys: RecordKeys, random: RandomBytes) -> Opening:
        """Return that of a record's ``sequence``-th grant, with a new salt."""
        salt = random(32)
        return cls(keys.grant_id(dedupe_key, sequence, salt), salt, keccak256(salt + deed.canonical))


def prepare(
    deed: Deed, programme: ProgrammeId, system: str, keys: RecordKeys, seal: Seal, random: RandomBytes = os.urandom
) -> Prepared:
    """Hash and seal a deed. What most deeds need is done here, for others wait while a transaction is open."""
    dedupe_key = keys.dedupe(programme, system, deed.record_id)
    return Prepared(
        deed,
        dedupe_key,
        keys.content(deed.canonical),
        keys.source(programme, deed.source_id),
        None if deed.device is None else keys.device(deed.device),
        seal.seal(deed.canonical, dedupe_key),
        Opening.new(deed, dedupe_key, 1, keys, random),
    )


class Writer:
    """Collects the rows that one transaction of one programme writes, and writes them set-wise."""

    def __init__(
        self, session: Session, programme: ProgrammeId, keys: RecordKeys, now: int, random: RandomBytes
    ) -> None:
        self.session = session
        self.programme = programme
        self.keys = keys
        self.now = now
        self.random = random
        self.tallies: Counter[str] = Counter()
        self.refusal_codes: Counter[str] = Counter()
        self.granted_minor = 0
        self._records: list[NewRecord] = []
        self._grants: list[NewGrant] = []
        self._leaves: list[LeafRow] = []
        """Those of the grants, in their order."""
        self._packing: tuple[Validity, Set[int]] | None = None
        self._batches: list[IssuanceBatchRow] = []
        self._places: dict[bytes, GrantPlace] = {}
        """Where the grants are that wait for no batch."""
        self._refusals: list[NewRefusal] = []
        self._reviews: list[NewReview] = []

    def fault(self, delivery: Delivery, fault: Fault, record_id: int | None = None) -> None:
        """Write a refusal; its raw bytes are sealed."""
        english, chinese = fault.reason()
        raw = delivery.seal.seal(fault.raw, b"refusal") if fault.raw else None
        self._refusals.append(
            NewRefusal(
                self.programme,
                delivery.delivery_id,
                fault.row,
                fault.line,
                fault.field,
                fault.code.value,
                english,
                chinese,
                record_id,
                raw,
                RefusalState.OPEN,
                self.now,
            )
        )
        self.refusal_codes[fault.code.value] += 1
        self.tallies[f"refused:{fault.code.value}"] += 1

    def record(
        self,
        record_id: int,
        delivery: Delivery,
        one: Prepared,
        holder: sql.Holder | None,
        judgement: Judgement,
    ) -> None:
        """Write a new record, and with it its grant, refusal or review."""
        deed = one.deed
        rating = judgement.rating if judgement.status is RecordState.ACCEPTED else None
        self._records.append(
            NewRecord(
                record_id,
                self.programme,
                one.dedupe_key,
                one.content_hash,
                one.source_hmac,
                None if holder is None else holder.resident_id,
                delivery.delivery_id,
                deed.row,
                judgement.status.value,
                judgement.reason,
                deed.activity,
                deed.day,
                deed.started_at,
                deed.ended_at,
                deed.quantity_micro,
                deed.revision,
                one.device,
                judgement.fingerprint,
                judgement.pending_until,
                0 if rating is None else rating.amount_minor,
                0 if rating is None else rating.quantity_micro,
                0 if rating is None else 1,
                one.sealed,
                self.now,
                self.now,
            )
        )
        self.tallies[judgement.status] += 1
        if rating is not None and holder is not None:
            self.grant(
                one.opening,
                record_id,
                holder.resident_id,
                holder.account,
                deed,
                rating.amount_minor,
                rating.version,
                rating.explanation,
            )
        else:
            self.consequence(delivery, record_id, deed.row, deed.line, judgement)

    def consequence(self, delivery: Delivery, record_id: int, row: int, line: int | None, judgement: Judgement) -> None:
        """Write the refusal or the review that a decision brings with it."""
        if judgement.code is not None:
            self.fault(delivery, Fault(row, line, judgement.field, judgement.code, judgement.params), record_id)
        finding = judgement.finding
        if finding is not None:
            self._reviews.append(
                NewReview(
                    self.programme,
                    record_id,
                    finding.screen,
                    finding.en,
                    finding.zh,
                    finding.other_programme,
                    finding.other_record_id,
                    ReviewState.OPEN,
                    self.now,
                )
            )
            self.tallies[f"held:{finding.screen}"] += 1

    def opening(self, deed: Deed, dedupe_key: bytes, sequence: int) -> Opening:
        """Return the opening of a record's ``sequence``-th grant."""
        return Opening.new(deed, dedupe_key, sequence, self.keys, self.random)

    def grant(
        self,
        opening: Opening,
        record_id: int,
        resident_id: int,
        account: AccountBytes,
        deed: Deed,
        amount_minor: int,
        version: int,
        explanation: str,
    ) -> None:
        """Write a grant."""
        grant_id, salt, commitment = opening
        self._leaves.append(LeafRow(grant_id, account, amount_minor, deed.activity, version, commitment))
        self._grants.append(
            NewGrant(
                grant_id,
                self.programme,
                record_id,
                resident_id,
                account,
                amount_minor,
                0,
                deed.activity,
                version,
                commitment,
                salt,
                explanation,
                self.now,
            )
        )
        self.granted_minor += amount_minor
        self.tallies["granted_minor"] += amount_minor

    def drop(self, record_ids: Set[int]) -> Counter[str]:
        """Take back what was collected for some new records, and return how many had which status."""
        statuses: Counter[str] = Counter([row.status for row in self._records if row.record_id in record_ids])
        codes = Counter([row.code for row in self._refusals if row.record_id in record_ids])
        screens = Counter([row.screen for row in self._reviews if row.record_id in record_ids])
        kept = [row.record_id not in record_ids for row in self._grants]
        granted = sum([row.amount_minor for row in self._grants if row.record_id in record_ids])
        self._records = [row for row in self._records if row.record_id not in record_ids]
        self._refusals = [row for row in self._refusals if row.record_id not in record_ids]
        self._reviews = [row for row in self._reviews if row.record_id not in record_ids]
        self._grants, self._leaves = list(compress(self._grants, kept)), list(compress(self._leaves, kept))
        if self._packing is not None:
            self.pack(*self._packing)
        self.granted_minor -= granted
        self.refusal_codes -= codes
        self.tallies.subtract(statuses)
        self.tallies.subtract({f"refused:{code}": count for code, count in codes.items()})
        self.tallies.subtract({f"held:{screen}": count for screen, count in screens.items()})
        self.tallies["granted_minor"] -= granted
        return statuses

    def pack(self, validity: Validity, waiting: Set[int]) -> None:
        """Make batches of the grants as far as these fill them, but not of the ``waiting`` records: those may be taken
        back at once, and what is in a batch can only be revoked. The other grants wait for a batch once written."""
        self._packing = (validity, waiting)
        leaves = [leaf for leaf, row in zip(self._leaves, self._grants, strict=True) if row.record_id not in waiting]
        self._batches, _ = pack_batches(self.programme, leaves, validity, self.now, flush=False)

    def _place(self) -> None:
        """Number the batches, and let their grants say where they are."""
        store_batches(self.session, self.programme, self._batches)
        batched = change(READY.state, GrantState.BATCHED).value
        self._places = {
            grant: GrantPlace(batched, batch.number, at)
            for batch in self._batches
            for at, grant in enumerate(grant_ids(batch.leaves))
        }
        self._leaves = [leaf for leaf in self._leaves if leaf.grant_id not in self._places]
        self._batches, self._packing = [], None

    def flush(self) -> None:
        """Write everything collected so far, tallies too."""
        # SQLite binds plain tuples in two thirds of the time of named ones.
        bulk_insert(self.session, sql.RECORDS, NewRecord._fields, list(map(tuple, self._records)), along="dedupe_key")
        if self._batches:
            self._place()
        placed = [grant + self._places.get(grant.grant_id, READY) for grant in self._grants]
        bulk_insert(self.session, sql.GRANTS, GRANT_COLUMNS, placed, along="grant_id")
        sql.add_ready(self.session, self.programme, [leaf.pack() for leaf in self._leaves])
        bulk_insert(self.session, sql.REFUSALS, NewRefusal._fields, self._refusals)
        bulk_insert(self.session, sql.REVIEWS, NewReview._fields, self._reviews)
        sql.add_tallies(self.session, self.programme, self.tallies)
        self._records, self._grants, self._refusals, self._reviews = [], [], [], []
        self._leaves, self._places = [], {}
        self.tallies = Counter()
