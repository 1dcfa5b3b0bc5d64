"""The words of the pages: one catalogue a language, the same keys in each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Language = Literal["zh-CN", "en"]
LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")
TAGS: Mapping[Language, str] = {"zh-CN": "zh-Hans", "en": "en"}
"""What stands in ``lang``: simplified Chinese is a script, not a country."""


@dataclass(frozen=True, slots=True)
class Words:
    """The catalogue of one language."""

    language: Language
    texts: Mapping[str, str]

    def text(self, key: str, **values: object) -> str:
        """Return the text of a key with ``{name}`` filled in. Raises KeyError: a page never shows a key."""
        text = self.texts[key]
        return text.format(**values) if values else text


def load(language: Language) -> Words:
    """Read a catalogue; the keys of its tables are joined with full stops."""
    path = Path(__file__).with_name(f"words.{language}.toml")
    return Words(language, dict(_flat("", tomllib.loads(path.read_text(encoding="utf-8")))))


def _flat(prefix: str, table: Mapping[str, object]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            found += _flat(f"{prefix}{key}.", value)
        else:
            found.append((f"{prefix}{key}", str(value)))
    return found
