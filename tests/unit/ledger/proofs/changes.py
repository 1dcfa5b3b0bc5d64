"""Changes of recorded receipts as vectors write them: a path, and what to set there or that a list loses its end."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]
Change = dict[str, Any] | None


def changed(receipt: Json, change: Change) -> Json:
    """Return a copy of a receipt with a vector's change."""
    copied = copy.deepcopy(receipt)
    if change is None:
        return copied
    place: Any = copied
    *steps, last = change["path"]
    for step in steps:
        place = place[step]
    if "set" in change:
        place[last] = change["set"]
    else:
        place[last].pop()
    return copied
