"""Answers of a node that are well formed and wrong: what it forgot, what it has not seen yet, what is another's."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Ask = Callable[[Any], Any]
"""Asks the node: a JSON-RPC request, or a batch of them, for its answer."""


@dataclass(frozen=True, slots=True)
class FalseAnswer:
    """A false answer: its kind, and the whole response that carries it."""

    name: str
    answer: Any


def falsify(question: Any, rng: random.Random, ask: Ask) -> FalseAnswer | None:
    """Return a false answer to one call of the request, or None where none is known for its calls.

    A refused submission may have reached the node or not: both are told in the same words.
    """
    calls = question if isinstance(question, list) else [question]
    at = rng.randrange(len(calls))
    call = calls[at]
    method = str(call.get("method"))
    if method == "eth_sendRawTransaction":
        return _refusal(question, at, rng, ask)
    teller = _FALSIFIERS.get(method)
    if teller is None:
        return None
    answer = ask(question)
    answers = answer if isinstance(answer, list) else [answer]
    inputs = next((one for one in answers if isinstance(one, dict) and one.get("id") == call.get("id")), None)
    if inputs is None or "result" not in inputs:
        return None
    name, inputs["result"] = teller(copy.deepcopy(inputs["result"]), call, rng)
    return FalseAnswer(f"{method}: {name}", answer)


_REFUSALS = (
    (-32000, "already known"),
    (-32000, "nonce too low"),
    (-32000, "nonce too high"),
    (-32000, "replacement transaction underpriced"),
    (-32000, "txpool is full"),
    (-32003, "insufficient funds for gas * price + value"),
    (-32603, "Internal error"),
    (-32000, "invalid sender"),
    (-32000, "something unheard of"),
)


def _refusal(question: Any, at: int, rng: random.Random, ask: Ask) -> FalseAnswer:
    calls = question if isinstance(question, list) else [question]
    code, message = rng.choice(_REFUSALS)
    error = {"jsonrpc": "2.0", "id": calls[at]["id"], "error": {"code": code, "message": message}}
    if rng.random() < 0.5:
        answer = ask(question)
        answers = answer if isinstance(answer, list) else [answer]
        inputs = [error if one.get("id") == calls[at]["id"] else one for one in answers]
    else:
        rest = [one for one in calls if one is not calls[at]]
        inputs = [*(ask(rest) if rest else []), error]
    return FalseAnswer(f"eth_sendRawTransaction: {message}", inputs if isinstance(question, list) else inputs[0])


def _count(result: Any, _call: Any, rng: random.Random) -> tuple[str, Any]:
    count = int(result, 16)
    if rng.random() < 0.5:
        return "ahead", hex(count + rng.randint(1, 40))
    return "behind", hex(max(0, count - rng.randint(1, 40)))


def _height(result: Any, _call: Any, rng: random.Random) -> tuple[str, Any]:
    height = int(result, 16)
    if rng.random() < 0.5:
        return "ahead", hex(height + rng.randint(1, 5_000))
    return "behind", hex(max(0, height - rng.randint(1, 20)))


def _receipt(result: Any, _call: Any, rng: random.Random) -> tuple[str, Any]:
    if result is None:
        return "nothing, and so it is", None
    match rng.randrange(4):
        case 0:
            return "nothing", None
        case 1:
            result["status"] = "0x0" if result["status"] == "0x1" else "0x1"
            return "the wrong status", result
        case 2:
            result["blockNumber"] = hex(max(1, int(result["blockNumber"], 16) - rng.randint(1, 3)))
            return "another block", result
        case _:
            result["transactionHash"] = "0x" + rng.randbytes(32).hex()
            return "another's", result


def _block(result: Any, _call: Any, rng: random.Random) -> tuple[str, Any]:
    if result is None or rng.random() < 0.4:
        return "nothing", None
    if rng.random() < 0.5:
        result["number"] = hex(int(result["number"], 16) + 1)
        return "another block", result
    result["hash"] = "0x" + rng.randbytes(32).hex()
    return "another hash", result


def _logs(result: Any, _call: Any, rng: random.Random) -> tuple[str, Any]:
    if not result:
        return "none, and so it is", result
    match rng.randrange(4):
        case 0:
            return "none", []
        case 1:
            del result[rng.randrange(len(result))]
            return "one less", result
        case 2:
            del result[-1]
            return "without the last", result
        case _:
            result.insert(0, copy.deepcopy(rng.choice(result)))
            return "one twice", result


_FALSIFIERS: dict[str, Callable[[Any, Any, random.Random], tuple[str, Any]]] = {
    "eth_getTransactionCount": _count,
    "eth_blockNumber": _height,
    "eth_getTransactionReceipt": _receipt,
    "eth_getBlockByNumber": _block,
    "eth_getLogs": _logs,
}
