"""The hash is Ethereum's Keccak-256."""

from __future__ import annotations

from Crypto.Hash import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.standard.keccak import keccak256


def test_the_empty_string() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@given(st.binary(max_size=600))
def test_equals_pycryptodome(data: bytes) -> None:
    assert keccak256(data) == keccak.new(data=data, digest_bits=256).digest()
