"""The reviewed list of mutants that no test can kill, each with the reason why its behaviour is the original's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ledger.errors import ConfigurationError
from scripts.mutation.finder import Mutant


class Equivalent(BaseModel):
    """One entry: ``key`` as the run reports it; the rest is for people and must agree with the mutant of that key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    file: str
    function: str
    original: str
    mutated: str
    reason: str


def read_equivalents(path: Path) -> dict[str, Equivalent]:
    """Return the entries of the list by key; none where there is no list.

    Raises:
        ConfigurationError: the file is not such a list, or names a mutant twice.
    """
    if not path.is_file():
        return {}
    try:
        entries = TypeAdapter(list[Equivalent]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")) or [])
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigurationError(f"{path} is not a list of equivalent mutants: {error}") from error
    by_key = {entry.key: entry for entry in entries}
    if len(by_key) != len(entries):
        raise ConfigurationError(f"{path} names a mutant twice")
    return by_key


def stale(equivalents: Iterable[Equivalent], mutants: Iterable[Mutant]) -> list[str]:
    """Return, one line each, the entries that are not (or no longer) what a mutant of the contracts says."""
    by_key = {mutant.key: mutant for mutant in mutants}
    found = []
    for entry in equivalents:
        mutant = by_key.get(entry.key)
        if mutant is None:
            found.append(f"{entry.key}: no such mutant any more ({entry.function}: {entry.original})")
        elif (entry.file, entry.function, entry.original, entry.mutated) != (
            mutant.file,
            mutant.function,
            mutant.original,
            mutant.mutated,
        ):
            found.append(f"{entry.key}: the entry's texts are not the mutant's ({mutant.original} → {mutant.mutated})")
    return found
