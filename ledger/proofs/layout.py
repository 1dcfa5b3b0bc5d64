"""Where a contract keeps its variables: https://docs.soliditylang.org/en/v0.8.30/internals/layout_in_storage.html."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from ledger.deployment import artifacts
from ledger.errors import ConfigurationError
from ledger.standard.keccak import keccak256


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
