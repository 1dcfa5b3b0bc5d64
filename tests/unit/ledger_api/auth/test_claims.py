from __future__ import annotations

from typing import Any

import pytest

from ledger_api.auth.claims import scopes_of


@pytest.mark.parametrize(
    ("claims", "found"),
    [
        ({}, set()),
        ({"scope": ""}, set()),
        ({"scope": "a b"}, {"a", "b"}),
        ({"scope": ["a", "b"], "scp": "c"}, {"a", "b", "c"}),
        ({"roles": ["r"]}, {"finance"}),
        ({"groups": "r"}, {"finance"}),
        ({"realm_access": {"roles": ["r", 7]}}, {"finance"}),
        ({"realm_access": ["r"], "roles": {"r": 1}}, set()),
    ],
)
def test_scopes_and_roles_in_every_form(claims: dict[str, Any], found: set[str]) -> None:
    assert scopes_of(claims, {"r": ["finance"]}) == found


@pytest.mark.parametrize("wrong", [7, [7], {"a": 1}, True])
def test_what_is_no_list_of_scopes_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="array"):
        scopes_of({"scope": wrong}, {})
