"""Health, invariants, tokens; whom to tell what is final."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ledger_api.schemas.common import AsOf, In, Out


class CheckOut(Out):
    """One thing that has to be right."""

    name: str
    ok: bool
    detail: str


class HealthOut(Out):
    """Alive."""

    status: Literal["ok"] = "ok"


class ReadinessOut(Out):
    """Whether requests can be served."""

    ready: bool
    checks: list[CheckOut]


class InvariantsOut(Out):
    """The rules that must always hold, as last checked."""

    ok: bool
    as_of: AsOf
    checks: list[CheckOut]


class WithdrawIn(In):
    """A token to refuse."""

    token_id: Annotated[str, StringConstraints(min_length=1, max_length=160)] = Field(description="Its `jti`.")


class EndpointIn(In):
    """An address that is to be told what is final."""

    url: str = Field(
        min_length=8,
        max_length=2048,
        pattern=r"^https?://[!-~]+$",
        description="https, at a public address; other networks are the operator's to open.",
        examples=["https://shop.example/tongdui"],
    )


class EndpointOut(Out):
    """An address that is told what is final."""

    endpoint_id: str
    url: str
    state: Literal["new", "active", "gone", "ended"] = Field(
        description="`new` has no secret yet and `gone` answered 410: neither is told anything."
    )
    created_at: datetime


class EndpointList(Out):
    """An institution's endpoints."""

    items: list[EndpointOut]


class EndpointSecretOut(Out):
    """An endpoint's new secret. It is shown once and stored in no answer."""

    endpoint_id: str
    secret: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class WebhookDeliveryOut(Out):
    """A message to an endpoint."""

    message_id: str = Field(description="`webhook-id`, the same at every attempt.")
    type: str = Field(examples=["order.paid"])
    state: Literal["waiting", "delivered", "given_up"]
    attempts: int
    next_at: datetime | None = Field(description="When it is tried next, while it waits.")
    status: int | None = Field(description="The last answer's HTTP status.")
    failure: str | None
    created_at: datetime
    ended_at: datetime | None


class WebhookDeliveryPage(Out):
    """Messages, newest first."""

    items: list[WebhookDeliveryOut]
    next_cursor: str | None = None
