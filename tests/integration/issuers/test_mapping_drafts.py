"""A draft of a mapping needs at most two edits to read a sample as the sample's own mapping does."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from issuers.drafting.drafts import draft, text_of
from issuers.rules.activities import approved_rulebooks
from issuers.rules.refusals import Fault
from issuers.samples.generate import Samples
from issuers.sources.mapping import FOLDER, Mapping, MappingFolder
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import read_file
from issuers.sources.readers.rows import Row
from tests.e2e.runs import tongdui_here
from tests.integration.issuers.lab import NOW

EDITS_MAX = 2
BOOKS = [versions[-1] for versions in approved_rulebooks().values()]
MAPPINGS = MappingFolder(FOLDER).all()
BY_FILE = {
    "volunteer/zyfw-2026-q2.csv": "volunteer-csv",
    "volunteer/zyfw-2026-07.csv": "volunteer-csv",
    "volunteer/zyfw-2026-08.xlsx": "volunteer-xlsx",
    "environmental/events-1.jsonl": "environmental-jsonl",
    "environmental/events-3.jsonl": "environmental-jsonl",
    "traffic/rxing-01.csv": "traffic-csv",
    "traffic/rxing-06.csv": "traffic-csv",
    "residence/jzz-2026-1.xml": "residence-xml",
    "residence/jzz-2026-2.xml": "residence-xml",
    "culture/page.json": "culture-rest",
}
SEEN_BY_PEOPLE = ("name", "system", "programme", "format", "rest")
"""Settings that say nothing of how a file is read: where they differ, somebody has to change them."""


def read(mapping: Mapping, path: Path) -> list[Any]:
    """What comes of each row: the record, or why it is refused."""
    normaliser = Normaliser(mapping)
    found: list[Any] = []
    for item in read_file(path, mapping):
        deed = normaliser.deed(item, int(NOW.timestamp())) if isinstance(item, Row) else item
        found.append((deed.row, deed.code, deed.field) if isinstance(deed, Fault) else orjson.loads(deed.canonical))
    return found


def parts(mapping: Mapping) -> dict[str, Any]:
    """A mapping's settings, each field and each quantity apart: one of them is one edit."""
    content = mapping.model_dump(mode="json")
    fields = {f"fields.{name}": spec for name, spec in content.pop("fields").items()}
    return content | fields


def edited(drafted: Mapping, sample: Mapping, names: tuple[str, ...]) -> Mapping:
    """The draft with some settings as the sample's mapping has them."""
    wanted, content = parts(sample), parts(drafted)
    for name in names:
        content.pop(name, None)
        if name in wanted:
            content[name] = wanted[name]
    fields = {name.removeprefix("fields."): content.pop(name) for name in list(content) if name.startswith("fields.")}
    return Mapping.model_validate({**content, "fields": fields})


def edits(drafted: Mapping, sample: Mapping, path: Path) -> tuple[str, ...]:
    """The fewest settings to change until the draft is, for this file, the sample's mapping."""
    here, there = parts(drafted), parts(sample)
    differing = [name for name in sorted({*here, *there}) if here.get(name) != there.get(name)]
    needed = tuple(name for name in differing if name in SEEN_BY_PEOPLE)
    others = [name for name in differing if name not in needed]
    wanted = read(sample, path)
    for count in range(len(others) + 1):
        for chosen in combinations(others, count):
            try:
                candidate = edited(drafted, sample, needed + chosen)
            except ValueError:
                continue
            if read(candidate, path) == wanted:
                return needed + chosen
    raise AssertionError(f"no edit makes the sample's mapping of {differing}")


@pytest.fixture
def files(samples: Samples) -> Path:
    """The samples, and a page of the culture system's API as it answers."""
    items = json.loads(samples.culture_items.read_text(encoding="utf-8"))
    page = {"items": items[:200], "next_cursor": "200"}
    (samples.folder / "culture" / "page.json").write_text(json.dumps(page, ensure_ascii=False), encoding="utf-8")
    return samples.folder


@pytest.mark.parametrize("name", BY_FILE)
def test_a_draft_needs_at_most_two_edits(files: Path, name: str) -> None:
    sample = Mapping.load(FOLDER / f"{BY_FILE[name]}.yaml")
    if sample.rest is not None:
        drafted = draft(files / name, BOOKS, MAPPINGS, name=sample.name).mapping()
    else:
        drafted = draft(files / name, BOOKS, MAPPINGS).mapping()
    needed = edits(drafted, sample, files / name)
    assert len(needed) <= EDITS_MAX, needed


@pytest.mark.parametrize("name", BY_FILE)
def test_a_draft_is_a_mapping_file_that_shows_nobody(files: Path, tmp_path: Path, name: str) -> None:
    """It loads as it stands; no person's name or number stands in it."""
    found = draft(files / name, BOOKS, MAPPINGS)
    text = text_of(found, name)
    path = tmp_path / "draft.yaml"
    path.write_text(text, encoding="utf-8")
    assert Mapping.load(path) == found.mapping()
    table = (files / name).read_bytes()
    source = found.mapping().fields["source_id"].column
    for one in found.columns:
        if one.name == source or "姓名" in one.name:
            assert all(value not in text for value, _ in one.common if len(value) > 1), one.name
    assert table


def test_the_command_writes_a_draft_that_check_reads(files: Path, tmp_path: Path) -> None:
    file, out = files / "traffic" / "rxing-01.csv", tmp_path / "draft.yaml"
    first = tongdui_here("issuers", "draft", str(file), "--out", str(out), "--json")
    assert first.code == 0, first.err
    assert first.last["mapping"]["programme"] == "traffic"
    assert {"column": "申报编号", "field": "record_id"}.items() <= first.last["columns"][0].items()
    assert "是否正确" in first.last["doubts"][0]["zh"]
    assert yaml.safe_load(out.read_text(encoding="utf-8")) == first.last["mapping"]
    again = tongdui_here("issuers", "draft", str(file), "--out", str(out))
    assert (again.code, "exists" in again.err) == (3, True)
    rules = str(Path("issuers/rules/rulebooks/traffic-1.yaml").resolve())
    where = ("--mapping", str(out), "--rules", rules, "--state-dir", str(tmp_path / "state"), "--json")
    assert tongdui_here("issuers", "check", str(file), *where).last["would_grant"] > 20
    shown = tongdui_here("issuers", "draft", str(file))
    assert yaml.safe_load(shown.out) == first.last["mapping"]
