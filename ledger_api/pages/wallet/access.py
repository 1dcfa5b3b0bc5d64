"""Who opens the wallet: a resident who has signed in, and is registered but where a page says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import Depends

from ledger.errors import TongduiError
from ledger.standard.ids import ProgrammeId, ProgrammeSlug
from ledger_api.auth import scopes
from ledger_api.http import problems
from ledger_api.pages.shell.session import Caller, Posting, posting, signed_in
from ledger_api.views.common import nameless

Resident = Annotated[Caller, Depends(signed_in(scopes.RESIDENT))]
ResidentForm = Annotated[Posting, Depends(posting(scopes.RESIDENT))]
Newcomer = Annotated[Caller, Depends(signed_in(scopes.REGISTER))]
NewcomerForm = Annotated[Posting, Depends(posting(scopes.REGISTER))]


def refusal(caller: Caller, error: TongduiError) -> tuple[str, int]:
    """Return what is wrong in the reader's words, and the status; what is no form's fault is raised again."""
    status = problems.problem_type(error).status
    if status >= 500 or status == 404:
        raise error
    return caller.what_is_wrong(error), status


def names_of(caller: Caller) -> Mapping[ProgrammeId, str]:
    """Return the names of the programmes in the reader's language."""
    return {number: one.name_zh if caller.is_chinese else one.name_en for number, one in caller.services.names.items()}


def name_of(caller: Caller, programme: ProgrammeId) -> str:
    """Return a programme's name in the reader's language, also of one that the deployment does not name."""
    one = caller.services.names.get(programme) or nameless(programme)
    return one.name_zh if caller.is_chinese else one.name_en


def deeds_of(caller: Caller) -> Callable[[ProgrammeId | ProgrammeSlug, str], str]:
    """Return what names an activity, by its programme (number or slug) and code, in the reader's language."""
    known = caller.services.issuers.activity_names()
    names = caller.services.names

    def name(where: ProgrammeId | ProgrammeSlug, code: str) -> str:
        number = where if isinstance(where, int) else None
        slug = where if number is None else (names.get(number) or nameless(number)).slug
        found = known.get((ProgrammeSlug(str(slug)), code))
        if found is None:
            return code
        return found.zh if caller.is_chinese else found.en

    return name
