"""Becoming a resident by a page."""

from __future__ import annotations

from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.person import Person


def test_a_new_login_is_asked_once_who_it_is(api: Api) -> None:
    person = Person(api)
    person.sign_in("wang", "resident:self", "resident:register")
    assert person.get("/wallet/register").status_code == 200
    wrong = person.form("/wallet/register", "/wallet/register", document_number="x" * 90)
    assert wrong.status_code == 422
    assert "x" * 90 in wrong.text
    made = person.form("/wallet/register", "/wallet/register", document_number="510107195403071234")
    assert made.headers["location"] == "/wallet/links"
    assert person.get("/wallet/register").headers["location"] == "/wallet"


def test_another_s_document_opens_nothing(api: Api) -> None:
    first, second = Person(api), Person(api)
    for one, name in ((first, "wang"), (second, "lixia")):
        one.sign_in(name, "resident:self", "resident:register")
    first.form("/wallet/register", "/wallet/register", document_number="510107195403071234")
    answer = second.form("/wallet/register", "/wallet/register", document_number="510107195403071234")
    assert answer.status_code == 403
    assert second.get("/wallet").headers["location"] == "/wallet/register"
