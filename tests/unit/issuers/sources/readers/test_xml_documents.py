"""XML of Chinese systems: the encodings that it names and those it has, elements that come twice, and bombs."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers import read_file
from issuers.sources.readers.rows import Row
from tests.unit.issuers.build import mapping

RECORD = (
    "<row><id>{0}</id><who>p1</who><what>work</what><when>2026-08-01</when><amount>2</amount><name>{1}</name></row>"
)
READS_NAME = {**mapping().model_dump()["fields"], "name": {"column": "name"}}


def one(**changes: Any) -> Mapping:
    return mapping(format="xml", records="row", **changes)


def items(tmp_path: Path, content: bytes, by: Mapping | None = None) -> list[Any]:
    path = tmp_path / "file.xml"
    path.write_bytes(content)
    found: list[Any] = []
    try:
        for item in read_file(path, by or one()):
            found.append(item)  # noqa: PERF402  # kept on failure
    except ReadFailure as failure:
        found.append(failure)
    return found


def ids(found: list[Any]) -> list[Any]:
    return [item.values[0] if isinstance(item, Row) else item.code for item in found]


@pytest.mark.parametrize("declared", ["GB2312", "gb2312", "GBK", "gb18030", "GB_2312-80", "x-gbk", "CP936"])
@pytest.mark.parametrize("name", ["朱镕基", "㐂", "𠮷野"])
def test_gb2312_and_gbk_are_read_as_gb18030(tmp_path: Path, declared: str, name: str) -> None:
    text = (
        f'<?xml version="1.0" encoding="{declared}"?><rows>{RECORD.format("r1", name)}{RECORD.format("r2", "x")}</rows>'
    )
    found = items(tmp_path, text.encode("gb18030"), one(fields=READS_NAME))
    assert [row.values[5] for row in found] == [name, "x"]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("bad", [b"\xff", b"\x01", b"\x81\x20", b"\x00"])
def test_a_bad_byte_costs_its_field_and_no_more(tmp_path: Path, encoding: str, bad: bytes) -> None:
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><rows>{RECORD.format("r1", "@")}{RECORD.format("r2", "张")}</rows>'
    )
    content = text.encode(encoding).replace(b"@", bad)
    assert ids(items(tmp_path, content)) == ["r1", "r2"], "nobody reads the name"
    fault, good = items(tmp_path, content, one(fields=READS_NAME))
    assert isinstance(fault, Fault)
    assert (fault.code, fault.field, fault.row) == (RefusalCode.WRONG_ENCODING, "name", 1)
    assert good.values[5] == "张"


def test_another_encoding_than_the_declared_one_is_said_to_be_one(tmp_path: Path) -> None:
    body = f"<rows>{RECORD.format('r1', '张三李四')}</rows>"
    for declared, actual in (("GB2312", "utf-8"), ("klingon", "utf-8")):
        [failure] = items(tmp_path, f'<?xml version="1.0" encoding="{declared}"?>{body}'.encode(actual))
        assert failure.code is RefusalCode.WRONG_ENCODING
    chinese = f'<?xml version="1.0" encoding="utf-8"?><集>{body.replace("row>", "记录>")}</集>'.encode("gb18030")
    [failure] = items(tmp_path, chinese, one().model_copy(update={"records": "记录"}))
    assert failure.code is RefusalCode.WRONG_ENCODING


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_marks_of_byte_order_win_over_the_declaration(tmp_path: Path, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="UTF-16"?><rows>{RECORD.format("r1", "张")}</rows>'
    assert ids(items(tmp_path, text.encode(encoding))) == ["r1"]


@pytest.mark.parametrize("declared", ["UTF-16", "utf-16le", "UTF-32", "utf-8"])
def test_a_declaration_that_cannot_be_true_is_not_believed(tmp_path: Path, declared: str) -> None:
    """Programs that keep their strings in UTF-16 say so in files of UTF-8; one of them stopped the reader."""
    text = f'<?xml version="1.0" encoding="{declared}"?><rows>{RECORD.format("r1", "张三")}</rows>'
    [row] = items(tmp_path, text.encode(), one(fields=READS_NAME))
    assert row.values[5] == "张三"


@pytest.mark.parametrize(
    "declared", ["rot13", "base64", "zlib", "hex", "idna", "punycode", "utf-7", "unicode_escape", "undefined"]
)
def test_an_encoding_of_no_text_is_refused(tmp_path: Path, declared: str) -> None:
    """Python decodes more than texts; a small file that declared it ended the reader with an error of its own."""
    text = f'<?xml version="1.0" encoding="{declared}"?><rows>{RECORD.format("r1", "x")}</rows>'
    assert ids(items(tmp_path, text.encode())) == [RefusalCode.WRONG_ENCODING]


def test_what_stands_behind_the_end_is_no_cut(tmp_path: Path) -> None:
    for more in ("junk", "<rows/>"):
        text = f"<rows>{RECORD.format('r1', 'x')}</rows>{more}"
        assert ids(items(tmp_path, text.encode())) == ["r1", RefusalCode.MALFORMED_DOCUMENT]


def test_an_element_twice_is_refused_unless_the_mapping_says_which(tmp_path: Path) -> None:
    """Ten times the points, or another person: which of the two is meant, nobody can say."""
    first = RECORD.format("r1", "x").replace("</amount>", "</amount><amount>20</amount>")
    twice = f"<rows>{first}{RECORD.format('r2', '')}</rows>"
    fault, good = items(tmp_path, twice.encode())
    assert (fault.code, fault.params, good.values[0]) == (RefusalCode.DUPLICATE_KEY, (("key", "amount"),), "r2")
    for number, expected in ((1, "2"), (2, "20")):
        by = one(quantity=[{"column": f"amount[{number}]", "unit": "hour"}])
        assert items(tmp_path, twice.encode(), by)[0].values[5] == expected
    spaces = f"<rows xmlns:a='urn:a'>{RECORD.format('r1', 'x').replace('</who>', '</who><a:who>p2</a:who>')}</rows>"
    [fault] = items(tmp_path, spaces.encode())
    assert (fault.code, fault.params) == (RefusalCode.DUPLICATE_KEY, (("key", "who"),))


def test_only_the_outermost_record_is_one(tmp_path: Path) -> None:
    nested = f"<rows>{RECORD.format('r1', '<row><id>r9</id></row>')}{RECORD.format('r2', '')}</rows>"
    assert ids(items(tmp_path, nested.encode())) == ["r1", "r2"]


def test_records_in_an_element_of_their_own_name_by_their_path(tmp_path: Path) -> None:
    """As open-data portals write them. Without the path nothing is taken for something else: it is refused."""
    many = "".join(RECORD.format(f"r{number}", "x") for number in range(3))
    portal = f"<response><row>{many}</row></response>".encode()
    assert ids(items(tmp_path, portal, one().model_copy(update={"records": "row/row"}))) == ["r0", "r1", "r2"]
    by = one().model_copy(update={"records": "response/row/row"})
    assert ids(items(tmp_path, portal, by)) == ["r0", "r1", "r2"]
    [whole] = items(tmp_path, portal)
    assert [whole.values[0] if isinstance(whole, Row) else None] == [None], "no field of the records inside"


@pytest.mark.parametrize("part", ["<a/>", "<!-- x -->", "<row/>", "x", "<a><a></a></a>", "&amp;", "<a b='1'/>", "\xff"])
def test_reading_is_linear_whatever_it_is(tmp_path: Path, part: str) -> None:
    def cost(times: int) -> float:
        gc.disable()  # what is kept in a list is looked through again and again
        path = tmp_path / f"{times}"
        path.write_bytes(f"<rows>{part * times}{RECORD.format('r', '')}</rows>".encode("latin-1"))
        before = time.process_time()
        items(tmp_path, path.read_bytes())
        spent = time.process_time() - before
        gc.enable()
        return spent

    assert cost(80_000) < 3 * cost(40_000) + 0.1


def test_what_lxml_alone_does_not_do(tmp_path: Path) -> None:
    """Why there is a guard before it: one rare name in a file that calls itself GB2312 ends lxml's reading of it."""
    content = f'<?xml version="1.0" encoding="GB2312"?><rows>{RECORD.format("r1", "朱镕基")}</rows>'.encode("gb18030")
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(content)
    assert ids(items(tmp_path, content)) == ["r1"]
