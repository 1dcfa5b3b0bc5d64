"""CSV as spreadsheets and old systems write it: the same rows whatever stands around them, or a refusal in words."""

from __future__ import annotations

import csv
import gc
import io
import time
from pathlib import Path
from typing import Any

import charset_normalizer
import pytest

from issuers.rules.refusals import Fault, ReadFailure, RefusalCode
from issuers.sources.mapping import Mapping
from issuers.sources.readers import read_file
from issuers.sources.readers.rows import Row
from tests.unit.issuers.build import mapping

HEADER = "编号,人员,活动,时间,止,数量"
ROWS = ["r1,p1,work,2026-08-01 09:00,,2", "r2,p2,work,2026-08-02 09:00,,3"]
PLAIN = "\n".join([HEADER, *ROWS]) + "\n"
FIELDS = {
    "record_id": {"column": "编号"},
    "source_id": {"column": "人员"},
    "activity": {"column": "活动", "values": {"work": "WORK"}},
    "started_at": {"column": "时间"},
    "ended_at": {"column": "止", "optional": True},
}


def one(**changes: Any) -> Mapping:
    return mapping(**{"fields": FIELDS, "quantity": [{"column": "数量", "unit": "hour"}], **changes})


def items(tmp_path: Path, content: bytes | str, by: Mapping | None = None) -> list[Any]:
    """Return each row's values, each fault, and last the failure of the file if there is one."""
    path = tmp_path / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found: list[Any] = []
    try:
        for item in read_file(path, by or one()):
            found.append(item.values if isinstance(item, Row) else item)  # noqa: PERF401  # kept on failure
    except ReadFailure as failure:
        found.append(failure)
    return found


GOOD = [tuple(row.split(",")) for row in ROWS]


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        (PLAIN, {}),
        (PLAIN.replace("\n", "\r\n"), {}),
        (PLAIN.replace("\n", "\r"), {}),
        (PLAIN.encode("utf-16"), {}),
        (PLAIN.encode("utf-16-be"), {"encodings": ["utf-16-be"]}),
        (PLAIN.encode("utf-16-le"), {"encodings": ["utf-16"]}),
        (PLAIN.replace("\n", "\r").encode("utf-16"), {}),
        (PLAIN.encode("gb18030"), {"encodings": ["gb2312"]}),
        (PLAIN.encode("gb18030"), {"encodings": ["GBK"]}),
        ("sep=,\r\n" + PLAIN, {}),
        ("sep=;\n" + PLAIN.replace(",", ";"), {}),
        ('"sep=\t"\n' + PLAIN.replace(",", "\t"), {}),
        ("\ufeffsep=|\n" + PLAIN.replace(",", "|"), {}),
        (PLAIN.replace("人员", '"人\n员"'), {}),
        (PLAIN.replace("人员", " 人\u3000员 "), {}),
        (PLAIN.replace("人员", '"人\r\n员"').replace("数量", "数\u200b量"), {}),
        ("\n\n" + PLAIN, {}),
        ("服务记录表,,,,,\n制表：某街道\n" + PLAIN, {"header_row": 3}),
        ("服务记录表,,,,,\n制表：某街道\n" + PLAIN, {"header_row": "find"}),
        ('"服务\n记录表",,,,,\n\n' + PLAIN, {"header_row": 3}),
        (PLAIN + "合计,,,,,5\n", {"skip_rows": [{"pattern": "合计"}]}),
        (PLAIN + "制表人：张三\n审核：李四,,\n", {"skip_rows": [{"pattern": "(制表人|审核)：.*"}]}),
        (PLAIN + ",,,,,5\n", {"skip_rows": [{"column": "编号", "pattern": ""}]}),
        (PLAIN + '"合计","","","","","5"\n', {"skip_rows": [{"column": "编号", "pattern": "合计"}]}),
        ("\n".join([HEADER, ROWS[0], HEADER, ROWS[1]]), {"skip_rows": [{"column": "编号", "pattern": "编号"}]}),
    ],
)  # fmt: skip
def test_the_same_rows_whatever_stands_around_them(
    tmp_path: Path, content: bytes | str, changes: dict[str, Any]
) -> None:
    assert items(tmp_path, content, one(**changes)) == GOOD


def test_what_a_mapping_does_not_allow_is_refused_with_what_to_do(tmp_path: Path) -> None:
    [failure] = items(tmp_path, "服务记录表\n" + PLAIN)
    assert failure.code is RefusalCode.HEADER_MISMATCH
    assert "header_row" in str(failure)
    assert dict(failure.params)["line"] == "1"
    [*_, total] = items(tmp_path, PLAIN + "合计,,5\n")
    assert (total.code, total.line) == (RefusalCode.COLUMN_COUNT, 4)


