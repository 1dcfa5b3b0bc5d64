"""Signing in and out by pages."""

from __future__ import annotations

import pytest

from ledger_api.pages.shell.session import LOOPBACK_COOKIE
from ledger_api.ports import PageSettings, StoryPerson
from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.person import PASSWORD, Person


@pytest.fixture
def wang(api: Api) -> Person:
    person = Person(api)
    person.sign_in("wang", "resident:self", "resident:register")
    return person


def test_name_and_password_open_one_s_own_pages(wang: Person) -> None:
    wang.client.cookies.clear()
    answer = wang.send("/sign-in", name="wang", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/wallet")
    assert answer.headers["cache-control"] == "no-store"


def test_a_wrong_password_and_an_unknown_name_are_answered_alike_and_keep_the_name(wang: Person) -> None:
    stranger = Person(wang.api)
    answers = [stranger.send("/sign-in", name=name, password="not it at all") for name in ("wang", "nobody")]
    assert [one.status_code for one in answers] == [401, 401]
    assert answers[0].text.replace("wang", "nobody") == answers[1].text
    assert 'role="alert"' in answers[0].text
    assert 'value="wang"' in answers[0].text
    assert "not it at all" not in answers[0].text
    assert "set-cookie" not in answers[0].headers


def test_each_sign_in_has_a_new_id_and_ends_the_session_before(wang: Person) -> None:
    before = wang.cookie
    wang.sign_in("wang")
    assert wang.cookie != before
    old = Person(wang.api)
    old.client.cookies.set(LOOPBACK_COOKIE, before)
    assert old.get("/account").status_code == 303


def test_a_cookie_that_was_planted_is_not_taken_over(api: Api) -> None:
    person = Person(api)
    person.client.cookies.set(LOOPBACK_COOKIE, "tds_planted")
    said = person.sign_in("wang", "resident:self").headers["set-cookie"]
    assert "tds_planted" not in said


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        ("/account", "/account"),
        ("/book?x=1", "/book?x=1"),
        ("//evil.example", "/wallet"),
        ("https://evil.example/", "/wallet"),
        ("/\\evil.example", "/wallet"),
        ("", "/wallet"),
    ],
)
def test_it_goes_on_only_to_a_page_of_ours(wang: Person, wanted: str, lands: str) -> None:
    assert wang.send("/sign-in", name="wang", password=PASSWORD, next=wanted).headers["location"] == lands
    assert wang.get("/sign-in", params={"next": wanted}).headers["location"] == lands


def test_sign_out_ends_the_session_and_what_the_browser_keeps(wang: Person) -> None:
    stolen = wang.cookie
    answer = wang.form("/account", "/sign-out")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert wang.cookie == ""
    wang.client.cookies.set(LOOPBACK_COOKIE, stolen)
    assert wang.get("/account").status_code == 303


def test_attempts_are_throttled_and_the_page_says_when_to_come_again(api: Api) -> None:
    person = Person(api)
    answers = [person.send("/sign-in", name="wang", password=f"guess no {n}") for n in range(20)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert 'role="alert"' in answers[-1].text


def test_a_resident_makes_a_login(api: Api) -> None:
    person = Person(api)
    assert person.send("/join", name="xiaoli", password="short").status_code == 422
    answer = person.send("/join", name="小李子", password="noodles for breakfast")
    assert answer.headers["location"] == "/wallet"
    assert person.get("/account").status_code == 200
    again = Person(api).send("/join", name="小李子", password="another fine password")
    assert again.status_code == 409


STORY = PageSettings(people=(StoryPerson("story-elder", "王", "Wang", "resident", "x"),))


def story(api: Api, settings: PageSettings) -> Person:
    person = Person(api)
    person.sign_in("story-elder", "resident:self")
    person.sign_in("mayor", "operator")
    person.client.cookies.clear()
    object.__setattr__(api.services, "pages", settings)
    return person


def test_in_the_demo_s_city_one_click_signs_in_as_its_people_and_as_nobody_else(api: Api) -> None:
    person = story(api, STORY)
    assert "王（居民）" in person.get("/").text
    assert person.send("/sign-in/story", who="mayor").status_code == 404
    answer = person.send("/sign-in/story", who="story-elder")
    assert answer.headers["location"] == "/wallet"
    assert person.get("/account").status_code == 200


def test_one_click_is_for_this_machine_only(api: Api) -> None:
    person = story(api, PageSettings(public_url="https://city.example", people=STORY.people))
    object.__setattr__(api.client.app.state.shell, "settings", api.services.pages)
    for headers in ({"Host": "city.example"}, {"Host": "city.example", "X-Forwarded-For": "1.2.3.4"}):
        assert "王（居民）" not in person.get("/", headers=headers).text
        assert person.send("/sign-in/story", headers, who="story-elder").status_code == 404


def test_in_any_other_city_there_is_none(api: Api) -> None:
    person = story(api, PageSettings())
    assert "/sign-in/story" not in person.get("/").text
    assert person.send("/sign-in/story", who="story-elder").status_code == 404
