"""Where a sale stands, in words and signs: every standing has both, and what is in doubt comes first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.standard.ids import order_id_text
from ledger_api.pages.counter.sales import DOUBTFUL, SIGNS, TONES, Sale, doubtful_first
from ledger_api.pages.shell.words import load
from redemption.acts.table import Act, Standing

SALE = Sale(order_id_text(b"\xab" * 32), "rice", 1, False, 0, None, 2_800, 0, 2_800, Standing.PAID, None, None)


@pytest.mark.parametrize("standing", Standing)
def test_each_standing_has_a_tone_a_sign_a_word_and_advice(standing: Standing) -> None:
    assert SIGNS[TONES[standing]]
    for language in ("zh-CN", "en"):
        texts = load(language).texts
        for key in (
            f"counter.standing.{standing}.word",
            f"counter.standing.{standing}.advice",
            f"desk.standing.{standing}",
        ):
            assert texts[key], key


def test_what_is_in_doubt_comes_first_and_the_rest_keeps_its_order() -> None:
    sales = [replace(SALE, standing=one) for one in Standing]
    found = doubtful_first(sales)
    assert {sale.standing for sale in found[: len(DOUBTFUL)]} == DOUBTFUL
    rest = [sale.standing for sale in found[len(DOUBTFUL) :]]
    assert rest == [one for one in Standing if one not in DOUBTFUL]


def test_the_buttons_are_what_the_table_of_acts_lets_pass() -> None:
    assert SALE.allows(Act.REFUND)
    assert not SALE.allows(Act.RELEASE)
    assert replace(SALE, standing=Standing.HELD).allows(Act.RELEASE)
    assert SALE.number == "ABABAB"
