"""Cells without what spreadsheets put around them, and words for nothing as nothing."""

from __future__ import annotations

from typing import Any

import pytest

from issuers.rules.deeds import Deed
from issuers.rules.refusals import Fault, RefusalCode
from issuers.sources.mapping import FieldSpec
from issuers.sources.normalise import Normaliser
from issuers.sources.readers.rows import Row
from issuers.sources.texts import dated_shape, getter, scientific_part, shape_of, unguarded
from tests.unit.issuers.build import NOW, mapping

GOOD = {"id": "r1", "who": "p1", "what": "work", "when": "2026-08-01", "until": None, "amount": "2", "by": "某街道"}


def read(changes: dict[str, str | None], certifier: dict[str, Any], **spec: Any) -> Deed | Fault:
    fields = {**mapping().model_dump()["fields"], "certifier": {"column": "by", **certifier}}
    by = mapping(fields=fields, **spec)
    values: dict[str, str | None] = {**GOOD, **changes}
    return Normaliser(by).deed(Row(1, 2, tuple(values.get(column) for column in by.columns)), NOW)


@pytest.mark.parametrize(
    "word",
    [
        "NULL", "null", "NA", "n/a", "#N/A", "无", "/", "\\", "-", "--", "—", "——", "－", "None", " — ", "",
        "#REF!", "#VALUE!", "#name?", "#DIV/0!", "nan", "NaT", "<NA>", "\\N", "(null)", "undefined", "暂无",
    ],
)  # fmt: skip
def test_words_for_nothing_are_nothing(word: str) -> None:
    """They satisfied ``requires: [certifier]``, and refused a deed whose end was not known."""
    found = read({"by": word}, {})
    assert isinstance(found, Fault)
    assert (found.field, found.code) == ("certifier", RefusalCode.MISSING_FIELD)
    for field in ("until", "by"):
        deed = read({field: word}, {"optional": True})
        assert isinstance(deed, Deed), deed
        assert ("certifier" in deed.present) is (field == "until")
    fault = read({"amount": word}, {})
    assert isinstance(fault, Fault)
    assert fault.code is RefusalCode.MISSING_FIELD


def test_a_mapping_and_a_field_have_their_own_words() -> None:
    for spec, certifier in (({"empty": ["暂缺"]}, {}), ({}, {"empty": ["暂缺"]})):
        fault = read({"by": "暂缺"}, certifier, **spec)
        assert isinstance(fault, Fault)
        deed = read({"by": "无"}, certifier, **spec)
        assert isinstance(deed, Deed), "what the list does not name is a value"
    deed = read({"by": "无"}, {"values": {"无": "none"}})
    assert isinstance(deed, Deed), "a value of the table is no word for nothing"
    assert b'"certifier":"none"' in deed.canonical


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('="0123"', "0123"),
        ('="say ""x"""', 'say "x"'),
        ("'0123", "0123"),
        ("`0123", "0123"),
        ("0123", "0123"),
        ('=""', ""),
        ("=1+1", "=1+1"),
    ],
)
def test_guards_are_taken_off(text: str, expected: str) -> None:
    assert unguarded(text, ("'", "`")) == expected
    by = mapping(prefix_guards=["'", "`"])
    assert getter(FieldSpec(column="id"), by, {"id": 0})((f" {text} ",)) == expected
    assert getter(FieldSpec(column="id"), mapping(), {"id": 0})(("'0123",)) == "'0123"


