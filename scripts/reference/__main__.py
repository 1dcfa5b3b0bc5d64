"""``python -m scripts.reference``: write what docs/ has from the code. ``--check`` compares it with what is committed.

With ``--check`` nothing is written; each difference is shown, and the exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.reference.formats import MAPPING, RULEBOOK, page, schema_json
from scripts.reference.openapi import openapi_json
from scripts.reference.settings import settings_page

ROOT = Path(__file__).resolve().parent.parent.parent
DIFF_LINES_MAX = 200
GENERATED: Mapping[str, Callable[[], str]] = {
    "docs/openapi.json": openapi_json,
    "docs/schemas/mapping.schema.json": lambda: schema_json(MAPPING),
    "docs/schemas/rulebook.schema.json": lambda: schema_json(RULEBOOK),
    "docs/reference/mapping.md": lambda: page(MAPPING),
    "docs/reference/rulebook.md": lambda: page(RULEBOOK),
    "docs/reference/settings.md": settings_page,
}
"""Each generated file, and what makes its text."""


def write(root: Path, generated: Mapping[str, Callable[[], str]]) -> list[str]:
    """Write the files whose text has changed; return their names."""
    changed = []
    for name, make in generated.items():
        path, text = root / name, make()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def differences(root: Path, generated: Mapping[str, Callable[[], str]]) -> list[str]:
    """Return the lines of a unified diff from what is committed to what the code gives; none where all are equal."""
    lines: list[str] = []
    for name, make in generated.items():
        path = root / name
        before = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        diff = list(difflib.unified_diff(before, make().splitlines(), f"{name} (committed)", f"{name} (code)", "", ""))
        lines += [line.rstrip() for line in diff[:DIFF_LINES_MAX]]
        if len(diff) > DIFF_LINES_MAX:
            lines.append(f"… {len(diff) - DIFF_LINES_MAX} more lines of {name}")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.reference", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; show each difference, exit 1 on one")
    if not parser.parse_args(argv).check:
        changed = write(ROOT, GENERATED)
        print(f"{len(GENERATED)} files, {len(changed)} changed", *changed, sep="\n  ", file=sys.stderr)
        return 0
    found = differences(ROOT, GENERATED)
    if found:
        print(*found, sep="\n")
        print("The code gives other text than is committed. If that is meant, accept it: make docs", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
