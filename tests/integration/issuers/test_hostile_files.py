"""Small files that grow when they are read: each ends early, in words, within a small memory of its process.

The memory is the process's own, for what the XML parser takes no Python tool sees.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.fuzz.targets import workbook, zipped

MIB_MAX = 90
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SIZE = 3_000_000


def filled(part: str, size: int = SIZE) -> str:
    return part * (size // len(part))


def xml(inside: str) -> bytes:
    return gzip.compress(f"<rows>{inside}</rows>".encode())


def table(inside: str) -> bytes:
    return gzip.compress(f"id,who,what,when,until,amount\n{inside}".encode())


def sheet(inside: str) -> bytes:
    text = f"<worksheet {MAIN}>{inside}</worksheet>"
    return zipped({"xl/worksheets/sheet1.xml": text.encode()})


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "elements that are no records": ("xml", lambda: xml(filled("<a/>"))),
    "elements in one record": ("xml", lambda: xml(f"<row>{filled('<a/>')}</row>")),
    "empty records": ("xml", lambda: xml(filled("<row/>", SIZE // 4))),
    "attributes of one element": ("xml", lambda: xml("<row " + " ".join(f'a{n}=""' for n in range(500_000)) + "/>")),
    "comments": ("xml", lambda: xml(filled("<!---->"))),
    "one text": ("xml", lambda: xml(filled("x", 15_000_000))),
    "cells of one row": ("xlsx", lambda: workbook(f"<row>{filled('<c/>')}</row>")),
    "elements before the rows": ("xlsx", lambda: sheet(f"<cols>{filled('<col/>')}</cols><sheetData/>")),
    "elements behind the rows": ("xlsx", lambda: sheet(f"<sheetData/><m>{filled('<mergeCell/>')}</m>")),
    "empty strings": ("xlsx", lambda: workbook(strings=filled("<si/>"))),
    "elements in one string": ("xlsx", lambda: workbook(strings=f"<si>{filled('<t/>')}</si>")),
    "empty rows": ("xlsx", lambda: workbook(filled("<row/>"))),
    "values of one record": ("json", f'{{"rows": [[{filled("10,", 8_000_000)}0]]}}'.encode),
    "values beside the records": ("json", f'{{"x": [{filled("{},", 8_000_000)}0]}}'.encode),
    "small records": ("json", f'{{"rows": [{filled("{},", 3_000_000)}{{}}]}}'.encode),
    "openers": ("json", lambda: b'{"rows": ' + b"[" * 8_000_000),
    "values of one line": ("jsonl", lambda: gzip.compress(filled("[10,", 8_000_000).encode())),
    "commas": ("csv", lambda: table(filled(","))),
    "quotation marks": ("csv", lambda: table(filled('"\n', SIZE // 4))),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells a process's own peak")
@pytest.mark.parametrize("name", FILES)
def test_a_small_file_never_fills_the_memory(tmp_path: Path, name: str) -> None:
    form, make = FILES[name]
    path = tmp_path / "file"
    path.write_bytes(make())
    line = [sys.executable, "-m", "tests.integration.issuers.hostile_file", str(path), form]
    told = json.loads(subprocess.run(line, check=True, capture_output=True, timeout=120).stdout)
    assert told["mib"] < MIB_MAX, told
    assert told["ended"] or told["rows"], told
