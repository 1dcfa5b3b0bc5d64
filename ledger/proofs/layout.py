"""Where a contract keeps its variables: https://docs.soliditylang.org/en/v0.8.30/internals/layout_in_storage.html."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from ledger.deployment import artifacts
from ledger.errors import ConfigurationError, TongduiError
from ledger.standard.keccak import keccak256


class UnknownVariable(TongduiError):
    """A contract has a storage variable that was not expected."""

    def __init__(self, contract: str, label: str) -> None:
        self.contract = contract
        self.label = label
        super().__init__(f"{contract} has the storage variable {label}, which nobody here knows")


@dataclass(frozen=True, slots=True)
class Layout:
    """Slots of a contract's variables by name."""

    contract: str
    slots: Mapping[str, int]
    kinds: Mapping[str, str]
    """solc's names of the types, such as ``t_uint64``."""

    @classmethod
    def of(cls, contract: str, entries: Iterable[Mapping[str, object]]) -> Layout:
        """Take solc's ``storageLayout`` entries."""
        listed = list(entries)
        return cls(
            contract,
            {str(entry["label"]): int(str(entry["slot"])) for entry in listed},
            {str(entry["label"]): str(entry["type"]) for entry in listed},
        )

    @classmethod
    def load(cls, contract: str) -> Layout:
        """Read the layout that the compiler gave from the contract's artifact. Raises ConfigurationError."""
        path = artifacts.folder() / f"{contract}.json"
        try:
            return cls.of(contract, orjson.loads(path.read_bytes())["storageLayout"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{path} has no storage layout: {error!r}") from error

    def at(self, label: str, *keys: int | bytes) -> int:
        """Return the slot of a variable, or of the value under ``keys`` if it is a (nested) mapping."""
        slot = self.slots[label]
        for key in keys:
            word = key.to_bytes(32, "big") if isinstance(key, int) else key.rjust(32, b"\0")
            slot = int.from_bytes(keccak256(word + slot.to_bytes(32, "big")), "big")
        return slot

    def single_words(self) -> list[str]:
        """Return the variables that are one word, or part of one: numbers, addresses, flags and fixed bytes."""
        compound = ("t_mapping(", "t_array(", "t_struct(", "t_string", "t_bytes_storage")
        return [label for label, kind in self.kinds.items() if not kind.startswith(compound)]

    def check_known(self, known: Iterable[str]) -> None:
        """Raise UnknownVariable if the contract has a variable outside ``known`` that is more than a single word."""
        expected = {*known, *self.single_words()}
        for label in self.slots:
            if label not in expected:
                raise UnknownVariable(self.contract, label)
