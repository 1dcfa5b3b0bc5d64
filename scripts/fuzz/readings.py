"""Files of a grammar, one mutation each: the same deeds come out, or a refusal; never other deeds.

Beside our reader another library reads the same mutated file: a deed that it reads too is what the file says now. What
neither the whole file had nor that library reads is a misreading, and so is a deed that is missing without a refusal.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import tempfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import openpyxl
import orjson

from issuers.rules.refusals import Fault, ReadFailure
from issuers.samples.workbooks import Cell, Sheet, Value, workbook
from issuers.sources.mapping import Mapping as SourceMapping
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import Limits, read_file
from issuers.sources.readers.rows import Row
from ledger.standard.civil_time import CITY_TZ

Deed = tuple[str, str, int, int]
"""Record, person, start, quantity in millionths of a second."""
Record = dict[str, str]
COLUMNS = ("id", "who", "what", "when", "until", "amount")
NAMES = ("张三", "李四光", "朱镕基", 'O\'Neil, "Jo"', "a;b", "𠮷野")


class Misread(AssertionError):
    """A deed that no file says, or one that is missing in silence."""


@dataclass(frozen=True, slots=True)
class Made:
    """A file as the grammar made it, whole and with one mutation, and what another library reads in the mutated one."""

    mutated: bytes
    deeds: Counter[Deed]
    """Of the whole file."""
    oracle: Callable[[bytes], Iterable[Mapping[str, Any]]]
    note: str
    may_change_values: bool = False


def records(rng: random.Random) -> list[Record]:
    """Return some good records, no two alike."""
    made = []
    for number in range(rng.randint(1, 6)):
        start = datetime(2026, rng.randint(1, 8), rng.randint(1, 28), rng.randint(0, 20), rng.randint(0, 59))  # noqa: DTZ001
        made.append(
            {
                "id": f"R{number}{rng.randint(10, 99)}",
                "who": f"P{rng.randint(100, 999)}",
                "what": "work",
                "when": start.strftime("%Y-%m-%d %H:%M"),
                "until": "",
                "amount": rng.choice(["1", "2.5", "0.25", "12", "3.4499999999999997", "10"]),
                "name": rng.choice(NAMES),
            }
        )
    return made


def deed_of(record: Mapping[str, Any]) -> Deed | None:
    """Return the deed of a record as another library gives its values, or None: it is none. Written apart from ours."""
    who, number = record.get("who"), record.get("id")
    when, amount = record.get("when"), record.get("amount")
    try:
        if _seen(str(record.get("what"))) != "work" or not who or not number:
            return None
        moment = when if isinstance(when, datetime) else datetime.fromisoformat(_seen(str(when)))
        if isinstance(amount, timedelta):
            hours = Decimal(amount // timedelta(seconds=1)) / 3600
        else:
            hours = round(Decimal(_seen(str(amount))), 9)
        micro = int(hours * 3_600_000_000)
        stamp = int(moment.replace(tzinfo=moment.tzinfo or CITY_TZ).timestamp())
    except (ValueError, InvalidOperation, TypeError, OverflowError):
        return None
    clean = [_identifier(str(one)) for one in (number, who)]
    return clean[0], clean[1], stamp, micro


def _seen(text: str) -> str:
    """Return a text without characters that nobody sees."""
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf").strip()


def _identifier(text: str) -> str:
    """Return an identifier's compared form: compatible characters, no blanks, nothing unseen."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(letter for letter in plain if not letter.isspace() and unicodedata.category(letter) != "Cf")


def deeds_of(many: Iterable[Mapping[str, Any]]) -> Counter[Deed]:
    """Return the deeds of records."""
    return Counter(deed for one in many if (deed := deed_of(one)) is not None)


def read_by_us(path: Path, mapping: SourceMapping, limits: Limits, now: int) -> tuple[Counter[Deed], int]:
    """Return our reader's deeds and how many refusals it gave."""
    normaliser = Normaliser(mapping)
    found: Counter[Deed] = Counter()
    refusals = 0
    try:
        for item in read_file(path, mapping, limits):
            made = normaliser.deed(item, now) if isinstance(item, Row) else item
            if isinstance(made, Fault):
                refusals += 1
            else:
                found[(made.record_id, made.source_id, made.started_at or 0, made.quantity_micro)] += 1
    except ReadFailure:
        refusals += 1
    return found, refusals


