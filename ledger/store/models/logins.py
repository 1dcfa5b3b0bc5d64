"""People who sign in here with name and password, and the sessions of all who signed in through a page."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ledger.standard.ids import MerchantId
from ledger.store.base import Base, Hash32, UnixTime, Word


class LoginRow(Base):
    """A person's name and password, and what that person may do."""

    __tablename__ = "logins"

    subject: Mapped[str] = mapped_column(String(320), primary_key=True)
    """``<issuer> <random id>``, as of any token: a name that is given up and taken again is another subject."""
    name: Mapped[str] = mapped_column(String(64), unique=True)
    """Folded: what differs in capitals or width alone is one name."""
    password_hash: Mapped[str] = mapped_column(String(255))
    """Argon2id in its own notation (PHC string)."""
    scopes: Mapped[str] = mapped_column(Text)
    """With spaces between them."""
    state: Mapped[Word]
    """``active`` or ``disabled``."""
    merchant_id: Mapped[MerchantId | None] = mapped_column(index=True)
    """The shop whose owner made it for staff."""
    created_by: Mapped[str] = mapped_column(String(320))
    created_at: Mapped[UnixTime]
    password_set_at: Mapped[UnixTime]


class SessionRow(Base):
    """A sign-in. Its secret is known to the person's browser or app alone; here is the hash."""

    __tablename__ = "sessions"

    session_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """By which its owner names it; it opens nothing."""
    secret_hash: Mapped[Hash32] = mapped_column(LargeBinary(32), unique=True)
    """SHA-256 of 256 random bits."""
    subject: Mapped[str] = mapped_column(String(320), index=True)
    scopes: Mapped[str] = mapped_column(Text)
    created_at: Mapped[UnixTime]
    seen_at: Mapped[UnixTime]
    """To the minute."""
    idle_s: Mapped[int] = mapped_column(Integer)
    """How long it may lie unused."""
    ends_at: Mapped[UnixTime] = mapped_column(BigInteger, index=True)
    """When it ends, used or not."""
    agent: Mapped[str] = mapped_column(String(80))
    """Browser and system in two words."""


class SignInMarkRow(Base):
    """How far the sign-ins of a name, an address, or both together have used up what they may try."""

    __tablename__ = "sign_in_marks"

    mark: Mapped[Hash32] = mapped_column(LargeBinary(32), primary_key=True)
    """Keyed HMAC: the table says neither who nor from where."""
    until_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    """Unix time in milliseconds until which attempts are used up in advance, or until which a place is known."""
