"""Schemas take what the code takes and refuse what it refuses; the pages have both languages."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pydantic
import pytest
import yaml

from issuers.rules.rulebook import RULEBOOKS
from issuers.sources import normalise
from issuers.sources.mapping import FOLDER as MAPPINGS
from ledger.errors import ConfigurationError
from scripts.reference import formats
from scripts.reference.formats import MAPPING, RULEBOOK, Format

FILES = [(MAPPING, path) for path in sorted(MAPPINGS.glob("*.yaml"))] + [
    (RULEBOOK, path) for path in sorted(RULEBOOKS.glob("*.yaml"))
]
Place = tuple[str | int, ...]


class EditorsLoader(yaml.SafeLoader):
    """Reads YAML as editors do, to whom a date is text (YAML 1.2's core schema)."""


EditorsLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def content_of(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), EditorsLoader)


def by_schema(which: Format, content: Any) -> bool:
    schema = formats.schema_of(which)
    return jsonschema.Draft202012Validator(schema).is_valid(content)


def by_code(which: Format, content: Any) -> bool:
    try:
        which.model.model_validate(content)
    except pydantic.ValidationError:
        return False
    return True


def changed(content: Any, place: Place, value: Any) -> Any:
    """Return a copy with ``value`` at a place, or without what is there if it is ``...``."""
    copied = copy.deepcopy(content)
    inner = copied
    for step in place[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return copied


@pytest.mark.parametrize("which", [MAPPING, RULEBOOK], ids=lambda which: which.name)
def test_the_schema_is_a_schema(which: Format) -> None:
    jsonschema.Draft202012Validator.check_schema(formats.schema_of(which))


@pytest.mark.parametrize(("which", "path"), FILES, ids=lambda value: getattr(value, "stem", ""))
def test_every_file_of_ours_fits(which: Format, path: Path) -> None:
    jsonschema.validate(content_of(path), formats.schema_of(which))


@pytest.mark.parametrize(
    ("which", "name", "place", "value"),
    [
        (MAPPING, "volunteer-csv", ("format",), "parquet"),
        (MAPPING, "volunteer-csv", ("feilds",), {}),
        (MAPPING, "volunteer-csv", ("programme",), ...),
        (MAPPING, "volunteer-csv", ("name",), "Volunteers' own"),
        (MAPPING, "volunteer-csv", ("fields", "source_id"), ...),
        (MAPPING, "volunteer-csv", ("fields", "started_at"), ...),
        (MAPPING, "volunteer-csv", ("fields", "project", "constant"), "none"),
        (MAPPING, "volunteer-csv", ("fields", "project", "column"), ...),
        (MAPPING, "volunteer-csv", ("fields", "project", "length_max"), 100_000),
        (MAPPING, "volunteer-csv", ("fields", "项目"), {"column": "a"}),
        (MAPPING, "volunteer-csv", ("quantity", 0, "unit"), "fortnight"),
        (MAPPING, "volunteer-csv", ("quantity", 0, "between"), True),
        (MAPPING, "culture-rest", ("rest", "size"), 0),
        (RULEBOOK, "volunteer-1", ("version",), 0),
        (RULEBOOK, "volunteer-1", ("validity_quarters",), "for ever"),
        (RULEBOOK, "volunteer-1", ("effective_from",), ...),
        (RULEBOOK, "volunteer-1", ("title",), "Points"),
        (RULEBOOK, "volunteer-1", ("approval", "state"), "perhaps"),
        (RULEBOOK, "volunteer-1", ("activities",), []),
        (RULEBOOK, "volunteer-1", ("activities", 0, "code"), "service"),
        (RULEBOOK, "volunteer-1", ("activities", 0, "unit"), "fortnight"),
        (RULEBOOK, "volunteer-1", ("activities", 0, "points_per_unit"), 10),
        (RULEBOOK, "volunteer-1", ("activities", 0, "points"), "10"),
        (RULEBOOK, "volunteer-1", ("activities", 0, "points_per_unit"), ...),
        (RULEBOOK, "volunteer-1", ("activities", 0, "step"), "2"),
        (RULEBOOK, "volunteer-1", ("activities", 0, "screens", 0), "smell"),
        (RULEBOOK, "volunteer-1", ("activities", 0, "caps", 0, "per"), "decade"),
        (RULEBOOK, "volunteer-1", ("activities", 0, "caps", 0, "deeds"), 1),
        (RULEBOOK, "volunteer-1", ("caps", 0, "points"), ...),
    ],
)
def test_what_is_wrong_is_refused_by_schema_and_code(which: Format, name: str, place: Place, value: Any) -> None:
    content = content_of(next(path for kind, path in FILES if kind is which and path.stem == name))
    assert by_schema(which, content)
    assert by_code(which, content)
    wrong = changed(content, place, value)
    assert not by_schema(which, wrong)
    assert not by_code(which, wrong)


@pytest.mark.parametrize("which", [MAPPING, RULEBOOK], ids=lambda which: which.name)
def test_every_setting_has_a_description_in_both_languages(which: Format) -> None:
    schema = formats.schema_of(which)
    for name, definition in (schema["$defs"] | {"": schema}).items():
        for field, value in definition["properties"].items():
            english, chinese = value["description"].split(" · ", 1)
            assert english.isascii() or "…" in english or "·" in english, (name, field)
            assert any("\u4e00" <= character <= "\u9fff" for character in chinese), (name, field)


def test_a_missing_translation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = yaml.safe_load(formats.CHINESE.read_text(encoding="utf-8"))
    del texts["mapping"]["Mapping"]["delimiter"]
    texts["mapping"]["RestSpec"]["colour"] = "颜色"
    (tmp_path / "zh.yaml").write_text(yaml.safe_dump(texts, allow_unicode=True), encoding="utf-8")
    monkeypatch.setattr(formats, "CHINESE", tmp_path / "zh.yaml")
    with pytest.raises(ConfigurationError, match=r"Mapping\.delimiter is missing; RestSpec\.colour is left over"):
        formats.schema_of(MAPPING)


def test_the_page_names_the_fields_that_have_a_meaning_of_their_own() -> None:
    assert set(formats.FIELDS) == normalise.RESERVED


@pytest.mark.parametrize(("which", "path"), [(MAPPING, MAPPING.example), (RULEBOOK, RULEBOOK.example)])
def test_the_line_for_editors_leads_to_the_schema(which: Format, path: Path) -> None:
    (line,) = [line for line in formats.page(which).splitlines() if line.startswith("# yaml-language-server: $schema=")]
    schema = (formats.ROOT / path).parent / line.partition("$schema=")[2]
    assert schema.resolve() == formats.ROOT / "docs" / "schemas" / which.schema_name
    assert schema.is_file()
