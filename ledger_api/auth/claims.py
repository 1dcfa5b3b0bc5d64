"""What providers write into a token, brought to one form. Pure.

Scopes come as ``scope`` (RFC 9068: a text with spaces) or an array, and as ``scp`` in either form; roles as ``roles``,
``groups`` or Keycloak's ``realm_access.roles``. What means nothing here grants nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ROLE_CLAIMS = (("roles",), ("groups",), ("realm_access", "roles"))


def scopes_of(claims: Mapping[str, Any], role_scopes: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Return the scopes that a token carries, and those that its roles stand for.

    Raises ValueError where a claim is neither a text nor an array of texts.
    """
    found = set(_words(claims.get("scope"))) | set(_words(claims.get("scp")))
    if role_scopes:
        for path in ROLE_CLAIMS:
            for role in _roles(claims, path):
                found.update(role_scopes.get(role, ()))
    return frozenset(found)


def _roles(claims: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    value: Any = claims
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return [value]  # a role's name may have spaces
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _words(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise ValueError("neither a text nor an array of texts")
