"""Checking what we say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ledger.standard.ids import OrderIdText, ProgrammeId
from ledger_api.schemas.common import AccountText, HashText, In, Out


class ReceiptIn(BaseModel):
    """A receipt as this API gave it out."""

    model_config = ConfigDict(extra="allow")


class LeafIn(In):
    """An evidence leaf, as the agencies publish it."""

    grant_id: HashText
    account: AccountText
    token_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]
    amount: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")] = Field(description="Minor units.")
    activity_code: HashText
    rulebook_version: int = Field(ge=0, le=2**32 - 1, strict=True)
    commitment: HashText


class GrantIn(In):
    """A grant to check: its batch, its leaf, and the leaf's path to the batch's root."""

    batch: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]
    leaf: LeafIn
    proof: list[HashText] = Field(max_length=64)


class VerdictOut(Out):
    """Whether a receipt holds, and what it says."""

    verdict: Literal["PASS", "FAIL"]
    statement: str | None = Field(default=None, description="What the receipt proves, in words.")
    reason: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class ChainOrderOut(Out):
    """What the chain says of an order: nothing from our database."""

    order_id: OrderIdText
    outcome: Literal["landed", "rejected", "unknown"]
    kind: str | None = None
    reject_code: int | None = None
    fen: str | None = None
    block_number: str | None = None
    block_hash: str | None = None
    transaction: str | None = None
    final_block: str


class ChainBatchOut(Out):
    """What the chain says of a batch of grants."""

    programme: ProgrammeId
    number: str
    state: Literal["unused", "landed", "void"]
    evidence_root: str | None
    final_block: str
