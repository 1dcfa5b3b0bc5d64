"""People with keys, and signatures made fast enough for thousands of steps."""

from __future__ import annotations

from functools import cache

from city import Person as CityPerson
from eth_account import Account

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@cache
def _mask() -> tuple[int, int, int]:
    """Return a secret k, the x coordinate r of its point, and the parity of y.

    One for all signatures, which gives every key away: these keys are worth nothing, and a signature costs one
    multiplication in place of one on the curve. What comes of it is an ordinary signature to whoever checks it.
    """
    key = (7).to_bytes(32, "big")
    point = Account.from_key(key)._key_obj.public_key.to_bytes()
    return 7, int.from_bytes(point[:32]) % ORDER, point[63] & 1


def sign(key: bytes, digest: bytes) -> bytes:
    """Return r ‖ s ‖ v, with s in the lower half."""
    k, r, parity = _mask()
    s = pow(k, -1, ORDER) * (int.from_bytes(digest) + r * int.from_bytes(key)) % ORDER
    if s > ORDER // 2:
        s, parity = ORDER - s, 1 - parity
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + parity])


def twin(signature: bytes) -> bytes:
    """Return the second, malleable form of a signature: s in the upper half."""
    s = ORDER - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


@cache
def person(name: str) -> CityPerson:
    """Return somebody with a key that only the name stands behind."""
    return CityPerson(name)
