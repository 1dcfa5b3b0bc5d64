"""The session's cookie, the forms' token, and that both are worth something to one browser and one session only."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from ledger.store.models.api import WithdrawnSubjectRow
from ledger_api.auth.sessions import SessionLimits
from ledger_api.pages.shell.session import LOOPBACK_COOKIE, SECURE_COOKIE, form_token
from ledger_api.ports import PageSettings
from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.person import PASSWORD, Person, fresh_key


@pytest.fixture
def wang(api: Api) -> Person:
    person = Person(api)
    person.sign_in("wang", "resident:self", "resident:register")
    return person


def test_a_session_is_a_cookie_that_no_script_reads_and_its_pages_are_kept_nowhere(api: Api) -> None:
    person = Person(api)
    said = person.sign_in("wang", "resident:self").headers["set-cookie"]
    assert said.startswith(f"{LOOPBACK_COOKIE}=tds_")
    assert "HttpOnly" in said
    assert "SameSite=lax" in said
    assert "Path=/" in said
    assert "Domain" not in said
    page = person.get("/account")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert person.cookie not in page.text


def test_over_tls_the_cookie_is_host_bound_and_secure_and_the_other_name_opens_nothing(api: Api) -> None:
    object.__setattr__(api.services, "pages", PageSettings(public_url="https://city.example"))
    api.client.app.state.shell.settings.__class__  # noqa: B018  (the shell has settings of its own)
    object.__setattr__(api.client.app.state.shell, "settings", api.services.pages)
    person = Person(api)
    person.client.base_url = "https://city.example"
    said = person.sign_in("wang", "resident:self").headers["set-cookie"]
    assert said.startswith(f"{SECURE_COOKIE}=")
    assert "Secure" in said
    assert person.get("/account").status_code == 200
    secret = person.client.cookies.get(SECURE_COOKIE)
    person.client.cookies.clear()
    person.client.cookies.set(LOOPBACK_COOKIE, secret)
    assert person.get("/account").status_code == 303


@pytest.mark.parametrize("cookie", ["", "tds_nothing", "eyJhbGciOiJub25lIn0.e30."])
def test_without_a_session_one_is_led_to_sign_in_and_back(api: Api, cookie: str) -> None:
    person = Person(api)
    if cookie:
        person.client.cookies.set(LOOPBACK_COOKIE, cookie)
    answer = person.get("/account?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Faccount%3Fx%3D1")
    assert answer.headers["cache-control"] == "no-store"


def test_a_bearer_token_opens_no_page_and_a_cookie_no_route_of_the_api(api: Api, wang: Person) -> None:
    assert Person(api).get("/account", headers=api.token("wang", "resident:self")).status_code == 303
    assert wang.get("/v1/sessions").status_code == 401


def test_an_expired_session_leads_to_sign_in_and_a_form_back_to_its_page(api: Api, wang: Person) -> None:
    fields = wang.fields()
    api.world.clock.set(api.world.clock.now() + timedelta(seconds=SessionLimits().idle_wallet_s))
    assert wang.get("/account").status_code == 303
    answer = wang.send("/account/sessions/end-all", {"Referer": "http://127.0.0.1:8080/account"}, **fields)
    assert answer.headers["location"] == "/sign-in?next=%2Faccount"


def test_a_form_needs_the_token_of_its_own_session(api: Api, wang: Person) -> None:
    """None, another's, the one of an earlier session of one's own: nothing happens."""
    other = Person(api)
    other.sign_in("lixia", "resident:self")
    earlier = wang.fields()["token"]
    wang.sign_in("wang")
    for token in ("", other.fields()["token"], earlier, "é"):
        answer = wang.send("/account/sessions/end-all", token=token, key=fresh_key())
        assert answer.status_code == 403
        assert "clear-site-data" not in answer.headers
    assert wang.get("/account").status_code == 200
    assert wang.form("/account", "/account/sessions/end-all").status_code == 303
    assert wang.get("/account").status_code == 303


def test_a_form_that_another_site_sends_does_nothing_though_it_has_the_token(wang: Person) -> None:
    fields = wang.fields()
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Host": "evil.example"}):
        assert wang.send("/account/sessions/end-all", headers, **fields).status_code in (403, 421)
    assert wang.get("/account").status_code == 200


def test_the_token_does_not_give_the_cookie_away() -> None:
    assert re.fullmatch("[0-9a-f]{64}", form_token("tds_a"))
    assert form_token("tds_a") != form_token("tds_b")


def test_each_rendered_form_has_a_key_of_its_own(wang: Person) -> None:
    keys = re.findall('name="key" value="([^"]+)"', wang.get("/account").text)
    assert len(keys) == len(set(keys)) >= 3


def test_a_withdrawn_subject_opens_nothing_more(api: Api, wang: Person) -> None:
    with api.services.database.transaction() as session:
        login = api.sign_in.logins.get(session, "wang")
        session.add(WithdrawnSubjectRow(subject=login.subject, issued_until=api.world.clock.timestamp()))
    assert wang.get("/account").status_code == 303


def test_one_s_own_sessions_are_listed_and_another_s_cannot_be_ended(api: Api, wang: Person) -> None:
    phone, other = Person(api), Person(api)
    phone.sign_in("wang")
    other.sign_in("lixia", "resident:self")
    page = wang.get("/account").text
    [phones] = re.findall('name="session" value="([^"]+)"', page)
    assert other.form("/account", "/account/sessions/end", session=phones).status_code == 404
    assert phone.get("/account").status_code == 200
    assert wang.form("/account", "/account/sessions/end", session=phones).status_code == 303
    assert phone.get("/account").status_code == 303
    assert wang.get("/account").status_code == 200


def test_another_password_needs_the_one_that_is_good_now(api: Api, wang: Person) -> None:
    new = "dumplings and a walk"
    wrong = wang.form("/account", "/account/password", password="not it at all", new=new)
    assert wrong.status_code == 401
    assert 'role="alert"' in wrong.text
    assert wang.form("/account", "/account/password", password=PASSWORD, new=new).status_code == 303
    assert wang.get("/account").status_code == 303
    assert wang.send("/sign-in", name="wang", password=new).status_code == 303
