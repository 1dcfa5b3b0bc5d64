"""Tokens of an identity provider: its keys over HTTP, its issuer and our audience demanded, its outage told apart."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from ledger.clock import ManualClock
from ledger_api.auth.provider_keys import LOOKS_AT_ONCE, RemoteKeys
from ledger_api.auth.tokens import OIDC_ALGORITHMS, BadToken, KeysUnavailable, TokenVerifier

AUDIENCE = "tongdui-api"
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass
class Provider:
    """A JWKS endpoint, and keys to sign with."""

    keys: dict[str, Any] = field(default_factory=dict)
    asked: int = 0
    url: str = ""

    def document(self) -> bytes:
        self.asked += 1
        shown = []
        for kid, key in self.keys.items():
            algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            shown.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"})
        return json.dumps({"keys": shown}).encode()

    def token(self, kid: str, **changes: Any) -> str:
        key = self.keys[kid]
        now = int(NOW.timestamp())
        claims = {
            "iss": self.url,
            "aud": ["account", AUDIENCE],
            "sub": "9f1c",
            "scope": "openid resident:self",
            "iat": now,
            "exp": now + 300,
            "jti": "t-1",
            **changes,
        }
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})


@pytest.fixture
def provider() -> Iterator[Provider]:
    found = Provider(
        {
            "rsa-1": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ec-1": ec.generate_private_key(ec.SECP256R1()),
        }
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = found.document()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def verifier(provider: Provider) -> TokenVerifier:
    return TokenVerifier(RemoteKeys(provider.url), provider.url, AUDIENCE, OIDC_ALGORITHMS, ManualClock(NOW))


@pytest.mark.parametrize("kid", ["rsa-1", "ec-1"])
def test_a_providers_token_is_accepted_and_its_keys_are_kept(
    provider: Provider, verifier: TokenVerifier, kid: str
) -> None:
    for _ in range(3):
        found = verifier.verify(provider.token(kid))
    assert found.subject == f"{provider.url} 9f1c"
    assert found.has("resident:self")
    assert provider.asked == 1


def test_the_identity_that_was_checked_comes_along(provider: Provider, verifier: TokenVerifier) -> None:
    assert verifier.verify(provider.token("ec-1", identity="5101")).identity == "5101"
    assert verifier.verify(provider.token("ec-1", identity=5101)).identity is None


@pytest.mark.parametrize(
    "changes", [{"iss": "https://elsewhere.example"}, {"aud": "another"}, {"exp": 1}, {"sub": None}]
)
def test_tokens_for_others_are_refused(provider: Provider, verifier: TokenVerifier, changes: dict[str, Any]) -> None:
    with pytest.raises(BadToken):
        verifier.verify(provider.token("rsa-1", **changes))


def test_a_rotated_key_is_fetched_and_an_unknown_one_refused(provider: Provider) -> None:
    keys = RemoteKeys(provider.url)
    verifier = TokenVerifier(keys, provider.url, AUDIENCE, OIDC_ALGORITHMS, ManualClock(NOW))
    verifier.verify(provider.token("ec-1"))
    provider.keys["ec-2"] = ec.generate_private_key(ec.SECP256R1())
    verifier.verify(provider.token("ec-2"))
    dropped = provider.token("ec-1")
    del provider.keys["ec-1"]
    with pytest.raises(BadToken):
        verifier.verify(Provider({"ec-8": ec.generate_private_key(ec.SECP256R1())}, url=provider.url).token("ec-8"))
    with pytest.raises(BadToken):
        verifier.verify(dropped)


def test_tokens_of_nobody_do_not_become_requests_to_the_provider(provider: Provider, verifier: TokenVerifier) -> None:
    verifier.verify(provider.token("ec-1"))
    stranger = Provider({"ec-9": ec.generate_private_key(ec.SECP256R1())}, url=provider.url)
    for _ in range(LOOKS_AT_ONCE * 3):
        with pytest.raises(BadToken):
            verifier.verify(stranger.token("ec-9"))
    assert provider.asked == 1 + LOOKS_AT_ONCE


def test_a_key_of_the_same_name_but_another_owner_is_refused(provider: Provider, verifier: TokenVerifier) -> None:
    forger = Provider({"ec-1": ec.generate_private_key(ec.SECP256R1())}, url=provider.url)
    with pytest.raises(BadToken, match="signature"):
        verifier.verify(forger.token("ec-1"))


def test_a_provider_that_is_away_is_no_bad_token(provider: Provider) -> None:
    away = TokenVerifier(
        RemoteKeys("http://127.0.0.1:9/jwks"), provider.url, AUDIENCE, OIDC_ALGORITHMS, ManualClock(NOW)
    )
    with pytest.raises(KeysUnavailable):
        away.verify(provider.token("ec-1"))
