"""What institutions are told when something is final: where, what, and how far it has got."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ledger.store.base import Base, Blob, Serial, UnixTime, Word


class WebhookEndpointRow(Base):
    """An address that an institution has named."""

    __tablename__ = "webhook_endpoints"

    endpoint_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[Word] = mapped_column(index=True)
    """``merchant:<id>`` or ``issuer:<programme>``."""
    url: Mapped[str] = mapped_column(Text)
    state: Mapped[Word]
    """``ledger.webhooks.book.EndpointState``."""
    created_by: Mapped[str] = mapped_column(String(320))
    created_at: Mapped[UnixTime]


class WebhookEndpointSecretRow(Base):
    """A secret by which an endpoint knows us, under the master key; several are good while one is changed."""

    __tablename__ = "webhook_endpoint_secrets"

    secret_id: Mapped[Serial]
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.endpoint_id"), index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[UnixTime]
    ends_at: Mapped[UnixTime | None]


class WebhookDeliveryRow(Base):
    """A message to one endpoint, written in the transaction of what it tells, until it is delivered or given up."""

    __tablename__ = "webhook_deliveries"

    delivery_id: Mapped[Serial]
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.endpoint_id"))
    message_id: Mapped[str] = mapped_column(String(40))
    """``webhook-id``: the same at every attempt and replay."""
    kind: Mapped[Word]
    """``type`` of the payload."""
    body: Mapped[Blob]
    """The bytes that are signed."""
    state: Mapped[Word]
    """``ledger.webhooks.book.DeliveryState``."""
    attempts: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[UnixTime] = mapped_column(BigInteger)
    """When it is tried next; while it is being tried, when another worker may."""
    status: Mapped[int | None] = mapped_column(Integer)
    """The last answer's HTTP status."""
    failure: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[UnixTime]
    ended_at: Mapped[UnixTime | None]

    __table_args__ = (
        UniqueConstraint("endpoint_id", "message_id"),
        Index("ix_webhook_deliveries_state", "state", "next_at"),
        Index("ix_webhook_deliveries_endpoint_id", "endpoint_id", "delivery_id"),
    )
