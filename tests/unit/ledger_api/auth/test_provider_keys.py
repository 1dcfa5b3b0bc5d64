from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from ledger.errors import ConfigurationError
from ledger.outgoing import Answer, NoAnswer, Outgoing
from ledger_api.auth.provider_keys import AGAIN_S, FRESH_S, LOOKS_AT_ONCE, STALE_S, RemoteKeys
from ledger_api.auth.tokens import BadToken, KeysUnavailable

URL = "https://id.example/jwks.json"


@dataclass
class Provider:
    """What the way out finds at the provider's address."""

    keys: dict[str | None, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    asked: int = 0
    is_away: bool = False
    status: int = 200
    body: bytes | None = None

    def ask(self, url: str, **_options: Any) -> Answer:
        assert url == URL
        self.asked += 1
        if self.is_away:
            raise NoAnswer(url, "nobody is there")
        shown = [
            {**json.loads(ECAlgorithm.to_jwk(key.public_key())), **({} if kid is None else {"kid": kid})}
            for kid, key in self.keys.items()
        ]
        return Answer(self.status, {}, self.body or json.dumps({"keys": shown}).encode())

    def add(self, kid: str | None) -> str:
        """Add a key and return a token that it signed."""
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1())
        return token(self.keys[kid], kid)


def token(key: ec.EllipticCurvePrivateKey, kid: str | None) -> str:
    return jwt.encode({"sub": "x"}, key, algorithm="ES256", headers={} if kid is None else {"kid": kid})


@dataclass
class Watch:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def keys(provider: Provider, watch: Watch) -> RemoteKeys:
    class Way(Outgoing):
        def ask(self, url: str, **options: Any) -> Answer:  # type: ignore[override]
            return provider.ask(url, **options)

    return RemoteKeys(URL, Way(), watch)


def test_keys_are_kept_for_five_minutes_and_dropped_with_their_set(
    keys: RemoteKeys, provider: Provider, watch: Watch
) -> None:
    first = provider.add("a")
    for _ in range(3):
        keys.key_for(first)
    assert provider.asked == 1
    provider.keys.clear()
    provider.add("b")
    watch.now += FRESH_S
    with pytest.raises(BadToken):
        keys.key_for(first)


def test_a_key_that_was_rotated_a_second_ago_is_found(keys: RemoteKeys, provider: Provider, watch: Watch) -> None:
    keys.key_for(provider.add("a"))
    for kid in ("b", "c", "d"):
        watch.now += 1
        keys.key_for(provider.add(kid))
    assert provider.asked == 4


def test_tokens_of_nobody_become_a_few_requests_and_no_more(keys: RemoteKeys, provider: Provider, watch: Watch) -> None:
    keys.key_for(provider.add("a"))
    stranger = ec.generate_private_key(ec.SECP256R1())
    for number in range(100):
        watch.now += 0.01
        with pytest.raises(BadToken):
            keys.key_for(token(stranger, f"nobody-{number}"))
    assert provider.asked == 1 + LOOKS_AT_ONCE
    watch.now += 30
    keys.key_for(provider.add("b"))


def test_a_provider_that_is_away_is_no_bad_token_and_its_last_keys_are_good_for_an_hour(
    keys: RemoteKeys, provider: Provider, watch: Watch
) -> None:
    provider.is_away = True
    with pytest.raises(KeysUnavailable):
        keys.key_for(token(ec.generate_private_key(ec.SECP256R1()), "a"))
    provider.is_away = False
    with pytest.raises(KeysUnavailable, match="a moment ago"):
        keys.key_for(token(ec.generate_private_key(ec.SECP256R1()), "a"))
    watch.now += AGAIN_S
    first = provider.add("a")
    keys.key_for(first)
    provider.is_away = True
    watch.now += STALE_S - 1
    keys.key_for(first)
    asked = provider.asked
    for _ in range(10):
        keys.key_for(first)
    assert provider.asked == asked, "who is away is not asked for every request"
    watch.now += AGAIN_S
    with pytest.raises(KeysUnavailable):
        keys.key_for(first)


@pytest.mark.parametrize(("status", "body"), [(302, None), (500, None), (200, b"<html>"), (200, b"[]"), (200, b"{}")])
def test_an_answer_that_is_no_set_of_keys_is_not_taken_for_one(
    keys: RemoteKeys, provider: Provider, status: int, body: bytes | None
) -> None:
    first = provider.add("a")
    provider.status, provider.body = status, body
    with pytest.raises(KeysUnavailable):
        keys.key_for(first)


def test_a_key_without_a_name_is_taken_where_there_is_but_one(
    keys: RemoteKeys, provider: Provider, watch: Watch
) -> None:
    unnamed = provider.add(None)
    keys.key_for(unnamed)
    provider.add("b")
    watch.now += FRESH_S
    with pytest.raises(BadToken):
        keys.key_for(unnamed)


@pytest.mark.parametrize("url", ["http://id.example/jwks", "http://10.0.0.7/jwks", "ftp://id.example/jwks", "jwks"])
def test_keys_come_over_https_but_on_loopback(url: str) -> None:
    with pytest.raises(ConfigurationError, match="https"):
        RemoteKeys(url, Outgoing.of(["10.0.0.0/8"]))
    for local in ("http://127.0.0.1:9/jwks", "http://localhost:9/jwks", "http://[::1]:9/jwks"):
        RemoteKeys(local)


def test_a_network_that_is_not_public_is_asked_only_where_it_is_named() -> None:
    inside = ["10.0.0.7"]
    way = Outgoing(resolve=lambda _host, _port: inside)
    with pytest.raises(KeysUnavailable, match="not public"):
        RemoteKeys(URL, way).key_for(token(ec.generate_private_key(ec.SECP256R1()), "a"))
