"""Transactions written by hand are those of eth_account, byte for byte, and are read back strictly."""

from __future__ import annotations

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.errors import BadTransaction
from ledger.chain.transactions import contract_address, decode_legacy, peek, sign_legacy
from ledger.standard.ids import to_address
from ledger.standard.signatures import SigningKey, address_of

KEYS = st.integers(1, 2**256 - 2**129).map(lambda value: value.to_bytes(32, "big"))
TARGETS = st.one_of(st.none(), st.binary(min_size=20, max_size=20).map(to_address))


@given(
    key=KEYS,
    chain_id=st.integers(1, 2**53 - 1),
    nonce=st.integers(0, 2**64 - 2),
    to=TARGETS,
    data=st.binary(max_size=300),
    gas=st.integers(1, 2**63),
)
def test_the_same_bytes_as_eth_account(
    key: bytes, chain_id: int, nonce: int, to: str | None, data: bytes, gas: int
) -> None:
    fields = {"nonce": nonce, "to": to or b"", "value": 0, "gas": gas, "gasPrice": 0, "data": data, "chainId": chain_id}
    theirs = Account.sign_transaction(fields, key)
    raw, tx_hash = sign_legacy(key, chain_id, nonce, to, data, gas)
    assert raw == bytes(theirs.raw_transaction)
    assert tx_hash == bytes(theirs.hash)


@given(key=KEYS, chain_id=st.integers(1, 2**31), nonce=st.integers(0, 2**32), to=TARGETS, data=st.binary(max_size=99))
def test_what_is_signed_is_read_back(key: bytes, chain_id: int, nonce: int, to: str | None, data: bytes) -> None:
    raw, _ = sign_legacy(SigningKey(key), chain_id, nonce, to, data, 21_000)
    read = decode_legacy(raw)
    assert (read.chain_id, read.nonce, read.to, read.data, read.gas) == (chain_id, nonce, to, data, 21_000)
    assert (read.gas_price, read.value) == (0, 0)
    assert read.sender == address_of(key)
    assert peek(raw) == (chain_id, 21_000)


@given(raw=st.binary(max_size=200))
def test_noise_is_refused_not_misread(raw: bytes) -> None:
    with pytest.raises(BadTransaction):
        decode_legacy(raw)


@given(cut=st.integers(0, 107), flip=st.integers(0, 7))
def test_a_cut_transaction_is_refused(cut: int, flip: int) -> None:
    raw, _ = sign_legacy(b"\x01" * 32, 1, 7, "0x" + "11" * 20, b"\x05" * flip, 21_000)
    with pytest.raises(BadTransaction):
        decode_legacy(raw[: min(cut, len(raw) - 1)])
    with pytest.raises(BadTransaction):
        peek(raw + b"\x00")


def test_typed_and_unprotected_transactions_are_refused() -> None:
    key = b"\x01" * 32
    typed = Account.sign_transaction(
        {
            "type": 2,
            "nonce": 0,
            "to": "0x" + "11" * 20,
            "value": 0,
            "gas": 21_000,
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "chainId": 5,
        },
        key,
    )
    unprotected = Account.sign_transaction(
        {"nonce": 0, "to": "0x" + "11" * 20, "value": 0, "gas": 21_000, "gasPrice": 0}, key
    )
    for raw, words in ((typed, "type 0"), (unprotected, "EIP-155")):
        with pytest.raises(BadTransaction, match=words):
            peek(bytes(raw.raw_transaction))


@pytest.mark.parametrize(("chain_id", "nonce", "gas"), [(0, 0, 1), (1, -1, 1), (1, 2**64 - 1, 1), (1, 0, 0)])
def test_numbers_that_no_transaction_carries_are_refused(chain_id: int, nonce: int, gas: int) -> None:
    with pytest.raises(BadTransaction):
        sign_legacy(b"\x01" * 32, chain_id, nonce, None, b"", gas)


def test_contract_addresses() -> None:
    # Known pairs of Ethereum's main network: the deployer 0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0, nonces 0 to 2.
    sender = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"
    assert [contract_address(sender, nonce).lower() for nonce in (0, 1, 2)] == [
        "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d",
        "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8",
        "0xf778b86fa74e846c4f0a1fbd1335fe81c00a0c91",
    ]
