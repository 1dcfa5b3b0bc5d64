from __future__ import annotations

import csv
import io

import pytest

from ledger_api.http.csv_text import Number, csv_response, csv_text, neutral


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "　=1", "＝1", "＋1", "－1", "＠x"]
)
def test_no_text_is_a_formula(text: str) -> None:
    assert neutral(text) == f"'{text}"
    [[cell]] = list(csv.reader(io.StringIO(csv_text(["h"], [[text]]).removeprefix("\ufeffh\r\n"), newline="")))
    assert cell == f"'{text}"


@pytest.mark.parametrize("text", ["", "rice", "粮油店", "12.50", "a=b", "'=1"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert neutral(text) == text


def test_amounts_of_ours_stay_numbers_and_the_mark_says_utf_8() -> None:
    answer = csv_response("x.csv", ["金额", "名称"], [[Number("-12.50"), 'a "b", c'], [None, "x\ny"]])
    assert bytes(answer.body) == '\ufeff金额,名称\r\n-12.50,"a ""b"", c"\r\n,"x\ny"\r\n'.encode()
    assert answer.headers["content-disposition"] == 'attachment; filename="x.csv"'
