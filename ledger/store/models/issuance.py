"""What the issuers know: deliveries, records, refusals, grants, batches, usage of caps, reviews, revocations.

Nothing here names a person: source ids are keyed HMACs, the record itself is sealed (``sealed``, ``raw``). Money and
points are integers; ``quantity_micro`` is millionths of the base unit of its dimension (second, gram, metre, fen, one).
States, and which may follow which, are those of ``issuers.states``.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from ledger.standard.ids import ProgrammeId
from ledger.store.base import AddressBytes, Base, Big, Blob, Hash32, PointsMinor, Serial, UnixTime, Word


class IssuanceCounterRow(Base):
    """Numbers that are allotted once and never again: record ids, and the batch numbers of each programme.

    In SQLite also ``facts``: how often something changed that decisions rest on (`ledger.store.facts`).
    """

    __tablename__ = "issuance_counters"

    name: Mapped[Word] = mapped_column(primary_key=True)
    next_value: Mapped[Big]


class IssuanceRulebookRow(Base):
    """Every rulebook version that ever rated a record, whole, so that a grant can be explained for ever."""

    __tablename__ = "issuance_rulebooks"

    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    rulebook_hash: Mapped[Hash32]
    content: Mapped[str] = mapped_column(Text)
    """The canonical (RFC 8785) JSON whose keccak is ``rulebook_hash``."""
    created_at: Mapped[UnixTime]


class IssuanceDeliveryRow(Base):
    """One file, page run or push. ``rows_done`` rows are committed: reading starts again behind them."""

    __tablename__ = "issuance_deliveries"

    delivery_id: Mapped[Serial]
    programme: Mapped[ProgrammeId]
    kind: Mapped[Word]
    """``file``, ``rest``, ``push`` or ``resubmission``."""
    name: Mapped[str] = mapped_column(String(255))
    content_sha256: Mapped[Hash32]
    mapping: Mapped[Word]
    mapping_hash: Mapped[Hash32]
    state: Mapped[Word]
    """``issuers.states.DeliveryState``."""
    rows_done: Mapped[Big]
    cursor: Mapped[str | None] = mapped_column(Text)
    data_key: Mapped[Blob]
    """Random key of this delivery under the master key; it seals the delivery's records and refused rows."""
    repeats: Mapped[int] = mapped_column(Integer)
    """How often the very same bytes were delivered again (and had no effect)."""
    created_at: Mapped[UnixTime]
    updated_at: Mapped[UnixTime]

    __table_args__ = (UniqueConstraint("programme", "content_sha256"),)


class IssuanceRecordRow(Base):
    """One record of a source system in its current version."""

    __tablename__ = "issuance_records"

    record_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    programme: Mapped[ProgrammeId]
    dedupe_key: Mapped[Hash32] = mapped_column(LargeBinary(32), unique=True)
    """Keyed HMAC of programme, system and natural id; it outlives an erasure."""
    content_hash: Mapped[Hash32]
    source_hmac: Mapped[Hash32]
    resident_id: Mapped[Big | None]
    delivery_id: Mapped[Big]
    row_number: Mapped[Big]
    status: Mapped[Word]
    """``issuers.states.RecordState``."""
    reason: Mapped[Word | None]
    activity: Mapped[Word]
    deed_day: Mapped[int] = mapped_column(Integer)
    """Civil day (UTC+8) of the deed, as days since 1970-01-01."""
    started_at: Mapped[UnixTime | None]
    ended_at: Mapped[UnixTime | None]
    quantity_micro: Mapped[Big]
    revision: Mapped[Big | None]
    """The source's own version of the record (Unix time or number); a lower one never replaces a higher one."""
    device_hmac: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Keyed fingerprint of person and deed, equal in all programmes that describe the same deed."""
    pending_until: Mapped[UnixTime | None]
    granted_minor: Mapped[PointsMinor]
    """Σ of the record's grants less what was revoked of them."""
    counted_micro: Mapped[Big]
    """The part of the quantity that was charged to the caps."""
    grants_made: Mapped[int] = mapped_column(Integer)
    sealed: Mapped[Blob | None]
    """The canonical record under the programme's data key; NULL once erased."""
    created_at: Mapped[UnixTime]
    updated_at: Mapped[UnixTime]

    __table_args__ = (
        Index(
            "ix_issuance_records_open",
            "programme",
            "status",
            "record_id",
            sqlite_where=text("status <> 'accepted'"),
            postgresql_where=text("status <> 'accepted'"),
        ),
        Index(
            "ix_issuance_records_source_hmac",
            "source_hmac",
            sqlite_where=text("status = 'awaiting_link'"),
            postgresql_where=text("status = 'awaiting_link'"),
        ),
        Index(
            "ix_issuance_records_resident_day",
            "resident_id",
            "deed_day",
            sqlite_where=text("resident_id IS NOT NULL"),
            postgresql_where=text("resident_id IS NOT NULL"),
        ),
        Index(
            "ix_issuance_records_device",
            "device_hmac",
            "deed_day",
            sqlite_where=text("device_hmac IS NOT NULL"),
            postgresql_where=text("device_hmac IS NOT NULL"),
        ),
        Index(
            "ix_issuance_records_fingerprint",
            "fingerprint",
            sqlite_where=text("fingerprint IS NOT NULL"),
            postgresql_where=text("fingerprint IS NOT NULL"),
        ),
    )


