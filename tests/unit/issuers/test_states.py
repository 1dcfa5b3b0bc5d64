"""States change as one table says, and nothing in the pipeline names a state by a bare word."""

from __future__ import annotations

import ast
import inspect
from enum import StrEnum
from pathlib import Path

import pytest

import issuers
from issuers import states
from issuers.states import LAWFUL, BatchState, GrantState, RecordState, UnlawfulChange, VoidState, change, sources

KINDS = [
    kind for _, kind in inspect.getmembers(states, inspect.isclass) if issubclass(kind, StrEnum) and kind is not StrEnum
]


def test_the_table_is_total_and_stays_within_each_kind() -> None:
    assert set(LAWFUL) == set(KINDS)
    for kind, lawful in LAWFUL.items():
        assert set(lawful) == set(kind)
        assert all(type(state) is kind for before, after in lawful.items() for state in (before, *after))


@pytest.mark.parametrize("before", [state for kind in KINDS for state in kind], ids=repr)
def test_a_lawful_change_returns_the_new_state_and_any_other_is_refused(before: StrEnum) -> None:
    for after in type(before):
        if after in LAWFUL[type(before)][before]:
            assert change(before.value, after) is after
            assert before in sources(after)
        else:
            with pytest.raises(UnlawfulChange) as refused:
                change(before.value, after)
            assert (refused.value.before, refused.value.after) == (before.value, after)
            assert before not in sources(after)


def test_what_has_landed_or_is_void_stays_so() -> None:
    for end in (BatchState.LANDED, BatchState.VOID, GrantState.CANCELLED, VoidState.FINAL):
        assert not LAWFUL[type(end)][end]


def test_only_an_accepted_record_waits_for_funding() -> None:
    assert sources(RecordState.WAITING) == (RecordState.ACCEPTED,)


def test_a_state_that_nobody_defined_is_no_state() -> None:
    with pytest.raises(ValueError, match="lost"):
        change("lost", RecordState.REFUSED)


COLUMNS = frozenset({"state", "status"})


def bare_states(source: str) -> list[int]:
    """Return the lines that compare, assign or pass a state or status as a bare word."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            pairs = [(node.left, node.comparators)]
        elif isinstance(node, ast.Assign):
            pairs = [(target, [node.value]) for target in node.targets]
        elif isinstance(node, ast.keyword) and node.arg in COLUMNS:
            lines += [node.value.lineno] if _is_word(node.value) else []
            continue
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            pairs = [(node.func.value, node.args)]
        else:
            continue
        lines += [
            place.lineno
            for place, values in pairs
            if isinstance(place, ast.Attribute) and place.attr in COLUMNS and any(_is_word(one) for one in values)
        ]
    return lines


def _is_word(node: ast.expr) -> bool:
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts)


@pytest.mark.parametrize(
    "planted",
    [
        "row.state == 'ready'",
        "row.status not in ('held', 'refused')",
        "row.state = 'landed'",
        "query.where(Row.state.in_(('wanted', 'failed')))",
        "update(Row).values(state='queued')",
    ],
)
def test_a_planted_bare_state_is_found(planted: str) -> None:
    assert bare_states(planted) == [1]


def test_no_module_of_the_pipeline_names_a_state_by_a_bare_word() -> None:
    root = Path(issuers.__file__).parent
    # A webhook's source and a rulebook's approval are not the pipeline's.
    others = {
        root / "sources" / "webhooks" / "sources.py",
        root / "rules" / "rulebook.py",
        root / "rules" / "activities.py",
    }
    found = {
        f"{path.relative_to(root)}:{line}"
        for path in sorted(root.rglob("*.py"))
        if path not in others
        for line in bare_states(path.read_text(encoding="utf-8"))
    }
    assert not found