def test_equal_names_are_refused_unless_the_mapping_says_which(tmp_path: Path) -> None:
    table = "编号,人员,活动,时间,止,数量,数量\nr1,p1,work,2026-08-01,,2,9\n"
    [failure] = items(tmp_path, table)
    assert (failure.code, dict(failure.params)) == (RefusalCode.EQUAL_COLUMNS, {"columns": "数量"})
    for number, expected in ((1, "2"), (2, "9")):
        [row] = items(tmp_path, table, one(quantity=[{"column": f"数量[{number}]", "unit": "hour"}]))
        assert row[5] == expected
    [failure] = items(tmp_path, table, one(quantity=[{"column": "数量[3]", "unit": "hour"}]))
    assert failure.code is RefusalCode.HEADER_MISMATCH
    [row] = items(
        tmp_path, table.replace("数量,数量", "数量,数量[1]"), one(quantity=[{"column": "数量[1]", "unit": "hour"}])
    )
    assert row[5] == "9", "a column that is called so wins"
    twice = "编号,人员,活动,时间,止,数量,备注,备注\nr1,p1,work,2026-08-01,,2,a,b\n"
    assert [row[5] for row in items(tmp_path, twice)] == ["2"], "names that nobody reads may be equal"


def test_merged_cells_are_filled_down_where_the_mapping_says_so(tmp_path: Path) -> None:
    people = ["r1,p1,work,2026-08-01,,1", "r2,,work,2026-08-02,,2", "小计,,,,,3", "r3,,work,2026-08-03,,4"]
    table = "\n".join([HEADER, *people, "r4,p2,work,2026-08-03,,4"])
    skip = [{"column": "编号", "pattern": "小计"}]
    found = items(tmp_path, table, one(fill_down=["人员"], skip_rows=skip))
    assert [(row[0], row[1]) for row in found] == [("r1", "p1"), ("r2", "p1"), ("r3", "p1"), ("r4", "p2")]
    assert [row[1] for row in items(tmp_path, table, one(skip_rows=skip))] == ["p1", "", "", "p2"]


def test_a_bad_byte_costs_the_field_in_which_it_stands(tmp_path: Path) -> None:
    """And nothing where nobody reads that field."""
    head = (HEADER + ",姓名\n").encode("gb18030")
    rows = [b"r1,p1,work,2026-08-01,,2,\xff\x80", b"r2,p\xff2,work,2026-08-02,,2,x", b'r3,p3,work,2026-08-03,,2,"\xff"']
    found = items(tmp_path, head + b"\n".join(rows) + b"\n", one(encodings=["gb18030"]))
    assert [found[0][0], found[2][0]] == ["r1", "r3"]
    assert isinstance(found[1], Fault)
    assert (found[1].code, found[1].field, found[1].line) == (RefusalCode.WRONG_ENCODING, "人员", 3)


def test_numbering_and_lines_follow_the_file(tmp_path: Path) -> None:
    """Skipped rows are not counted; a line is the file's own."""
    path = tmp_path / "file"
    path.write_text(
        "sep=,\n标题\n" + PLAIN.replace("r2", '"r\n2"') + "合计,,,,,\n" + "r3,p,work,2026-08-01,,1\n", "utf-8"
    )
    found = list(read_file(path, one(header_row=2, skip_rows=[{"pattern": "合计"}])))
    assert [(item[0], item.line) for item in found] == [(1, 4), (2, 5), (3, 8)]


@pytest.mark.parametrize("before", [" ", "\u2060", "\u200b", "\t"])
def test_marks_behind_something_unseen_do_not_become_part_of_a_value(tmp_path: Path, before: str) -> None:
    """A record had another number by them."""
    found = items(tmp_path, f'{PLAIN}{before}"r3",p3,work,2026-08-03,,1\nr4,"p4",work,2026-08-04,,1\n')
    assert [item.code if isinstance(item, Fault) else item[0] for item in found[2:]] == [
        RefusalCode.UNBALANCED_QUOTE, "r4",
    ]  # fmt: skip


@pytest.mark.parametrize("bad", [b"", b"\xff"])
def test_files_with_marks_of_byte_order_may_be_joined(tmp_path: Path, bad: bytes) -> None:
    """Two such files in one gave another number to a record."""
    more = ['\ufeff"r3","p3","work",2026-08-03,,1\n', "\ufeffr4,p4,work,2026-08-04,,1\n"]
    found = items(tmp_path, (PLAIN + "".join(more)).encode() + b"r5,p" + bad + b"5,work,2026-08-05,,1\n")
    assert [item[0] for item in found[:4]] == ["r1", "r2", "r3", "r4"]


@pytest.mark.parametrize("mark", ["\r", "\rx"])
def test_a_carriage_return_in_a_quoted_line_loses_nothing_in_silence(tmp_path: Path, mark: str) -> None:
    """What the standard library's reader takes for the end of the record is refused with all that stands behind it."""
    quoted = '"r3","p3","work","2026-08-03","","1"'
    found = items(tmp_path, f"{PLAIN}{quoted}{mark}{quoted}\n{quoted}\n")
    assert [item.code if isinstance(item, Fault) else item[0] for item in found] == [
        "r1", "r2", RefusalCode.MALFORMED_ROW, "r3",
    ]  # fmt: skip
    [failure] = items(tmp_path, f'"{HEADER.replace(",", chr(34) + "," + chr(34))}"{mark}{quoted}\n{quoted}\n')
    assert isinstance(failure, ReadFailure)


