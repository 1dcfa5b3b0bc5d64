"""What a clerk should look at before a file is taken in, in words that say what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from issuers.answers import Notice


def notices_of(repeats: Mapping[str, int], ruined: Mapping[str, int], numbers_max: int | None) -> tuple[Notice, ...]:
    """Return the notices of a dry run.

    ``repeats``: repeated record numbers by kind; ``ruined``: by column, long numbers that end in 000; ``numbers_max``:
    how many record numbers were remembered, where there were more.
    """
    return tuple(_notices(repeats, ruined, numbers_max))


def _notices(repeats: Mapping[str, int], ruined: Mapping[str, int], numbers_max: int | None) -> Iterator[Notice]:
    others = repeats.get("other_person", 0) + repeats.get("other_day", 0)
    if others:
        yield Notice(
            "numbers_repeat",
            f"Record numbers repeat: {repeats.get('other_person', 0)} rows have the number of another person's record,"
            f" {repeats.get('other_day', 0)} that of another day's. Each would be held for two people. Where the system"
            " begins its numbers anew (each quarter, each year), let the mapping make the key of several columns:"
            " `record_id: {columns: [number, date]}`.",
            f"记录编号重复：{repeats.get('other_person', 0)} 行与他人的记录编号相同，"
            f"{repeats.get('other_day', 0)} 行与另一日期的记录编号相同，每一行都将暂缓，由两人裁定。"
            "如果系统按季度或年度重新编号，请在映射中用多列组成编号：`record_id: {columns: [编号, 日期]}`。",
        )
    if repeats.get("correction"):
        yield Notice(
            "versions_in_one_file",
            f"{repeats['correction']} rows are later versions of a record of this file: the last one counts.",
            f"{repeats['correction']} 行是本文件中同一记录的后续版本，以最后一行为准。",
        )
    for column, count in ruined.items():
        yield Notice(
            "digits_lost",
            f"In the column {column}, {count} numbers of 16 and more digits end in 000: a spreadsheet keeps 15 digits"
            " and puts zeros for the rest, and several people may have become one. Export the column as text (in Excel"
            " and WPS: format the cells as Text before the numbers are put in).",
            f"“{column}”列有 {count} 个 16 位及以上的编号以 000 结尾：电子表格只保留 15 位数字，其余变为 0，"
            "可能把几个人变成同一人。请把该列以文本格式导出（Excel 和 WPS：先将单元格格式设为“文本”，再填入编号）。",
        )
    if numbers_max is not None:
        yield Notice(
            "file_too_long_to_compare",
            f"Repeated record numbers were looked for among the first {numbers_max} only.",
            f"只在前 {numbers_max} 个记录编号中查找重复。",
        )
