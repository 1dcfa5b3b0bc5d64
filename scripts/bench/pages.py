"""``bench pages``: signed-in residents open their wallet's page at a steady rate, on a real ``tongdui serve``."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ledger.errors import InvariantViolation
from ledger_api.auth import scopes
from ledger_api.pages.shell.session import LOOPBACK_COOKIE
from scripts.bench import postgres
from scripts.bench.issue import bench_city, work_folder
from scripts.bench.processes import cpu_s
from scripts.bench.redeem import Tell, serving, settings_for, settle_in
from tongdui.api import services_of
from tongdui.bootstrap import City, open_city
from tongdui.clock import clock_of

PATH = "/wallet"
_WARM_S = 2.0


@dataclass(frozen=True, slots=True)
class PageSizes:
    """What is measured."""

    wallets: int
    per_s: float
    seconds: float
    database: str
    """``sqlite`` or ``postgresql``."""


def bench_pages(sizes: PageSizes, folder: Path | None, tell: Tell) -> dict[str, Any]:
    """Open pages at the rate that is asked for and return what they took; then say what one page costs.

    Requests leave on time whatever the answers do, so that a slow server shows. Raises InvariantViolation where a page
    is not the wallet, or has no body.
    """
    with (
        work_folder(folder) as root,
        postgres.running() if sizes.database == "postgresql" else nullcontext() as server,
    ):
        settings = settings_for(root / "city", None if server is None else server.create("bench"))
        tell(f"open a city with {sizes.wallets} wallets")
        with open_city(settings, clock_of(settings.state_dir), config=bench_city()) as city:
            cookies = _sign_in(city, settle_in(city, sizes.wallets))
        with serving(settings, root / "serve.log", 1) as (port, pid):
            url = f"http://127.0.0.1:{port}"
            asyncio.run(_open(url, cookies, sizes.per_s, _WARM_S))
            tell(f"open {sizes.per_s:.0f} pages a second for {sizes.seconds:.0f} s")
            before = cpu_s(pid) or 0.0
            took_ms, statuses, size = asyncio.run(_open(url, cookies, sizes.per_s, sizes.seconds))
            spent_s = (cpu_s(pid) or 0.0) - before
    if set(statuses) != {200} or size == 0:
        raise InvariantViolation(f"pages were refused: {dict(statuses)}")
    return {
        "pages_per_s": sizes.per_s,
        "p50_ms": round(statistics.median(took_ms), 1),
        "p95_ms": round(statistics.quantiles(took_ms, n=20)[-1], 1),
        "cpu_ms_a_page": round(spent_s / len(took_ms) * 1e3, 1),
        "bytes_a_page": size,
        "pages": len(took_ms),
        "database": sizes.database,
    }


def _sign_in(city: City, tokens: Sequence[str]) -> list[str]:
    """Begin a session for each token's owner and return the cookies' content."""
    services = services_of(city)
    owners = [services.verifier.verify(token).subject for token in tokens]
    with city.database.transaction() as session:
        return [services.sessions.begin(session, owner, [scopes.RESIDENT], "bench").secret for owner in owners]


async def _open(
    url: str, cookies: Sequence[str], per_s: float, seconds: float
) -> tuple[list[float], Counter[int], int]:
    """Return the milliseconds of each page, how often each status came, and the bytes of a page."""
    took_ms: list[float] = []
    statuses: Counter[int] = Counter()
    size = 0

    async def one(client: httpx.AsyncClient, cookie: str, at: float) -> None:
        nonlocal size
        answer = await client.get(PATH, headers={"cookie": f"{LOOPBACK_COOKIE}={cookie}"})
        took_ms.append((time.monotonic() - at) * 1e3)
        statuses[answer.status_code] += 1
        size = len(answer.content)

    async with httpx.AsyncClient(base_url=url, timeout=30.0, trust_env=False) as client:
        began = time.monotonic()
        asked = []
        for number in range(int(per_s * seconds)):
            due = began + number / per_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            asked.append(asyncio.create_task(one(client, cookies[number % len(cookies)], due)))
        await asyncio.gather(*asked)
    return took_ms, statuses, size