@pytest.mark.parametrize(
    "line",
    [
        '"' * 2 + '"r1,p\n',
        '"\n',
        "r1," + '"a""' * 30 + "\n",
        '="0123",p1,work,2026-08-01,,2\n',
        "\n",
        " \n",
        '"a",b\n"',
    ],
    ids=range(7),
)
def test_reading_is_linear_whatever_the_lines_are(tmp_path: Path, line: str) -> None:
    def cost(times: int) -> float:
        gc.disable()  # what is kept in a list is looked through again and again
        path = tmp_path / f"{times}"
        path.write_text(PLAIN + line * times, "utf-8")
        gc.collect()
        before = time.process_time()
        list(read_file(path, one()))
        spent = time.process_time() - before
        gc.enable()
        return spent

    single = min(cost(30_000) for _ in range(2))
    assert any(cost(60_000) < 3 * single + 0.05 for _ in range(3))


@pytest.mark.parametrize("mark", [",", "\n", '"'])
def test_one_line_without_an_end_is_linear_too(tmp_path: Path, mark: str) -> None:
    def cost(size: int) -> float:
        path = tmp_path / f"{size}"
        path.write_text(PLAIN + mark + "x" * size, "utf-8")
        before = time.process_time()
        list(read_file(path, one()))
        return time.process_time() - before

    assert cost(64_000_000) < 3 * cost(32_000_000) + 0.05


def test_what_the_standard_readers_cannot_do(tmp_path: Path) -> None:
    """Why lines are cut by hand: csv takes an open quotation mark to the file's end, with every record behind it."""
    table = PLAIN + 'r3,"p3,work,2026-08-03,,1\n' + "r4,p4,work,2026-08-04,,1\n" * 3
    assert len(list(csv.reader(io.StringIO(table)))) == 4
    found = items(tmp_path, table)
    assert [item.code if isinstance(item, Fault) else item[0] for item in found] == [
        "r1", "r2", RefusalCode.UNBALANCED_QUOTE, "r4", "r4", "r4",
    ]  # fmt: skip


@pytest.mark.parametrize("mark", ["", '"'])
@pytest.mark.parametrize("joined", ["\n", "\n\ufeff", "\n第二张表,,,,,\n"])
def test_another_header_with_its_columns_elsewhere_ends_the_table(tmp_path: Path, mark: str, joined: str) -> None:
    """Two tables on one sheet, or files that were joined: person and number would have changed places."""
    names = [HEADER.split(",")[at] for at in (1, 0, 2, 3, 4, 5)]
    second = ",".join(f"{mark}{name}{mark}" for name in names) + "\np9,r9,work,2026-08-03 09:00,,4\n"
    for changes in ({}, {"skip_rows": [{"column": "编号", "pattern": "编号|人员|第二张表"}]}):
        *rows, end = items(tmp_path, PLAIN.rstrip("\n") + joined + second, one(**changes))
        assert isinstance(end, ReadFailure)
        assert end.code is RefusalCode.SECOND_HEADER
        assert "r9" not in str(rows)
        assert rows[:2] == GOOD
    again = items(tmp_path, PLAIN + PLAIN)
    assert [row for row in again if row[0] != "编号"] == GOOD * 2, "the same header again moves nothing"


def test_nothing_but_blank_lines_is_an_empty_file(tmp_path: Path) -> None:
    for content in ("\n\n  \n", "\r\n", "\ufeff\n\n"):
        [end] = items(tmp_path, content)
        assert (end.code, isinstance(end, ReadFailure)) == (RefusalCode.EMPTY_FILE, True)


@pytest.mark.parametrize(("mark", "shown"), [(";", "';'"), ("\t", r"'\t'"), ("，", "'，'")])
def test_another_mark_between_columns_is_named(tmp_path: Path, mark: str, shown: str) -> None:
    [end] = items(tmp_path, PLAIN.replace(",", mark))
    assert end.code is RefusalCode.HEADER_MISMATCH
    assert f"parted by {shown}" in str(end)


def test_characters_of_two_bytes_without_a_mark_are_another_encoding(tmp_path: Path) -> None:
    for encoding in ("utf-16-le", "utf-16-be", "utf-32"):
        [end] = items(tmp_path, "id,who,what,when,until,amount\n".encode(encoding), mapping())
        assert end.code is RefusalCode.WRONG_ENCODING


@pytest.mark.parametrize("text", ["编号,姓名\n1,志愿\n", "编号,姓名\n", "id,name\n1,朱镕基\n"])
def test_what_charset_normalizer_does_instead(text: str) -> None:
    """Why encodings are agreed and tried in order, and never guessed: a short table in GBK is Korean, or Big5, to it,
    and nothing says that the names are wrong."""
    guess = charset_normalizer.from_bytes(text.encode("gb18030")).best()
    assert guess is not None
    assert str(guess) != text
