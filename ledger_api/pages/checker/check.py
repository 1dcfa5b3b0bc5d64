"""The page that checks a receipt in the browser, and the same as one file to keep."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import APIRouter
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from ledger_api.dependencies import Deps, Public
from ledger_api.errors import NotFound
from ledger_api.pages.shell.policy import CONTENT
from ledger_api.pages.shell.route import PageRoute, shell_of
from ledger_api.services import Services

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/check", dependencies=[Public])

MODULE = "checker.js"
SAVED_NAME = "tongdui-check.html"


@router.get("")
def check(request: Request, services: Deps) -> Response:
    """Return the checker. Its policy forbids it to send anything: a receipt stays with its reader."""
    shell = shell_of(request)
    if not shell.assets.has(MODULE):
        raise NotFound("file", MODULE)
    answer = shell.page(request, "check.html", section="check", city=_embedded(services))
    answer.headers["Content-Security-Policy"] = CONTENT.replace("connect-src 'self'", "connect-src 'none'")
    return answer


@router.get("/saved")
def saved(request: Request, services: Deps) -> Response:
    """Return the checker as one file that runs from a disk, with no network: scripts and styles are in it."""
    shell = shell_of(request)
    if not shell.assets.has(MODULE):
        raise NotFound("file", MODULE)
    script, style = (shell.assets.content(name).decode() for name in (MODULE, "style.css"))
    answer = shell.page(
        request,
        "saved.html",
        city=_embedded(services),
        script=Markup(script),  # noqa: S704  (our own files)
        style=Markup(style),  # noqa: S704
        script_hash=_source_hash(script),
        style_hash=_source_hash(style),
    )
    answer.headers["Content-Disposition"] = f'attachment; filename="{SAVED_NAME}"'
    return answer


def _embedded(services: Services) -> Markup:
    """Return what the checker trusts, as JSON that cannot end the element it stands in."""
    content = {"city": city_of(services.deployment), "validators": list(services.pages.validators)}
    return Markup(orjson.dumps(content).decode().replace("<", "\\u003c"))  # noqa: S704


def city_of(deployment: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a verifier needs of a deployment file: the installation, its contracts, its programmes' pars."""
    if "contracts" not in deployment:
        return None
    return {
        "chain_id": str(deployment["chain_id"]),
        "salt": deployment["salt"],
        "contracts": {name: {"address": one["address"]} for name, one in deployment["contracts"].items()},
        "replaced": [{"name": one["name"], "address": one["address"]} for one in deployment.get("replaced", [])],
        "programmes": [{"id": one["id"], "par_microfen": one["par_microfen"]} for one in deployment["programmes"]],
    }


def _source_hash(content: str) -> str:
    """Return the policy's name of an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
