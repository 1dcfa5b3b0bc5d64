"""Names of files from outside: whatever bytes they are, they become words that every reader bears."""

from __future__ import annotations

import os

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.intake.file_names import shown_name, with_addition


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("志愿.csv".encode(), "志愿.csv"),
        ("志愿.csv".encode("gb18030"), "志愿.csv"),
        (b"a\x1b[31m.csv", "a\\u{1b}[31m.csv"),
        ("a\u202evsc.exe".encode(), "a\\u{202e}vsc.exe"),
        ("a\u200bb".encode(), "a\\u{200b}b"),
        (b"\xff\xff\xff.csv", "\\xff\\xff\\xff.csv"),
    ],
)
def test_a_name_is_shown_in_words(raw: bytes, expected: str) -> None:
    assert shown_name(os.fsdecode(raw)) == expected


@given(st.binary(max_size=255))
def test_every_name_can_be_stored_shown_and_sent(raw: bytes) -> None:
    shown = shown_name(os.fsdecode(raw))
    assert shown.isprintable()
    assert len(shown) <= 200
    assert orjson.loads(orjson.dumps(shown)) == shown


@given(st.binary(min_size=1, max_size=255), st.binary(min_size=1, max_size=255))
def test_a_name_with_an_addition_stays_a_name_of_its_own(first: bytes, second: bytes) -> None:
    made = [with_addition(os.fsdecode(raw), ".report.json") for raw in (first, second)]
    assert all(len(os.fsencode(one)) <= 255 and one.endswith(".report.json") for one in made)
    assert (made[0] == made[1]) is (first == second)
