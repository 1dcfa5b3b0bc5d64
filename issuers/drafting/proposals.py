"""A mapping proposed for a table: which column is which field, and what a person has to look at.

Nothing is certain here. What the names and values of columns say is weighed, the rulebook (where one is known) tells
which activities and units there can be, and every choice that could be another is a doubt, said in both languages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from issuers.drafting.columns import Column, Kind, judge, pattern_of
from issuers.drafting.tables import Table, placed
from issuers.drafting.words import EXTRAS, PERSONAL, ROLES, rank, unit_in, unit_named
from issuers.rules.rulebook import CompiledActivity, Rulebook
from issuers.rules.units import UNITS
from issuers.sources.mapping import TABLES, Mapping
from ledger.standard.ids import ProgrammeSlug

_CODE: Final = re.compile(r"[A-Z][A-Z0-9-]{1,31}")
_SCIENTIFIC: Final = re.compile(r"[0-9](\.[0-9]+)?[Ee]\+?[0-9]{1,3}")
_TOTAL: Final = re.compile(r"合计|小计|总计|共计|total|sum|grand total", re.IGNORECASE)
_MAXIMA: Final = {"hour": "24", "minute": "1440", "second": "86400"}
_UNKNOWN_ACTIVITY: Final = "ACTIVITY"
"""Stands for a code that a person has to write."""
_RARE: Final = 0.15
"""A value that comes less often than this part of its even share is taken for a slip."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that a person has to decide or look at."""

    en: str
    zh: str


@dataclass(slots=True)
class Proposal:
    """A mapping's content, what each column is for, and the doubts."""

    content: dict[str, Any]
    columns: tuple[Column, ...]
    uses: dict[str, str] = field(default_factory=dict)
    """By column: the field that reads it."""
    doubts: list[Doubt] = field(default_factory=list)

    def mapping(self) -> Mapping:
        """Return the proposal as a mapping. Raises pydantic.ValidationError, which would be our mistake."""
        return Mapping.model_validate(self.content)


def propose(table: Table, name: str, system: str, programme: ProgrammeSlug, book: Rulebook | None) -> Proposal:
    """Return a mapping for a table. ``book``: the programme's newest rulebook, if it is known."""
    return _Proposer(table, book).propose(name, system, programme)


