"""Write the shared vectors: examples of the points standard that Python and Solidity tests both read.

Each expected value comes from an implementation that is not ours, so agreement means something: digests and signatures
from eth_account, trees from npm @openzeppelin/merkle-tree, canonical records from the rfc8785 package, quarters from
datetime, values from Fraction. `making` has a module for each kind.

    python -m tests.vectors.generate            write the files
    python -m tests.vectors.generate --check    exit 1 if a committed file differs from what would be written
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.vectors.making.amounts import clearing, quarters, value
from tests.vectors.making.encodings import packed
from tests.vectors.making.messages import typed_data
from tests.vectors.making.negatives import nonces, refusals, rejected
from tests.vectors.making.trees import evidence, receipts

HERE = Path(__file__).resolve().parent


def main(argv: list[str]) -> int:
    """Write or check every vector file; return the exit code."""
    stale = []
    for name, content in vectors().items():
        path = HERE / name
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        if "--check" not in argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        print(f"vectors differ from their generator: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


def vectors() -> dict[str, Any]:
    """Return the content of each vector file by its name."""
    return {
        "quarters.json": quarters(),
        "value.json": value(),
        "typed_data.json": typed_data(),
        "packed.json": packed(),
        "refusals.json": refusals(),
        "evidence.json": evidence(),
        "receipts.json": receipts(),
        "rejected.json": rejected(),
        "nonces.json": nonces(),
        "clearing.json": clearing(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
