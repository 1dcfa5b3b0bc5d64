"""The counter as an installed program: its manifest, its worker, and what it says where there is no network.

The worker keeps one page and its styles, and nothing of anybody: without a network a counter cannot confirm anything,
and says so in both languages. Signing out takes the worker away (`Clear-Site-Data`).
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger_api.dependencies import Public
from ledger_api.pages.shell.rendering import with_body
from ledger_api.pages.shell.route import PageRoute, shell_of

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/counter", dependencies=[Public])

WORKER = "counter_worker.js"


@router.get("/offline")
def offline(request: Request) -> Response:
    """Return what the worker keeps for the time without a network."""
    return shell_of(request).page(request, "counter_offline.html")


@router.get("/worker.js")
def worker(request: Request) -> Response:
    """Return the worker: under the counter's own path, for that is as far as it reaches."""
    answer = Response(media_type="text/javascript")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; connect-src 'self'"
    return with_body(request, answer, shell_of(request).assets.content(WORKER))


@router.get("/manifest")
def manifest(request: Request) -> Response:
    """Return by what name and sign the counter stands among a phone's programs."""
    shell = shell_of(request)
    words = shell.words[shell.preferences(request).language]
    return JSONResponse(
        {
            "name": words.text("counter.offline.name"),
            "short_name": words.text("counter.title"),
            "start_url": "/counter",
            "scope": "/counter",
            "display": "standalone",
            "background_color": "#faf8f3",
            "theme_color": "#a83225",
            "icons": [{"src": shell.assets.url("mark.svg"), "sizes": "any", "type": "image/svg+xml"}],
        },
        media_type="application/manifest+json",
        headers={"Cache-Control": "no-cache", "Vary": "Accept-Language, Cookie"},
    )