class IssuanceCertificationRow(Base):
    """Who certified a record, for the screens of a rulebook's ``certifier`` rule: keyed HMACs, never a name."""

    __tablename__ = "issuance_certifications"

    record_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    programme: Mapped[ProgrammeId]
    certifier: Mapped[Hash32]
    """As `source_hmac`, so that the certifier and the certified of one programme can be one person."""
    subject: Mapped[Hash32]
    deed_day: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[UnixTime | None]
    ended_at: Mapped[UnixTime | None]

    __table_args__ = (
        Index("ix_issuance_certifications_subject", "programme", "subject", "deed_day"),
        Index("ix_issuance_certifications_certifier", "programme", "certifier", "deed_day"),
    )


class IssuanceRefusalRow(Base):
    """A refused row: where it stood, why, and its sealed bytes, so that it can be corrected and resubmitted."""

    __tablename__ = "issuance_refusals"

    refusal_id: Mapped[Serial]
    programme: Mapped[ProgrammeId]
    delivery_id: Mapped[Big]
    row_number: Mapped[Big]
    """Number of the record in its file, from 1; 0 where the whole file was refused."""
    line: Mapped[Big | None]
    field: Mapped[str | None] = mapped_column(String(128))
    code: Mapped[Word]
    reason_en: Mapped[str] = mapped_column(Text)
    reason_zh: Mapped[str] = mapped_column(Text)
    record_id: Mapped[Big | None]
    """The record that was refused by rule, or that this row repeats."""
    raw: Mapped[Blob | None]
    state: Mapped[Word]
    """``issuers.states.RefusalState``."""
    created_at: Mapped[UnixTime]

    __table_args__ = (
        Index("ix_issuance_refusals_programme", "programme", "refusal_id"),
        Index("ix_issuance_refusals_delivery", "delivery_id", "refusal_id"),
    )


class IssuanceTallyRow(Base):
    """Running counts of a programme by kind, changed in the transaction that changes the records."""

    __tablename__ = "issuance_tallies"

    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[Word] = mapped_column(primary_key=True)
    total: Mapped[Big]


class IssuanceUsageRow(Base):
    """How much of its caps a resident has used in a period. The row is the lock that no two workers pass at once."""

    __tablename__ = "issuance_usage"

    resident_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    scope: Mapped[Word] = mapped_column(primary_key=True)
    """``<programme>`` or ``<programme>:<activity>``."""
    period: Mapped[str] = mapped_column(String(12), primary_key=True)
    """``D20260901``, ``W202636``, ``M202609`` or ``Y2026``: the deed's date, not the grant's."""
    points_minor: Mapped[PointsMinor]
    quantity_micro: Mapped[Big]
    deeds: Mapped[Big]

    __table_args__ = ({"sqlite_with_rowid": False},)


class IssuanceGrantRow(Base):
    """One award for one version of one record."""

    __tablename__ = "issuance_grants"

    grant_id: Mapped[Hash32] = mapped_column(LargeBinary(32), primary_key=True)
    programme: Mapped[ProgrammeId]
    record_id: Mapped[Big] = mapped_column(BigInteger, index=True)
    resident_id: Mapped[Big] = mapped_column(BigInteger, index=True)
    account: Mapped[AddressBytes]
    amount_minor: Mapped[PointsMinor]
    revoked_minor: Mapped[PointsMinor]
    """What was signed away of it, or is about to be (cumulative)."""
    activity: Mapped[Word]
    rulebook_version: Mapped[int] = mapped_column(Integer)
    commitment: Mapped[Hash32]
    salt: Mapped[Hash32 | None]
    """NULL once erased: then nobody can open the commitment."""
    explanation: Mapped[str] = mapped_column(Text)
    """The rating's steps in short form; ``issuers.rules.rating.render`` puts them into words."""
    state: Mapped[Word]
    """``issuers.states.GrantState``."""
    batch_number: Mapped[Big | None]
    batch_position: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[UnixTime]


class IssuanceReadyRow(Base):
    """Grants that wait for a batch, as many as one commit left over, packed. The process that deletes the row batches
    them.

    Grants are found here, and a batch's in its own row, so that no index of grants covers what batching changes: on
    PostgreSQL a row is then changed in place.
    """

    __tablename__ = "issuance_ready"

    ready_id: Mapped[Serial]
    programme: Mapped[ProgrammeId]
    grants: Mapped[int] = mapped_column(Integer)
    leaves: Mapped[Blob]
    """128 bytes a grant: see ``issuers.batches.evidence``."""

    __table_args__ = (Index("ix_issuance_ready_programme", "programme", "ready_id"),)


