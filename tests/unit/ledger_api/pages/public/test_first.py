"""The first page says what this is in both languages, to everybody."""

from __future__ import annotations

from typing import Any

import pytest

from ledger_api.pages.shell.words import LANGUAGES, load


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_three_sentences_stand_there_in_both_languages_whatever_was_chosen(people: Any, language: str) -> None:
    page = people.get("/", headers={"Accept-Language": language}).text
    for one in LANGUAGES:
        words = load(one)
        for key in ("first.one", "first.two", "first.three"):
            assert words.text(key) in page


def test_the_edition_for_the_elderly_and_help_are_on_the_first_page(people: Any) -> None:
    page = people.get("/").text
    assert '<button name="size" value="large">长辈版</button>' in page
    assert 'href="/help"' in page
    assert people.get("/help").status_code == 200
