"""``python -m ledger.store.migrations initial|revise MESSAGE``: write a revision from the models."""

from __future__ import annotations

import sys

from ledger.store.migrations.run import generate

_USAGE = "usage: python -m ledger.store.migrations initial|revise MESSAGE"
_ARGUMENTS = 3

if __name__ == "__main__":
    if len(sys.argv) != _ARGUMENTS or sys.argv[1] not in ("initial", "revise"):
        sys.exit(_USAGE)
    print(generate(sys.argv[2], is_initial=sys.argv[1] == "initial"))
