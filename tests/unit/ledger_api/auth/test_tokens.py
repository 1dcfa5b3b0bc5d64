from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.clock import ManualClock
from ledger.errors import ConfigurationError
from ledger_api.auth.scopes import UnknownScope
from ledger_api.auth.tokens import (
    LEEWAY_S,
    LOCAL_ALGORITHM,
    REMEMBERED_S,
    BadToken,
    LocalIssuer,
    TokenVerifier,
)

ISSUER, AUDIENCE = "urn:test", "tongdui-api"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture
def issuer(tmp_path: Path, clock: ManualClock) -> LocalIssuer:
    return LocalIssuer.open(tmp_path / "keys" / "tokens.pem", ISSUER, AUDIENCE, clock)


@pytest.fixture
def verifier(issuer: LocalIssuer, clock: ManualClock) -> TokenVerifier:
    return TokenVerifier(issuer, ISSUER, AUDIENCE, [LOCAL_ALGORITHM], clock)


def forged(issuer: LocalIssuer, clock: ManualClock, key: Any = None, algorithm: str = "ES256", **changes: Any) -> str:
    """A token like the issuer's, with changed claims (None leaves one out)."""
    now = clock.timestamp()
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "scope": "operator", "iat": now, "exp": now + 60, "jti": "1"}
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(claims, key or issuer._key, algorithm=algorithm, headers={"kid": issuer.key_id})


def test_a_token_says_who_and_what_for(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    found = verifier.verify(issuer.issue("wang", ["resident:self", "desk:shuangnan"], identity="5101"))
    assert found.subject == "urn:test wang"
    assert found.scopes == {"resident:self", "desk:shuangnan"}
    assert found.identity == "5101"
    assert found.has("resident:self")
    assert not found.has("operator")


def test_the_key_is_drawn_once_and_for_the_owner_alone(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "keys" / "tokens.pem"
    first = LocalIssuer.open(path, ISSUER, AUDIENCE, clock)
    again = LocalIssuer.open(path, ISSUER, AUDIENCE, clock)
    other = LocalIssuer.open(tmp_path / "other.pem", ISSUER, AUDIENCE, clock)
    assert first.key_id == again.key_id != other.key_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["tokens.pem"]


@pytest.mark.parametrize("content", [b"", b"not a key"])
def test_a_damaged_key_file_is_named(tmp_path: Path, clock: ManualClock, content: bytes) -> None:
    path = tmp_path / "tokens.pem"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"tokens\.pem"):
        LocalIssuer.open(path, ISSUER, AUDIENCE, clock)


def test_a_key_of_another_kind_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "tokens.pem"
    key = ec.generate_private_key(ec.SECP256K1())
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with pytest.raises(ConfigurationError, match="another kind"):
        LocalIssuer.open(path, ISSUER, AUDIENCE, clock)


def test_time_is_the_clocks_that_was_passed_in(
    issuer: LocalIssuer, verifier: TokenVerifier, clock: ManualClock
) -> None:
    token = issuer.issue("x", ["operator"], lifetime=timedelta(minutes=5))
    clock.set(clock.now() + timedelta(minutes=5, seconds=29))
    verifier.verify(token)
    clock.set(clock.now() + timedelta(seconds=1))
    with pytest.raises(BadToken, match="expired"):
        verifier.verify(token)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "another-api"}, "audience"),
        ({"aud": None}, "aud"),
        ({"iss": "urn:another"}, "issuer"),
        ({"sub": None}, "'sub'"),
        ({"exp": None}, "'exp'"),
        ({"iat": 9_999_999_999}, "not valid yet"),
        ({"nbf": 9_999_999_999}, "not valid yet"),
        ({"exp": 1}, "expired"),
        ({"scope": 7}, "array"),
        ({"scp": {"operator": True}}, "array"),
    ],
)
def test_each_claim_is_checked(
    issuer: LocalIssuer, verifier: TokenVerifier, clock: ManualClock, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BadToken, match=reason):
        verifier.verify(forged(issuer, clock, **changes))


def test_another_key_under_our_name_is_refused(
    issuer: LocalIssuer, verifier: TokenVerifier, clock: ManualClock
) -> None:
    with pytest.raises(BadToken, match="signature"):
        verifier.verify(forged(issuer, clock, key=ec.generate_private_key(ec.SECP256R1())))


def test_no_algorithm_but_ours_is_taken(issuer: LocalIssuer, verifier: TokenVerifier, clock: ManualClock) -> None:
    """`none`, and a MAC keyed with the published key, are the classic forgeries."""
    now = clock.timestamp()
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "x", "iat": now, "exp": now + 60, "jti": "1"}
    unsigned = jwt.encode(claims, None, algorithm="none", headers={"kid": issuer.key_id})
    public = issuer.jwks()["keys"][0]["x"] * 2
    maced = jwt.encode(claims, public, algorithm="HS256", headers={"kid": issuer.key_id})
    for token in (unsigned, maced):
        with pytest.raises(BadToken):
            verifier.verify(token)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "ünïcode"])
