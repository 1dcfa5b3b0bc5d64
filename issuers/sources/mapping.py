"""Mapping files: how a source system's columns become a record. A new agency is a mapping and a rulebook, no code.

A mapping names the format, the columns (or JSON paths, or XML elements) of each field, their forms, units, tables of
values and the time zone. ``Mapping.load`` reads one from YAML and refuses what it does not know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import pydantic

from issuers.errors import CaseDisagrees, UnknownMapping
from issuers.rules.units import UNITS
from issuers.yaml_file import load_yaml
from ledger.standard.identifiers import IdentifierForms
from ledger.standard.ids import ProgrammeId, ProgrammeSlug

Format = Literal["csv", "tsv", "xlsx", "json", "jsonl", "xml"]
_ID = r"^[a-z0-9][a-z0-9-]{0,62}$"


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class FieldSpec(_Model):
    """Where a field comes from and what form it has."""

    column: str | None = None
    """Column of the header, dotted path in JSON, or path of elements (``a/b``, ``@attribute``) in XML."""
    columns: tuple[str, ...] = ()
    """Several columns that are joined by ``|``: a natural id where the source has none of its own."""
    constant: str | None = None
    """A value that is the same for all records."""
    kind: Literal["text", "time", "date", "decimal"] = "text"
    """Form of a further field. ``started_at``, ``ended_at`` and ``day`` are times whatever stands here."""
    optional: bool = False
    """Whether a record may leave the field empty; otherwise such a record is refused."""
    pattern: str | None = None
    """Regular expression that the whole text must match."""
    length_max: Annotated[int, pydantic.Field(ge=1, le=4000)] = 200
    """Most characters; a longer text is refused."""
    formats: tuple[str, ...] = ()
    """strptime formats of a time or date, tried in order; ``iso``, ``unix`` and ``excel`` too. None: ``iso``."""
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
    cursor_parameter: str = "cursor"
    """Query parameter that continues after a page."""
    size_parameter: str = "limit"
    """Query parameter for the size of a page."""
    size: Annotated[int, pydantic.Field(ge=1, le=5000)] = 500
    """Records asked for in a page."""
    next_cursor: str = "next_cursor"
    """Where a page has the next one's cursor; empty or missing on the last page."""
    attempts_max: Annotated[int, pydantic.Field(ge=1, le=20)] = 6
    """How often a page is asked for while the system is busy or cannot be reached."""
    timeout_s: Annotated[float, pydantic.Field(gt=0, le=120)] = 15.0
    """Seconds that an answer may take."""


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
    records: str = ""
    """JSON: path of the array (none: the document is it). XML: name of a record's element."""
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
        return [Mapping.load(path) for path in sorted(self._folder.glob("*.yaml"))]

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
