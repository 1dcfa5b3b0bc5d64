"""Bearer tokens: JWTs (RFC 7519) with scopes, from a local issuer or from an identity provider's JWKS.

The local issuer's key (ES256) is generated on the first start and kept in the state directory with mode 0600. There is
no default secret and no unsigned token. Issuer, audience, subject and expiry are demanded of every token, wherever it
is from.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from ledger.clock import Clock
from ledger.errors import ConfigurationError, TongduiError, Unavailable
from ledger_api.auth.claims import scopes_of
from ledger_api.auth.scopes import check_scopes

LOCAL_ALGORITHM = "ES256"
OIDC_ALGORITHMS = ("ES256", "ES384", "EdDSA", "RS256", "PS256")
"""Asymmetric only: a symmetric algorithm would let anybody sign with the published key."""

TOKEN_LIFETIME = timedelta(hours=1)
TOKEN_LIFETIME_MAX = timedelta(days=31)
LEEWAY_S = 30
REMEMBERED_S = 60
"""How long a signature that was checked is not checked again."""
REMEMBERED_MAX = 50_000


class BadToken(TongduiError):
    """A bearer token that is missing, malformed, expired, withdrawn, or not for us. ``reason`` names which."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the bearer token is not accepted: {reason}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. ``subject`` is unique over all issuers; ``identity`` is what the provider checked, if it says."""

    subject: str
    scopes: frozenset[str]
    token_id: str
    expires_at: int
    identity: str | None = None
    issued_at: int = 0

    def has(self, scope: str) -> bool:
        """Return whether the token carries ``scope``."""
        return scope in self.scopes


class KeySource(Protocol):
    """Finds the public key that a token names."""

    def key_for(self, token: str) -> Any:
        """Return the key. Raises BadToken if there is none."""
        ...


class LocalIssuer:
    """Issues tokens for the embedded default and for tests; real people log in at an identity provider."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, issuer: str, audience: str, clock: Clock) -> None:
        self._key = key
        self._clock = clock
        self.issuer = issuer
        self.audience = audience
        self.key_id = _key_id(key.public_key())

    @classmethod
    def open(cls, path: Path, issuer: str, audience: str, clock: Clock) -> LocalIssuer:
        """Load the signing key, or generate it where there is none yet. Raises ConfigurationError for a bad file."""
        return cls(_load_or_generate(path), issuer, audience, clock)

    def issue(
        self,
        subject: str,
        scopes: Iterable[str],
        *,
        lifetime: timedelta = TOKEN_LIFETIME,
        identity: str | None = None,
    ) -> str:
        """Return a signed token.

        Args:
            subject: who it is for; unique within this issuer.
            scopes: see ``ledger_api.auth.scopes``.
            lifetime: at most 31 days.
            identity: the identity document that was checked, where the issuer vouches for one.

        Raises:
            UnknownScope: a scope means nothing here.
            ConfigurationError: the subject is empty or the lifetime out of bounds.
        """
        if not subject or len(subject) > 200:
            raise ConfigurationError("a token needs a subject of 1 to 200 characters")
        if not timedelta(0) < lifetime <= TOKEN_LIFETIME_MAX:
            raise ConfigurationError(f"a token lives up to {TOKEN_LIFETIME_MAX.days} days")
        now = self._clock.timestamp()
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "scope": " ".join(sorted(check_scopes(scopes))),
            "iat": now,
            "nbf": now,
            "exp": now + int(lifetime.total_seconds()),
            "jti": secrets.token_urlsafe(16),
        }
        if identity is not None:
            claims["identity"] = identity
        return jwt.encode(claims, self._key, algorithm=LOCAL_ALGORITHM, headers={"kid": self.key_id})

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public key set (RFC 7517)."""
        public: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": LOCAL_ALGORITHM}]}

    def key_for(self, token: str) -> Any:
        """Return the public key if the token names it (`KeySource`)."""
        if jwt.get_unverified_header(token).get("kid") != self.key_id:
            raise BadToken("it was signed by a key that is not known here")
        return self._key.public_key()


