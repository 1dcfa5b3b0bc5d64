from __future__ import annotations

from ledger_api.pages.counter.access import shops_of


def test_shops_come_from_the_scopes_and_nothing_else_names_one() -> None:
    held = [
        "merchant:2:till",
        "merchant:11",
        "merchant:2:refunds",
        "desk:merchant",
        "merchant:",
        "merchant:x",
        "merchants:3",
    ]
    assert shops_of(held) == [2, 11]
