"""Headers: real ones of public networks hash to their published hashes; malformed ones are refused."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.proofs import headers, rlp
from ledger.proofs.errors import BadHeader

# Ethereum's genesis block: the header of the yellow paper's first fifteen fields.
GENESIS: dict[str, Any] = {
    "parentHash": "0x" + "00" * 32,
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "00" * 20,
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x400000000",
    "number": "0x0",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x0",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "mixHash": "0x" + "00" * 32,
    "nonce": "0x0000000000000042",
}
GENESIS_HASH = "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"


def test_ethereum_genesis_has_its_known_hash() -> None:
    header = headers.from_rpc(GENESIS)
    assert header.plain_hash().hex() == GENESIS_HASH
    assert (header.number, header.timestamp, header.difficulty) == (0, 0, 0x400000000)
    assert headers.from_rlp(header.encode()) == header


def test_base_fee_is_part_of_the_header_when_given() -> None:
    with_fee = headers.from_rpc(GENESIS | {"baseFeePerGas": "0x0"})
    assert len(with_fee.fields) == 16
    assert with_fee.plain_hash().hex() != GENESIS_HASH
    assert headers.from_rlp(with_fee.encode()) == with_fee


@pytest.mark.parametrize("name", sorted(GENESIS))
def test_every_field_changes_the_hash_and_none_may_lack(name: str) -> None:
    text = GENESIS[name]
    last = text[:-1] + ("1" if text[-1] != "1" else "2")
    assert headers.from_rpc(GENESIS | {name: last}).plain_hash().hex() != GENESIS_HASH
    with pytest.raises(BadHeader):
        headers.from_rpc({key: value for key, value in GENESIS.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"), [("number", 7), ("parentHash", "0x00"), ("stateRoot", "0xzz"), ("miner", "00"), ("number", "0x")]
)
def test_a_field_of_the_wrong_form_is_refused(name: str, value: object) -> None:
    with pytest.raises(BadHeader):
        headers.from_rpc(GENESIS | {name: value})


def test_rlp_that_is_no_header_is_refused() -> None:
    fields: list[Any] = list(headers.from_rpc(GENESIS).fields)
    for bad in (
        rlp.encode(b"x"),
        rlp.encode(fields[:14]),
        rlp.encode([*fields[:8], b"\0\1", *fields[9:]]),
        rlp.encode([b"\0", *fields[1:]]),
        rlp.encode([*fields[:12], [b""], *fields[13:]]),
        b"\xff",
    ):
        with pytest.raises(BadHeader):
            headers.from_rlp(bad)
