"""One number, however it is written, is one number; two people's numbers stay two."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.standard.identifiers import IdentifierForms, normalise, record_number
from ledger.standard.ids import ProgrammeId


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("51010119540307002x", "51010119540307002X"),
        (" 5101 0119 5403 07002X ", "51010119540307002X"),
        ("５１０１", "5101"),
        ("志愿-7", "志愿-7"),
        ("  ", ""),
        ("5101\u200b0001", "51010001"),
        ("\ufeff51010001\u200d", "51010001"),
        ("5101\u00ad0001", "51010001"),
        ("\u202a51010001\u202c", "51010001"),
        ("5101\u00a00001\u3000", "51010001"),
        ("\u200b\u2060", ""),
        ("a\u3164b", "AB"),
        ("a\uffa0b", "AB"),
    ],
)
def test_one_number_written_in_many_ways_is_one_number(written: str, normal: str) -> None:
    assert normalise(written) == normal


def test_a_record_number_keeps_its_case() -> None:
    assert record_number(" zy\u200b-００1") == "zy-001"


def test_where_case_parts_people_it_is_kept() -> None:
    forms = IdentifierForms(frozenset({ProgrammeId(2)}))
    assert forms.source_id(ProgrammeId(1), "oA1b") == forms.source_id(ProgrammeId(1), "OA1B")
    assert forms.source_id(ProgrammeId(2), "oA1b") != forms.source_id(ProgrammeId(2), "OA1B")
    assert forms.name != IdentifierForms().name, "what is stored has to be brought to the new form"


@given(st.text(max_size=30))
@example("\u1160\u3164")
def test_a_form_has_no_blank_and_nothing_unseen_to_take_away(text: str) -> None:
    form = normalise(text, keep_case=True)
    assert "".join(form.split()) == form
    assert normalise("\u200b".join(form), keep_case=True) == normalise(form, keep_case=True)


@given(st.text("abcXYZ0189-_/|. ", max_size=30))
def test_plain_text_is_as_it_was(text: str) -> None:
    """The keys of all that is stored in plain characters stay good."""
    assert normalise(text) == "".join(text.split()).upper()