class KeysUnavailable(Unavailable):
    """The identity provider's keys cannot be fetched just now."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"the identity provider's keys cannot be fetched: {detail}")


@dataclass(frozen=True, slots=True)
class _Times:
    """When a token is good, and when its signature was checked: Unix seconds."""

    expires_at: int
    begins_at: int
    issued_at: int
    checked_at: int


class TokenVerifier:
    """Checks tokens of one issuer for one audience, by this system's clock.

    A signature that was right stays right: for `REMEMBERED_S` a token is known by its digest, and only its times are
    checked again. Longer would keep a key in use that the provider has dropped.
    """

    def __init__(
        self,
        keys: KeySource,
        issuer: str,
        audience: str,
        algorithms: Iterable[str],
        clock: Clock,
        role_scopes: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """``role_scopes``: what a provider's roles and groups stand for here."""
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._algorithms = list(algorithms)
        self._clock = clock
        self._role_scopes = dict(role_scopes or {})
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[Principal, _Times]] = OrderedDict()

    def remembered(self, token: str) -> Principal | None:
        """Return who a token speaks for if its signature was checked a moment ago. Never waits. Raises BadToken."""
        now = self._clock.timestamp()
        with self._lock:
            found = self._known.get(_digest(token))
        if found is None or not 0 <= now - found[1].checked_at < REMEMBERED_S:
            return None
        _check_times(found[1].expires_at, found[1].begins_at, now)
        return found[0]

    def verify(self, token: str) -> Principal:
        """Return who the token speaks for.

        Raises:
            BadToken: the token is invalid.
            KeysUnavailable: it cannot be checked at present.
        """
        known = self.remembered(token)
        if known is not None:
            return known
        principal, times = self._checked(token)
        with self._lock:
            self._known.pop(digest := _digest(token), None)
            self._known[digest] = principal, times
            if len(self._known) > REMEMBERED_MAX:
                self._known.popitem(last=False)
        return principal

    def _checked(self, token: str) -> tuple[Principal, _Times]:
        try:
            key = self._keys.key_for(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=self._algorithms,
                audience=self._audience,
                issuer=self._issuer,
                # Times are checked below against the clock that was passed in: the demo runs at a fixed date.
                options={
                    "require": ["exp", "iat", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as error:
            raise BadToken(_reason(error)) from error
        times = self._times(claims)
        try:
            scopes = scopes_of(claims, self._role_scopes)
        except ValueError:
            raise BadToken("its scopes are neither a text nor an array of texts") from None
        identity = claims.get("identity")
        principal = Principal(
            subject=f"{self._issuer} {claims['sub']}",
            # A provider may add scopes of its own (openid, profile); what means nothing here grants nothing.
            scopes=scopes,
            # Not every provider numbers its tokens; one without a number is known by its digest.
            token_id=str(claims["jti"]) if claims.get("jti") else f"sha256:{_digest(token).hex()}",
            expires_at=int(claims["exp"]),
            identity=identity if isinstance(identity, str) and identity else None,
            issued_at=times.issued_at,
        )
        return principal, times

    def _times(self, claims: dict[str, Any]) -> _Times:
        now = self._clock.timestamp()
        try:
            expires_at, issued_at, not_before = (
                int(claims["exp"]),
                int(claims["iat"]),
                int(claims.get("nbf", claims["iat"])),
            )
        except (TypeError, ValueError):
            raise BadToken("its times are not numbers") from None
        times = _Times(expires_at, max(issued_at, not_before), issued_at, now)
        _check_times(times.expires_at, times.begins_at, now)
        return times


def _check_times(expires_at: int, begins_at: int, now: int) -> None:
    if now >= expires_at + LEEWAY_S:
        raise BadToken("it has expired")
    if begins_at > now + LEEWAY_S:
        raise BadToken("it is not valid yet")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def _reason(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.InvalidAudienceError():
            return "it is for another audience"
        case jwt.InvalidIssuerError():
            return "it comes from another issuer"
        case jwt.MissingRequiredClaimError():
            return f"it lacks the claim {error.claim!r}"
        case jwt.InvalidAlgorithmError():
            return "its algorithm is not allowed"
        case jwt.InvalidSignatureError():
            return "its signature is wrong"
        case _:
            return "it is malformed"


def _load_or_generate(path: Path) -> ec.EllipticCurvePrivateKey:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        draft = path.with_name(f"{path.name}.{os.getpid()}.{time.monotonic_ns()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # fails where another process was first, whose key then counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} holds no token signing key: remove it to generate a new one") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ConfigurationError(f"{path} holds a key of another kind; tokens are signed with ES256 (P-256)")
    return key


def _key_id(key: ec.EllipticCurvePublicKey) -> str:
    """The JWK thumbprint (RFC 7638)."""
    public = json.loads(ECAlgorithm.to_jwk(key))
    members = {name: public[name] for name in ("crv", "kty", "x", "y")}
    digest = hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