def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(BadToken):
        verifier.verify(token)


@pytest.mark.parametrize("scope", ["admin", "issuer:", "issuer:0", "issuer:1 ", "merchant:x", "desk:", "desk:A b"])
def test_scopes_that_mean_nothing_are_not_issued(issuer: LocalIssuer, scope: str) -> None:
    with pytest.raises(UnknownScope):
        issuer.issue("x", [scope])


@pytest.mark.parametrize(
    ("subject", "lifetime"), [("", timedelta(hours=1)), ("x", timedelta(0)), ("x", timedelta(days=32))]
)
def test_tokens_are_for_somebody_and_not_for_ever(issuer: LocalIssuer, subject: str, lifetime: timedelta) -> None:
    with pytest.raises(ConfigurationError):
        issuer.issue(subject, ["operator"], lifetime=lifetime)


def test_the_key_set_is_public_only(issuer: LocalIssuer) -> None:
    [key] = issuer.jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert key["kid"] == issuer.key_id


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": "openid operator"},
        {"scope": ["openid", "operator"]},
        {"scope": None, "scp": "operator"},
        {"scope": None, "scp": ["operator"]},
        {"scope": "openid", "scp": ["operator"]},
        {"aud": [AUDIENCE, "account"]},
    ],
)
def test_scopes_and_audiences_come_as_text_or_as_an_array(
    issuer: LocalIssuer, verifier: TokenVerifier, clock: ManualClock, claims: dict[str, Any]
) -> None:
    assert verifier.verify(forged(issuer, clock, **claims)).has("operator")


def test_a_token_without_a_number_is_known_by_its_digest(
    issuer: LocalIssuer, verifier: TokenVerifier, clock: ManualClock
) -> None:
    first, second = (verifier.verify(forged(issuer, clock, jti=None)) for _ in range(2))
    assert first.token_id.startswith("sha256:")
    assert first.token_id != second.token_id


def test_a_providers_roles_stand_for_what_the_operator_says(issuer: LocalIssuer, clock: ManualClock) -> None:
    roles = {"finance clerks": ["finance"], "shop-7": ["merchant:7"]}
    mapped = TokenVerifier(issuer, ISSUER, AUDIENCE, [LOCAL_ALGORITHM], clock, roles)
    for claims in (
        {"roles": ["finance clerks", "shop-7", "shop-8"]},
        {"groups": ["shop-7"], "roles": "finance clerks"},
        {"realm_access": {"roles": ["finance clerks", "shop-7"]}},
    ):
        assert mapped.verify(forged(issuer, clock, scope="openid", **claims)).scopes >= {"finance", "merchant:7"}
    assert mapped.verify(forged(issuer, clock, roles=7, groups=[7], realm_access="x")).scopes == {"operator"}
    plain = TokenVerifier(issuer, ISSUER, AUDIENCE, [LOCAL_ALGORITHM], clock)
    assert plain.verify(forged(issuer, clock, roles=["finance clerks"])).scopes == {"operator"}


class CountedKeys:
    """The issuer's key until it is dropped; counts how often it was asked for."""

    def __init__(self, issuer: LocalIssuer) -> None:
        self.issuer = issuer
        self.asked = 0
        self.is_dropped = False

    def key_for(self, token: str) -> Any:
        self.asked += 1
        if self.is_dropped:
            raise BadToken("it was signed by a key that is not known here")
        return self.issuer.key_for(token)


def test_a_signature_that_was_checked_is_not_checked_again_for_a_minute(
    issuer: LocalIssuer, clock: ManualClock
) -> None:
    keys = CountedKeys(issuer)
    verifier = TokenVerifier(keys, ISSUER, AUDIENCE, [LOCAL_ALGORITHM], clock)
    token = issuer.issue("wang", ["resident:self"])
    assert verifier.remembered(token) is None
    first = verifier.verify(token)
    keys.is_dropped = True
    clock.set(clock.now() + timedelta(seconds=REMEMBERED_S - 1))
    assert verifier.verify(token) == verifier.remembered(token) == first
    assert keys.asked == 1
    clock.set(clock.now() + timedelta(seconds=1))
    assert verifier.remembered(token) is None
    with pytest.raises(BadToken, match="not known here"):
        verifier.verify(token)


def test_a_remembered_token_still_expires(issuer: LocalIssuer, verifier: TokenVerifier, clock: ManualClock) -> None:
    token = forged(issuer, clock, exp=clock.timestamp() + 10)
    verifier.verify(token)
    clock.set(clock.now() + timedelta(seconds=10 + LEEWAY_S))
    with pytest.raises(BadToken, match="expired"):
        verifier.verify(token)


def test_a_changed_signature_is_another_token(issuer: LocalIssuer, verifier: TokenVerifier, clock: ManualClock) -> None:
    verifier.verify(forged(issuer, clock))
    with pytest.raises(BadToken, match="signature"):
        verifier.verify(forged(issuer, clock, key=ec.generate_private_key(ec.SECP256R1())))
