"""What a node answers, read strictly: a value of the wrong shape is a malformed answer, never a defect of ours."""

from __future__ import annotations

from typing import Any

from ledger.chain.rpc import RpcError, RpcReason


def quantity(answer: Any, method: str) -> int:
    """Return a hexadecimal quantity (``0x1f``) as an integer. Raises `RpcError` (malformed answer)."""
    if isinstance(answer, str) and answer.startswith("0x"):
        try:
            return int(answer, 16)
        except ValueError:
            pass
    raise RpcError(RpcReason.MALFORMED_ANSWER, "a quantity was expected", method=method)


def member(answer: Any, name: str, method: str) -> Any:
    """Return a member of an object. Raises `RpcError` (malformed answer) if there is no object or no such member."""
    if isinstance(answer, dict) and answer.get(name) is not None:
        return answer[name]
    raise RpcError(RpcReason.MALFORMED_ANSWER, f"an object with {name!r} was expected", method=method)


def hash32(answer: Any, method: str) -> bytes:
    """Return 32 bytes in hexadecimal. Raises `RpcError` (malformed answer)."""
    if isinstance(answer, str) and len(answer) == 66 and answer.startswith("0x"):
        try:
            return bytes.fromhex(answer[2:])
        except ValueError:
            pass
    raise RpcError(RpcReason.MALFORMED_ANSWER, "a hash was expected", method=method)


def contradiction(what: str, method: str) -> RpcError:
    """Return the error for answers of a node that contradict each other: it lags, lost something, or is broken."""
    return RpcError(RpcReason.MALFORMED_ANSWER, f"the node contradicts itself: {what}", method=method)