class IssuanceBatchRow(Base):
    """One mint call: number and grants never change; quarter, root and signature may while it has not landed."""

    __tablename__ = "issuance_batches"

    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    quarter: Mapped[int] = mapped_column(Integer)
    validity_quarters: Mapped[int] = mapped_column(Integer)
    grants: Mapped[int] = mapped_column(Integer)
    amount_minor: Mapped[PointsMinor]
    evidence_root: Mapped[Hash32]
    packed: Mapped[Blob]
    leaves: Mapped[Blob] = mapped_column(LargeBinary, server_default="", deferred=True)
    """The evidence, in the order of the packed grants; 128 bytes a grant: see ``issuers.batches.evidence``."""
    signer: Mapped[AddressBytes | None]
    signature: Mapped[bytes | None] = mapped_column(LargeBinary)
    attempt: Mapped[int] = mapped_column(Integer)
    state: Mapped[Word] = mapped_column(index=True)
    """``issuers.states.BatchState``."""
    reason: Mapped[str | None] = mapped_column(String(512))
    created_at: Mapped[UnixTime]
    updated_at: Mapped[UnixTime]


class IssuanceVoidRow(Base):
    """A wish to give up a batch number: signed by the issuer, sent, and final before its grants get new numbers."""

    __tablename__ = "issuance_voids"

    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(Text)
    requested_by: Mapped[str] = mapped_column(String(128))
    signer: Mapped[AddressBytes | None]
    state: Mapped[Word] = mapped_column(index=True)
    """``issuers.states.VoidState``."""
    problem: Mapped[str | None] = mapped_column(String(512))
    created_at: Mapped[UnixTime]
    updated_at: Mapped[UnixTime]


class IssuanceReviewRow(Base):
    """A record that a screen held, the reason, and who decided. Two different people must approve."""

    __tablename__ = "issuance_reviews"

    review_id: Mapped[Serial]
    programme: Mapped[ProgrammeId]
    record_id: Mapped[Big] = mapped_column(BigInteger, index=True)
    screen: Mapped[Word]
    reason_en: Mapped[str] = mapped_column(Text)
    reason_zh: Mapped[str] = mapped_column(Text)
    other_programme: Mapped[ProgrammeId | None]
    other_record_id: Mapped[Big | None]
    state: Mapped[Word]
    """``issuers.states.ReviewState``."""
    approver_first: Mapped[str | None] = mapped_column(String(128))
    approver_second: Mapped[str | None] = mapped_column(String(128))
    verdict: Mapped[Word | None]
    """``issuers.review.reviews.Verdict`` of who approved; both must say the same."""
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[UnixTime]
    decided_at: Mapped[UnixTime | None]

    __table_args__ = (Index("ix_issuance_reviews_state", "state", "programme", "review_id"),)


class IssuanceCorrectionRow(Base):
    """A later version of a known record, and the difference it made."""

    __tablename__ = "issuance_corrections"

    correction_id: Mapped[Serial]
    programme: Mapped[ProgrammeId]
    record_id: Mapped[Big]
    delivery_id: Mapped[Big]
    row_number: Mapped[Big]
    previous_content_hash: Mapped[Hash32]
    content_hash: Mapped[Hash32]
    delta_minor: Mapped[PointsMinor]
    grant_id: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """The grant that carries a positive difference; a negative one is in ``issuance_revocations``."""
    created_at: Mapped[UnixTime]

    __table_args__ = (Index("ix_issuance_corrections_record", "record_id", "previous_content_hash"),)


class IssuanceRevocationRow(Base):
    """A wish to take back points of one grant. It is signed and sent once the grant's batch has landed."""

    __tablename__ = "issuance_revocations"

    revocation_id: Mapped[Serial]
    programme: Mapped[ProgrammeId]
    grant_id: Mapped[Hash32] = mapped_column(LargeBinary(32), index=True)
    record_id: Mapped[Big]
    revoked_total_minor: Mapped[PointsMinor]
    """Cumulative amount revoked of the leaf, as the signed message states it."""
    reason_code: Mapped[int] = mapped_column(Integer)
    note: Mapped[str | None] = mapped_column(Text)
    requested_by: Mapped[str | None] = mapped_column(String(128))
    state: Mapped[Word] = mapped_column(index=True)
    """``issuers.states.RevocationState``."""
    created_at: Mapped[UnixTime]
    updated_at: Mapped[UnixTime]


class WebhookSourceRow(Base):
    """A source system that may push its records."""

    __tablename__ = "webhook_sources"

    system: Mapped[Word] = mapped_column(primary_key=True)
    programme: Mapped[ProgrammeId]
    mapping: Mapped[str] = mapped_column(String(255))
    """A mapping's name, or the path of its file."""
    state: Mapped[Word]
    """``issuers.states.SourceState``."""
    created_at: Mapped[UnixTime]


class WebhookSecretRow(Base):
    """A secret with which a system signs its pushes, under the master key."""

    __tablename__ = "webhook_secrets"

    secret_id: Mapped[Serial]
    system: Mapped[Word] = mapped_column(ForeignKey("webhook_sources.system"), index=True)
    sealed: Mapped[Blob]
    created_at: Mapped[UnixTime]
    ends_at: Mapped[UnixTime | None]
    """NULL: it is the current one."""
