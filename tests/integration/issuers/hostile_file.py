"""Read a file in a process of its own, and tell how it ended and how much memory it took beyond the imports."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from issuers.rules.refusals import ReadFailure
from issuers.sources.mapping import Mapping
from issuers.sources.readers import read_file

COLUMNS = {"record_id": "id", "source_id": "who", "activity": "what", "started_at": "when", "ended_at": "until"}


def mapping_of(form: str) -> Mapping:
    """Return a mapping with the columns id, who, what, when, until, amount."""
    return Mapping.model_validate(
        {
            "name": "hostile",
            "system": "hostile",
            "programme": "hostile",
            "format": form,
            "records": {"xml": "row", "json": "rows"}.get(form, ""),
            "fields": {name: {"column": column} for name, column in COLUMNS.items()},
            "quantity": [{"column": "amount", "unit": "hour"}],
        }
    )


def peak_kib() -> int:
    """Return this program's own peak (Linux)."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1])


def main() -> None:
    """Read the file ``sys.argv[1]`` of the format ``sys.argv[2]``."""
    mapping = mapping_of(sys.argv[2])
    before = peak_kib()
    rows, ended = 0, ""
    try:
        for _ in read_file(Path(sys.argv[1]), mapping):
            rows += 1
    except ReadFailure as failure:
        ended = failure.code.value
    print(json.dumps({"rows": rows, "ended": ended, "mib": (peak_kib() - before) / 1024}))


if __name__ == "__main__":
    main()
