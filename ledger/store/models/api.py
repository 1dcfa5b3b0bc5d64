"""What the API itself has to remember: keys of idempotency, who a subject is, withdrawn tokens, looks at people."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from ledger.store.base import Base, Blob, Hash32, Serial, UnixTime


class IdempotencyRow(Base):
    """The answer given to a write, stored in the transaction of its effect."""

    __tablename__ = "idempotency_keys"

    subject: Mapped[str] = mapped_column(String(320), primary_key=True)
    key: Mapped[str] = mapped_column(String(160), primary_key=True)
    operation: Mapped[str] = mapped_column(String(160))
    request_hash: Mapped[Hash32] = mapped_column(LargeBinary(32))
    """SHA-256 of operation, path and canonical body."""
    status: Mapped[int] = mapped_column(Integer)
    answer: Mapped[Blob]
    created_at: Mapped[UnixTime] = mapped_column(BigInteger, index=True)


class ApiSubjectRow(Base):
    """The resident that a token's issuer and subject stand for."""

    __tablename__ = "api_subjects"

    subject: Mapped[str] = mapped_column(String(320), primary_key=True)
    """``<issuer> <sub>``: a subject is unique only within its issuer."""
    resident_id: Mapped[int] = mapped_column(ForeignKey("residents.resident_id"), index=True)
    bound_at: Mapped[UnixTime]


class WithdrawnTokenRow(Base):
    """A token (by ``jti``) that is refused although it has not expired."""

    __tablename__ = "withdrawn_tokens"

    token_id: Mapped[str] = mapped_column(String(160), primary_key=True)
    expires_at: Mapped[UnixTime]
    withdrawn_at: Mapped[UnixTime]


class WithdrawnSubjectRow(Base):
    """A subject of whom every token issued until some moment is refused."""

    __tablename__ = "withdrawn_subjects"

    subject: Mapped[str] = mapped_column(String(320), primary_key=True)
    issued_until: Mapped[UnixTime]


class IdentityLookRow(Base):
    """Each look of somebody at another person's account: who, at whom, why, when."""

    __tablename__ = "identity_looks"

    look_id: Mapped[Serial]
    subject: Mapped[str] = mapped_column(String(320))
    resident_id: Mapped[int] = mapped_column(BigInteger)
    operation: Mapped[str] = mapped_column(String(160))
    institution: Mapped[str] = mapped_column(String(160), server_default="")
    """For whom: ``desk:<name>``, ``issuer:<programme>`` or ``operator``; a resident sees this and nobody's name."""
    looked_at: Mapped[UnixTime]

    __table_args__ = (Index("ix_identity_looks_resident_id", "resident_id", "looked_at"),)
