"""Quotes and orders of exchange."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict, Field

from ledger.standard.ids import ProgrammeId
from ledger_api.schemas.common import In, Out, Points, PointsIn, ProgrammeNumberIn


class ExchangeIn(In):
    """Points of one programme to be turned into another's."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"from_programme": 2, "to_programme": 4, "amount": "100"}]},
    )

    from_programme: ProgrammeNumberIn
    to_programme: ProgrammeNumberIn
    amount: PointsIn
    min_out: PointsIn | None = Field(default=None, description="Refuse less than this; by default the quote.")


class ExchangePart(Out):
    """One lot's part of an exchange; a lot keeps its expiry quarter."""

    from_token_id: str
    amount_in: Points
    amount_out: Points
    expires_at: datetime | None


class ExchangeQuoteOut(Out):
    """What an exchange would give now."""

    from_programme: ProgrammeId
    to_programme: ProgrammeId
    amount_in: Points
    amount_out: Points
    parts: list[ExchangePart]
