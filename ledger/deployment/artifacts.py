"""Compiled contracts: their code; calls, results, topics and reverts by their ABI, with eth-abi and eth-utils.

web3's contracts (`ledger.deployment.contracts`) are made of the same files. This module serves those who do without
web3: the outbox, which composes batches, the indexer, the auditor and the checks at a worker's start.

The files are ``contracts/artifacts/<Name>.json`` of the project's folder (an editable install runs from there), or of
the folder that TONGDUI_ARTIFACTS names.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.abi import (
    abi_to_signature,
    event_signature_to_log_topic,
    function_signature_to_4byte_selector,
    get_abi_input_names,
    get_abi_input_types,
    get_abi_output_types,
)

from ledger.chain.errors import ArtifactMissing, ChainError, UnknownAbiEntry
from ledger.errors import ConfigurationError

FOLDER_VARIABLE = "TONGDUI_ARTIFACTS"


class BadCallArguments(ChainError):
    """Arguments do not fit a function's types, or bytes do not decode to them."""

    def __init__(self, signature: str, reason: str) -> None:
        self.signature = signature
        self.reason = reason
        super().__init__(f"{signature}: {reason}")


@dataclass(frozen=True, slots=True)
class AbiEntry:
    """A function, event or error of a contract."""

    name: str
    signature: str
    """Canonical: the name and the types, as they are hashed."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_names: tuple[str, ...]
    hash: bytes
    """Keccak-256 of the signature: an event's topic; its first 4 bytes select a function or an error."""

    @property
    def selector(self) -> bytes:
        """The first 4 bytes of the hash."""
        return self.hash[:4]


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """One compiled contract."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    """Creation code, without constructor arguments."""
    deployed_bytecode: bytes
    """Runtime code with zeros where immutables go, so it need not equal the code on chain."""
    immutable_places: tuple[tuple[int, int], ...]
    """(start, length) of the immutables in the runtime code."""
    entries: dict[str, tuple[AbiEntry, ...]]
    """Functions, events and errors by ``kind name`` and by ``kind signature``."""

    def function(self, name: str) -> AbiEntry:
        """Return a function by its name, or by its signature where the name is overloaded."""
        return self._entry("function", name)

    def event(self, name: str) -> AbiEntry:
        """Return an event by its name or signature."""
        return self._entry("event", name)

    def without_immutables(self, code: bytes) -> bytes:
        """Return runtime code with zeros where immutables go: comparable with `deployed_bytecode`."""
        blanked = bytearray(code)
        for start, length in self.immutable_places:
            blanked[start : start + length] = bytes(length)
        return bytes(blanked)

    def _entry(self, kind: str, name: str) -> AbiEntry:
        found = self.entries.get(f"{kind} {name}", ())
        if len(found) != 1:
            raise UnknownAbiEntry(self.name, kind, name, [entry.signature for entry in found])
        return found[0]


def folder() -> Path:
    """Return the folder of the artifacts."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[2] / "contracts" / "artifacts"


def load(name: str) -> Artifact:
    """Return a contract's artifact. Raises ArtifactMissing, or ConfigurationError if the file is not one."""
    return _load(name, folder() / f"{name}.json")


def call_data(name: str, function: str, args: Sequence[Any] = ()) -> bytes:
    """Return selector and encoded arguments of a call; structs are tuples, addresses text, bytes bytes."""
    entry = load(name).function(function)
    return entry.selector + _encode(entry.signature, entry.inputs, args)


def decode_result(name: str, function: str, data: bytes) -> Any:
    """Return what a call returned: one value as itself, several as a tuple, structs as tuples.

    Raises BadCallArguments if the bytes are something else: an empty answer mostly means that no contract is there.
    """
    entry = load(name).function(function)
    values = _decode(entry.signature, entry.outputs, data)
    return values[0] if len(values) == 1 else values


def event_topic(name: str, event: str) -> bytes:
    """Return the 32-byte first topic of an event."""
    return load(name).event(event).hash


def explain_revert(data: bytes | None, names: Sequence[str] = ()) -> str:
    """Say in words what revert data means, by the errors of the named contracts (none named: all there are)."""
    if not data:
        return "no reason given (out of gas, no such function, or a plain revert)"
    selector, payload = data[:4], data[4:]
    for name in names or sorted(path.stem for path in folder().glob("*.json")):
        for entry in load(name).entries.get(f"selector {selector.hex()}", ()):
            try:
                values = _decode(entry.signature, entry.inputs, payload)
            except BadCallArguments:
                continue
            shown = ", ".join(
                f"{label or kind}={_show(value)}"
                for label, kind, value in zip(entry.input_names, entry.inputs, values, strict=True)
            )
            return f"{entry.name}({shown})"
    for signature, types in _BUILTIN_ERRORS.items():
        if function_signature_to_4byte_selector(signature) == selector:
            return f"{signature.partition('(')[0]}({', '.join(map(str, _decode(signature, types, payload)))})"
    return f"unknown error 0x{data[:36].hex()}"


# https://docs.soliditylang.org/en/v0.8.30/control-structures.html#panic-via-assert-and-error-via-require
_BUILTIN_ERRORS = {"Error(string)": ("string",), "Panic(uint256)": ("uint256",)}


@functools.cache
def _load(name: str, path: Path) -> Artifact:
    try:
        document = orjson.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ArtifactMissing(name, path) from error
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"{path} is not JSON: {error}") from error
    try:
        entries: dict[str, list[AbiEntry]] = {}
        for item in document["abi"]:
            if item["type"] in ("function", "event", "error"):
                entry = _entry(item)
                entries.setdefault(f"{item['type']} {entry.name}", []).append(entry)
                entries.setdefault(f"{item['type']} {entry.signature}", []).append(entry)
                if item["type"] == "error":
                    entries.setdefault(f"selector {entry.selector.hex()}", []).append(entry)
        return Artifact(
            name=name,
            abi=document["abi"],
            bytecode=bytes.fromhex(document["bytecode"].removeprefix("0x")),
            deployed_bytecode=bytes.fromhex(document["deployedBytecode"].removeprefix("0x")),
            immutable_places=tuple(
                (int(place["start"]), int(place["length"])) for place in document.get("immutableReferences", [])
            ),
            entries={key: tuple(found) for key, found in entries.items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{path} is not a compiled contract: {error!r}") from error


def _entry(item: Any) -> AbiEntry:
    signature = abi_to_signature(item)
    return AbiEntry(
        name=item["name"],
        signature=signature,
        inputs=tuple(get_abi_input_types(item)),
        outputs=tuple(get_abi_output_types(item)) if item["type"] == "function" else (),
        input_names=tuple(name or "" for name in get_abi_input_names(item)),
        hash=event_signature_to_log_topic(signature),
    )


def _encode(signature: str, types: Sequence[str], args: Sequence[Any]) -> bytes:
    if len(types) != len(args):
        raise BadCallArguments(signature, f"it takes {len(types)} arguments, got {len(args)}")
    try:
        return encode(types, args)
    except (EncodingError, TypeError, ValueError) as error:
        raise BadCallArguments(signature, str(error)) from error


def _decode(signature: str, types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    try:
        return tuple(decode(types, data))
    except (DecodingError, OverflowError, UnicodeDecodeError) as error:
        raise BadCallArguments(signature, f"{len(data)} bytes do not decode: {error}") from error


def _show(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
