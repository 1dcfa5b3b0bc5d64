"""Write a file of so many rows, then read it to deeds, and tell this process's peak memory."""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from issuers.rules.refusals import Fault
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import read_file
from issuers.sources.readers.rows import Row
from scripts.fuzz.targets import COLUMNS, NOW, mapping_of

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def values(number: int) -> tuple[str, ...]:
    """A good record, no two alike."""
    day = f"2026-08-{number % 28 + 1:02d}"
    return f"R{number:09d}", f"P{number % 50_000:06d}", "work", f"{day} 09:00", f"{day} 12:00", str(number % 3 + 1)


def lines(form: str, rows: int) -> Iterator[str]:
    """The file's text, piece by piece."""
    heads = {"csv": ",".join(COLUMNS) + "\n", "jsonl": "", "json": '{"rows": [', "xml": "<rows>"}
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'
    header = "".join(cell.format(name) for name in COLUMNS)
    yield heads.get(form, f"<worksheet {MAIN}><sheetData><row>{header}</row>")
    for number in range(rows):
        one = values(number)
        match form:
            case "csv":
                yield ",".join(one) + "\n"
            case "jsonl":
                yield json.dumps(dict(zip(COLUMNS, one, strict=True))) + "\n"
            case "json":
                yield ("," if number else "") + json.dumps(dict(zip(COLUMNS, one, strict=True))) + "\n"
            case "xml":
                yield "<row>" + "".join(f"<{k}>{v}</{k}>" for k, v in zip(COLUMNS, one, strict=True)) + "</row>\n"
            case _:
                yield "<row>" + "".join(cell.format(value) for value in one) + "</row>"
    yield {"csv": "", "jsonl": "", "json": "]}", "xml": "</rows>"}.get(form, "</sheetData></worksheet>")


def write(path: Path, form: str, rows: int) -> None:
    """Write the file as a stream."""
    plain = form.removesuffix(".gz")
    if plain == "xlsx":
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet,
        ):
            for line in lines(plain, rows):
                sheet.write(line.encode())
        return
    stream: IO[bytes]
    with gzip.open(path, "wb", 1) if form.endswith(".gz") else path.open("wb") as stream:
        for line in lines(plain, rows):
            stream.write(line.encode())


def read(path: Path, form: str) -> int:
    """Read it to deeds and return how many there were; a fault is an error of this test."""
    mapping = mapping_of(form.removesuffix(".gz"))
    normaliser = Normaliser(mapping)
    count = 0
    for item in read_file(path, mapping):
        deed = normaliser.deed(item, NOW) if isinstance(item, Row) else item
        if isinstance(deed, Fault):
            raise SystemExit(f"row {deed.row}: {deed.reason()[0]}")
        count += 1
    return count


def main() -> None:
    """Write in a process of its own, so that only the reading counts."""
    folder, form, rows = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    path = folder / f"{rows}.{form}"
    if len(sys.argv) > 4:
        write(path, form, rows)
        return
    subprocess.run([sys.executable, "-m", "tests.integration.issuers.long_file", *sys.argv[1:], "write"], check=True)
    count = read(path, form)
    path.unlink()
    print(json.dumps({"rows": count, "peak_mib": peak_kib() / 1024}))


def peak_kib() -> int:
    """Return this program's own peak: ``ru_maxrss`` begins at what the parent had when it forked (Linux)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1])


if __name__ == "__main__":
    main()
