"""Tokens of a real provider in a process of its own: npm oidc-provider, and the forms that others give their tokens."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ledger.clock import SystemClock
from ledger_api.auth.provider_keys import RemoteKeys
from ledger_api.auth.tokens import OIDC_ALGORITHMS, BadToken, Principal, TokenVerifier

HERE = Path(__file__).parent
AUDIENCE = "tongdui-api"
ROLES = {"finance-clerks": ["finance"]}


@dataclass(frozen=True)
class Provider:
    issuer: str

    def token(self) -> str:
        answer = httpx.post(
            f"{self.issuer}/token",
            data={"grant_type": "client_credentials", "scope": "finance auditor"},
            auth=("till-7", "not-a-secret"),
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def keys(self) -> RemoteKeys:
        return RemoteKeys(f"{self.issuer}/jwks")

    def verify(self, token: str, keys: RemoteKeys | None = None) -> Principal:
        verifier = TokenVerifier(keys or self.keys(), self.issuer, AUDIENCE, OIDC_ALGORITHMS, SystemClock(), ROLES)
        return verifier.verify(token)


@contextmanager
def provider(form: str, port: int = 0) -> Iterator[Provider]:
    command = ["node", str(HERE / "provider.mjs"), str(port), form]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                yield Provider(json.loads(line)["issuer"])
                break
        else:
            raise AssertionError("the provider ended before it began")
        process.stdin.close()


@pytest.mark.parametrize(("form", "is_numbered"), [("plain", True), ("scp", False), ("arrays", False)])
def test_scopes_audiences_and_numbers_come_in_every_form(form: str, is_numbered: bool) -> None:
    with provider(form) as found:
        who = found.verify(found.token())
    assert who.subject == f"{found.issuer} till-7"
    assert who.scopes == {"finance", "auditor"}
    assert who.token_id.startswith("sha256:") is not is_numbered


def test_roles_stand_for_what_the_operator_says() -> None:
    with provider("roles") as found:
        assert found.verify(found.token()).scopes == {"finance"}


def test_a_token_for_another_api_is_refused() -> None:
    with provider("elsewhere") as found, pytest.raises(BadToken, match="audience"):
        found.verify(found.token())


def test_a_provider_that_begins_anew_with_other_keys_leaves_no_gap() -> None:
    with provider("plain") as before:
        keys = before.keys()
        old = before.token()
        before.verify(old, keys)
    with provider("plain", port=int(before.issuer.rpartition(":")[2])) as after:
        after.verify(after.token(), keys)
        with pytest.raises(BadToken):
            after.verify(old, keys)
