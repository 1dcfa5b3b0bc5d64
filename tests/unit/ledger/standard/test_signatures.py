"""Signatures: equal to eth_account's, and only the form that the contracts accept."""

from __future__ import annotations

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.standard.errors import BadSignature, WrongLength
from ledger.standard.keccak import keccak256
from ledger.standard.signatures import SigningKey, address_of, recover, sign_digest

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEYS = st.integers(1, ORDER - 1).map(lambda n: n.to_bytes(32, "big"))
KEY = b"\x45" * 32
DIGEST = keccak256(b"message")


@settings(max_examples=50, deadline=None)
@given(KEYS, st.binary(min_size=32, max_size=32))
def test_signature_equals_eth_account(key: bytes, digest: bytes) -> None:
    signature = sign_digest(key, digest)
    assert signature == bytes(Account.unsafe_sign_hash(digest, key).signature)
    assert recover(digest, signature) == address_of(key) == Account.from_key(key).address


def test_s_is_always_in_the_lower_half() -> None:
    key = SigningKey(KEY)
    for n in range(200):
        assert int.from_bytes(key.sign_digest(keccak256(bytes([n])))[32:64], "big") <= ORDER // 2


def test_the_mirrored_signature_is_refused() -> None:
    """(r, n - s, flipped v) recovers to the same key; accepting it would let an order have two encodings."""
    signature = sign_digest(KEY, DIGEST)
    high = ORDER - int.from_bytes(signature[32:64], "big")
    mirrored = signature[:32] + high.to_bytes(32, "big") + bytes([55 - signature[64]])
    with pytest.raises(BadSignature):
        recover(DIGEST, mirrored)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_v_is_27_or_28(v: int) -> None:
    with pytest.raises(BadSignature):
        recover(DIGEST, sign_digest(KEY, DIGEST)[:64] + bytes([v]))


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 64 + b"\x1b", b"\xff" * 32 + b"\1" * 32 + b"\x1b"])
def test_bytes_that_are_no_signature_are_refused(signature: bytes) -> None:
    with pytest.raises(BadSignature):
        recover(DIGEST, signature)


def test_another_digest_recovers_another_account() -> None:
    assert recover(keccak256(b"other"), sign_digest(KEY, DIGEST)) != address_of(KEY)


def test_keys_and_digests_have_32_bytes() -> None:
    with pytest.raises(WrongLength):
        SigningKey(b"\1" * 31)
    with pytest.raises(WrongLength):
        sign_digest(KEY, b"\1" * 33)
    with pytest.raises(BadSignature):
        SigningKey(b"\0" * 32)
    with pytest.raises(BadSignature):
        SigningKey(ORDER.to_bytes(32, "big"))


def test_repr_does_not_show_the_secret() -> None:
    assert KEY.hex() not in repr(SigningKey(KEY))
