"""What is wrong with a YAML file is said in one sentence: the file, the line, what is there, how to mend it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from issuers.rules.rulebook import RULEBOOKS, Rulebook
from issuers.sources.mapping import Mapping
from issuers.yaml_file import load_yaml
from ledger.errors import ConfigurationError

MAPPING = """\
name: test
system: test
programme: volunteer
format: csv
fields:
  record_id: {column: id}
  source_id: {column: who}
  activity: {column: what, values: {work: WORK}}
  started_at: {column: when}
  ended_at: {column: until, optional: true}
quantity:
  - column: amount
    unit: hour
"""


def refusal(tmp_path: Path, content: str | bytes) -> str:
    """Return how a mapping is refused."""
    path = tmp_path / "my.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError) as caught:
        load_yaml(Mapping, path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_right_is_read(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(MAPPING)
    assert load_yaml(Mapping, path).quantity[0].column == "amount"


@pytest.fixture(autouse=True)
def usual_recursion() -> Iterator[None]:
    """Let nothing that ran before have raised the limit of Python's stack."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(min(before, 1_500))
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("format: csv", "format: cvs", "my.yaml, line 4: format is 'cvs'; give 'csv', 'tsv', "),
        ("column: when", "colum: when", "my.yaml, line 9: the name fields.started_at.colum is not known; correct or"),
        ("column: amount", "per: day", "my.yaml, line 12: the name quantity.0.per is not known; correct or remove it"),
        ("system: test\nprogramme: volunteer\n", "", "my.yaml, line 1: system is missing; add it (and 1 more)"),
        ("system: test\n", "", "my.yaml, line 1: system is missing; add it"),
        ("name: test", "name: My Test", "my.yaml, line 1: name is 'My Test'; give text that matches ^["),
        ("system: test", "system: [a, b]", "my.yaml, line 2: system is a list; input should be a valid string"),
        ("  source_id: {column: who}\n", "", "my.yaml, line 1: "),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_its_line(tmp_path: Path, right: str, wrong: str, says: str) -> None:
    assert right in MAPPING
    assert refusal(tmp_path, MAPPING.replace(right, wrong)).startswith(says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "my.yaml holds nothing; begin it with lines of `name: value`"),
        ("- a\n", "my.yaml holds a list; begin it with lines of `name: value`"),
        ("name\n", "my.yaml holds a single value; begin it with lines of `name: value`"),
        ("name: [a\nb: 2", "my.yaml cannot be read at line 2: expected ',' or ']', but got ':'; check indentation"),
        ("name: a\n b: 2", "my.yaml cannot be read at line 2: mapping values are not allowed here; check indentation"),
        ("name: \0", "my.yaml cannot be read at line 1: the character U+0000 is not allowed; remove it"),
        ("name: 2026-02-31", "my.yaml cannot be read: day is out of range for month; write a value that is no date"),
        ("[" * 5_000 + "]" * 5_000, "my.yaml cannot be read: it is nested too deeply"),
        (b"name: \xd6\xd0", "my.yaml cannot be read: byte 7 is not UTF-8; save the file as UTF-8"),
    ],
)
def test_what_is_no_yaml_is_named_by_its_place(tmp_path: Path, content: str | bytes, says: str) -> None:
    assert refusal(tmp_path, content).startswith(says)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^none\.yaml cannot be read: No such file or directory$"):
        load_yaml(Mapping, tmp_path / "none.yaml")


def test_a_rule_of_our_own_says_by_itself_what_to_do(tmp_path: Path) -> None:
    content = yaml.safe_load((RULEBOOKS / "culture-1.yaml").read_text(encoding="utf-8"))
    content["activities"][1] |= {"points": "5", "points_per_unit": "1"}
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    with pytest.raises(ConfigurationError, match=r"^my\.yaml, line \d+: activities\.1: give exactly one of "):
        Rulebook.load(path)


@pytest.mark.parametrize("value", ["https://user:secret@example.org", "x" * 100])
def test_no_url_and_no_long_text_is_repeated(tmp_path: Path, value: str) -> None:
    said = refusal(tmp_path, MAPPING.replace("format: csv", f"format: {value!r}"))
    assert value not in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("content", "line", "first"),
    [
        (MAPPING + "name: other\n", 14, 1),
        (MAPPING.replace("  source_id:", "  record_id: {column: other}\n  source_id:"), 7, 6),
        (MAPPING.replace("{work: WORK}", '{work: WORK, "work": REST}'), 8, 8),
        (MAPPING + '    "unit": minute\n', 14, 13),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_places(
    tmp_path: Path, content: str, line: int, first: int
) -> None:
    """YAML's readers take the last one in silence: an hour would have been a minute."""
    said = refusal(tmp_path, content)
    assert f"at line {line}:" in said
    assert f"stands at line {first} already; keep one of them" in said


def test_an_anchor_that_is_used_twice_is_no_key_twice(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(MAPPING.replace("{column: id}", "&it {column: id}").replace("{column: who}", "*it"))
    assert load_yaml(Mapping, path).fields["source_id"].column == "id"
