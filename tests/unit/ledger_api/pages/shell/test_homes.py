"""Where somebody's own pages begin."""

from __future__ import annotations

from ledger_api.pages.shell.homes import Home, home_of


def test_a_resident_begins_at_the_wallet_and_who_has_no_room_at_the_first_page() -> None:
    assert home_of(["resident:register", "resident:self"]) == "/wallet"
    assert home_of(["auditor"]) == "/"


def test_a_scope_with_a_colon_at_its_end_stands_for_all_that_begin_so() -> None:
    shop = Home("counter", "/counter", "merchant:")
    assert shop.is_open_to(["merchant:7:till"])
    assert not shop.is_open_to(["resident:self"])
    assert not Home("wallet", "/wallet", "resident:self").is_open_to(["resident:self:more"])