def judge(made: Made, mapping: SourceMapping, limits: Limits, now: int) -> None:
    """Raise Misread if our reader makes other deeds of a mutated file than the whole file had or the oracle reads."""
    with tempfile.TemporaryDirectory(prefix="tongdui-fuzz-") as folder:
        path = Path(folder) / "file"
        path.write_bytes(made.mutated)
        ours, refusals = read_by_us(path, mapping, limits, now)
    whole = set(made.deeds)
    try:
        theirs = set(deeds_of(made.oracle(made.mutated)))
    except Exception:  # noqa: BLE001  (what another library raises is its own affair)
        if made.may_change_values:
            return  # the file says something else now, and nobody else can tell what
        theirs = set()
    strange = set(ours) - whole - theirs
    if strange:
        raise Misread(f"{made.note}: {strange} in neither reading")
    if not refusals and set(ours) not in (whole, theirs):
        raise Misread(f"{made.note}: {set(ours)} without a refusal, instead of {whole} or {theirs}")


# Tables of text ----------------------------------------------------------------------------------------------------


def delimited(rng: random.Random) -> Made:
    """Make a CSV file."""
    rows = records(rng)
    names = [*COLUMNS, "name"]
    rng.shuffle(names)
    encoding = rng.choice(["utf-8", "utf-8-sig", "gb18030", "utf-16"])
    end = rng.choice(["\n", "\r\n", "\r"])
    text = _csv(rows, names, end, quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    note, text = _mutated_table(rng, text, end)
    content = text.encode(encoding, "replace")
    is_spoilt = rng.random() < 0.4
    if is_spoilt:
        note, content = _mutated_bytes(rng, content)

    def oracle(whole: bytes) -> Iterable[Mapping[str, Any]]:
        decoded = whole.decode(encoding, "replace").removeprefix("\ufeff")
        decoded = decoded.replace("\r\n", "\n").replace("\r", "\n").replace("\n\ufeff", "\n")
        lines = decoded.split("\n", 1)
        if lines[0].startswith("sep="):
            decoded = lines[1]
        for table in _each_table(decoded):
            for line in (table, *("\n".join(pair) for pair in _each_line(table))):
                for row in csv.DictReader(io.StringIO(line)):
                    # Excel's guard against itself is no part of a value.
                    yield {name: re.sub(r'^="(.+)"$', r"\1", str(value)) for name, value in row.items()}

    return Made(content, deeds_of(rows), oracle, f"csv {encoding} {end!r}: {note}", is_spoilt)


def _each_table(decoded: str) -> Iterable[str]:
    """Yield the tables of a file, each from its header on."""
    table: list[str] = []
    for line in decoded.split("\n"):
        if table and set(COLUMNS) <= {cell.strip('"\ufeff') for cell in line.split(",")}:
            yield "\n".join(table)
            table = []
        table.append(line)
    yield "\n".join(table)


def _each_line(decoded: str) -> Iterable[tuple[str, str]]:
    """Yield the header with each line alone: behind an open quotation mark another library reads no line any more."""
    header, _, rest = decoded.partition("\n")
    return [(header, line) for line in rest.split("\n") if '"' in rest and line.count('"') % 2 == 0]


def _csv(rows: Sequence[Record], names: Sequence[str], end: str, quoting: Any) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, lineterminator=end, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _mutated_table(rng: random.Random, text: str, end: str) -> tuple[str, str]:
    lines = text.split(end)
    at = rng.randrange(1, max(2, len(lines) - 1))
    match rng.randrange(11):
        case 9:
            lines[at:at] = [",".join(rng.sample(lines[0].split(","), k=lines[0].count(",") + 1))]
            return "another header", end.join(lines)
        case 10:
            lines[at] = "\ufeff" + lines[at]
            return "a mark of byte order before a row", end.join(lines)
        case 0:
            lines.insert(at, "")
            return "a blank line", end.join(lines)
        case 1:
            lines.insert(at, "合计,,,,,,99")
            return "a total", end.join(lines)
        case 2:
            lines[at] = lines[at].rpartition(",")[0]
            return "a field less", end.join(lines)
        case 3:
            lines[at] += ",x"
            return "a field more", end.join(lines)
        case 4:
            lines[0] = lines[0].replace("name", rng.choice(COLUMNS))
            return "a name twice", end.join(lines)
        case 5:
            return "a sep= line", f"sep=,{end}{text}"
        case 6:
            lines.insert(0, "表,,")
            return "a title", end.join(lines)
        case 7:
            where = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:where] + rng.choice(['"', ",", "\t", "\u200b", " ", "="]) + lines[at][where:]
            return "a mark in a row", end.join(lines)
        case _:
            return "nothing", text


