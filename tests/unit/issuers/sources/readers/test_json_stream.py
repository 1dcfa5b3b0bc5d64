"""JSON documents element by element: what surrounds the array, what is broken in it, and why no library reads it."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers import Limits, read_file
from issuers.sources.readers.json_documents import decode_document
from issuers.sources.readers.rows import Row
from tests.unit.issuers.build import mapping

RECORD = '{"id": "%s", "who": "p1", "what": "work", "when": "2026-08-01", "amount": 2.50, "name": "%s"}'


def one(**changes: Any) -> Mapping:
    return mapping(**{"format": "json", "records": "data.items", **changes})


def items(tmp_path: Path, content: str | bytes, by: Mapping | None = None, limits: Limits | None = None) -> list[Any]:
    path = tmp_path / "file.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found: list[Any] = []
    try:
        for item in read_file(path, by or one(), limits):
            found.append(item.values[0] if isinstance(item, Row) else item)  # noqa: PERF401  # kept on failure
    except ReadFailure as failure:
        found.append(failure)
    return found


def document(*records: str, before: str = "", after: str = "") -> str:
    return f'{{{before}"data": {{"items": [{", ".join(records)}]}}{after}}}'


R1, R2 = RECORD % ("r1", "x"), RECORD % ("r2", "y")


@pytest.mark.parametrize(
    "content",
    [
        document(R1, R2),
        "\ufeff" + document(R1, R2),
        document(
            R1, R2, before='"meta": {"items": [1, {"a": "]}"}], "s": "\\"{["}, ', after=', "n": -1.5e3, "t": true'
        ),
        json.dumps(json.loads(document(R1, R2)), indent=2),
        document(R1, R2).replace(" ", "").replace("2026-08-01", "2026-08-01 09:00"),
        document(R1.replace("}", ', "tags": [{"a": [[]]}], "o": {}}'), R2),
        document(R1, R2, before='"big": "' + "x\\\\" * 400_000 + '", '),
        document(R1, R2, before='"big": [' + "[1, 2], " * 200_000 + "0], "),
    ],
    ids=range(8),
)
def test_what_surrounds_the_array_does_not_matter(tmp_path: Path, content: str) -> None:
    assert items(tmp_path, content) == ["r1", "r2"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (document(R1, R2)[:-1], RefusalCode.TRUNCATED_FILE),
        (document(R1, R2)[:-3], RefusalCode.TRUNCATED_FILE),
        (document(R1, R2)[:-30], RefusalCode.TRUNCATED_FILE),
        (document(R1, R2) + "]", RefusalCode.MALFORMED_DOCUMENT),
        (document(R1, R2) + document(R1), RefusalCode.MALFORMED_DOCUMENT),
        (document(R1, R2, after=', "data": {"items": []}'), RefusalCode.DUPLICATE_KEY),
        (document(R1, R2).replace("]", '], "items": []'), RefusalCode.DUPLICATE_KEY),
        (document(R1, R2).replace("]", '], "\\u0069tems": []'), RefusalCode.DUPLICATE_KEY),
        (document(R1 + R2), RefusalCode.MALFORMED_DOCUMENT),
        (document(R1, R2).replace("]", ",]"), RefusalCode.MALFORMED_DOCUMENT),
        ('{"data": {"itms": []}}', RefusalCode.UNKNOWN_FORMAT),
        ('{"data": {"items": {}}}', RefusalCode.UNKNOWN_FORMAT),
        ('{"data": null}', RefusalCode.UNKNOWN_FORMAT),
        ("[]", RefusalCode.UNKNOWN_FORMAT),
        ("[" * 1_000_000, RefusalCode.MALFORMED_DOCUMENT),
        (document("[" * 300 + "]" * 300), RefusalCode.MALFORMED_DOCUMENT),
        ("", RefusalCode.EMPTY_FILE),
        (" \n", RefusalCode.EMPTY_FILE),
    ],
    ids=range(18),
)
def test_a_document_that_is_broken_says_how(tmp_path: Path, content: str, code: RefusalCode) -> None:
    assert items(tmp_path, content)[-1].code is code


@pytest.mark.parametrize("place", ["3}4", "3},", '3}"'])
def test_a_record_that_a_stray_brace_ends_early_is_not_given(tmp_path: Path, place: str) -> None:
    """34 must not become 3 because its second digit was damaged: what stands behind shows that the record goes on."""
    damaged = '{"id": "r2", "amount": @, "name": "x"}'.replace("@", place)
    found = items(tmp_path, document(R1, damaged, R1))
    assert [item for item in found if not isinstance(item, ReadFailure | Fault)] in (["r1"], [])
    assert found[-1].code is RefusalCode.MALFORMED_DOCUMENT


def test_a_broken_record_costs_itself_alone(tmp_path: Path) -> None:
    bad = ['{"id": "a" "b"}', '{"id": NaN}', "5", "null", '{"id": "a", "id": "b"}', '{"i": {"x": 1, "x": 2}}']
    found = items(tmp_path, document(R1, *bad, R2))
    assert [found[0], found[-1]] == ["r1", "r2"]
    assert [fault.code for fault in found[1:-1]] == [*[RefusalCode.MALFORMED_ROW] * 4, *[RefusalCode.DUPLICATE_KEY] * 2]
    assert [fault.row for fault in found[1:-1]] == [2, 3, 4, 5, 6, 7]
    assert found[5].params == (("key", "id"),)


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_bad_byte_costs_the_field_in_which_it_stands(tmp_path: Path, form: str) -> None:
    content = f"{R1}@{R2}".encode().replace(b'"x"', b'"\xff"').replace(b"@", b"\n" if form == "jsonl" else b",")
    by = one(format=form, records="")
    whole = content if form == "jsonl" else b"[" + content + b"]"
    assert items(tmp_path, whole, by) == ["r1", "r2"], "nobody reads the name"
    reads = one(format=form, records="", fields={**mapping().model_dump()["fields"], "name": {"column": "name"}})
    fault, good = items(tmp_path, whole, reads)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.field, good) == (RefusalCode.WRONG_ENCODING, "name", "r2")


def test_equal_keys_are_refused_wherever_a_record_comes_from(tmp_path: Path) -> None:
    """One key twice was the last of the two: ten times the points, another person."""
    twice = R1.replace('"amount": 2.50', '"amount": 2.50, "amount": 25.0')
    [fault, good] = items(tmp_path, f"{twice}\n{R2}\n", one(format="jsonl"))
    assert (fault.code, fault.params, good) == (RefusalCode.DUPLICATE_KEY, (("key", "amount"),), "r2")
    with pytest.raises(ReadFailure) as caught:
        decode_document(b'{"items": [' + twice.encode() + b"]}")
    assert (caught.value.code, caught.value.params) == (RefusalCode.DUPLICATE_KEY, (("key", "amount"),))


def test_a_record_of_any_size_is_passed_over(tmp_path: Path) -> None:
    huge = RECORD % ("r9", "y" * 3_000_000)
    nested = '{"id": "r8", "list": [' + '{"a": "b"}, ' * 300_000 + "0]}"
    found = items(tmp_path, document(R1, huge, nested, R2))
    assert [found[0], found[-1]] == ["r1", "r2"]
    assert [fault.code for fault in found[1:-1]] == [RefusalCode.FIELD_TOO_LARGE] * 2


@pytest.mark.parametrize(
    "part", [R1 + ",", "[],", '"\\\\",', "5,", "[" * 150 + "]" * 150 + ",", '{"a": "' + "\\" * 4 + '"},', "{,"]
)
def test_reading_is_linear_whatever_it_is(tmp_path: Path, part: str) -> None:
    def cost(size: int) -> float:
        path = tmp_path / f"{size}"
        path.write_text("[" + part * (size // len(part)) + "0]")
        before = time.process_time()
        list_of(path)
        return time.process_time() - before

    def list_of(path: Path) -> None:
        try:
            for _ in read_file(path, one(records="")):
                pass
        except ReadFailure:
            return

    assert cost(2_000_000) < 3 * cost(1_000_000) + 0.1


@pytest.mark.parametrize("tail", ['"' + "x" * 8_000_000, '{"a": "' + "x" * 8_000_000, "9" * 8_000_000, "{" * 8_000_000])
def test_a_value_without_an_end_is_linear(tmp_path: Path, tail: str) -> None:
    before = time.process_time()
    assert items(tmp_path, "[" + tail, one(records=""))[-1].code in (
        RefusalCode.TRUNCATED_FILE,
        RefusalCode.MALFORMED_DOCUMENT,
    )
    assert time.process_time() - before < 3


def test_what_ijson_does_instead() -> None:
    """Two records get one number, and a key twice is its last value: in silence."""
    ijson = pytest.importorskip("ijson")
    assert list(ijson.items(io.BytesIO(b'["a\\ud800", "a?"]'), "item")) == ["a?", "a?"]
    assert list(ijson.items(io.BytesIO(b'[{"id": "a", "id": "b"}]'), "item")) == [{"id": "b"}]
