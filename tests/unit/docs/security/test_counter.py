"""Each rule of the counter is shown by tests that exist, and both languages have the same rules."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
FOLDERS = (ROOT / "tests" / "unit", ROOT / "tests" / "integration")
_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
_RULE = re.compile(r"^\| ([A-Z]\d+) \|", re.MULTILINE)


def page(name: str) -> str:
    """Return a page of docs/security."""
    return (ROOT / "docs" / "security" / name).read_text(encoding="utf-8")


def test_every_rule_names_tests_that_exist() -> None:
    for line in page("counter.md").splitlines():
        if not _RULE.match(line):
            continue
        named = _TEST.findall(line)
        assert named, line
        for file, test in named:
            texts = [(folder / file).read_text(encoding="utf-8") for folder in FOLDERS if (folder / file).is_file()]
            assert any(f"\ndef {test}(" in text for text in texts), f"{file}::{test}"


def test_both_languages_have_the_same_rules_in_order() -> None:
    rules = _RULE.findall(page("counter.md"))
    for letter in dict.fromkeys(rule[0] for rule in rules):
        own = [rule for rule in rules if rule[0] == letter]
        assert own == [f"{letter}{number}" for number in range(1, len(own) + 1)]
    assert _RULE.findall(page("counter.zh-CN.md")) == rules
