"""The catalogues say the same things, templates take all their words from them, and no word is left over."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from ledger_api.pages.shell.words import LANGUAGES, load

PAGES = Path(__file__).resolve().parents[5] / "ledger_api" / "pages"
TEMPLATES = sorted(PAGES.rglob("*.html"))
CHINESE = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
MARKUP = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<[^>]*>", re.DOTALL)
KEY = re.compile(r"""(?:\bt|\bboth)\(\s*"([a-z_.-]+)"\s*(~)?""")
CHOSEN = re.compile(r"""\bt\(\s*"[^)]*?\bif\b""")


def test_both_languages_have_the_same_keys_and_the_same_places_to_fill() -> None:
    chinese, english = (load(language).texts for language in LANGUAGES)
    assert chinese.keys() == english.keys()
    for key in chinese:
        assert fields(chinese[key]) == fields(english[key]), key
        assert chinese[key].strip(), key
        assert english[key].strip(), key


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_english_has_no_chinese_but_the_name_of_the_other_language() -> None:
    with_chinese = {
        key for key, text in load("en").texts.items() if CHINESE.search(text.replace("＋", "").replace("－", ""))
    }
    assert with_chinese == {"shell.other_language"}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_words_of_its_own(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not CHINESE.search(text), "Chinese belongs into words.zh-CN.toml"
    plain = MARKUP.sub(" ", text)
    assert not re.search(r"[A-Za-z]{2,}", plain), "words belong into the catalogues"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_key_of_a_template_is_in_the_catalogue(path: Path) -> None:
    texts = load("en").texts
    for key, is_prefix in KEY.findall(path.read_text(encoding="utf-8")):
        if is_prefix:
            assert any(known.startswith(key) for known in texts), key
        else:
            assert key in texts


def test_no_key_is_left_over() -> None:
    """A key is used where it stands in quotation marks, or begins with a quoted part."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in [*TEMPLATES, *sorted(PAGES.rglob("*.py"))])
    whole = set(re.findall(r"""["']([a-z_]+(?:\.[a-z_-]+)*)["']""", sources))
    prefixes = tuple(re.findall(r"""["']([a-z_]+\.(?:[a-z_]+\.)*)["'{]""", sources))
    unused = [key for key in load("en").texts if key not in whole and not key.startswith(prefixes)]
    assert not unused


def test_a_missing_key_is_an_error_and_never_shown() -> None:
    with pytest.raises(KeyError):
        load("en").text("first.nothing")


def test_whatever_is_looked_at_for_has_words() -> None:
    """A resident reads for what somebody looked; what cannot be put into words would be no page at all."""
    api = PAGES.parent
    sources = "\n".join(path.read_text(encoding="utf-8") for path in sorted(api.rglob("*.py")))
    noted = set(re.findall(r'note_look\(.*?, "([A-Za-z]+)"\)', sources))
    noted |= set(re.findall(r'": "([a-zA-Z]+AtDesk)"', sources))
    assert {"listClaims", "approveAtDesk", "redeemAtDesk", "getWalletAtDesk", "findAtDesk"} <= noted
    assert {f"looks.{one}" for one in noted} <= load("en").texts.keys()
