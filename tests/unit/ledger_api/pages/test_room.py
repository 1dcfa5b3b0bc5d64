"""Which pages and forms there are, and who may open and send them: one that is not listed here fails, and so does a
line without its page. The routes of the API have their matrix in `tests/integration/ledger_api/test_authorisation.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi.routing import APIRoute

from ledger_api.pages.room import ROUTERS
from ledger_api.pages.shell.route import PageRoute
from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.person import Person
from tests.unit.redemption.world import World

Page = tuple[str, str]

EVERYBODY: set[Page] = {
    ("GET", "/"),
    ("GET", "/help"),
    ("GET", "/book"),
    ("GET", "/book/orders"),
    ("GET", "/book/orders/{order_id}"),
    ("GET", "/book/programmes/{programme}"),
    ("GET", "/check"),
    ("GET", "/check/saved"),
    ("GET", "/assets/{digest}/{name}"),
    ("GET", "/join"),
    ("GET", "/wallet/manifest"),
    ("GET", "/wallet/worker.js"),
    ("GET", "/sign-in"),
    ("POST", "/join"),
    ("POST", "/preferences"),
    ("POST", "/sign-in"),
    ("POST", "/sign-in/story"),
    ("GET", "/o/{offer_id}"),
    ("GET", "/counter/manifest"),
    ("GET", "/counter/offline"),
    ("GET", "/counter/worker.js"),
}
NO_PAGES: set[Page] = {("POST", "/reports/policy")}
"""For browsers, not for people, and from any page of ours."""

ROLES: dict[str, tuple[str, ...]] = {
    "resident": ("resident:self", "resident:register"),
    "agency": ("issuer:1",),
    "owner": ("merchant:1",),
    "manager": ("merchant:1:manager",),
    "refunds": ("merchant:1:refunds",),
    "till": ("merchant:1:till",),
    "desk": ("desk:shuangnan",),
    "finance": ("finance",),
    "auditor": ("auditor",),
    "operator": ("operator",),
    # Addresses name merchant 1: this is another's.
    "other till": ("merchant:2:till", "merchant:11:till"),
    "newcomer": ("resident:register",),
}
ANYBODY = frozenset(ROLES)


def rows(roles: frozenset[str], text: str) -> dict[Page, frozenset[str]]:
    """Return lines of ``METHOD /path`` for the roles."""
    return {(line.split()[0], line.split()[1]): roles for line in text.strip().splitlines()}


MATRIX: dict[Page, frozenset[str]] = {
    **rows(
        ANYBODY,
        """
        GET /account
        POST /account/password
        POST /account/sessions/end
        POST /account/sessions/end-all
        POST /sign-out
        """,
    ),
    **rows(
        frozenset({"owner", "manager", "refunds", "till", "other till"}),
        """
        GET /counter
        """,
    ),
    **rows(
        frozenset({"owner", "manager", "refunds", "till"}),
        """
        GET /counter/{merchant_id}
        GET /counter/{merchant_id}/sales/{order_id}
        GET /counter/{merchant_id}/sales/{order_id}/paid
        """,
    ),
    **rows(
        frozenset({"owner", "manager", "till"}),
        """
        POST /counter/{merchant_id}/check
        POST /counter/{merchant_id}/hand-over
        POST /counter/{merchant_id}/sales/{order_id}/capture
        POST /counter/{merchant_id}/sales/{order_id}/release
        GET /counter/{merchant_id}/shift
        POST /counter/{merchant_id}/shift/open
        POST /counter/{merchant_id}/shift/close
        """,
    ),
    **rows(
        frozenset({"owner", "manager", "refunds"}),
        """
        GET /counter/{merchant_id}/sales/{order_id}/refund
        POST /counter/{merchant_id}/sales/{order_id}/refund
        POST /counter/{merchant_id}/sales/{order_id}/propose
        """,
    ),
    **rows(
        frozenset({"owner", "manager"}),
        """
        GET /counter/{merchant_id}/takings
        GET /counter/{merchant_id}/offers
        GET /counter/{merchant_id}/offers/{offer_id}
        GET /counter/{merchant_id}/statement
        """,
    ),
    **rows(
        frozenset({"desk"}),
        """
        GET /desk
        GET /desk/looks
        GET /desk/queue
        GET /desk/residents/{resident_id}
        GET /desk/residents/{resident_id}/exchange
        GET /desk/residents/{resident_id}/offers/{offer_id}
        GET /desk/residents/{resident_id}/pin
        GET /desk/slips/{slip_id}
        POST /desk/find
        POST /desk/orders/{order_id}/slip
        POST /desk/residents/{resident_id}/exchange
        POST /desk/residents/{resident_id}/offers/{offer_id}/approve
        POST /desk/residents/{resident_id}/offers/{offer_id}/order
        POST /desk/residents/{resident_id}/orders/{order_id}/cancel
        POST /desk/residents/{resident_id}/pin
        POST /desk/residents/{resident_id}/pin/confirm
        """,
    ),
    **rows(
        frozenset({"resident"}),
        """
        GET /wallet
        GET /wallet/history
        GET /wallet/earned
        GET /wallet/earned/{grant_id}
        GET /wallet/earned/{grant_id}/receipt
        GET /wallet/exchange
        GET /wallet/exchange/check
        POST /wallet/exchange
        GET /wallet/shop
        GET /wallet/shop/{offer_id}
        GET /wallet/shop/{offer_id}/check
        POST /wallet/shop/{offer_id}/pay
        GET /wallet/orders
        GET /wallet/orders/{order_id}
        POST /wallet/orders/{order_id}/code
        GET /wallet/orders/{order_id}/code/{slip_id}
        POST /wallet/orders/{order_id}/cancel
        GET /wallet/orders/{order_id}/receipt
        GET /wallet/links
        POST /wallet/links
        POST /wallet/links/withdraw
        GET /wallet/mine
        GET /wallet/mine/data.json
        GET /wallet/mine/history.csv
        GET /wallet/mine/pin
        POST /wallet/mine/pin
        GET /wallet/mine/erase
        POST /wallet/mine/erase
        """,
    ),
    **rows(
        frozenset({"resident", "newcomer"}),
        """
        GET /wallet/register
        POST /wallet/register
        """,
    ),
}
ENDS_THE_SESSION = {"/sign-out", "/account/sessions/end-all", "/account/password"}


def address(path: str) -> str:
    return path.format(
        order_id="0x" + "0" * 64,
        grant_id="0x" + "0" * 64,
        programme=1,
        merchant_id=1,
        offer="rice-5kg",
        offer_id="rice",
        resident_id=1,
        slip_id="none",
        digest="0",
        name="style.css",
    )


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One city for all lines: what one role sends changes nobody else's rights."""
    world = World(tmp_path_factory.mktemp("city"))
    with structlog.testing.capture_logs():
        yield Api(world)
    world.close()


