"""Health, invariants, tokens."""

from __future__ import annotations

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
