"""The agency's own exports, read as the gateway reads them, so that a record that never was is not signed for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from issuers.agency.rules import record_hash
from issuers.rules.refusals import Fault
from issuers.sources.mapping import Mapping
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import read_file
from issuers.sources.readers.rows import Row


def record_hashes(path: Path, mapping: Mapping, now: int) -> Iterator[bytes]:
    """Yield the hash of every record of a file that the mapping understands. ``now`` in Unix seconds.

    Raises ReadFailure for a file that is none.
    """
    normaliser = Normaliser(mapping)
    for item in read_file(path, mapping):
        deed = normaliser.deed(item, now) if isinstance(item, Row) else item
        if not isinstance(deed, Fault):
            yield record_hash(deed.canonical)
