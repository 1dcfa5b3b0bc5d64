"""What a community desk sends and gets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from ledger_api.schemas.common import In, OfferIdText, Out, ResidentIdText
from ledger_api.schemas.orders import OrderOut
from ledger_api.schemas.redemption import SlipOut


class PinProof(In):
    """The resident's card and PIN."""

    kind: Literal["pin"]
    pin: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class SecondClerkProof(In):
    """A second clerk's approval."""

    kind: Literal["second_clerk"]
    approval_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class DeskOrderIn(In):
    """A purchase for a resident who is at the desk."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "resident_id": "3190424424402113527",
                    "offer": "rice-5kg",
                    "quantity": 1,
                    "proof": {"kind": "pin", "pin": "481903"},
                }
            ]
        },
    )

    resident_id: ResidentIdText
    offer: OfferIdText
    quantity: int = Field(default=1, ge=1, le=100, strict=True)
    mode: Literal["redeem", "hold"] = Field(
        default="redeem", description="`redeem` pays at once; `hold` sets the points aside until the merchant captures."
    )
    proof: Annotated[PinProof | SecondClerkProof, Field(discriminator="kind")]


class DeskApprovalIn(In):
    """What the second clerk approves."""

    resident_id: ResidentIdText
    offer: OfferIdText
    quantity: int = Field(default=1, ge=1, le=100, strict=True)


class DeskApprovalOut(Out):
    """An approval, good once."""

    approval_id: str
    expires_at: datetime


class DeskOrderOut(Out):
    """The order and its slip."""

    order: OrderOut
    slip: SlipOut


class DeskPinIn(In):
    """A new PIN for a resident."""

    resident_id: ResidentIdText
    pin: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class DeskPinOut(Out):
    """Whether the PIN holds now."""

    done: bool
    confirm_until: datetime | None = Field(
        default=None,
        description="Until when a second clerk has to confirm it; the old PIN and its lock hold until then.",
    )


class DeskPinConfirmIn(In):
    """Whose new PIN a second clerk confirms."""

    resident_id: ResidentIdText
