"""What a node answers, read strictly: a value of the wrong shape is a malformed answer, never a defect of ours."""

from __future__ import annotations

import re
from typing import Any

from ledger.chain.rpc import RpcError, RpcReason

_ADDRESS_BYTES = 20
_QUANTITY = re.compile(r"0x[0-9a-fA-F]+")
_HASH_BYTES = 32


def quantity(answer: Any, method: str) -> int:
    """Return a hexadecimal quantity (``0x1f``) as an integer. Raises `RpcError` (malformed answer)."""
    if isinstance(answer, str) and _QUANTITY.fullmatch(answer):  # int() alone would take 0x1_0 and other digits
        return int(answer, 16)
    raise RpcError(RpcReason.MALFORMED_ANSWER, "a quantity was expected", method=method)


def member(answer: Any, name: str, method: str) -> Any:
    """Return a member of an object. Raises `RpcError` (malformed answer) if there is no object or no such member."""
    if isinstance(answer, dict) and answer.get(name) is not None:
        return answer[name]
    raise RpcError(RpcReason.MALFORMED_ANSWER, f"an object with {name!r} was expected", method=method)


def hash32(answer: Any, method: str) -> bytes:
    """Return 32 bytes in hexadecimal. Raises `RpcError` (malformed answer)."""
    return hex_bytes(answer, method, _HASH_BYTES)


def hex_bytes(answer: Any, method: str, length: int | None = None) -> bytes:
    """Return bytes in hexadecimal: of any length, or of exactly ``length``. Raises `RpcError` (malformed answer)."""
    if isinstance(answer, str) and answer.startswith("0x") and (length is None or len(answer) == 2 + 2 * length):
        try:
            return bytes.fromhex(answer[2:])
        except ValueError:
            pass
    raise RpcError(RpcReason.MALFORMED_ANSWER, "bytes in hexadecimal were expected", method=method)


def logs(answer: Any, method: str) -> list[dict[str, Any]]:
    """Return mined logs as they came, once each member has its shape. Raises `RpcError` (malformed answer)."""
    if not isinstance(answer, list):
        raise RpcError(RpcReason.MALFORMED_ANSWER, "a list of logs was expected", method=method)
    for log in answer:
        hex_bytes(member(log, "address", method), method, _ADDRESS_BYTES)
        hex_bytes(member(log, "data", method), method)
        for name in ("blockNumber", "transactionIndex", "logIndex"):
            quantity(member(log, name, method), method)
        for name in ("blockHash", "transactionHash"):
            hash32(member(log, name, method), method)
        topics = member(log, "topics", method)
        if not isinstance(topics, list):
            raise RpcError(RpcReason.MALFORMED_ANSWER, "a list of topics was expected", method=method)
        for topic in topics:
            hash32(topic, method)
    return answer


def contradiction(what: str, method: str) -> RpcError:
    """Return the error for answers of a node that contradict each other: it lags, lost something, or is broken."""
    return RpcError(RpcReason.MALFORMED_ANSWER, f"the node contradicts itself: {what}", method=method)
