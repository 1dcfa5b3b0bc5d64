"""Who works at a desk: the scope is the API's, and so is its meaning."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from ledger_api.dependencies import desk_of
from ledger_api.pages.shell.policy import Surface
from ledger_api.pages.shell.session import Caller, Posting, posting, signed_in

Clerk = Annotated[Caller, Depends(signed_in())]
"""Whoever has signed in; `clerk_of` asks for the one desk."""
ClerkForm = Annotated[Posting, Depends(posting())]

OPERATIONS = {
    "look": "getWalletAtDesk",
    "find": "findAtDesk",
}
"""What a look is called in the log of looks; the resident reads the same words' texts."""


def desk_page(
    caller: Caller,
    template: str,
    tab: str,
    *,
    status: int = 200,
    surface: Surface = Surface.SCANNING,
    **content: object,
) -> Response:
    """Return a page of the caller's desk. Raises Forbidden for whoever has none, or two."""
    return caller.page(
        template,
        status=status,
        surface=surface,
        section="desk",
        desk=desk_of(caller.principal),
        tab=tab,
        **content,
    )