def test_every_page_is_listed_and_every_line_is_a_page() -> None:
    routes = [one for router in ROUTERS for one in router.routes if isinstance(one, APIRoute)]
    assert {(method, one.path) for one in routes for method in one.methods} == EVERYBODY | NO_PAGES | MATRIX.keys()
    apart = {one.path for one in routes if not isinstance(one, PageRoute)}
    assert apart == {path for _, path in NO_PAGES}


@pytest.mark.parametrize("role", ROLES)
def test_each_page_and_form_lets_in_just_whom_its_line_names(city: Api, role: str) -> None:
    """Who is let in is led or answered somehow; all others are told that this is not for them."""
    person = Person(city)
    person.sign_in(role.replace(" ", "-") + "-1", *ROLES[role])
    forms = person.fields()
    let_in = set()
    for method, path in MATRIX:
        if path in ENDS_THE_SESSION:
            continue
        answer = person.get(address(path)) if method == "GET" else person.send(address(path), **forms)
        assert answer.status_code < 500, path
        if not (answer.status_code == 403 or answer.headers.get("location", "").startswith("/sign-in")):
            let_in.add((method, path))
    assert let_in == {page for page, row in MATRIX.items() if role in row and page[1] not in ENDS_THE_SESSION}


def test_nobody_s_own_page_opens_without_signing_in(city: Api) -> None:
    """A form without a session is led to sign in, whatever token it carries, and one with a session needs its token."""
    stranger, clerk = Person(city), Person(city)
    clerk.sign_in("somebody", *{scope for scopes in ROLES.values() for scope in scopes})
    for method, path in MATRIX:
        answer = stranger.get(address(path)) if method == "GET" else stranger.send(address(path), token="0" * 64)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in"), path
        if method != "GET":
            assert clerk.send(address(path), token="0" * 64, key="12345678").status_code == 403, path


@pytest.mark.parametrize(("method", "path"), sorted(EVERYBODY))
def test_a_page_is_for_our_names_and_our_forms_only(city: Api, method: str, path: str) -> None:
    people = Person(city).client
    assert people.request(method, address(path), headers={"Host": "evil.example"}).status_code == 421
    if method != "GET":
        assert people.request(method, address(path), headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_no_page_is_part_of_the_api_s_description(people: Any) -> None:
    assert not {path for _, path in EVERYBODY | MATRIX.keys()} & set(people.get("/openapi.json").json()["paths"])
