"""The wallet's first pages."""

from __future__ import annotations

from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.person import Person


def test_points_what_they_come_to_and_what_expires_next(wang: Person) -> None:
    page = wang.get("/wallet").text
    assert "1,000" in page
    assert "215.00 元" in page
    assert "2026-12-31" in page
    assert page.count("<svg") >= 3


def test_english_and_another_resident_s_wallet_are_their_own(api: Api, wang: Person) -> None:
    other = Person(api, "en")
    other.sign_in("lixia", "resident:self", "resident:register")
    assert other.get("/wallet").headers["location"] == "/wallet/register"
    other.form("/wallet/register", "/wallet/register", document_number="510107195403079999")
    page = other.get("/wallet").text
    assert "No points yet" in page
    assert "215.00" not in page


def test_a_grant_of_another_or_of_nobody_is_no_page(wang: Person) -> None:
    assert wang.get("/wallet/earned").status_code == 200
    assert wang.get("/wallet/earned/0x12").status_code == 404
    assert wang.get("/wallet/earned/0x" + "0" * 64).status_code == 404
