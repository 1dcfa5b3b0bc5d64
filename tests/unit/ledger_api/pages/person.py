"""A person with a browser of their own at the small city: signs in, opens pages, sends their forms."""

from __future__ import annotations

import re
import secrets
import warnings
from typing import Any

import httpx

from ledger_api.auth.logins import NewLogin
from ledger_api.pages.shell.session import LOOPBACK_COOKIE
from tests.unit.ledger_api.api import Api

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

PASSWORD = "rice, noodles and eggs"
FIELD = re.compile(r'<input type="hidden" name="(token|key)" value="([^"]+)">')


class Person:
    """``form`` sends what a page's own form would send."""

    def __init__(self, api: Api, language: str = "zh-CN") -> None:
        self.api = api
        self.client = TestClient(
            api.client.app,
            base_url="http://127.0.0.1:8080",
            client=("127.0.0.1", 50_000),
            follow_redirects=False,
            headers={"Accept": "text/html", "Accept-Language": language},
            raise_server_exceptions=False,
        )

    def sign_in(self, name: str, *scopes: str) -> httpx.Response:
        """Sign in with a login that is made where there is none."""
        sign_in = self.api.sign_in
        with self.api.services.database.read() as session:
            known = sign_in.logins.row(session, name)
        if known is None:
            hashed = sign_in.passwords.hash_new(name, PASSWORD)
            with self.api.services.database.transaction() as session:
                sign_in.logins.add(session, NewLogin(name, hashed, frozenset(scopes), "test"))
        answer = self.send("/sign-in", name=name, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return answer

    @property
    def cookie(self) -> str:
        return self.client.cookies.get(LOOPBACK_COOKIE) or ""

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def send(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        """Send fields as they are."""
        return self.client.post(path, data=fields, headers={"Sec-Fetch-Site": "same-origin", **(headers or {})})

    def fields(self, page: str = "/account") -> dict[str, str]:
        """Return token and key of a page's form."""
        found = dict(FIELD.findall(self.get(page).text))
        assert found.keys() == {"token", "key"}, page
        return found

    def form(self, page: str, path: str, **fields: str) -> httpx.Response:
        """Open ``page`` and send its form to ``path``."""
        return self.send(path, **{**self.fields(page), **fields})


def fresh_key() -> str:
    return secrets.token_urlsafe(12)
