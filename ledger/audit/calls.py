"""What a transaction's bytes call: a function of a deployed contract with its arguments by name.

Three kinds of calls can be known without the execution trace of a node: the transaction's own, those inside a call of
AccessManager (``execute``, ``multicall``), and those that Council and AccessManager have announced with their bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import get_abi_input_types

from ledger.audit.books import Account
from ledger.deployment import artifacts

_SELECTOR_BYTES = 4
_DEPTH_MAX = 4


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function of one of ours; addresses are bytes, structs tuples in the order of their members."""

    caller: Account
    target: Account
    contract: str
    function: str
    selector: bytes
    args: Mapping[str, Any]
    consumed: bool = False
    """Whether it was scheduled, and AccessManager says that its time had come."""


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    types: tuple[str, ...]
    names: tuple[str, ...]


def read_calls(
    names: Mapping[Account, str],
    caller: Account,
    target: Account,
    data: bytes,
    *,
    consumed: bool = False,
    depth: int = 0,
) -> Iterator[Call]:
    """Return the call that ``data`` is, and the calls inside it, as far as they go to contracts of ``names``."""
    contract = names.get(target)
    function = None if contract is None else _functions(contract).get(data[:_SELECTOR_BYTES])
    if contract is None or function is None or depth > _DEPTH_MAX:
        return
    try:
        # As Solidity reads it: padding of byte strings is not looked at.
        values = decode(function.types, data[_SELECTOR_BYTES:], strict=False)
    except (DecodingError, OverflowError, UnicodeDecodeError):
        return
    pairs = zip(function.names, function.types, values, strict=True)
    args = {name: _plain(value, kind) for name, kind, value in pairs}
    yield Call(caller, target, contract, function.name, data[:_SELECTOR_BYTES], args, consumed)
    if contract == "AccessManager" and function.name == "execute":
        yield from read_calls(names, caller, args["target"], args["data"], consumed=consumed, depth=depth + 1)
    elif contract == "AccessManager" and function.name == "multicall":
        for part in args["data"]:
            yield from read_calls(names, caller, target, part, consumed=consumed, depth=depth + 1)


@cache
def _functions(contract: str) -> Mapping[bytes, _Function]:
    found = {}
    artifact = artifacts.load(contract)
    for item in artifact.abi:
        if item["type"] == "function":
            types: Any = tuple(get_abi_input_types(_entry(item)))
            signature = f"{item['name']}({','.join(types)})"
            names = tuple(part["name"] or f"_{index}" for index, part in enumerate(item["inputs"]))
            found[artifact.function(signature).selector] = _Function(item["name"], types, names)
    return found


def _entry(item: Any) -> Any:
    return item


def _plain(value: Any, kind: str) -> Any:
    """Addresses as bytes, wherever they are."""
    if kind == "address":
        return bytes.fromhex(value[2:])
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return tuple([_plain(item, inner) for item in value])
    if kind.startswith("("):
        return tuple([_plain(item, part) for item, part in zip(value, _parts(kind), strict=True)])
    return value


def _parts(kind: str) -> list[str]:
    """The types inside a tuple's brackets."""
    parts, depth, start = [], 0, 1
    for at, letter in enumerate(kind):
        depth += (letter == "(") - (letter == ")")
        if (letter == "," and depth == 1) or depth == 0:
            parts.append(kind[start:at])
            start = at + 1
        if depth == 0:
            break
    return parts


def read_creation(contract: str, data: bytes) -> Mapping[str, Any] | None:
    """Return the constructor's arguments of a transaction that creates a contract, None if its code is not ours."""
    artifact = artifacts.load(contract)
    if not data.startswith(artifact.bytecode):
        return None
    entry = next((item for item in artifact.abi if item["type"] == "constructor"), None)
    if entry is None:
        return {}
    types: Any = get_abi_input_types(_entry(entry))
    try:
        values = decode(types, data[len(artifact.bytecode) :], strict=False)
    except (DecodingError, OverflowError):
        return None
    named = zip(entry["inputs"], types, values, strict=True)
    return {item["name"]: _plain(value, kind) for item, kind, value in named}
