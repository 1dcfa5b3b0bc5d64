"""Forms as browsers send them: small, urlencoded, each field once."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends
from starlette.requests import Request

from ledger_api.errors import UnreadableForm

FIELDS_MAX = 60
FORM_REFUSED = 422
"""The status of a form that comes back with what is wrong with it, whatever that is: 403 is for whom it is not."""


class Form(dict[str, str]):
    """The fields of a form; what is missing is empty text."""

    def __missing__(self, name: str) -> str:
        return ""


async def form_of(request: Request) -> Form:
    """Return the fields of the request's form. Raises UnreadableForm for no form, or one with a field twice."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise UnreadableForm
    body = await request.body()
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:  # UnicodeDecodeError is one
        raise UnreadableForm from None
    fields = Form(pairs)
    if len(fields) != len(pairs):
        raise UnreadableForm
    return fields


Posted = Annotated[Form, Depends(form_of)]
