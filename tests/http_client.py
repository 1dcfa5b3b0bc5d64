"""A client whose idle connections end before the server's do, so that no request meets the end of one."""

from __future__ import annotations

import httpx


def client_of(url: str, timeout_s: float = 60.0) -> httpx.Client:
    """Return a client of a server of ours; to be closed."""
    return httpx.Client(base_url=url, timeout=timeout_s, trust_env=False, limits=httpx.Limits(keepalive_expiry=1.0))
