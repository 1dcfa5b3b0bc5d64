"""A minute in a real browser, for `make test`: the first pages load, keep their policy, and axe finds nothing."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.pages.browser import View
from tests.pages.conftest import Open


@pytest.mark.parametrize("path", ["/", "/book"])
def test_a_page_opens_keeps_its_policy_and_is_accessible(visit: Open, path: str) -> None:
    visitor = visit(View(360))
    page = visitor.go(path)
    expect(page.locator("h1")).to_be_visible()
    assert visitor.overflow() == 0
    assert visitor.axe() == []
