"""The chain, spoken to directly: a random life makes thousands of blocks, and Brownie's transactions take a dozen
questions each.

The node mines only when told to, so each block holds exactly what was sent, at exactly the time that was said.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from eth_abi import decode, encode
from eth_utils import keccak, to_checksum_address

GAS = 15_000_000
"""What each transaction is given: below the cap of EIP-7825, which a city's transactions must keep to."""

Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Call:
    """A call of a contract by somebody."""

    sender: str
    contract: Any
    function: str
    args: tuple[Any, ...]
    gas: int = GAS

    @property
    def data(self) -> str:
        selector, types, _ = _functions(self.contract)[self.function]
        return "0x" + (selector + encode(types, [_plain(arg) for arg in self.args])).hex()

    def view(self) -> dict[str, str]:
        return {"from": self.sender, "to": str(self.contract.address), "data": self.data}

    def transaction(self) -> dict[str, str]:
        return {"from": self.sender, "to": str(self.contract.address), "data": self.data, "gas": hex(self.gas)}


@dataclass(frozen=True)
class Mined:
    """What became of a transaction: whether it went through, its events and its gas."""

    ok: bool
    events: list[tuple[str, Event]]
    """(contract's address, (name, values))"""
    gas: int


@dataclass(frozen=True)
class Refusal:
    """A custom error with its values."""

    name: str
    values: tuple[Any, ...]


class NodeError(Exception):
    """The node refused a request."""

    def __init__(self, method: str, error: Mapping[str, Any]) -> None:
        self.data = error.get("data")
        super().__init__(f"{method}: {error}")


def _type_of(entry: Mapping[str, Any]) -> str:
    kind = str(entry["type"])
    if not kind.startswith("tuple"):
        return kind
    return "(" + ",".join(_type_of(part) for part in entry["components"]) + ")" + kind[len("tuple") :]


def _plain(value: Any) -> Any:
    """Contracts stand for their addresses."""
    return getattr(value, "address", value)


def _functions(contract: Any) -> dict[str, tuple[bytes, list[str], list[str]]]:
    """Return selector, input types and output types of each function. Contracts of one name have one interface."""
    if contract._name not in _KNOWN:
        found = _KNOWN[contract._name] = {}
        for entry in contract.abi:
            if entry["type"] == "function":
                types = [_type_of(part) for part in entry["inputs"]]
                selector = keccak(text=f"{entry['name']}({','.join(types)})")[:4]
                found[entry["name"]] = (selector, types, [_type_of(part) for part in entry["outputs"]])
    return _KNOWN[contract._name]


_KNOWN: dict[str, dict[str, tuple[bytes, list[str], list[str]]]] = {}


def _nice(kind: str, value: Any) -> Any:
    return to_checksum_address(value) if kind == "address" else value


