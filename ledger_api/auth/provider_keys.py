"""The keys of an identity provider, from the address where it publishes them (RFC 7517).

They are kept for five minutes, and as a set only: what the provider drops is dropped here. A key that is not in the set
is looked for at once, so that a rotation leaves no gap; a few times in a row at most and then every half minute, for
invalid tokens must not become requests to the provider. If the provider is away, the last set is good for an hour.

The address is asked as any that leads out (`ledger.outgoing`): a bounded body, a whole answer in time, no redirect, and
no network that is not public unless the operator named it. Plain ``http`` is for loopback alone, whoever is named:
whoever can change this answer on its way can be anybody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import jwt
import orjson

from ledger.errors import ConfigurationError
from ledger.outgoing import AddressRefused, NoAnswer, Outgoing
from ledger_api.auth.tokens import BadToken, KeysUnavailable

FRESH_S = 300.0
STALE_S = 3_600.0
BYTES_MAX = 262_144
DEADLINE_S = 5.0
AGAIN_S = 5.0
LOOKS_AT_ONCE = 5
LOOK_EVERY_S = 30.0
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_UNKNOWN = "it was signed by a key that is not known here"


@dataclass(frozen=True, slots=True)
class _KeySet:
    keys: dict[str | None, Any]
    """By ``kid``; under None the only key of a set of one."""
    at: float


@dataclass(slots=True)
class RemoteKeys:
    """Finds keys in a provider's set (`KeySource`). Threads may share it; one of them asks at a time."""

    url: str
    outgoing: Outgoing = field(default_factory=Outgoing)
    monotonic: Callable[[], float] = time.monotonic
    _set: _KeySet | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _looks: float = LOOKS_AT_ONCE
    _looked_at: float = float("-inf")
    _failed_at: float = float("-inf")

    def __post_init__(self) -> None:
        """Raise ConfigurationError for an address over which anybody on the way could change the keys."""
        is_loopback = _is_loopback(self.url)
        if urlsplit(self.url).scheme != "https" and not is_loopback:
            raise ConfigurationError(f"the identity provider's keys are at {self.url}: that must be https")
        if is_loopback:
            self.outgoing = Outgoing((*self.outgoing.networks, *_LOOPBACK))

    def key_for(self, token: str) -> Any:
        """Return the key that the token names. Raises BadToken or KeysUnavailable."""
        kid = jwt.get_unverified_header(token).get("kid")
        with self._lock:
            now = self.monotonic()
            if self._set is None or now - self._set.at >= FRESH_S:
                self._refresh(now)
            found = self._found(kid)
            if found is None and self._set is not None and self._set.at < now:
                if not self._may_look(now):
                    raise BadToken(_UNKNOWN)
                self._refresh(now)
                found = self._found(kid)
        if found is None:
            raise BadToken(_UNKNOWN)
        return found

    def _found(self, kid: str | None) -> Any:
        return None if self._set is None else self._set.keys.get(kid)

    def _may_look(self, now: float) -> bool:
        """Count a look for a key that is not known: a few at once, then one every half minute."""
        earned = (now - self._looked_at) / LOOK_EVERY_S
        self._looks = min(float(LOOKS_AT_ONCE), self._looks + earned)
        self._looked_at = now
        if self._looks < 1:
            return False
        self._looks -= 1
        return True

    def _refresh(self, now: float) -> None:
        """Fetch the set. Raises KeysUnavailable where it cannot be had and the last one is too old.

        A provider that is away is not asked again for some seconds: all callers wait for who asks.
        """
        is_usable = self._set is not None and now - self._set.at < STALE_S
        if now - self._failed_at < AGAIN_S:
            if is_usable:
                return
            raise KeysUnavailable("it did not answer a moment ago")
        try:
            self._set = _KeySet(self._fetched(), now)
        except KeysUnavailable:
            self._failed_at = now
            if not is_usable:
                raise

    def _fetched(self) -> dict[str | None, Any]:
        try:
            answer = self.outgoing.ask(
                self.url, headers={"Accept": "application/json"}, bytes_max=BYTES_MAX, deadline_s=DEADLINE_S
            )
        except (AddressRefused, NoAnswer) as error:
            raise KeysUnavailable(str(error)) from error
        if answer.status != 200:
            raise KeysUnavailable(f"the provider answered {answer.status}")
        try:
            return _keys_of(orjson.loads(answer.body))
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise KeysUnavailable("the provider's answer is no set of keys") from error


def _keys_of(document: Any) -> dict[str | None, Any]:
    """Return the signing keys of a set by ``kid``; those of kinds that are not known here are left out."""
    if not isinstance(document, dict):
        raise TypeError("no object")
    signing = [one for one in jwt.PyJWKSet.from_dict(document).keys if one.public_key_use in {None, "sig"}]
    found: dict[str | None, Any] = {one.key_id: one.key for one in signing if one.key_id is not None}
    if len(signing) == 1:
        found[None] = signing[0].key  # a provider with one key need not name it
    return found


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