class _Proposer:
    """One proposal in the making."""

    def __init__(self, table: Table, book: Rulebook | None) -> None:
        totals = {value for row in table.rows for value in row.values() if _TOTAL.fullmatch(value)}
        self._totals = sorted(totals) if table.form.format in TABLES else []
        kept = tuple(row for row in table.rows if not totals.intersection(row.values()))
        table = replace(table, rows=kept or table.rows)
        self._table = table
        self._book = book
        names = table.form.columns
        self._columns = {one: judge(one, table.values(one), len(table.rows)) for one in names}
        self._free = list(self._columns.values())
        self._fields: dict[str, dict[str, Any]] = {}
        self._result = Proposal({}, tuple(self._columns.values()))

    def propose(self, name: str, system: str, programme: ProgrammeSlug) -> Proposal:
        form = self._table.form
        self._times()
        unit = self._take("unit", [one for one in self._free if one.is_code and one.kind is Kind.TEXT])
        self._identifiers()
        codes = self._activity()
        self._revision()
        quantity = self._quantity(unit, codes)
        self._extras()
        content: dict[str, Any] = {"name": name, "system": system, "programme": programme, "format": form.format}
        if form.format in ("csv", "tsv") and form.encodings != ("utf-8",):
            content["encodings"] = list(form.encodings)
        if form.format == "csv" and form.delimiter != ",":
            content["delimiter"] = form.delimiter
        if form.records:
            content["records"] = form.records
        content |= {"time_zone": "Asia/Shanghai"} | placed(form)
        if self._totals:
            content["skip_rows"] = [{"pattern": "|".join(map(re.escape, self._totals))}]
        if form.rest is not None:
            content["rest"] = {"path": "/", "next_cursor": form.rest}
            self._doubt(
                "This looks like a page of an API: write its path and its paging into `rest`, or leave `rest` out.",
                "这像是接口返回的一页：请在 `rest` 中写明路径和翻页方式；若是普通文件，删去 `rest`。",
            )
        for column in form.equal_columns:
            self._doubt(
                f"Several columns are called {column}: say which one with `{column}[2]`, if it is not the first.",
                f"有多列同名“{column}”：如果不是第一列，请写成 `{column}[2]`。",
            )
        if self._table.unread:
            self._doubt(
                f"{self._table.unread} of the first rows could not be read as rows of this table.",
                f"前若干行中有 {self._table.unread} 行无法按本表读取。",
            )
        order = ("record_id", "source_id", "activity", "started_at", "ended_at", "day", "revision", "device")
        ranked = sorted(self._fields, key=lambda one: order.index(one) if one in order else len(order))
        content["fields"] = {one: self._fields[one] for one in ranked}
        content["quantity"] = quantity
        self._result.content = content
        return self._result

    # ------------------------------------------------------------------------------------------------ choosing

    def _take(self, role: str, among: Iterable[Column], *, words: Sequence[str] | None = None) -> Column | None:
        """Take the column whose name says a role most surely."""
        ranked = [(rank(tuple(words or ROLES[role]), one.name), one) for one in among]
        best = max(ranked, key=lambda one: one[0], default=(0, None))
        if best[0] == 0 or best[1] is None:
            return None
        return self._use(role, best[1])

    def _use(self, role: str, column: Column) -> Column:
        self._free = [one for one in self._free if one is not column]
        self._result.uses[column.name] = role
        return column

    def _doubt(self, english: str, chinese: str) -> None:
        self._result.doubts.append(Doubt(english, chinese))

    def _put(self, name: str, column: Column, **settings: Any) -> None:
        spec: dict[str, Any] = {"column": column.name} | {key: value for key, value in settings.items() if value}
        if column.is_optional and name not in ("record_id", "source_id", "activity"):
            spec["optional"] = True
        self._fields[name] = spec

    # -------------------------------------------------------------------------------------------------- fields

    def _times(self) -> None:
        self._apart()
        times = [one for one in self._free if one.kind in (Kind.TIME, Kind.DATE)]
        for role in ("declared_at", "revision", "ended_at", "started_at"):
            found = self._take(role, [one for one in times if one in self._free])
            if found is not None:
                kind = {"kind": "time"} if role in ("declared_at", "revision") else {}
                self._put(role, found, formats=_formats(found), **kind)
                self._mixed(found)
        left = [one for one in times if one in self._free]
        if not {"started_at", "day"} & self._fields.keys() and left:
            found = self._take("day", left) or self._use("day", left[0])
            if found.kind is Kind.TIME:
                self._result.uses[found.name] = "started_at"
                self._put("started_at", found, formats=_formats(found))
            else:
                self._put("day", found, kind="date", formats=_formats(found))
            self._fields["started_at" if found.kind is Kind.TIME else "day"].pop("optional", None)
            self._mixed(found)
        if not {"started_at", "day"} & self._fields.keys():
            name = self._table.form.columns[0]
            self._fields["day"] = {"column": name, "kind": "date"}
            self._doubt(
                "No column looks like a date: say which column has the deed's day.",
                "没有看起来像日期的列：请指明行为日期所在的列。",
            )

    def _apart(self) -> None:
        """Join a date and the times of day that stand in columns of their own."""
        clocks = [one for one in self._free if one.kind is Kind.CLOCK]
        dates = [one for one in self._free if one.kind is Kind.DATE]
        if not clocks or not dates:
            return
        date = max(dates, key=lambda one: rank(ROLES["day"], one.name))
        ended = self._take("ended_at", clocks)
        started = self._take("started_at", [one for one in clocks if one in self._free])
        left = [one for one in clocks if one in self._free]
        if started is None and left:
            started = self._use("started_at", left[0])
        for role, clock in (("started_at", started), ("ended_at", ended)):
            if clock is not None:
                self._fields[role] = {"columns": [date.name, clock.name], "formats": ["iso", "zh"]}
        self._use("started_at, ended_at" if ended else "started_at", date)
        self._mixed(date)

    def _mixed(self, column: Column) -> None:
        if column.has_months_and_days_mixed:
            self._doubt(
                f"{column.name}: is 03/04 the third of April or the fourth of March? The draft takes the day first.",
                f"“{column.name}”：03/04 是 4 月 3 日还是 3 月 4 日？草案按“日/月”读取。",
            )

    def _identifiers(self) -> None:
        able = [one for one in self._free if one.kind in (Kind.TEXT, Kind.NUMBER) and _may_identify(one)]
        source = max(able, key=lambda one: rank(ROLES["source_id"], one.name), default=None)
        if source is not None and not rank(ROLES["source_id"], source.name):
            source = None
        others = [one for one in able if one is not source]
        record = max(
            others,
            key=lambda one: (one.is_unique, rank(ROLES["record_id"], one.name), -others.index(one)),
            default=None,
        )
        if record is not None and not (rank(ROLES["record_id"], record.name) or _looks_like_key(record)):
            record = None
        if source is None:
            source = record
            self._doubt(
                "No column surely says whose the deed is: check `source_id`.",
                "没有能确定归属的列：请核对 `source_id`。",
            )
        if record is None and source is not None and source.is_unique:
            record = source
        for role, column in (("record_id", record), ("source_id", source)):
            if column is not None:
                self._ruined(column)
                self._use("record_id, source_id" if record is source else role, column)
                self._put(role, column, pattern=pattern_of(self._table.values(column.name)))
        if record is None:
            self._composite(source)
        elif not record.is_unique and record is not source:
            self._doubt(
                f"Numbers repeat in {record.name}: if they begin anew each quarter or year, make the key of several"
                " columns, `record_id: {columns: [number, date]}`.",
                f"“{record.name}”中有重复的编号：如果按季度或年度重新编号，请用多列组成编号，"
                "`record_id: {columns: [编号, 日期]}`。",
            )
        if "source_id" not in self._fields:
            self._fields["source_id"] = {"column": self._table.form.columns[0]}

    def _ruined(self, column: Column) -> None:
        if any(_SCIENTIFIC.fullmatch(value) for value in self._table.values(column.name)):
            self._doubt(
                f"{column.name}: a spreadsheet has turned numbers into the form 5.1E+17 and dropped digits. Export the"
                " column as text; such rows are refused.",
                f"“{column.name}”：电子表格已把编号变成 5.1E+17 的形式，部分数字丢失。"
                "请以文本格式重新导出；这些行会被退回。",
            )

    def _composite(self, source: Column | None) -> None:
        """Make a key of several columns, where no column has one."""
        moment = self._fields.get("started_at") or self._fields.get("day") or {}
        columns = [one for one in (source.name if source else None, moment.get("column")) if one]
        self._fields["record_id"] = {"columns": columns} if columns else {"column": self._table.form.columns[0]}
        self._doubt(
            "No column numbers the records. The draft makes a key of person and time: two deeds of a person at one time"
            " would be one.",
            "没有记录编号列。草案以人员和时间组成编号：同一人同一时间的两次行为会被视为一次。",
        )

    def _activity(self) -> list[CompiledActivity]:
        """Choose the activity's column; returns the rules of what stands in it."""
        rules = list(self._book.activities.values()) if self._book is not None else []
        able = [one for one in self._free if one.is_code and one.kind is Kind.TEXT]
        known = {one.code for one in rules}

        def fit(column: Column) -> tuple[int, int]:
            hits = sum(count for value, count in column.common if value in known or _rule_for(value, rules))
            return hits, rank(ROLES["activity"], column.name)

        column = max(able, key=fit, default=None)
        if column is not None and fit(column) == (0, 0):
            column = None
        if column is None:
            code = rules[0].code if len(rules) == 1 else _UNKNOWN_ACTIVITY
            self._fields["activity"] = {"constant": code}
            if len(rules) != 1:
                self._doubt(
                    "No column names an activity: write the rulebook's code of what these records are.",
                    "没有活动类别列：请写明这些记录在积分规则中的活动代码。",
                )
            return rules if len(rules) == 1 else []
        self._use("activity", column)
        usual = column.filled / max(column.distinct, 1)
        common = [value for value, count in column.common if count >= usual * _RARE]
        codes = sum(count for value, count in column.common if _CODE.fullmatch(value))
        if codes >= column.filled * 0.8:
            self._put("activity", column, pattern=_CODE.pattern)
            return [one for one in rules if one.code in column_values(column)]
        values: dict[str, str] = {}
        for value in common:
            rule = _rule_for(value, rules) or (rules[0] if len(rules) == 1 else None)
            if rule is not None:
                values[value] = rule.code
        unknown = [value for value, _ in column.common if value not in values]
        if unknown:
            shown = "、".join(unknown[:8])
            self._doubt(
                f"{column.name}: {shown} fit no activity of the rulebook surely; such records are refused until they"
                " stand in `values`.",
                f"“{column.name}”：{shown} 与积分规则中的活动没有明确对应；写入 `values` 之前，这些记录会被退回。",
            )
        self._put("activity", column, values=values or dict.fromkeys(common, "ACTIVITY"))
        return [one for one in rules if one.code in values.values()]

    def _revision(self) -> None:
        if "revision" not in self._fields:
            found = self._take("revision", [one for one in self._free if one.kind is Kind.NUMBER])
            if found is not None:
                self._put("revision", found)

    def _quantity(self, unit: Column | None, rules: Sequence[CompiledActivity]) -> list[dict[str, Any]]:
        able = [one for one in self._free if one.kind in (Kind.NUMBER, Kind.DURATION)]
        column = self._take("quantity", able)
        times = {"started_at", "ended_at"} <= self._fields.keys()
        if column is None and times and all(one.dimension == "time" for one in rules) and rules:
            return [{"between": True}]
        if column is None:
            unsure = [one for one in able if not one.is_unique]
            column = self._use("quantity", unsure[0]) if unsure else None
            what = f"`{column.name}`" if column else "1"
            self._doubt(
                f"No column surely says how much: the draft takes {what}.",
                f"没有能确定数量的列：草案取 {what}。",
            )
        base: dict[str, Any] = {"constant": "1"} if column is None else {"column": column.name}
        if column is not None and column.suffix:
            base["strip_suffix"] = column.suffix
        if column is not None and column.thousands:
            base["thousands"] = ","
        if column is not None and column.kind is Kind.DURATION:
            base["forms"] = ["words"]
        if unit is not None:
            return [base | {"unit": self._unit_field(unit)} | self._maximum(column, None)]
        said = None if column is None else unit_named(column.suffix) or unit_in(column.name)
        fitting = {one.unit for one in rules}
        if said is not None and (not rules or any(_same_dimension(said, one) for one in fitting)):
            return [base | {"unit": said} | self._maximum(column, said)]
        if len(fitting) > 1:
            return [
                base
                | {"unit": one, "activities": [rule.code for rule in rules if rule.unit == one]}
                | self._maximum(column, one)
                for one in sorted(fitting)
            ]
        chosen = next(iter(fitting), said or "one")
        if not fitting:
            self._doubt(
                f"No column or header names the quantity's unit: the draft takes `{chosen}`.",
                f"没有列或表头写明数量单位：草案取 `{chosen}`。",
            )
        return [base | {"unit": chosen} | self._maximum(column, chosen)]

    def _unit_field(self, unit: Column) -> dict[str, Any]:
        values = {value: found for value, _ in unit.common if (found := unit_named(value)) is not None}
        unknown = [value for value, _ in unit.common if value not in values]
        if unknown:
            self._doubt(
                f"{unit.name}: {'、'.join(unknown[:8])} name no known unit.",
                f"“{unit.name}”：{'、'.join(unknown[:8])} 不是已知的单位。",
            )
        return {"column": unit.name, "values": values}

    def _maximum(self, column: Column | None, unit: str | None) -> dict[str, str]:
        """Return ten times the most that was seen, or what a day has."""
        if column is None or column.kind is not Kind.NUMBER:
            return {}
        if unit in _MAXIMA:
            return {"maximum": _MAXIMA[unit]}
        numbers = [one for one in map(_number, self._table.values(column.name)) if one is not None and one > 0]
        if not numbers:
            return {}
        top = int(max(numbers)) * 10 + 10
        return {"maximum": str(-(-top // 10 ** (len(str(top)) - 1)) * 10 ** (len(str(top)) - 1))}

    def _extras(self) -> None:
        required = set().union(*(one.requires for one in self._book.activities.values())) if self._book else set()
        device = self._take("device", [one for one in self._free if one.kind in (Kind.TEXT, Kind.NUMBER)])
        if device is not None:
            self._put("device", device)
            self._fields["device"]["optional"] = True
        for name, words in EXTRAS.items():
            found = self._take(name, self._worth_keeping(), words=words)
            activity = self._fields["activity"].get("column")
            codes = set(self._fields["activity"].get("values", {}).values())
            is_merged = len(codes) == 1 and codes != {_UNKNOWN_ACTIVITY}
            if found is None and name == "category" and is_merged and activity is not None:
                found = self._columns[activity]  # several kinds are one activity: the kind itself would be lost
            if found is not None:
                self._put(name, found)
                if name == "title" and name not in required:
                    self._fields[name]["optional"] = True
        for name in sorted(required - self._fields.keys()):
            self._doubt(
                f"The rulebook requires the field `{name}`, and no column looks like it.",
                f"积分规则要求字段 `{name}`，但没有看起来对应的列。",
            )
        for column in self._free:
            if any(word in column.name.lower() for word in PERSONAL):
                self._result.uses[column.name] = "(personal: left unread)"

    def _worth_keeping(self) -> list[Column]:
        return [
            one
            for one in self._free
            if one.kind is Kind.TEXT and not any(word in one.name.lower() for word in PERSONAL)
        ]


def column_values(column: Column) -> set[str]:
    """Return the values of a column that were counted."""
    return {value for value, _ in column.common}


def likeness(table: Table, book: Rulebook) -> int:
    """Return how much a table speaks of what a rulebook rates: codes, names, units, and words of its title."""
    found = 0
    said = " ".join(table.form.columns)
    rules = list(book.activities.values())
    codes = {one.code for one in rules}
    for column in table.form.columns:
        values = table.values(column)
        found += 10 * any(value in codes for value in values[:200])
        found += 10 * any(_rule_for(value, rules) is not None for value in set(values[:200]))
        unit = unit_in(column)
        found += 2 * (unit is not None and any(_same_dimension(unit, one.unit) for one in rules))
        units = {unit_named(value) for value in set(values[:200])} - {None}
        found += 3 * bool(units & {one.unit for one in rules})
    title = re.sub("积分|规则|登记|一次|一小时", "", book.file.title.zh)
    words = {title[at : at + 2] for at in range(len(title) - 1)}
    text = said + " ".join(value for row in table.rows[:100] for value in row.values())
    return found + sum(2 for word in words if word in text)


def _rule_for(value: str, rules: Sequence[CompiledActivity]) -> CompiledActivity | None:
    """Return the one rule whose name says the value, or nothing."""
    plain = unicodedata.normalize("NFKC", value).strip().lower()
    if len(plain) < 2:
        return None
    found = [
        one
        for one in rules
        if plain in (one.code.lower(), one.names.zh.lower(), one.names.en.lower())
        or (not plain.isascii() and (plain in one.names.zh or one.names.zh in plain))
    ]
    return found[0] if len(found) == 1 else None


def _same_dimension(unit: str, other: str) -> bool:
    return UNITS[unit].dimension == UNITS[other].dimension


def _may_identify(column: Column) -> bool:
    """Return whether a column can hold identifiers: not few values again and again, unless its name says so."""
    named = rank(ROLES["record_id"], column.name) or rank(ROLES["source_id"], column.name)
    return not column.is_code or bool(named and any("9" in form for form in column.forms))


def _looks_like_key(column: Column) -> bool:
    """Return whether a column may be a number of records by what stands in it; a quantity has decimals."""
    is_quantity = column.kind is Kind.NUMBER and any("." in form for form in column.forms)
    is_bounded = column.is_unique and column.lengths[1] <= 40
    return is_bounded and not is_quantity and all(form.isascii() for form in column.forms)


def _formats(column: Column) -> list[str]:
    return [] if column.formats == ("iso",) else list(column.formats)


def _number(text: str) -> Decimal | None:
    plain = unicodedata.normalize("NFKC", text).replace(",", "").strip()
    return Decimal(plain) if re.fullmatch(r"[0-9]{1,15}(\.[0-9]+)?", plain) else None
