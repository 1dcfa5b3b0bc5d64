"""Which pages there are, and for whom: a page that is not listed here fails, and so does a line without its page.

Pages for everybody are no cells of the authorisation matrix (`tests/integration/ledger_api/test_authorisation.py`), for
nobody is asked who they are. What holds for all of them is tried here.
"""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute

from ledger_api.pages.room import ROUTERS
from ledger_api.pages.shell.route import PageRoute

EVERYBODY = {
    ("GET", "/"),
    ("GET", "/help"),
    ("GET", "/book"),
    ("GET", "/book/orders"),
    ("GET", "/book/orders/{order_id}"),
    ("GET", "/book/programmes/{programme}"),
    ("GET", "/check"),
    ("GET", "/check/saved"),
    ("GET", "/assets/{digest}/{name}"),
    ("POST", "/preferences"),
}
NO_PAGES = {("POST", "/reports/policy")}
"""For browsers, not for people, and from any page of ours."""


def test_every_page_is_listed_and_every_line_is_a_page() -> None:
    routes = [one for router in ROUTERS for one in router.routes if isinstance(one, APIRoute)]
    assert {(method, one.path) for one in routes for method in one.methods} == EVERYBODY | NO_PAGES
    apart = {one.path for one in routes if not isinstance(one, PageRoute)}
    assert apart == {path for _, path in NO_PAGES}


@pytest.mark.parametrize(("method", "path"), sorted(EVERYBODY))
def test_a_page_is_for_our_names_and_our_forms_only(people: Any, method: str, path: str) -> None:
    address = path.format(order_id="0x" + "0" * 64, programme=1, digest="0", name="style.css")
    assert people.request(method, address, headers={"Host": "evil.example"}).status_code == 421
    if method != "GET":
        assert people.request(method, address, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_no_page_is_part_of_the_api_s_description(people: Any) -> None:
    assert not {path for _, path in EVERYBODY} & set(people.get("/openapi.json").json()["paths"])