@pytest.mark.parametrize("text", ["5.10107E+17", "5E17", "1e+16", "5.1E+17|2026-08-01", "r|5.1e+17"])
def test_an_identifier_in_scientific_form_is_refused_with_what_to_do(text: str) -> None:
    """Three people had become one."""
    assert scientific_part(text) is not None
    for field in ("record_id", "source_id"):
        fields = {**mapping().model_dump()["fields"], "certifier": {"column": "by"}}
        by = mapping(fields=fields)
        values = {**GOOD, {"record_id": "id", "source_id": "who"}[field]: text}
        fault = Normaliser(by).deed(Row(1, 2, tuple(values.get(column) for column in by.columns)), NOW)
        assert isinstance(fault, Fault)
        assert (fault.field, fault.code) == (field, RefusalCode.RUINED_IDENTIFIER)
        english, chinese = fault.reason()
        assert "Format the column as text" in english
        assert "设置单元格格式" in chinese
        assert "5.1" not in english + chinese, "a reason never holds a value"


@pytest.mark.parametrize("text", ["E5", "ZY2026E17", "510107199001010000", "5.1", "5E", "1E5X", "a|b"])
def test_other_identifiers_are_not(text: str) -> None:
    assert scientific_part(text) is None


def test_a_shape_tells_what_was_found_and_nothing_else() -> None:
    assert shape_of("2026年3月13日 Ab") == "9999字9字99字 Aa"
    assert shape_of("两小时\x07") == "字字字·"
    assert len(shape_of("x" * 500)) < 30


@pytest.mark.parametrize("text", ["12-Mar", "Mar-12", "3月12日"])
def test_an_identifier_that_became_a_date_is_refused(text: str) -> None:
    """Flat 3-12, saved as CSV by a spreadsheet."""
    fault = Normaliser(mapping()).deed(Row(1, 2, ("r1", text, "work", "2026-08-01 09:00", None, "2")), NOW)
    assert isinstance(fault, Fault)
    assert (fault.field, fault.code) == ("source_id", RefusalCode.RUINED_IDENTIFIER)
    assert dated_shape("MAR-12", of_workbook=False) is None
    assert dated_shape("2026-03-12", of_workbook=False) is None


@pytest.mark.parametrize("text", ["510***********1234", "????", "P1??", "＊＊12", "“P1”"])
def test_an_identifier_that_hides_or_lost_its_characters_is_refused(text: str) -> None:
    """Several people have the same stars; a mapping that knows better gives a pattern."""
    row = Row(1, 2, ("r1", text, "work", "2026-08-01 09:00", None, "2"))
    fault = Normaliser(mapping()).deed(row, NOW)
    assert isinstance(fault, Fault)
    assert (fault.field, fault.code) == ("source_id", RefusalCode.BAD_IDENTIFIER)
    fields = {**mapping().model_dump()["fields"], "source_id": {"column": "who", "pattern": ".+"}}
    assert isinstance(Normaliser(mapping(fields=fields)).deed(row, NOW), Deed)


def test_characters_that_were_lost_on_the_way_are_no_value() -> None:
    """U+FFFD, saved as UTF-8 and read as GBK: it satisfied ``requires: [certifier]``."""
    for field, changes in (("certifier", {"by": "锟斤拷锟斤拷"}), ("source_id", {"who": "张锟斤拷"})):
        fault = read(changes, {})
        assert isinstance(fault, Fault)
        assert (fault.field, fault.code) == (field, RefusalCode.WRONG_ENCODING)


def test_a_table_of_values_finds_a_word_with_something_unseen_in_it() -> None:
    for word in ("\u200ework", "wo\u200brk", "ｗｏｒｋ"):
        deed = read({"what": word, "by": "x"}, {})
        assert isinstance(deed, Deed), deed
        assert deed.activity == "WORK"


@pytest.mark.parametrize("text", ["P1①", "P1²", "P½", "P1㊣㈠", "'0123", "’0123", "`0123"])
def test_an_identifier_with_a_note_or_a_guard_is_refused(text: str) -> None:
    """P1① in its plain form is P11, which is somebody else; '0123 is nobody."""
    fault = Normaliser(mapping()).deed(Row(1, 2, ("r1", text, "work", "2026-08-01 09:00", None, "2")), NOW)
    assert isinstance(fault, Fault)
    assert (fault.field, fault.code) == ("source_id", RefusalCode.BAD_IDENTIFIER)
