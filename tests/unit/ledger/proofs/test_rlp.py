"""RLP equals the general package where both accept, and takes one encoding only."""

from __future__ import annotations

from typing import Any

import pytest
import rlp as reference
from hypothesis import given
from hypothesis import strategies as st

from ledger.proofs import rlp
from ledger.proofs.errors import MalformedRlp

ITEMS = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=6), max_leaves=20)


@given(ITEMS)
def test_encoding_equals_the_general_package_and_decodes_back(item: Any) -> None:
    data = rlp.encode(item)
    assert data == reference.encode(item)
    assert rlp.decode(data) == item


@given(st.binary(max_size=60))
def test_bytes_decode_only_if_they_are_canonical(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except MalformedRlp:
        with pytest.raises(reference.exceptions.DecodingError):
            reference.decode(data)
    else:
        assert rlp.encode(item) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81\x7f",  # a small byte in the long form
        b"\xb8\x01a",  # a short length in the long form
        b"\xb9\x00\x38" + b"a" * 56,  # a length with a leading zero
        b"\x83ab",  # cut
        b"\xc3\x81\x80",  # a list that is cut
        b"ab",  # two items
        b"\xb8",  # a length that is cut
        b"\xc1\x83abc",  # an item that leaves its list
    ],
)
def test_what_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedRlp):
        rlp.decode(data)


def test_lists_nested_too_deep_are_refused() -> None:
    data = b"\xc0"
    for _ in range(80):
        data = rlp.encode([]) if data == b"" else reference.encode([reference.decode(data)])
    with pytest.raises(MalformedRlp):
        rlp.decode(data)


@pytest.mark.parametrize(("value", "data"), [(0, b""), (1, b"\1"), (256, b"\1\0")])
def test_integers_have_no_leading_zeros(value: int, data: bytes) -> None:
    assert rlp.encode_int(value) == data
    assert rlp.decode_int(data) == value


def test_integers_with_leading_zeros_or_too_many_bits_are_refused() -> None:
    with pytest.raises(MalformedRlp):
        rlp.decode_int(b"\0")
    with pytest.raises(MalformedRlp):
        rlp.decode_int(b"\1" * 5, 32)
