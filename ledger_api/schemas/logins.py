"""Logins with name and password, and sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path
from pydantic import Field, StringConstraints

from ledger_api.schemas.common import In, Out

LoginName = Annotated[
    str,
    StringConstraints(min_length=3, max_length=64),
    Field(description="Letters, digits and . _ @ + -; capitals do not count.", examples=["wang.xiuying"]),
]
PasswordIn = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256),
    Field(repr=False, description="10 to 256 characters.", examples=["a long phrase of one's own"]),
]


class LoginIn(In):
    """Name and password."""

    name: LoginName
    password: PasswordIn


class PasswordChangeIn(In):
    """The password now, and the next one."""

    password: PasswordIn
    new_password: PasswordIn


Right = Literal["till", "refunds", "manager"]
LoginNamePath = Annotated[str, Path(max_length=64, description="The login's name.")]


class StaffIn(In):
    """One of a shop's staff."""

    name: LoginName
    password: PasswordIn
    right: Right = Field(
        description="`till`: codes, hand-over, capture, release. `refunds`: refunds. `manager`: both, offers and "
        "statements. What each may do is in docs/security/counter.md."
    )


class NewPasswordIn(In):
    """Another password."""

    new_password: PasswordIn


class StaffOut(Out):
    """One of a shop's staff."""

    name: str
    right: Right
    is_active: bool
    created_at: datetime


class StaffListOut(Out):
    """A shop's staff."""

    items: list[StaffOut]


class LoginOut(Out):
    """A login."""

    name: str
    scopes: list[str] = Field(description="What it may do.")


class SessionOut(Out):
    """A session of one's own."""

    session_id: str = Field(description="Names it in this list; it opens nothing.")
    agent: str = Field(description="Browser and system, as far as they are known.", examples=["WeChat, Android"])
    created_at: datetime
    seen_at: datetime = Field(description="Last used, to the minute.")
    good_until: datetime = Field(description="When it ends if it is not used.")
    is_this: bool = Field(description="Whether this request came with it.")


class SessionsOut(Out):
    """Where one is signed in."""

    items: list[SessionOut]


class SessionBegunOut(Out):
    """A session that has just begun."""

    session_id: str
    token: str = Field(description="The bearer token, shown this once.", examples=["tds_…"])
    scopes: list[str]
    good_until: datetime


class EndedOut(Out):
    """How many sessions were ended."""

    ended: int
