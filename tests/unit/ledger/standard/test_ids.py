"""Ids of the standard: ranges are enforced, pairs survive a round trip, addresses are EIP-55."""

from __future__ import annotations

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from ledger.standard import ids
from ledger.standard.errors import BadAddress, OutOfRange, WrongLength

UINT32 = st.integers(0, 2**32 - 1)


@given(UINT32, UINT32)
def test_token_id_splits_into_what_it_was_made_of(programme: int, quarter: int) -> None:
    token = ids.token_id(programme, quarter)
    assert token == programme * 2**32 + quarter
    assert ids.split_token_id(token) == (programme, quarter)


@pytest.mark.parametrize(("programme", "quarter"), [(-1, 0), (0, -1), (2**32, 0), (0, 2**32)])
def test_token_id_refuses_what_does_not_fit(programme: int, quarter: int) -> None:
    with pytest.raises(OutOfRange):
        ids.token_id(programme, quarter)


def test_split_refuses_an_id_outside_the_scheme() -> None:
    with pytest.raises(OutOfRange):
        ids.split_token_id(2**64)


def test_participants_of_programme_and_merchant_never_meet() -> None:
    assert ids.programme_participant(7) == (1 << 32) + 7
    assert ids.merchant_participant(7) == (2 << 32) + 7
    with pytest.raises(OutOfRange):
        ids.programme_participant(2**32)


@given(st.binary(min_size=20, max_size=20))
def test_addresses_are_in_eip55_form(raw: bytes) -> None:
    address = ids.to_address(raw)
    assert address == to_checksum_address(raw)
    assert ids.address_bytes(address) == raw
    assert ids.to_address(address.lower()) == address


@pytest.mark.parametrize(
    "text",
    ["", "0x", "0x" + "0" * 39, "0x" + "0" * 41, "1x" + "0" * 40, "0x" + "g" * 40, "0x" + " " * 2 + "0" * 38],
)
def test_a_string_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        ids.address_bytes(text)


def test_address_from_bytes_needs_twenty() -> None:
    with pytest.raises(WrongLength):
        ids.to_address(b"\0" * 19)
