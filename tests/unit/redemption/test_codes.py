from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redemption.codes import ALPHABET, CODE_LENGTH, DIGITS_LENGTH, QR_PREFIX, CodeBook, digits_of, grouped, parse
from redemption.errors import BadSlipCode

BOOK = CodeBook(b"\x03" * 32)


@given(st.text(min_size=1, max_size=40))
def test_a_code_is_ten_signs_and_reads_back_however_it_is_written(slip_id: str) -> None:
    code = BOOK.code(slip_id)
    assert len(code) == CODE_LENGTH
    assert set(code) <= set(ALPHABET)
    for written in (grouped(code), grouped(code).lower(), f" {code} ", QR_PREFIX + code):
        assert parse(written) == code


def test_letters_that_look_like_digits_are_read_as_them() -> None:
    assert parse("O1L23-456I8") == "0112345618"


@pytest.mark.parametrize("text", ["", "12345", "ABCDE-FGHJU", "ABCDE-FGHJKM", "ABCDE-FGHJ!"])
def test_what_cannot_be_a_code_is_refused(text: str) -> None:
    with pytest.raises(BadSlipCode):
        parse(text)


def test_another_installation_has_other_codes_and_other_hmacs() -> None:
    other = CodeBook(b"\x04" * 32)
    assert other.code("a") != BOOK.code("a")
    assert other.finder("0123456789") != BOOK.finder("0123456789")
    assert BOOK.code("a") != BOOK.code("b")


def test_digits_are_six_and_another_installation_has_others() -> None:
    assert len(BOOK.digits("a")) == DIGITS_LENGTH
    assert BOOK.digits("a").isdigit()
    assert BOOK.digits("a") != CodeBook(b"\x04" * 32).digits("a")


@pytest.mark.parametrize(
    ("text", "read"), [("402915", "402915"), (" 402 915 ", "402915"), ("40291", None), ("4O2915", None), ("", None)]
)
def test_six_digits_are_known_from_a_code(text: str, read: str | None) -> None:
    assert digits_of(text) == read
