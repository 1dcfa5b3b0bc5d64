"""Who may ask for a page: under a name of ours, and with forms of ours only."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from ledger_api.errors import CrossSite, UnknownHost
from ledger_api.ports import PageSettings

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "via")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def check_host(request: Request, settings: PageSettings) -> None:
    """Raise UnknownHost unless the page is asked for under our public address, or on loopback by this machine.

    A name that an attacker lets point to loopback (DNS rebinding) is refused by this, and so is a page beyond loopback
    for which nobody has declared how it is reached: what a proxy passes on under a name of loopback is not asked for
    by this machine.
    """
    name = _name(request.headers.get("host", ""))
    if settings.public_url is not None and name == urlsplit(settings.public_url).hostname:
        return
    if is_here(request):
        return
    raise UnknownHost


def check_origin(request: Request) -> None:
    """Raise CrossSite for an unsafe method that no page of ours sent: by Sec-Fetch-Site, else by Origin."""
    if request.method in SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise CrossSite
        return
    origin = urlsplit(request.headers.get("origin", ""))
    if not origin.netloc or origin.netloc != request.headers.get("host"):
        raise CrossSite


def is_https(request: Request, settings: PageSettings) -> bool:
    """Whether the browser's side of the connection is TLS, as the declared address says."""
    if settings.public_url is None:
        return False
    declared = urlsplit(settings.public_url)
    return declared.scheme == "https" and _name(request.headers.get("host", "")) == declared.hostname


def is_here(request: Request) -> bool:
    """Whether a page is asked for by this machine, under a name of loopback, and passed on by nobody."""
    is_forwarded = any(header in request.headers for header in _FORWARDED)
    return _name(request.headers.get("host", "")) in _LOOPBACK_NAMES and is_loopback(request) and not is_forwarded


def is_loopback(request: Request) -> bool:
    """Whether the caller is on this machine."""
    if request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def own_path(text: str) -> str:
    """Return a path of ours to go on to, or ``/`` for anything else: another site, a control sign, a back slash."""
    is_ours = text.startswith("/") and not text.startswith("//") and "\\" not in text and len(text) <= 500
    return text if is_ours and text.isascii() and text.isprintable() else "/"


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