def _mutated_bytes(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    at = rng.randrange(len(content) + 1)
    match rng.randrange(4):
        case 0:
            return "cut", content[:at]
        case 1:
            return "a bad byte", content[:at] + b"\xff" + content[at:]
        case 2:
            return "a byte less", content[:at] + content[at + 1 :]
        case _:
            return "another byte", content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]


# JSON and XML ------------------------------------------------------------------------------------------------------


def json_document(rng: random.Random) -> Made:
    """Make a JSON document, or its mutation: keys twice, another value, cut anywhere."""
    rows = records(rng)
    shown = [{**one, "amount": json.loads(one["amount"]) if rng.random() < 0.5 else one["amount"]} for one in rows]
    text = json.dumps({"meta": {"rows": [{"id": "x"}]}, "rows": shown}, ensure_ascii=rng.random() < 0.5)
    note, text = _mutated_text(
        rng, text, [('"who"', '"id"'), ('"amount"', '"who"'), ("}, {", "}{"), (": ", ":"), ("[", "[[")]
    )
    return Made(text.encode(), deeds_of(rows), lambda whole: orjson.loads(whole)["rows"], f"json: {note}")


def json_lines(rng: random.Random) -> Made:
    """Make JSON Lines."""
    rows = records(rng)
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)
    note, text = _mutated_text(rng, text, [('"who"', '"id"'), ('"amount"', '"id"'), ("}", ""), ("\n", ""), ("{", "[{")])

    def oracle(whole: bytes) -> Iterable[Mapping[str, Any]]:
        for line in whole.split(b"\n"):
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(found, dict):
                yield found

    return Made(text.encode(), deeds_of(rows), oracle, f"jsonl: {note}")


def xml_document(rng: random.Random) -> Made:
    """Make an XML document in UTF-8 or GB18030 that may call itself GB2312."""
    rows = records(rng)
    encoding, called = rng.choice([("utf-8", "UTF-8"), ("gb18030", "GB18030"), ("gb18030", "GB2312")])
    body = "".join("<row>" + "".join(f"<{k}>{escape(v)}</{k}>" for k, v in one.items()) + "</row>" for one in rows)
    swaps = [
        ("<who>", "<id>x</id><who>"),
        ("</row><row>", ""),
        ("<amount>", "<amount>9</amount><amount>"),
        ("</who>", ""),
        ("<row>", "<row><row>"),
        ("<when>", "<!-- x --><when>"),
    ]
    note, body = _mutated_text(rng, f"<rows>{body}</rows>", swaps)

    def oracle(whole: bytes) -> Iterable[Mapping[str, Any]]:
        root = ET.fromstring(re.sub(r"^<\?xml[^>]*>", "", whole.decode(encoding)))  # noqa: S314  (our own file)
        return [{child.tag: child.text for child in row} for row in root.iter("row")]

    head = f'<?xml version="1.0" encoding="{called}"?>'
    return Made((head + body).encode(encoding), deeds_of(rows), oracle, f"xml {called}: {note}")


def _mutated_text(rng: random.Random, text: str, swaps: Sequence[tuple[str, str]]) -> tuple[str, str]:
    choice = rng.randrange(5)
    if choice == 0:
        return "nothing", text
    if choice == 1:
        at = rng.randrange(len(text) + 1)
        return "cut", text[:at]
    if choice == 2:
        at = rng.randrange(len(text))
        return "another character", text[:at] + rng.choice('09x"{}[]<>,: \\') + text[at + 1 :]
    before, after = rng.choice(swaps)
    places = [found.start() for found in re.finditer(re.escape(before), text)]
    if not places:
        return "nothing", text
    at = rng.choice(places)
    return f"{before} became {after}", text[:at] + after + text[at + len(before) :]


