"""A browser that tells what it did not like: console errors, broken policy, requests elsewhere, axe's violations."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, BrowserType, ConsoleMessage, Page, Request

from ledger_api.pages.shell.preferences import LANGUAGE_COOKIE, SIZE_COOKIE, Size
from ledger_api.pages.shell.words import Language

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "pages"
SHOWN = ROOT / "docs" / "pictures"
README = {
    "own-wallet-360-normal-zh-CN-light": "wallet",
    "counter-till-360-normal-zh-CN-light": "counter",
    "counter-paid-360-normal-zh-CN-light": "paid",
    "desk-offer-1280-normal-zh-CN-light": "desk",
    "book-1280-normal-zh-CN-light": "book",
}
"""Which pictures both READMEs show, and under what name: made anew by `make pictures`."""
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
_VIOLATIONS = """() => { window.__broken = []; document.addEventListener('securitypolicyviolation', (event) =>
  window.__broken.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`)); }"""


def chromium() -> str | None:
    """Return the Chromium of this machine, or None: nothing is downloaded."""
    named = os.environ.get("TONGDUI_CHROMIUM")
    return named or next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)


def launch(chrome: BrowserType, *more: str) -> Browser:
    """Start it without a window; as root, as in CI, its sandbox cannot work."""
    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    return chrome.launch(executable_path=chromium(), args=[*sandbox, "--disable-dev-shm-usage", *more])


@dataclass(frozen=True, slots=True)
class View:
    """How somebody looks at a page."""

    width: int = 1280
    size: Size = "normal"
    language: Language = "zh-CN"
    scheme: Literal["light", "dark"] = "light"

    def __str__(self) -> str:
        return f"{self.width}-{self.size}-{self.language}-{self.scheme}"


@dataclass
class Visitor:
    """One person's browser at one city. ``complaints`` must stay empty."""

    context: BrowserContext
    page: Page
    url: str
    view: View
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, browser: Browser, url: str, view: View, **options: Any) -> Visitor:
        """Open a browser of its own, without anybody's cookies."""
        context = browser.new_context(
            viewport={"width": view.width, "height": 800},
            color_scheme=view.scheme,
            locale=view.language,
            base_url=url,
            reduced_motion="reduce",
            **options,
        )
        context.add_cookies(
            [
                {"name": LANGUAGE_COOKIE, "value": view.language, "url": url},
                {"name": SIZE_COOKIE, "value": view.size, "url": url},
            ]
        )
        visitor = cls(context, context.new_page(), url, view)
        visitor.page.add_init_script(f"({_VIOLATIONS})()")
        visitor.page.on("console", visitor._on_console)
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(f"script: {error}"))
        visitor.page.on("request", visitor._on_request)
        return visitor

    def go(self, path: str) -> Page:
        """Open a page of the city."""
        self.page.goto(path)
        return self.page

    def check(self) -> None:
        """Raise AssertionError for all that was not right so far."""
        if self.page.url.startswith("http"):
            self.complaints += [f"policy: {one}" for one in self.page.evaluate("window.__broken || []")]
        assert self.complaints == [], self.complaints

    def look(self, name: str) -> None:
        """Keep a picture of the page."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}-{self.view}.png", full_page=True)
        shown = README.get(f"{name}-{self.view}")
        if shown is not None and os.environ.get("TONGDUI_PICTURES"):
            self.page.screenshot(path=SHOWN / f"{shown}.png")

    def axe(self) -> list[str]:
        """Return axe's violations of WCAG 2.2 AA, one line each with where they are."""
        self.page.evaluate(_axe())
        options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
        found = self.page.evaluate("(options) => axe.run(document, options)", options)
        return [
            f"{one['id']}: {node['target']} {node.get('failureSummary', '')[:200]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the screen."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width

    def close(self) -> None:
        self.context.close()

    def _on_console(self, message: ConsoleMessage) -> None:
        # A page that answers 404 or 422 as it should is an error to the console all the same.
        if message.type in ("error", "warning") and not _EXPECTED.match(message.text):
            self.complaints.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        target = urlsplit(request.url)
        if target.scheme in ("http", "https") and target.netloc != urlsplit(self.url).netloc:
            self.complaints.append(f"elsewhere: {request.url}")


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")
