"""How somebody wants to read: language and size of type, kept in cookies that say nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from ledger.standard.civil_time import DAY_S
from ledger_api.http.problems import prefers_chinese
from ledger_api.pages.shell.words import LANGUAGES, Language

Size = Literal["normal", "large", "larger", "largest"]
SIZES: tuple[Size, ...] = ("normal", "large", "larger", "largest")
"""All but the first are the edition for the elderly."""

LANGUAGE_COOKIE, SIZE_COOKIE = "tongdui_language", "tongdui_size"
KEPT_S = 365 * DAY_S


@dataclass(frozen=True, slots=True)
class Preferences:
    """What was chosen, or else what the browser asks for."""

    language: Language
    size: Size

    @property
    def is_large(self) -> bool:
        """Whether this is the edition for the elderly."""
        return self.size != "normal"

    @property
    def smaller(self) -> Size:
        """The next smaller size, ``normal`` at the end."""
        return SIZES[max(0, SIZES.index(self.size) - 1)]

    @property
    def larger(self) -> Size:
        """The next larger size, or the largest."""
        return SIZES[min(len(SIZES) - 1, SIZES.index(self.size) + 1)]


def preferences_of(cookies: Mapping[str, str], accept_language: str | None) -> Preferences:
    """Return the preferences of a request. Where neither cookie nor browser says anything it is Chinese."""
    language = cookies.get(LANGUAGE_COOKIE)
    if language not in LANGUAGES:
        asks_for_english = bool(accept_language) and not prefers_chinese(accept_language)
        language = "en" if asks_for_english else "zh-CN"
    size = cookies.get(SIZE_COOKIE)
    return Preferences(cast(Language, language), size if size in SIZES else "normal")
