"""What a browser may do with a page, by surface; the JSON API keeps its own policy."""

from __future__ import annotations

from enum import StrEnum

REPORTS_PATH = "/reports/policy"

CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    f"require-trusted-types-for 'script'; trusted-types tongdui; report-uri {REPORTS_PATH}"
)


class Surface(StrEnum):
    """Where a page is used."""

    OPEN = "open"
    """No sign-in: the same for everybody."""
    SIGNED_IN = "signed_in"
    """Somebody's own."""
    SCANNING = "scanning"
    """Somebody's own, with a camera: counter and desk."""


def headers(surface: Surface, *, is_https: bool) -> dict[str, str]:
    """Return the headers of a page.

    The referrer stays within the site: with ``no-referrer`` a browser sends ``Origin: null`` with our own forms, and
    those without Sec-Fetch-Site would have nothing to be known by.
    """
    camera = "(self)" if surface is Surface.SCANNING else "()"
    found = {
        "Content-Security-Policy": CONTENT,
        "Permissions-Policy": f"camera={camera}, microphone=(), geolocation=()",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-cache" if surface is Surface.OPEN else "no-store",
    }
    if is_https:
        found["Strict-Transport-Security"] = "max-age=31536000"
    return found
