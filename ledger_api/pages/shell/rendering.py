"""How a page is made: a template, the words of the reader's language, the headers of its surface."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from ledger.standard.amounts import points_text_short, yuan_text
from ledger.standard.civil_time import city_moment
from ledger_api.pages.shell.assets import Assets
from ledger_api.pages.shell.guard import is_https
from ledger_api.pages.shell.policy import Surface, headers
from ledger_api.pages.shell.preferences import Preferences, preferences_of
from ledger_api.pages.shell.words import LANGUAGES, TAGS, Language, Words, load
from ledger_api.ports import PageSettings

_PAGES = Path(__file__).resolve().parents[1]
TEMPLATES = sorted(path for path in _PAGES.glob("*/templates"))
PACK_FROM = 600
"""Smaller bodies are not worth packing."""


@dataclass(frozen=True, slots=True)
class Shell:
    """What pages are made with: one an application."""

    words: dict[Language, Words]
    assets: Assets
    templates: Environment
    settings: PageSettings

    @classmethod
    def load(cls, settings: PageSettings) -> Shell:
        """Read catalogues, templates and static files."""
        words = {language: load(language) for language in LANGUAGES}
        templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        assets = Assets.load()
        templates.globals |= {"asset": assets.url, "has_asset": assets.has}
        templates.filters |= {"points": points_shown, "day": day_shown, "moment": moment_shown, "count": count_shown}
        return cls(words, assets, templates, settings)

    def preferences(self, request: Request) -> Preferences:
        """Return how the reader of a request wants to read."""
        return preferences_of(request.cookies, request.headers.get("accept-language"))

    def page(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        surface: Surface = Surface.OPEN,
        **content: object,
    ) -> Response:
        """Return a page in the reader's language and size."""
        chosen = self.preferences(request)
        words = self.words[chosen.language]
        html = self.templates.get_template(template).render(
            t=words.text,
            both=self._both,
            money=_money_in(words),
            chosen=chosen,
            tag=TAGS[chosen.language],
            tags=TAGS,
            path=request.url.path,
            query=request.url.query,
            **getattr(request.state, "own", {}),
            **content,
        )
        answer = Response(status_code=status, media_type="text/html")
        answer.headers.update(headers(surface, is_https=is_https(request, self.settings)))
        answer.headers["Vary"] = "Accept-Encoding, Accept-Language, Cookie"
        answer.headers["Content-Language"] = chosen.language
        return with_body(request, answer, html.encode())

    def _both(self, key: str) -> Markup:
        """Return a text in both languages, for who has not chosen yet."""
        parts = [
            Markup('<span lang="{}">{}</span>').format(TAGS[language], self.words[language].text(key))
            for language in LANGUAGES
        ]
        return Markup(" ").join(parts)


def with_body(request: Request, answer: Response, content: bytes, packed: bytes | None = None) -> Response:
    """Return the response with a body, packed where the browser takes that."""
    if len(content) >= PACK_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        content = packed or gzip.compress(content, 6, mtime=0)
        answer.headers["Content-Encoding"] = "gzip"
    answer.body = content
    answer.headers["Content-Length"] = str(len(content))
    return answer


def points_shown(minor: int) -> str:
    """Return minor units as points, with separators and without needless decimals: ``1,234.5``."""
    return _grouped(points_text_short(abs(minor)), minor)


def day_shown(timestamp: int) -> str:
    """Return the city's day of a Unix time: ``2026-03-02``."""
    return f"{city_moment(timestamp):%Y-%m-%d}"


def moment_shown(timestamp: int) -> str:
    """Return the city's time of a Unix time: ``2026-03-02 14:01``."""
    return f"{city_moment(timestamp):%Y-%m-%d %H:%M}"


def count_shown(number: int) -> str:
    """Return a number with separators."""
    return f"{number:,}"


def _money_in(words: Words) -> Callable[[int], str]:
    def money(fen: int) -> str:
        """Return fen as money of the reader's language."""
        return words.text("money", yuan=_grouped(yuan_text(abs(fen)), fen))

    return money


def _grouped(text: str, signed: int) -> str:
    whole, _, decimals = text.partition(".")
    grouped = f"{int(whole):,}{'.' if decimals else ''}{decimals}"
    return f"−{grouped}" if signed < 0 else grouped
