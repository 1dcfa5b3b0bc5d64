"""Language and size of type: by choice, else by what the browser asks for, else Chinese."""

from __future__ import annotations

import pytest

from ledger_api.pages.shell.preferences import LANGUAGE_COOKIE, SIZE_COOKIE, SIZES, preferences_of


@pytest.mark.parametrize(
    ("cookie", "header", "language"),
    [
        (None, None, "zh-CN"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        (None, "en-GB,en;q=0.9", "en"),
        (None, "de", "en"),
        ("en", "zh-CN", "en"),
        ("zh-CN", "en", "zh-CN"),
        ("xx", "en", "en"),
    ],
)
def test_the_language(cookie: str | None, header: str | None, language: str) -> None:
    cookies = {} if cookie is None else {LANGUAGE_COOKIE: cookie}
    assert preferences_of(cookies, header).language == language


def test_sizes_go_up_and_down_one_at_a_time_and_stay_at_the_ends() -> None:
    chosen = [preferences_of({SIZE_COOKIE: size}, None) for size in SIZES]
    assert [one.is_large for one in chosen] == [False, True, True, True]
    assert [one.larger for one in chosen] == ["large", "larger", "largest", "largest"]
    assert [one.smaller for one in chosen] == ["normal", "normal", "large", "larger"]
    assert preferences_of({SIZE_COOKIE: "huge"}, None).size == "normal"