# Workbooks ---------------------------------------------------------------------------------------------------------


def spreadsheet(rng: random.Random) -> Made:
    """Make a workbook as some office program writes it; the mutation is in one cell, or in how the book is put
    together."""
    rows = records(rng)
    is_1904 = rng.random() < 0.3
    table: list[list[Value]] = [[*COLUMNS, "name"], *(_cells(rng, one, is_1904) for one in rows)]
    draft = Sheet("草稿", [list(COLUMNS), ["D1", "P1", "work", "2026-01-01 09:00", None, "9"]], visibility="hidden")
    note = "nothing"
    row, at = rng.randrange(1, len(table)), rng.randrange(7)
    match rng.randrange(6):
        case 0:
            table[row][at] = Cell("#N/A", "e")
            note = "an error cell"
        case 1:
            table[row][at] = Cell("2", formula="1+1")
            note = "a formula"
        case 2:
            table[row][at] = None
            note = "an empty cell"
        case 3:
            table[0][6] = rng.choice(COLUMNS)
            note = "a name twice"
        case 4:
            table[row][at], table[row][at - 1] = table[row][at - 1], table[row][at]
            note = "two cells swapped"
        case _:
            pass
    sheets = [Sheet("记录", table, part=rng.choice(["", "worksheets/sheet9.xml", "w/x.xml"]))]
    if rng.random() < 0.5:
        sheets.insert(0, draft)
    options: dict[str, bool] = {name: rng.random() < 0.3 for name in ("is_strict", "is_inline", "is_absolute")}
    content = workbook(*sheets, is_1904=is_1904, **options)
    is_spoilt = rng.random() < 0.2
    if is_spoilt:
        note, content = _mutated_part(rng, content)
    elif rng.random() < 0.1:
        # The checksums are left as they were: whatever the byte does, no other deed may come of it.
        note, content = f"{note}, a byte of the archive", _mutated_bytes(rng, content)[1]
    note = f"xlsx {options} 1904={is_1904}: {note}"
    return Made(content, deeds_of(rows), _openpyxl_rows, note, is_spoilt or "swapped" in note)


def _cells(rng: random.Random, record: Record, is_1904: bool) -> list[Value]:
    when: Value = record["when"]
    if rng.random() < 0.6:
        first = datetime(1904, 1, 1) if is_1904 else datetime(1899, 12, 30)  # noqa: DTZ001
        days = (datetime.fromisoformat(record["when"]) - first) / timedelta(days=1)
        when = Cell(repr(days), number_format=rng.choice(["yyyy/m/d h:mm", "22", 'yyyy"年"m"月"d"日" h:mm']))
    amount: Value = record["amount"]
    if record["amount"] in ("12", "2.5", "10") and rng.random() < 0.5:
        amount = Cell(repr(float(record["amount"]) / 24), number_format="[h]:mm")
    elif rng.random() < 0.5:
        amount = Cell(record["amount"])
    name = Cell(record["name"], "s", phonetic=rng.choice(["", "ツァン"]))
    return [record["id"], record["who"], record["what"], when, None, amount, name]


def _mutated_part(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(buffer, "w") as target:
        names = source.namelist()
        chosen = rng.choice(names)
        for name in names:
            body = source.read(name)
            if name == chosen:
                _, body = _mutated_bytes(rng, body)
            target.writestr(name, body)
    return f"a byte of {chosen}", buffer.getvalue()


def _openpyxl_rows(whole: bytes) -> Iterable[Mapping[str, Any]]:
    book = openpyxl.load_workbook(io.BytesIO(whole), data_only=True)
    sheet = next(one for one in book.worksheets if one.sheet_state == "visible")
    header, *rest = [[cell.value for cell in row] for row in sheet.iter_rows()]
    return [dict(zip(map(str, header), row, strict=False)) for row in rest]


GRAMMARS: dict[str, Callable[[random.Random], Made]] = {
    "csv": delimited,
    "json": json_document,
    "jsonl": json_lines,
    "xml": xml_document,
    "xlsx": spreadsheet,
}
