"""What is one's own, and what asks for the password once more."""

from __future__ import annotations

import html
import re

from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.person import PASSWORD, Person


def test_a_number_is_linked_and_withdrawn(api: Api, wang: Person) -> None:
    answer = wang.form("/wallet/links", "/wallet/links", programme="1", source_id="V5101000000001", code="")
    assert answer.headers["location"] == "/wallet/links?done=linked"
    assert "link" in api.woken
    assert "V5101000000001" in wang.get("/wallet/links").text
    answer = wang.form("/wallet/links", "/wallet/links/withdraw", programme="1", source_id="V5101000000001")
    assert answer.headers["location"] == "/wallet/links?done=withdrawn"
    assert wang.form("/wallet/links", "/wallet/links", programme="x", source_id="V1").status_code == 422


def test_the_pin_needs_the_password_and_gives_the_session_a_new_id(wang: Person) -> None:
    before = wang.cookie
    fields = {"pin": "902617", "again": "902617"}
    assert wang.form("/wallet/mine/pin", "/wallet/mine/pin", **fields, password="wrong one").status_code == 401
    assert (
        wang.form("/wallet/mine/pin", "/wallet/mine/pin", pin="902617", again="1", password=PASSWORD).status_code == 422
    )
    assert wang.cookie == before
    done = wang.form("/wallet/mine/pin", "/wallet/mine/pin", **fields, password=PASSWORD)
    assert done.status_code == 303
    assert wang.cookie != before
    assert wang.get("/wallet/mine").status_code == 200


def test_being_erased_needs_the_password_and_the_loss_said_back(wang: Person) -> None:
    page = wang.get("/wallet/mine/erase").text
    assert "1000.00 积分" in page
    loses = html.unescape(re.findall(r'name="loses" value="([^"]+)"', page)[0])
    fields = {"confirm": "erase", "loses": loses, "password": PASSWORD}
    form = "/wallet/mine/erase"
    assert wang.form(form, form, **{**fields, "confirm": ""}).status_code == 422
    assert wang.form(form, form, **{**fields, "password": "wrong one"}).status_code == 401
    assert wang.form(form, form, **{**fields, "loses": loses.replace("1000.00", "1.00")}).status_code == 409
    done = wang.form(form, form, **fields)
    assert done.headers["location"] == "/"
    assert "clear-site-data" in done.headers
    assert wang.send("/sign-in", name="wang", password=PASSWORD).status_code == 401


def test_one_s_own_data_is_to_keep_and_kept_nowhere_between(wang: Person) -> None:
    for path in ("/wallet/mine/data.json", "/wallet/mine/history.csv"):
        answer = wang.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert "attachment" in answer.headers["content-disposition"]
