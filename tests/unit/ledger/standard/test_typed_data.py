"""EIP-712 digests equal those of eth_account, in the vectors and for messages drawn at random."""

from __future__ import annotations

import re
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.standard import typed_data as td
from ledger.standard.errors import BadAddress, OutOfRange, WrongLength
from ledger.standard.ids import to_address
from ledger.standard.signatures import address_of, recover, sign_digest
from tests.unit.ledger.standard.vectors import load, unhex

VECTORS = load("typed_data.json")
DOMAIN = td.Domain(
    int(VECTORS["domain"]["chainId"]), VECTORS["domain"]["verifyingContract"], unhex(VECTORS["domain"]["salt"])
)
CLASSES: dict[str, tuple[type[Any], str]] = {
    "MintBatch": (td.MintBatch, td.MINT_BATCH_TYPE),
    "VoidBatch": (td.VoidBatch, td.VOID_BATCH_TYPE),
    "Revocation": (td.Revocation, td.REVOCATION_TYPE),
    "ExchangeOrder": (td.ExchangeOrder, td.EXCHANGE_ORDER_TYPE),
    "RedeemOrder": (td.RedeemOrder, td.REDEEM_ORDER_TYPE),
    "HoldOrder": (td.HoldOrder, td.HOLD_ORDER_TYPE),
    "Capture": (td.Capture, td.CAPTURE_TYPE),
    "Release": (td.Release, td.RELEASE_TYPE),
    "Refund": (td.Refund, td.REFUND_TYPE),
    "ArbiterRefund": (td.ArbiterRefund, td.ARBITER_REFUND_TYPE),
    "Succession": (td.Succession, td.SUCCESSION_TYPE),
    "Objection": (td.Objection, td.OBJECTION_TYPE),
}


def build(primary: str, message: dict[str, Any]) -> Any:
    """Make our dataclass from a message keyed as Solidity names its fields."""
    values: dict[str, Any] = {}
    for key, item in message.items():
        name = re.sub(r"[A-Z]", lambda m: "_" + m.group().lower(), key)
        if key == "lots" and isinstance(item, list):
            values[name] = tuple(td.Lot(int(lot["id"]), int(lot["amount"])) for lot in item)
        elif isinstance(item, str) and item.startswith("0x") and len(item) == 66:
            values[name] = unhex(item)
        elif isinstance(item, str) and not item.startswith("0x"):
            values[name] = int(item)
        else:
            values[name] = item
    return CLASSES[primary][0](**values)


@pytest.mark.parametrize("row", VECTORS["messages"], ids=lambda row: row["primaryType"])
def test_vectors(row: dict[str, Any]) -> None:
    assert CLASSES[row["primaryType"]][1] == row["schema"]
    digest = build(row["primaryType"], row["message"]).digest(DOMAIN)
    assert digest == unhex(row["digest"])
    key = unhex(VECTORS["privateKey"])
    assert sign_digest(key, digest) == unhex(row["signature"])
    assert recover(digest, unhex(row["signature"])) == VECTORS["signer"] == address_of(key)


def test_every_message_has_a_vector() -> None:
    assert {row["primaryType"] for row in VECTORS["messages"]} == set(CLASSES)


def test_domain_separator_vector() -> None:
    assert DOMAIN.separator == unhex(VECTORS["domainSeparator"])


def uints(bits: int) -> st.SearchStrategy[int]:
    return st.one_of(st.integers(0, 2**bits - 1), st.sampled_from([0, 1, 2**bits - 1]))


BYTES32 = st.binary(min_size=32, max_size=32)
ADDRESS = st.binary(min_size=20, max_size=20).map(to_address)
LOTS = st.lists(st.builds(td.Lot, uints(64), uints(64)), min_size=1, max_size=16).map(tuple)
MESSAGES = st.one_of(
    st.builds(td.MintBatch, uints(32), uints(32), uints(64), BYTES32, BYTES32),
    st.builds(td.VoidBatch, uints(32), uints(64)),
    st.builds(td.Revocation, uints(32), uints(64), BYTES32),
    st.builds(td.ExchangeOrder, ADDRESS, uints(64), uints(64), uints(32), uints(64), uints(32), uints(40)),
    st.builds(td.RedeemOrder, ADDRESS, uints(32), LOTS, uints(32), uints(40)),
    st.builds(td.HoldOrder, ADDRESS, uints(32), LOTS, uints(32), uints(40), uints(40), st.booleans()),
    st.builds(td.Capture, BYTES32, uints(8), uints(64)),
    st.builds(td.Release, BYTES32),
    st.builds(td.Refund, BYTES32, uints(8), uints(64)),
    st.builds(td.ArbiterRefund, BYTES32, uints(8), uints(64)),
    st.builds(td.Succession, ADDRESS, ADDRESS, uints(40)),
    st.builds(td.Objection, ADDRESS, ADDRESS),
)
DOMAINS = st.builds(td.Domain, uints(256), ADDRESS, BYTES32)


def plain(value: Any) -> Any:
    """A field as eth_account takes it."""
    if isinstance(value, tuple):
        return [{"id": lot.id, "amount": lot.amount} for lot in value]
    return value


@settings(max_examples=150, deadline=None)
@given(MESSAGES, DOMAINS)
def test_digest_equals_eth_account(message: Any, domain: td.Domain) -> None:
    primary = type(message).__name__
    schema = CLASSES[primary][1]
    structs = {}
    for name, body in re.findall(r"(\w+)\(([^)]*)\)", schema):
        structs[name] = [dict(zip(("type", "name"), part.split(" "), strict=True)) for part in body.split(",")]
    fields = [entry["name"] for entry in structs[primary]]
    values = [getattr(message, re.sub(r"[A-Z]", lambda m: "_" + m.group().lower(), name)) for name in fields]
    signable = encode_typed_data(
        domain_data={
            "name": "Tongdui",
            "version": "2",
            "chainId": domain.chain_id,
            "verifyingContract": domain.ledger_address,
            "salt": domain.salt,
        },
        message_types=structs,
        message_data=dict(zip(fields, map(plain, values), strict=True)),
    )
    assert message.digest(domain) == keccak(b"\x19" + signable.version + signable.header + signable.body)


@pytest.mark.parametrize(
    "message",
    [
        td.VoidBatch(2**32, 0),
        td.VoidBatch(0, 2**64),
        td.VoidBatch(-1, 0),
        td.Revocation(2**32, 1, b"\0" * 32),
        td.Succession("0x" + "1" * 40, "0x" + "2" * 40, 2**40),
        td.ArbiterRefund(b"\0" * 32, 256, 0),
        td.Capture(b"\0" * 32, 256, 0),
    ],
)
def test_a_number_that_does_not_fit_is_refused(message: Any) -> None:
    with pytest.raises(OutOfRange):
        message.digest(DOMAIN)


def test_wrong_lengths_and_addresses_are_refused() -> None:
    with pytest.raises(WrongLength):
        td.Release(b"\0" * 31).digest(DOMAIN)
    with pytest.raises(WrongLength):
        td.Domain(1, VECTORS["signer"], b"\0" * 31)
    with pytest.raises(BadAddress):
        td.ExchangeOrder("0x12", 1, 1, 1, 1, 1, 1).digest(DOMAIN)
