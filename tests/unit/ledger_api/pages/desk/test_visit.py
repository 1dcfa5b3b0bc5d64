"""Finding a resident, what they can get, and the log of looks."""

from __future__ import annotations

import pytest

from ledger.residents.registry import Resident
from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.desk.test_serve import clerk
from tests.unit.ledger_api.pages.person import Person
from tests.unit.redemption.world import Q2026_4, VOLUNTEER

DOCUMENT = "510107195403071234"


@pytest.fixture(autouse=True)
def _quiet(quiet: None) -> None: ...


@pytest.fixture
def wang(api: Api) -> Resident:
    found = api.world.resident(DOCUMENT)
    api.world.give(found.account, VOLUNTEER, Q2026_4, 60_000)
    return found


def test_a_resident_is_found_by_document_or_card_and_each_look_is_logged(api: Api, wang: Resident) -> None:
    one = clerk(api)
    home = f"/desk/residents/{wang.resident_id}"
    assert one.form("/desk", "/desk/find", by="document", who=f" {DOCUMENT} ").headers["location"] == home
    assert one.form("/desk", "/desk/find", by="card", who=str(wang.resident_id)).headers["location"] == home
    for by, who in (("document", "510107195403079999"), ("card", "42"), ("card", "x"), ("document", "")):
        nobody = one.form("/desk", "/desk/find", by=by, who=who)
        assert nobody.status_code == 422
        assert "没有登记过" in nobody.text
    page = one.get(home).text
    assert "600 积分" in page
    assert f"{home}/offers/rice" in page
    assert "140 积分" in page
    looks = one.get("/desk/looks").text
    assert looks.count("没有找到人") == 4
    assert f"…{wang.resident_id % 10_000:04d}" in looks
    assert str(wang.resident_id) not in looks
    assert f"…{wang.resident_id % 10_000:04d}" not in clerk(api, "clerk-9", "caotang").get("/desk/looks").text


def test_what_cannot_be_had_says_why(api: Api, wang: Resident) -> None:
    api.world.give(wang.account, VOLUNTEER, Q2026_4, 100)
    page = clerk(api).get(f"/desk/residents/{wang.resident_id}").text
    assert "–" in page
    assert "✓" not in page


def test_the_desk_s_pages_are_for_clerks_of_one_desk(api: Api, wang: Resident) -> None:
    home = f"/desk/residents/{wang.resident_id}"
    stranger = Person(api)
    assert stranger.get(home).headers["location"].startswith("/sign-in?next=")
    for name, scope in (("wang", "resident:self"), ("shop", "merchant:1")):
        person = Person(api)
        person.sign_in(name, scope)
        for path in (
            "/desk",
            home,
            f"{home}/pin",
            f"{home}/exchange",
            f"{home}/offers/rice",
            "/desk/queue",
            "/desk/looks",
        ):
            assert person.get(path).status_code == 403, path
    two = Person(api)
    two.sign_in("both", "desk:shuangnan", "desk:caotang")
    assert two.get("/desk").status_code == 403
