"""Decodes the logs of the deployed contracts. A log that none of their ABIs explains is an error, never skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError

from ledger.deployment import artifacts
from ledger.deployment.file import Deployment
from ledger.proofs.errors import UnknownEvent
from ledger.standard.ids import AccountBytes, address_bytes
from ledger.standard.keccak import keccak256

WORD = 32

Value = Any
"""int for numbers and enums, 20 bytes for an address, bytes, bool, str, or a tuple of these for an array."""


@dataclass(frozen=True, slots=True)
class RawLog:
    """A log as a node gives it, in bytes."""

    address: AccountBytes
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    transaction: int
    index: int

    @property
    def where(self) -> str:
        """The place in words."""
        return f"block {self.block}, transaction {self.transaction}, log {self.index}"


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded log."""

    contract: str
    name: str
    values: Mapping[str, Value]
    log: RawLog
    kinds: Mapping[str, str]
    """ABI types of the values."""

    def __getitem__(self, name: str) -> Value:
        return self.values[name]


@dataclass(frozen=True, slots=True)
class _Codec:
    name: str
    indexed: tuple[tuple[str, Callable[[bytes], Value]], ...]
    plain: tuple[tuple[str, Callable[[bytes], Value]], ...]
    kinds: Mapping[str, str]
    dynamic: tuple[str, ...] | None
    """ABI types of the unindexed values if one of them has no fixed size, else None."""


def raw_log(log: Mapping[str, Any]) -> RawLog:
    """Return a log of eth_getLogs or of a receipt in bytes."""
    return RawLog(
        address=AccountBytes(bytes.fromhex(log["address"][2:])),
        topics=tuple([bytes.fromhex(topic[2:]) for topic in log["topics"]]),
        data=bytes.fromhex(log["data"][2:]),
        block=int(log["blockNumber"], 16),
        transaction=int(log["transactionIndex"], 16),
        index=int(log["logIndex"], 16),
    )


def signature(entry: Mapping[str, Any]) -> str:
    """Return the canonical signature of an ABI entry, such as ``Unpaused()``."""
    return f"{entry['name']}({','.join(_type(item) for item in entry['inputs'])})"


class Catalogue:
    """The events that each deployed contract can emit."""

    def __init__(self, contracts: Iterable[tuple[str, bytes, Iterable[Mapping[str, Any]]]]) -> None:
        """Take (name, address of 20 bytes, ABI) of each contract."""
        self._codecs: dict[bytes, dict[bytes, _Codec]] = {}
        self._names: dict[bytes, str] = {}
        for name, address, abi in contracts:
            self._names[address] = name
            self._codecs[address] = {
                keccak256(signature(entry).encode()): _codec(entry) for entry in abi if entry["type"] == "event"
            }

    @classmethod
    def of(cls, deployment: Deployment) -> Catalogue:
        """Return the catalogue of a deployment's contracts, replaced ones too, by their artifacts."""
        listed = [(name, each.address) for name, each in deployment.contracts.items()]
        listed += [(each.name, each.address) for each in deployment.replaced]
        return cls((name, address_bytes(address), artifacts.load(name).abi) for name, address in listed)

    @property
    def addresses(self) -> list[bytes]:
        """The contracts' addresses."""
        return list(self._names)

    def name_of(self, address: bytes) -> str | None:
        """Return the name of the contract at ``address``, None if it is not one of ours."""
        return self._names.get(address)

    def decode(self, log: RawLog) -> Event:
        """Return the event that ``log`` is. Raises UnknownEvent if no ABI explains it or it does not fit."""
        contract = self._names.get(log.address)
        if contract is None:
            raise UnknownEvent("unknown contract", log.where, "an address of the deployment", "0x" + log.address.hex())
        codec = self._codecs[log.address].get(log.topics[0]) if log.topics else None
        if codec is None:
            topic = "0x" + log.topics[0].hex() if log.topics else "no topic"
            raise UnknownEvent("unknown event", f"{contract}, {log.where}", "an event of its interface", topic)
        if len(log.topics) != len(codec.indexed) + 1:
            raise UnknownEvent(
                "malformed event", f"{contract}.{codec.name}, {log.where}", "its topics", len(log.topics)
            )
        values: dict[str, Value] = {}
        for (name, convert), word in zip(codec.indexed, log.topics[1:], strict=True):
            values[name] = convert(word)
        if codec.dynamic is not None:
            self._decode_dynamic(codec, log, values)
        else:
            data = log.data
            if len(data) != WORD * len(codec.plain):
                raise UnknownEvent(
                    "malformed event",
                    f"{contract}.{codec.name}, {log.where}",
                    f"{WORD * len(codec.plain)} bytes",
                    len(data),
                )
            at = 0
            for name, convert in codec.plain:
                values[name] = convert(data[at : at + WORD])
                at += WORD
        return Event(contract, codec.name, values, log, codec.kinds)

    @staticmethod
    def _decode_dynamic(codec: _Codec, log: RawLog, values: dict[str, Value]) -> None:
        try:
            decoded = abi_decode(codec.dynamic or (), log.data)
        except DecodingError as error:
            raise UnknownEvent("malformed event", f"{codec.name}, {log.where}", "its interface", error) from error
        for (name, _), kind, value in zip(codec.plain, codec.dynamic or (), decoded, strict=True):
            values[name] = bytes.fromhex(value[2:]) if kind == "address" else value


def _codec(entry: Mapping[str, Any]) -> _Codec:
    indexed = tuple((item["name"], _converter(_type(item))) for item in entry["inputs"] if item["indexed"])
    rest = [item for item in entry["inputs"] if not item["indexed"]]
    types = tuple(_type(item) for item in rest)
    dynamic = any(kind.endswith("]") or kind in ("string", "bytes") or kind.startswith("(") for kind in types)
    plain = tuple((item["name"], _converter(_type(item))) for item in rest)
    kinds = {item["name"]: _type(item) for item in entry["inputs"]}
    return _Codec(entry["name"], indexed, plain, kinds, types if dynamic else None)


def _type(item: Mapping[str, Any]) -> str:
    kind: str = item["type"]
    if kind.startswith("tuple"):
        return "(" + ",".join(_type(part) for part in item["components"]) + ")" + kind[len("tuple") :]
    return kind


def _unsigned(word: bytes) -> int:
    return int.from_bytes(word, "big")


def _signed(word: bytes) -> int:
    return int.from_bytes(word, "big", signed=True)


def _address(word: bytes) -> bytes:
    return word[12:]


def _boolean(word: bytes) -> bool:
    return word[-1] != 0


def _same(word: bytes) -> bytes:
    return word


def _converter(kind: str) -> Callable[[bytes], Value]:
    if kind.startswith("uint"):
        return _unsigned
    if kind.startswith("int"):
        return _signed
    if kind == "address":
        return _address
    if kind == "bool":
        return _boolean
    if kind.startswith("bytes") and kind != "bytes":
        size = int(kind[5:])
        return _same if size == WORD else lambda word: word[:size]
    return _same
