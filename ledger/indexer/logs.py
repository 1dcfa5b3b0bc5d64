"""A node's log taken apart: whether it has a log's shape, and its topics and words as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ledger.standard.ids import MerchantId, OrderId

Log = Mapping[str, Any]
"""As `eth_getLogs` gives it."""

_SIGN_BIT = 1 << 255
_WORD_SPAN = 1 << 256
_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")
_WORD = re.compile("0x[0-9a-fA-F]{64}")
_BYTES = re.compile("0x(?:[0-9a-fA-F]{2})*")
_QUANTITY = re.compile("0x[0-9a-fA-F]+")
_MEMBERS = {
    "address": _ADDRESS,
    "data": _BYTES,
    "blockNumber": _QUANTITY,
    "logIndex": _QUANTITY,
    "blockHash": _WORD,
    "transactionHash": _WORD,
}
_TOPICS_MAX = 4


def has_shape(log: Log) -> bool:
    """Return whether an object has what `eth_getLogs` promises of a log."""
    topics = log.get("topics")
    return (
        all(_matches(form, log.get(name)) for name, form in _MEMBERS.items())
        and isinstance(topics, list)
        and len(topics) <= _TOPICS_MAX
        and all(_matches(_WORD, topic) for topic in topics)
    )


def _matches(form: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def words(log: Log, count: int) -> list[int]:
    """Return the words of a log's data, as unsigned numbers. Raises ValueError unless there are ``count``."""
    data = log["data"]
    if len(data) != 2 + 64 * count:
        raise ValueError(f"{count} words wanted")
    return [int(data[at : at + 64], 16) for at in range(2, 2 + 64 * count, 64)]


def topic(log: Log, place: int) -> int:
    """Return a topic as an unsigned number."""
    return int(log["topics"][place], 16)


def bytes32(word: int) -> bytes:
    """Return a word as bytes."""
    return word.to_bytes(32, "big")


def account(word: int) -> bytes:
    """Return a word that is an address as its 20 bytes."""
    return word.to_bytes(20, "big")


def hash_at(log: Log, topic: int) -> bytes:
    """Return a topic as its 32 bytes."""
    return bytes.fromhex(log["topics"][topic][2:])


def order_at(log: Log) -> OrderId:
    """Return the order's id, which is the first topic after the event's own."""
    return OrderId(hash_at(log, 1))


def merchant_at(log: Log, place: int) -> MerchantId:
    """Return a topic that is a merchant's number."""
    return MerchantId(topic(log, place))


def address_at(log: Log, topic: int) -> bytes:
    """Return a topic that is an address as its 20 bytes."""
    return bytes.fromhex(log["topics"][topic][26:])


def signed(word: int) -> int:
    """Return a word as a signed number."""
    return word - _WORD_SPAN if word >= _SIGN_BIT else word
