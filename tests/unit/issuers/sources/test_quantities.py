"""Quantities as clerks and programs write them: exact, in the unit that was meant, or refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.rules.units import MICRO
from issuers.sources.quantities import decimal_of, parse_quantity

Marks = tuple[str | None, str, int]
PLAIN: Marks = (None, ".", 9)


def read(
    text: str, unit: str = "hour", forms: tuple[str, ...] = ("number",), marks: Marks = PLAIN
) -> tuple[Decimal, str] | None:
    """Return the quantity in base units, and the unit that is kept."""
    found = parse_quantity(text, unit, forms, marks)
    return None if found is None else (Decimal(found.micro) / MICRO, found.unit)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2小时30分", 9000),
        ("2小时30分钟", 9000),
        ("150分钟", 9000),
        ("2.5小时", 9000),
        ("2 小时 30 分", 9000),
        ("２小时３０分", 9000),
        ("2个半小时", 9000),
        ("半小时", 1800),
        ("半个小时", 1800),
        ("2小时半", 9000),
        ("1h30m", 5400),
        ("90min", 5400),
        ("1.5 hours", 5400),
        ("3时", 10800),
        ("1小时1分1秒", 3661),
        ("45秒", 45),
        ("PT2H30M", 9000),
        ("pt90m", 5400),
        ("PT1.5H", 5400),
    ],
)
def test_durations_in_words(text: str, seconds: int) -> None:
    assert read(text, "hour", ("words",)) == (seconds, "second")
    assert read(text, "minute", ("number", "words")) == (seconds, "second")
    assert read(text) is None, "without the mapping's word a text is no number"


@pytest.mark.parametrize(
    "text",
    [
        "2小时30",
        "30分2小时",
        "2小时2小时",
        "2.5小时30分",
        "小时",
        "2",
        "2天",
        "-2小时",
        "PT",
        "2小时30分x",
        "两小时",
        "2.5.5小时",
        "1.5kg",
    ],
)
def test_words_that_say_no_duration(text: str) -> None:
    assert read(text, "hour", ("words",)) is None


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("1.5kg", "kilogram", (1500, "gram")),
        ("3斤", "kilogram", (1500, "gram")),
        ("2公斤300克", "gram", (2300, "gram")),
        ("5公里", "metre", (5000, "metre")),
        ("12.5元", "yuan", (1250, "fen")),
        ("￥12.50", "yuan", (1250, "fen")),
        ("12元5角", "fen", (1250, "fen")),
        ("3次", "trip", (3, "trip")),
        ("2课时", "session", (2, "session")),
    ],
)
def test_other_units_in_words(text: str, unit: str, expected: tuple[int, str]) -> None:
    assert read(text, unit, ("words",)) == expected


@pytest.mark.parametrize(
    ("text", "form", "seconds"),
    [
        ("2:30", "h:mm", 9000),
        ("02:30", "h:mm", 9000),
        ("36:00", "h:mm", 129600),
        ("2:30:15", "h:mm", 9015),
        ("2:30", "mm:ss", 150),
        ("150:00", "mm:ss", 9000),
        ("1:02:03", "mm:ss", 3723),
        ("２：３０", "h:mm", 9000),
    ],
)
def test_durations_by_the_clock(text: str, form: str, seconds: int) -> None:
    assert read(text, "hour", (form,)) == (seconds, "second")


def test_two_parts_are_refused_without_the_mappings_word_and_three_mean_one_thing() -> None:
    """2:30 is hours to one and minutes to another."""
    assert read("2:30") is None
    assert read("2:30:00") == (9000, "second")
    assert read("2:30:00", "kilogram") is None
    assert read("2:75", "hour", ("h:mm",)) is None


@pytest.mark.parametrize(
    ("text", "marks", "expected"),
    [
        ("1,000.5", (",", ".", 9), "1000.5"),
        ("12,345,678", (",", ".", 9), "12345678"),
        ("1.000,5", (".", ",", 9), "1000.5"),
        ("1 000", (" ", ".", 9), "1000"),
        ("1'000", ("'", ".", 9), "1000"),
        ("１，０００", (",", ".", 9), "1000"),
        ("-1,000", (",", ".", 9), "-1000"),
        ("2,5", (None, ",", 9), "2.5"),
        (".5", PLAIN, "0.5"),
    ],
)
def test_thousands_and_decimal_marks_by_mapping(text: str, marks: Marks, expected: str) -> None:
    found = parse_quantity(text, "one", ("number",), marks)
    assert found is not None
    assert found.digits == expected


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("1,000", PLAIN),
        ("1,00", (",", ".", 9)),
        ("1,0000", (",", ".", 9)),
        (",100", (",", ".", 9)),
        ("1,000,", (",", ".", 9)),
        ("1.5", (None, ",", 9)),
        ("1.000.5", (".", ",", 9)),
        ("1e3", PLAIN),
        ("0x10", PLAIN),
        ("5.", PLAIN),
        ("٣", PLAIN),
    ],
)
def test_marks_that_stand_wrong_make_no_number(text: str, marks: Marks) -> None:
    found = parse_quantity(text, "one", ("number",), marks)
    assert found is None


@pytest.mark.parametrize(
    ("text", "places", "digits"),
    [
        ("3.4499999999999997", 9, "3.45"),
        ("0.30000000000000004", 9, "0.3"),
        ("2.675", 2, "2.68"),
        ("2.5000000000000000000", 9, "2.5"),
        ("1.0000000005", 9, "1.000000001"),
        ("0.1234567891234", 12, "0.123456789123"),
        ("7", 0, "7"),
    ],
)
def test_what_a_program_printed_is_rounded_to_the_stated_places(text: str, places: int, digits: str) -> None:
    found = parse_quantity(text, "hour", ("number",), (None, ".", places))
    assert found is not None
    assert found.digits == digits
    assert found.micro == int(Decimal(digits) * 3600 * MICRO)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_every_duration_is_read_alike_in_all_forms(hours: int, minutes: int, seconds: int) -> None:
    total = hours * 3600 + minutes * 60 + seconds
    texts = [f"{hours}小时{minutes}分{seconds}秒", f"PT{hours}H{minutes}M{seconds}S", f"{total}秒"]
    assert {read(text, "hour", ("words",)) for text in texts} == {(Decimal(total), "second")}
    if hours < 10**6:
        assert read(f"{hours}:{minutes:02}:{seconds:02}") == (total, "second")


@given(st.floats(0, 10**9))
def test_every_float_is_read_to_nine_places(value: float) -> None:
    text = f"{value:.17f}".rstrip("0")
    found = decimal_of(text if text[-1] != "." else text + "0")
    assert found is not None
    assert abs(found - Decimal(value)) <= Decimal("1e-17")


@given(
    st.text(max_size=40),
    st.sampled_from([("words",), ("h:mm", "number"), ("mm:ss",)]),
    st.sampled_from(["hour", "kilogram", "yuan", "trip"]),
)
def test_any_text_is_a_quantity_or_none(text: str, forms: tuple[str, ...], unit: str) -> None:
    parse_quantity(text, unit, forms, (",", ".", 3))


@pytest.mark.parametrize("text", ["2²", "12①", "²", "1½", "½", "2⑴", "30㈠", "10₂"])
def test_a_notes_number_is_none_of_the_quantitys_digits(text: str) -> None:
    """12① was read as 121."""
    assert read(text) is None
    assert read(text, forms=("number", "words")) is None
