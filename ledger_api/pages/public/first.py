"""The first page: what this is, in both languages, and the figures that anybody may check."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ledger_api.dependencies import Deps, Public
from ledger_api.pages.public.book import overview
from ledger_api.pages.shell.route import PageRoute, shell_of
from ledger_api.pages.shell.sign_in import story_people

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[Public])


@router.get("/")
def first(request: Request, services: Deps) -> Response:
    """Return the first page."""
    shell = shell_of(request)
    language = shell.preferences(request).language
    return shell.page(
        request, "first.html", section="first", people=story_people(request, services), **overview(services, language)
    )


@router.get("/help")
def help_page(request: Request) -> Response:
    """Return where to ask, which every page links to in one place."""
    return shell_of(request).page(request, "help.html", section="help")
