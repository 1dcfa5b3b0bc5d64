"""Refusals: every code has words in both languages."""

from __future__ import annotations

import pytest

from issuers.reports.stages import stage_of
from issuers.rules.refusals import RefusalCode, reason


@pytest.mark.parametrize("code", list(RefusalCode))
def test_every_code_has_words(code: RefusalCode) -> None:
    """English and Chinese; a missing parameter shows as a question mark instead of failing."""
    english, chinese = reason(code, {})
    assert english.endswith(".")
    assert chinese.endswith("。")


def test_periods_are_translated() -> None:
    """The cap's period is a word of the reader's language."""
    assert reason(RefusalCode.CAP_REACHED, {"period": "year"}) == (
        "The cap per year was already reached.",
        "已达到每年积分上限。",
    )


def test_every_code_belongs_to_a_stage() -> None:
    """So that no refusal is left out of the pipeline's counts."""
    assert {stage_of(code) for code in RefusalCode} == {"read", "map", "dedupe", "rate", "screen"}
