"""Mapping files: how a source system's columns become a record. A new agency is a mapping and a rulebook, no code.

A mapping names the format, the columns (or JSON paths, or XML elements) of each field, their forms, units, tables of
values and the time zone. ``Mapping.load`` reads one from YAML and refuses what it does not know.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import pydantic

from issuers.errors import CaseDisagrees, UnknownMapping
from issuers.rules.units import UNITS
from issuers.yaml_file import load_yaml
from ledger.errors import ConfigurationError
from ledger.standard.identifiers import IdentifierForms
from ledger.standard.ids import ProgrammeId, ProgrammeSlug

Format = Literal["csv", "tsv", "xlsx", "json", "jsonl", "xml"]
TABLES = ("csv", "tsv", "xlsx")
_ID = r"^[a-z0-9][a-z0-9-]{0,62}$"
_POSITION = re.compile(r"(.+)\[([1-9][0-9]{0,2})\]", re.DOTALL)
EMPTY = (
    "NULL", "(null)", "None", "nil", "NaN", "NaT", "<NA>", "\\N", "undefined", "NA", "N/A", "#N/A", "#REF!", "#VALUE!",
    "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "无", "暂无", "/", "\\", "-", "--", "—", "——", "－",
)  # fmt: skip
"""What sources write for nothing, in small or capital letters."""


def column_position(column: str) -> tuple[str, int] | None:
    """Return name and place of ``name[2]``: the second of several columns (or elements) of that name."""
    found = _POSITION.fullmatch(column)
    return None if found is None else (found[1], int(found[2]))


def _checked(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, pydantic.AfterValidator(_checked)]


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class FieldSpec(_Model):
    """Where a field comes from and what form it has."""

    column: str | None = None
    """Column of the header, dotted path in JSON, or path of elements (``a/b``, ``@attribute``) in XML. ``name[2]`` is
    the second of several columns or elements of one name."""
    columns: tuple[str, ...] = ()
    """Several columns that are joined by ``|``: a natural id where the source has none of its own. Of a time: its date
    and its time of day, in this order."""
    constant: str | None = None
    """A value that is the same for all records."""
    kind: Literal["text", "time", "date", "decimal"] = "text"
    """Form of a further field. ``started_at``, ``ended_at`` and ``day`` are times whatever stands here."""
    optional: bool = False
    """Whether a record may leave the field empty; otherwise such a record is refused."""
    pattern: Pattern | None = None
    """Regular expression that the whole text must match."""
    length_max: Annotated[int, pydantic.Field(ge=1, le=4000)] = 200
    """Most characters; a longer text is refused."""
    formats: tuple[str, ...] = ()
    """strptime formats of a time or date, tried in order. Also ``iso``; ``zh`` (Chinese words with or without the half
    of the day, 2026.03.13, 2026/3/13 15:05); ``unix`` and ``unix-ms`` (seconds and milliseconds since 1970); ``excel``
    (a day's number). None: ``iso``. A workbook's date cells need none."""
    empty: tuple[str, ...] | None = None
    """What stands for nothing in this field, instead of the mapping's list."""
    values: dict[str, str] = {}
    """Table from the source's values to ours."""
    otherwise: str | None = None
    """What a value outside the table becomes; without it such a record is refused."""
    case: Literal["ignore", "keep"] | None = None
    """Of an identifier: whether ``aB1`` and ``AB1`` are one (``ignore``) or two (``keep``). None: one for
    ``source_id``, two for ``record_id`` and ``device``. All mappings of a programme say the same of ``source_id``.
    Whatever stands here, full-width digits, blanks and characters that nobody sees make no difference."""
    strip_suffix: str = ""
    """Text that is cut off at the end before anything else is looked at: a unit that stands behind the number."""

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> FieldSpec:
        if sum((self.column is not None, bool(self.columns), self.constant is not None)) != 1:
            raise ValueError("give exactly one of column, columns and constant")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns that are read."""
        return (self.column,) if self.column is not None else self.columns


Form = Literal["number", "words", "h:mm", "mm:ss"]


class QuantitySpec(FieldSpec):
    """The quantity that is rated: a column with its unit, or the time between start and end."""

    column: str | None = None
    between: bool = False
    """The quantity is the time from ``started_at`` to ``ended_at``."""
    unit: str | FieldSpec = "one"
    """A unit's name, or the field that names it."""
    activities: tuple[str, ...] = ()
    """Only for these activities (after their table of values); none: for all."""
    maximum: str = "1000000"
    """Anything above is not plausible (in the source's unit)."""
    forms: Annotated[tuple[Form, ...], pydantic.Field(min_length=1)] = ("number",)
    """Forms of the cell, tried in order: ``number``; ``words``, a number with its unit in Chinese or English (2h30m,
    1.5kg); ``h:mm`` and ``mm:ss``, with a third part of seconds or hours where there is one. A workbook's duration
    cells (``[h]:mm``) need none."""
    thousands: Literal[",", ".", " ", "'"] | None = None
    """Mark between groups of three digits. Without it 1,000 is refused."""
    decimal_mark: Literal[".", ","] = "."
    """Mark before the decimals."""
    places: Annotated[int, pydantic.Field(ge=0, le=12)] = 9
    """Decimals that are kept. What a program printed with more (3.4499999999999997) is rounded to them, half up,
    before anything is rated."""

    @pydantic.model_validator(mode="after")
    def _marks_differ(self) -> QuantitySpec:
        if self.thousands == self.decimal_mark:
            raise ValueError("thousands and decimal_mark are the same mark")
        return self

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> QuantitySpec:
        if sum((self.column is not None, self.constant is not None, self.between)) != 1:
            raise ValueError("give exactly one of column, constant and between")
        if isinstance(self.unit, str) and self.unit not in UNITS:
            raise ValueError(f"unknown unit {self.unit!r}")
        return self


class RestSpec(_Model):
    """A paged REST API: how a page is asked for and where its parts stand (dotted paths in its JSON)."""

    path: str
    """Path below the base URL, which the command names."""
    paging: Literal["cursor", "page", "offset", "next_url"] = "cursor"
    """How a page leads to the next one: by a cursor that it names, by the next number, by the number of records so far,
    or by a whole address that it names. By number and offset the pull ends at an empty page, or as ``has_more`` and
    ``total`` say."""
    cursor_parameter: str = "cursor"
    """Query parameter that continues after a page: the cursor, the page's number, or the offset."""
    size_parameter: str = "limit"
    """Query parameter for the size of a page."""
    size: Annotated[int, pydantic.Field(ge=1, le=5000)] = 500
    """Records asked for in a page."""
    first: Annotated[int, pydantic.Field(ge=0)] = 1
    """Number of the first page (``paging: page``)."""
    next_cursor: str = "next_cursor"
    """Where a page has the next one's cursor or address; empty or missing on the last page."""
    has_more: str = ""
    """Where a page says whether more follows. None: looked for as ``has_more`` and ``hasMore`` beside
    ``next_cursor``."""
    total: str = ""
    """Where a page says how many records there are in all. A pull that brought fewer is not ok."""
    success: dict[str, tuple[str, ...]] = {}
    """Where a page says how it went, and the values that mean success (``code: ["0", "200"]``). None: a well-known name
    beside the records (``code``, ``errcode``, ``success`` and such) that says otherwise than 0, 200, ok or true ends
    the pull."""
    attempts_max: Annotated[int, pydantic.Field(ge=1, le=20)] = 6
    """How often a page is asked for while the system is busy or cannot be reached."""
    timeout_s: Annotated[float, pydantic.Field(gt=0, le=120)] = 15.0
    """Seconds that an answer may take."""


class SkipRow(_Model):
    """Rows that are no records: totals, signatures, remarks, a header that is printed again."""

    column: str | None = None
    """Column whose text is looked at; none: any cell of the row."""
    pattern: Pattern
    """Regular expression that the whole text must match (the words for totals, say). The empty one finds empty cells,
    and needs a column."""

    @pydantic.model_validator(mode="after")
    def _is_narrow(self) -> SkipRow:
        if self.column is None and re.fullmatch(self.pattern, "") is not None:
            raise ValueError("without a column the pattern would skip every row that has an empty cell")
        return self


class Mapping(_Model):
    """One source system's way of speaking."""

    name: Annotated[str, pydantic.Field(pattern=_ID)]
    """The mapping's name, which is its file's name without ``.yaml``."""
    system: Annotated[str, pydantic.Field(pattern=_ID)]
    """Natural ids are unique within a system; two files of one system may hold the same record."""
    programme: Annotated[ProgrammeSlug, pydantic.Field(pattern=_ID)]
    """Slug of the programme that the records are for."""
    format: Format
    """What the files are; ``json`` with `rest` for an API."""
    encodings: tuple[str, ...] = ("utf-8",)
    """Agreed encodings, in the order in which they are tried; a byte order mark wins."""
    delimiter: str = ","
    """Character between the columns of CSV."""
    time_zone: str = "Asia/Shanghai"
    """Zone of times that name none (IANA name)."""
    sheet: str | None = None
    """Name of the workbook's sheet. None: the first one that is not hidden."""
    hidden_rows: Literal["refuse", "read", "skip"] = "refuse"
    """What a workbook's hidden rows are, which a filter or a hand has taken out of sight: refused until somebody shows
    or deletes them, records like the others, or no records."""
    header_row: Annotated[int, pydantic.Field(ge=1, le=1000)] | Literal["find"] = 1
    """Line of the table's header, counted from 1, where titles stand above it; ``find``: the first line of a hundred
    that has every required column."""
    skip_rows: tuple[SkipRow, ...] = ()
    """Rows of a table that are no records. A row that one of these describes is left out, and not counted."""
    fill_down: tuple[str, ...] = ()
    """Columns of merged cells: where such a cell is empty, the value above it holds."""
    empty: tuple[str, ...] = EMPTY
    """What stands for nothing in a cell. A value of a field's table (`values`) does not."""
    prefix_guards: tuple[str, ...] = ()
    """Marks before a text that keep a spreadsheet from changing it (``'0123``), taken off. ``="0123"`` needs none."""
    member: str | None = None
    """Pattern of the name (``*.csv``) of the one file to read in a zip of several."""
    records: str = ""
    """JSON: path of the array (none: the document is it). XML: name of a record's element, or the end of
    the path to it (``row/row`` where the records stand in an element of their own name)."""
    rest: RestSpec | None = None
    """For a paged REST API: how pages are asked for."""
    fields: dict[str, FieldSpec]
    """The record's fields by name. Some names have a meaning of their own; any other is kept with the record."""
    quantity: tuple[QuantitySpec, ...]
    """What is rated. The first entry that is for the record's activity counts."""
    day_may_change: bool | None = None
    """Whether a later revision of a record may bear another day. Otherwise a known number with another person or
    another day is held, for two people to decide. None: only where the number is the person's own (``record_id`` and
    ``source_id`` read the same columns)."""

    @pydantic.model_validator(mode="after")
    def _complete(self) -> Mapping:
        for name in ("record_id", "source_id", "activity"):
            if name not in self.fields:
                raise ValueError(f"the field {name} is not mapped")
        if "started_at" not in self.fields and "day" not in self.fields:
            raise ValueError("map started_at or day: a deed has a date")
        for name in self.fields:
            if not name.isascii() or not name.isidentifier():
                raise ValueError(f"field name {name!r} is not an ASCII identifier")
        if not self.quantity:
            raise ValueError("no quantity is mapped")
        if any(spec.between for spec in self.quantity) and not {"started_at", "ended_at"} <= self.fields.keys():
            raise ValueError("a quantity between start and end needs started_at and ended_at")
        if self.format == "xml" and not self.records:
            raise ValueError("an XML mapping names the element of a record in `records`")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time zone {self.time_zone!r}") from error
        return self

    @pydantic.model_validator(mode="after")
    def _table(self) -> Mapping:
        if (self.fill_down or self.skip_rows) and self.format not in TABLES:
            raise ValueError("fill_down and skip_rows are for tables: csv, tsv and xlsx")
        unread = [column for column in self.fill_down if column not in self.columns]
        if unread:
            raise ValueError(f"fill_down names {unread[0]!r}, which no field reads")
        return self

    @property
    def keeps_case(self) -> bool:
        """Whether source ids that differ in case alone are two people's."""
        return self.fields["source_id"].case == "keep"

    @property
    def lets_day_change(self) -> bool:
        """Whether a later revision of a record may bear another day."""
        if "revision" not in self.fields:
            return False
        if self.day_may_change is not None:
            return self.day_may_change
        return self.fields["record_id"].sources == self.fields["source_id"].sources

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, once, in a fixed order."""
        seen: dict[str, None] = {}
        for spec in (*self.fields.values(), *self.quantity):
            seen.update(dict.fromkeys(spec.sources))
            if isinstance(spec, QuantitySpec) and isinstance(spec.unit, FieldSpec):
                seen.update(dict.fromkeys(spec.unit.sources))
        return tuple(seen)

    @property
    def time_columns(self) -> frozenset[str]:
        """The columns that are read as times or dates."""
        times = ("started_at", "ended_at", "day")
        specs = [spec for name, spec in self.fields.items() if name in times or spec.kind in ("time", "date")]
        return frozenset(source for spec in specs for source in spec.sources)

    @property
    def columns_required(self) -> tuple[str, ...]:
        """The columns that a header must have."""
        optional = {source for spec in self.fields.values() if spec.optional for source in spec.sources}
        needed = {source for spec in self.fields.values() if not spec.optional for source in spec.sources}
        return tuple(column for column in self.columns if column in needed or column not in optional)

    @property
    def hash(self) -> bytes:
        """SHA-256 of the mapping's content, kept with each delivery."""
        return hashlib.sha256(orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).digest()

    @classmethod
    def load(cls, path: Path) -> Mapping:
        """Read a mapping file. Raises ConfigurationError that names the file and the place."""
        return load_yaml(cls, path)


def forms_of(mappings: Iterable[Mapping], programmes: Collection[tuple[ProgrammeId, ProgrammeSlug]]) -> IdentifierForms:
    """Return how source ids are compared, as the mappings say. Raises CaseDisagrees where two of a programme differ."""
    said: dict[ProgrammeSlug, dict[bool, str]] = {}
    for one in mappings:
        said.setdefault(one.programme, {})[one.keeps_case] = one.name
    for names in said.values():
        if len(names) > 1:
            raise CaseDisagrees(names[True], names[False])
    return IdentifierForms(frozenset(number for number, slug in programmes if True in said.get(slug, {})))


FOLDER = Path(__file__).parent / "mappings"


class MappingFolder:
    """A folder of mapping files, and what may be said instead of one of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Mapping]:
        """Return all mappings by the files' names. Raises ConfigurationError."""
        found: dict[str, Mapping] = {}
        for path in sorted(self._folder.glob("*.yaml")):
            one = Mapping.load(path)
            if one.name in found:
                # Deliveries and pushes name their mapping: of two, nobody could say which one read them.
                raise ConfigurationError(f"{path.name}: another mapping here is named {one.name!r}; rename one of them")
            found[one.name] = one
        return list(found.values())

    def of(self, slug: ProgrammeSlug) -> list[Mapping]:
        """Return a programme's mappings by the files' names. Raises ConfigurationError."""
        return [one for one in self.all() if one.programme == slug]

    def load(self, mapping: str | Path) -> Mapping:
        """Return a mapping by its name here, or from a file. Raises UnknownMapping or ConfigurationError."""
        if isinstance(mapping, Path):
            return Mapping.load(mapping)
        path = self._folder / f"{mapping}.yaml"
        if not path.is_file():
            raise UnknownMapping(mapping, "*")
        return Mapping.load(path)

    def find(self, slug: ProgrammeSlug, mapping: str | Path | Mapping | None, path: Path | None) -> Mapping:
        """Return a mapping by name or file, or the programme's own for a file's extension. Raises UnknownMapping."""
        if isinstance(mapping, Mapping):
            found = mapping
        elif mapping is not None:
            found = self.load(mapping)
        else:
            own = self.of(slug)
            suffixes = [] if path is None else [one.lstrip(".").lower() for one in path.suffixes]
            fitting = [one for one in own if one.rest is None and one.format in suffixes] if path else own
            if not fitting:
                raise UnknownMapping("*" + "".join(path.suffixes) if path else "*", slug)
            found = fitting[0]
        if found.programme != slug:
            raise UnknownMapping(found.name, slug)
        return found
