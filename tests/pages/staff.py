"""People of shops and desks who sign in at the served city, and a camera that sees a code."""

from __future__ import annotations

from pathlib import Path

import segno

from ledger_api.auth.logins import Logins, NewLogin
from ledger_api.auth.passwords import Passwords
from tests.integration.ledger_api.served import Served
from tests.pages.browser import Visitor

PASSWORD = "rice, noodles and eggs"
SIDE, FRAMES = 480, 4


def make_login(city: Served, name: str, *scopes: str) -> None:
    """Make a login of the city, as its operator does."""
    hashed = Passwords(memory_kib=1_024, rounds=1).hash_new(name, PASSWORD)
    with city.city.gateway.database.transaction() as session:
        logins = Logins(city.city.clock)
        if logins.row(session, name) is None:
            logins.add(session, NewLogin(name, hashed, frozenset(scopes), "test"))


def sign_in(visitor: Visitor, name: str) -> None:
    """Sign in by the form."""
    page = visitor.go("/sign-in")
    page.locator("input[name=name]").fill(name)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main form button").first.click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def film(path: Path, content: str) -> Path:
    """Write what a camera sees of a code that lies before it: raw grey frames, as Chromium's fake camera plays them."""
    matrix = list(segno.make(content, error="m", micro=False).matrix)
    scale = SIDE * 2 // 3 // len(matrix)
    left = (SIDE - scale * len(matrix)) // 2
    light, dark = b"\xeb", b"\x10"
    lines = []
    for y in range(SIDE):
        row = (y - left) // scale
        if not 0 <= row < len(matrix) or y < left:
            lines.append(light * SIDE)
            continue
        inside = b"".join((dark if one else light) * scale for one in matrix[row])
        lines.append(light * left + inside + light * (SIDE - left - len(inside)))
    frame = b"FRAME\n" + b"".join(lines) + b"\x80" * (SIDE * SIDE // 2)
    path.write_bytes(f"YUV4MPEG2 W{SIDE} H{SIDE} F30:1 Ip A1:1 C420jpeg\n".encode() + frame * FRAMES)
    return path
