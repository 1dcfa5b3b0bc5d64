"""Residents, their custodial keys and the source ids they have linked."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from ledger.standard.ids import ProgrammeId
from ledger.store.base import AddressBytes, Base, Blob, Hash32, Serial, UnixTime, Word


class ResidentRow(Base):
    """One verified person. ``resident_id`` is random, so that it says nothing about order or number."""

    __tablename__ = "residents"

    resident_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    identity_hmac: Mapped[Hash32 | None] = mapped_column(LargeBinary(32), unique=True)
    """Keyed HMAC of the identity document's number; NULL once erased."""
    identity_key_version: Mapped[int] = mapped_column(Integer)
    account: Mapped[AddressBytes] = mapped_column(LargeBinary(20), unique=True)
    account_key: Mapped[Blob | None]
    """The custodial private key under the master key; NULL where the resident holds the key."""
    data_key: Mapped[Blob | None]
    """The resident's data key under the master key; destroying it erases the resident."""
    profile: Mapped[Blob | None]
    """The profile (JSON) under the data key."""
    status: Mapped[Word]
    """``active``, ``frozen`` or ``erased``."""
    created_at: Mapped[UnixTime]
    erased_at: Mapped[UnixTime | None]
    """The beginning of the month (UTC+8): the moment would say which other rows changed with this one."""


class SourceIdRow(Base):
    """The one owner of a source id (a volunteer number, a card number) in a programme, or nobody while it is frozen."""

    __tablename__ = "source_ids"

    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True)
    source_hmac: Mapped[Hash32] = mapped_column(LargeBinary(32), primary_key=True)
    key_version: Mapped[int] = mapped_column(Integer)
    resident_id: Mapped[int] = mapped_column(ForeignKey("residents.resident_id"))
    state: Mapped[Word]
    """``linked``, ``frozen`` (claimed by two residents; the agency decides) or ``unlinked``."""
    linked_at: Mapped[UnixTime]
    updated_at: Mapped[UnixTime]

    __table_args__ = (
        Index("ix_source_ids_resident_id", "resident_id"),
        Index(
            "ix_source_ids_frozen",
            "programme",
            "source_hmac",
            sqlite_where=text("state = 'frozen'"),
            postgresql_where=text("state = 'frozen'"),
        ),
        {"sqlite_with_rowid": False},
    )


class SourceClaimRow(Base):
    """Each resident's claim to a source id, with the encrypted original; two live claims freeze the id."""

    __tablename__ = "source_claims"

    programme: Mapped[ProgrammeId] = mapped_column(BigInteger, primary_key=True)
    source_hmac: Mapped[Hash32] = mapped_column(LargeBinary(32), primary_key=True)
    resident_id: Mapped[int] = mapped_column(ForeignKey("residents.resident_id"), primary_key=True)
    original: Mapped[Blob | None]
    """The source id as the resident gave it, under the resident's data key."""
    state: Mapped[Word]
    """``live``, ``waiting`` (bare, while another has linked it with proof), ``refused`` (the agency decided for
    another) or ``withdrawn``."""
    proof: Mapped[Word] = mapped_column(server_default="bare")
    """``bare`` (the number alone), ``code`` (a link code of the agency) or ``decision`` (of the agency)."""
    claimed_at: Mapped[UnixTime]

    __table_args__ = (
        Index("ix_source_claims_resident_id", "resident_id", "claimed_at"),
        Index(
            "ix_source_claims_waiting",
            "programme",
            "source_hmac",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )


class SourceDecisionRow(Base):
    """An agency's decision whose a source id is: one person proposes, a second confirms."""

    __tablename__ = "source_decisions"

    decision_id: Mapped[Serial]
    programme: Mapped[ProgrammeId] = mapped_column(BigInteger)
    source_hmac: Mapped[Hash32] = mapped_column(LargeBinary(32))
    resident_id: Mapped[int | None] = mapped_column(BigInteger)
    """NULL: none of the claimants."""
    state: Mapped[Word]
    """``open`` (one person has decided), ``decided`` (two have) or ``replaced`` (the second decided otherwise)."""
    decider_first: Mapped[str] = mapped_column(String(320))
    decider_second: Mapped[str | None] = mapped_column(String(320))
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[UnixTime]
    decided_at: Mapped[UnixTime | None]

    __table_args__ = (Index("ix_source_decisions_source", "programme", "source_hmac", "state"),)


class SourceLinkEventRow(Base):
    """What happened to a contested source id, and by whom; never changed, never erased. It names ids alone."""

    __tablename__ = "source_link_events"

    event_id: Mapped[Serial]
    programme: Mapped[ProgrammeId] = mapped_column(BigInteger)
    source_hmac: Mapped[Hash32] = mapped_column(LargeBinary(32))
    resident_id: Mapped[int | None] = mapped_column(BigInteger)
    event: Mapped[Word]
    """``frozen``, ``waiting``, ``refused``, ``taken_over``, ``withdrawn``, ``thawed``, ``proposed``, ``decided``."""
    subject: Mapped[str | None] = mapped_column(String(320))
    """Who did it, where it was not the resident."""
    happened_at: Mapped[UnixTime]

    __table_args__ = (Index("ix_source_link_events_source", "programme", "source_hmac"),)


class TombstoneRow(Base):
    """What must stay known after an erasure (`ledger.residents.erasing`). No time and no row's number: neither the
    order nor the moment says whose it is."""

    __tablename__ = "tombstones"

    tag: Mapped[Hash32] = mapped_column(LargeBinary(32), primary_key=True)
    """Half of a memory-hard hash of the identity's HMAC."""
    sealed: Mapped[Blob]
    """The person's pseudonym, under the other half."""

    __table_args__ = ({"sqlite_with_rowid": False},)


class ErasureRow(Base):
    """An erasure that the workers still have to go over; gone once they have, twice."""

    __tablename__ = "erasures"

    resident_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    programmes: Mapped[str] = mapped_column(String(400))
    """Numbers with commas between them: whose drop folders may hold originals."""
    is_swept: Mapped[bool]
    """Whether originals and the database's log were done once."""
    again_at: Mapped[UnixTime]
