"""The wallet as an installed program, and what it shows where there is no network: what it last knew, with its time.

Nothing is kept unless somebody asks for it on their own phone; signing out takes it away (`Clear-Site-Data`).
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger_api.dependencies import Public
from ledger_api.pages.shell.rendering import with_body
from ledger_api.pages.shell.route import PageRoute, shell_of

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[Public])

WORKER = "wallet_worker.js"


@router.get("/wallet/worker.js")
def worker(request: Request) -> Response:
    """Return the worker, which reaches as far as the wallet."""
    answer = Response(media_type="text/javascript")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Service-Worker-Allowed"] = "/wallet"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; connect-src 'self'"
    return with_body(request, answer, shell_of(request).assets.content(WORKER))


@router.get("/wallet/manifest")
def manifest(request: Request) -> Response:
    """Return by what name and sign the wallet stands among a phone's programs."""
    shell = shell_of(request)
    words = shell.words[shell.preferences(request).language]
    return JSONResponse(
        {
            "name": f"{words.text('name')} · {words.text('nav.wallet')}",
            "short_name": words.text("name"),
            "start_url": "/wallet",
            "scope": "/wallet",
            "display": "standalone",
            "background_color": "#faf8f3",
            "theme_color": "#a83225",
            "icons": [{"src": shell.assets.url("mark.svg"), "sizes": "any", "type": "image/svg+xml"}],
        },
        media_type="application/manifest+json",
        headers={"Cache-Control": "no-cache", "Vary": "Accept-Language, Cookie"},
    )