class Wire:
    """One connection to the node. `contracts` are those whose events and errors it can read."""

    def __init__(self, uri: str, contracts: Sequence[Any]) -> None:
        address = urlsplit(uri)
        self._connection = http.client.HTTPConnection(str(address.hostname), int(address.port or 80), timeout=60)
        self._events: dict[str, tuple[str, list[tuple[str, str, bool]]]] = {}
        self._errors: dict[bytes, tuple[str, list[str]]] = {}
        for contract in contracts:
            self._read_abi(contract.abi)

    def _read_abi(self, abi: Sequence[Mapping[str, Any]]) -> None:
        for entry in abi:
            types = [_type_of(part) for part in entry.get("inputs", ())]
            topic = keccak(text=f"{entry.get('name')}({','.join(types)})")
            if entry["type"] == "event":
                fields = [
                    (part["name"], kind, part["indexed"]) for part, kind in zip(entry["inputs"], types, strict=True)
                ]
                self._events["0x" + topic.hex()] = (entry["name"], fields)
            elif entry["type"] == "error":
                self._errors[topic[:4]] = (entry["name"], types)

    # ------------------------------------------------------------------------------------------------- requests

    def ask(self, method: str, *params: Any) -> Any:
        return self.ask_all([(method, params)])[0]

    def ask_all(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Ask several things at once; the answers come in order."""
        body = [
            {"jsonrpc": "2.0", "id": i, "method": method, "params": list(params)}
            for i, (method, params) in enumerate(requests)
        ]
        self._connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
        answers = json.loads(self._connection.getresponse().read())
        by_id = {answer["id"]: answer for answer in answers}
        for i, (method, _) in enumerate(requests):
            if "error" in by_id[i]:
                raise NodeError(method, by_id[i]["error"])
        return [by_id[i]["result"] for i in range(len(requests))]

    def read(self, calls: Sequence[Call], at: int) -> list[Any]:
        """Return what views answer at this time: one value, or a list of several."""
        asked = [("eth_call", (call.view(), "latest", {}, {"time": hex(at)})) for call in calls]
        results = []
        for call, answer in zip(calls, self.ask_all(asked), strict=True):
            types = _functions(call.contract)[call.function][2]
            values = decode(types, bytes.fromhex(answer[2:]))
            results.append(values[0] if len(values) == 1 else list(values))
        return results

    def read_words(self, call: Call, at: int) -> list[int]:
        """Return what a view that returns one array of words answers at this time."""
        raw = bytes.fromhex(self.ask("eth_call", call.view(), "latest", {}, {"time": hex(at)})[2:])
        return [int.from_bytes(raw[place : place + 32]) for place in range(64, len(raw), 32)]

    def refusal(self, call: Call, at: int) -> Refusal | None:
        """Return why the call would revert in a block of this time, None where it would not."""
        try:
            self.ask("eth_call", call.transaction(), "latest", {}, {"time": hex(at)})
        except NodeError as error:
            return self._refusal_of(str(error.data or "0x"))
        return None

    def _refusal_of(self, data: str) -> Refusal:
        raw = bytes.fromhex(data[2:])
        if raw[:4] not in self._errors:
            return Refusal(data, ())
        name, types = self._errors[raw[:4]]
        values = decode(types, raw[4:])
        return Refusal(name, tuple(_nice(kind, value) for kind, value in zip(types, values, strict=True)))

    # --------------------------------------------------------------------------------------------------- blocks

    @contextlib.contextmanager
    def mining_by_hand(self) -> Iterator[None]:
        """Take mining over from the node, and accept everybody's transactions without a key."""
        self.ask("anvil_autoImpersonateAccount", True)
        self.ask("evm_setAutomine", False)
        try:
            yield
        finally:
            self.ask("evm_setAutomine", True)
            self.ask("anvil_autoImpersonateAccount", False)
            self._connection.close()

    def mine(self, at: int, calls: Sequence[Call]) -> list[Mined]:
        """Make one block of these calls, in this order, at this time."""
        for call in calls:
            self.ask("eth_sendTransaction", {**call.transaction(), "gasPrice": "0x0"})
        self.ask("evm_mine", {"timestamp": hex(at), "blocks": 1})
        receipts = self.ask("eth_getBlockReceipts", "latest")
        assert len(receipts) == len(calls), "a transaction is not in its block"
        return [self._mined(receipt) for receipt in receipts]

    def _mined(self, receipt: Mapping[str, Any]) -> Mined:
        events = [(to_checksum_address(log["address"]), self._event(log)) for log in receipt["logs"]]
        return Mined(int(receipt["status"], 16) == 1, events, int(receipt["gasUsed"], 16))

    def _event(self, log: Mapping[str, Any]) -> Event:
        """Read a log; one that no contract here declares is an error."""
        name, fields = self._events[log["topics"][0]]
        topics = iter(log["topics"][1:])
        plain = iter(decode([kind for _, kind, indexed in fields if not indexed], bytes.fromhex(log["data"][2:])))
        values = {}
        for field, kind, indexed in fields:
            value = decode([kind], bytes.fromhex(next(topics)[2:]))[0] if indexed else next(plain)
            values[field] = list(value) if isinstance(value, tuple) else _nice(kind, value)
        return name, values
