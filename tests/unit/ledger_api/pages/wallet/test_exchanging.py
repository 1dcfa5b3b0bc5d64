"""Exchanging by pages."""

from __future__ import annotations

import pytest

from tests.unit.ledger_api.pages.person import Person

CHECK = "/wallet/exchange/check?from=1&to=2&amount=12.5"


def test_rounding_and_expiry_are_shown_before_anything_is_done(wang: Person) -> None:
    page = wang.get(CHECK).text
    assert "−12.5" in page
    assert "+50" in page
    assert "2.50 元" in page
    assert "2026-12-31" in page


def test_it_is_done_once_and_leads_to_its_order(wang: Person) -> None:
    fields = {**wang.fields(CHECK), "from": "1", "to": "2", "amount": "12.5"}
    answers = [wang.send("/wallet/exchange", **fields) for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert "正在办理" in wang.get(answers[0].headers["location"]).text
    assert wang.get("/wallet/orders?kind=exchange").text.count("card line") == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [("from=1&to=2&amount=x", 422), ("from=1&to=2&amount=0", 422), ("from=1&to=1&amount=5", 409), ("", 422)],
)
def test_what_cannot_be_is_said_above_the_form(wang: Person, query: str, status: int) -> None:
    answer = wang.get(f"/wallet/exchange/check?{query}")
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
