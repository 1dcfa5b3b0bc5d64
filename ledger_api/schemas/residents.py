"""Registering, linking source ids, erasing oneself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictBool, StringConstraints

from ledger.standard.ids import Address, OrderIdText, ProgrammeId
from ledger_api.schemas.common import AccountText, Identifier, In, Out, ProgrammeNumberIn, SignatureText, Text
from ledger_api.schemas.logins import SessionOut
from ledger_api.schemas.orders import OrderOut
from ledger_api.schemas.wallet import HistoryItem, WalletOut

LinkCodeText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z2-7 -]{16,40}$")]


class SourceLinkIn(In):
    """A source id to link: a volunteer number, a card number."""

    programme: ProgrammeNumberIn = Field(examples=[1])
    source_id: Identifier = Field(examples=["V5101000000001"])
    code: LinkCodeText | None = Field(
        default=None,
        description="The agency's link code, which proves that the number is the resident's. A bare number links too, "
        "but freezes when another resident claims it, and gives way to whoever shows a code.",
        examples=["NEMC-3BTY-6AZK-4XQ2"],
    )


class AccountProofIn(In):
    """The account's signature over what `prepareAccountProof` gives."""

    deadline: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}$")] = Field(
        description="As in the typed data's message.", examples=["1764113700"]
    )
    signature: SignatureText


class AccountProofAsk(In):
    """Which account is to be shown."""

    account: AccountText


class AccountProofOut(Out):
    """What the account's key signs, good for a quarter of an hour and for this login alone."""

    deadline: str
    typed_data: dict[str, Any] = Field(description="EIP-712 JSON for `eth_signTypedData_v4`.")


class ResidentIn(In):
    """Register the token's subject as a resident."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "document_number": "510107195403071234",
                    "name": "王秀英",
                    "links": [{"programme": 1, "source_id": "V5101000000001"}],
                }
            ]
        },
    )

    document_number: Identifier | None = Field(
        default=None,
        description="The identity document's number. Not needed where the token carries the number that the identity "
        "provider checked (claim `identity`). Stored only as a keyed hash.",
    )
    name: Text | None = Field(default=None, description="Kept encrypted under the resident's own key.")
    links: list[SourceLinkIn] = Field(default_factory=list, max_length=20)
    account: AccountText | None = Field(
        default=None, description="For residents who hold their own key; else a custodial account is made."
    )
    account_proof: AccountProofIn | None = Field(default=None, description="Needed with `account`.")


class SourceLinkOut(Out):
    """The outcome of a link, in the order asked. The source id is not repeated: answers to writes are stored."""

    programme: ProgrammeId
    state: Literal["linked", "exists", "frozen", "waiting", "refused"] = Field(
        description="`frozen`: another resident claims it too and nobody has it until the agency decides. `waiting`: "
        "another has linked it with proof, and the agency looks at this claim."
    )


class SourceOut(Out):
    """A source id that the resident has linked."""

    programme: ProgrammeId
    source_id: str
    state: str = Field(examples=["linked"])


class SourcesOut(Out):
    """All of a resident's source ids."""

    items: list[SourceOut]


class SourcesIn(In):
    """Source ids to link."""

    links: list[SourceLinkIn] = Field(min_length=1, max_length=20)


class SourceLinksOut(Out):
    """The outcome of each link, in the order asked."""

    links: list[SourceLinkOut]


class ResidentOut(Out):
    """A resident: no personal data."""

    resident_id: str = Field(examples=["3190424424402113527"])
    account: Address = Field(examples=["0x8ba1f109551bD432803012645Ac136ddd64DBA72"])
    is_custodial: bool
    status: str
    registered_at: datetime
    outcome: Literal["created", "exists", "exists_with_different_account"] | None = None
    links: list[SourceLinkOut] | None = None


class PinIn(In):
    """A PIN for the community desk."""

    pin: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class PointsHeld(In):
    """What an account has of one programme."""

    programme: ProgrammeNumberIn
    points: str = Field(pattern=r"^[0-9]{1,18}\.[0-9]{2}$", examples=["2980.00"])


class ErasureLoss(In):
    """What an erasure gives up for good. Say it back to be erased."""

    is_custodial: StrictBool = Field(description="Whether it is signed for here. If not, the points stay.")
    points: list[PointsHeld] = Field(max_length=1_000, description="Held now; in a custodial account they are lost.")
    holds: list[OrderIdText] = Field(
        max_length=100_000, description="Orders whose points a shop has on hold: what it releases is lost too."
    )
    orders: list[OrderIdText] = Field(
        max_length=100_000,
        description="Orders under way, or paid and not handed over: no code of theirs is shown again.",
    )


class EraseIn(In):
    """Said on purpose, and by saying back what is lost: see `GET /v1/residents/me/erasure`."""

    confirm: Literal["erase"]
    loses: ErasureLoss


class Done(Out):
    """A write that has nothing else to say."""

    done: Literal[True] = True


class LookOut(Out):
    """Somebody looked at one's account."""

    at: datetime
    institution: str = Field(
        description="`desk:<name>`, `issuer:<programme>` or `operator`; a person's name is not told.",
        examples=["desk:shuangnan"],
    )
    operation: str = Field(description="What it was for: an operation of this API or a command.")


class LooksPage(Out):
    """Who looked, newest first."""

    items: list[LookOut]
    next_cursor: str | None = None


class ExportOut(Out):
    """All that is kept about a resident, for the resident."""

    exported_at: datetime
    is_complete: bool = Field(description="False where history, orders or looks were cut off.")
    resident: ResidentOut
    profile: dict[str, str]
    sources: list[SourceOut]
    wallet: WalletOut
    history: list[HistoryItem]
    orders: list[OrderOut]
    sessions: list[SessionOut]
    looks: list[LookOut]
