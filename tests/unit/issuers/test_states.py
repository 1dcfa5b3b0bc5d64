"""States change as one table says. No module names a state by a bare word, or changes one beside the table."""

from __future__ import annotations

import ast
import inspect
import re
from enum import StrEnum
from pathlib import Path

import pytest

import issuers
from issuers import states
from issuers.states import (
    LAWFUL,
    BatchState,
    GrantState,
    RecordState,
    SourceState,
    UnlawfulChange,
    VoidState,
    change,
    sources,
)
from ledger.store.base import Base
from ledger.store.database import import_models

import_models()

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
PRODUCT = ("ledger_api", "tongdui", "scripts")
WORDS = "|".join(sorted({state.value for kind in KINDS if kind is not SourceState for state in kind}))
IN_SQL = re.compile(rf"\b(state|status)\s*(=|<>|IN)\s*\(?'({WORDS})'")


def bare_states(source: str) -> list[int]:
    """Return the lines that compare, assign or pass a state or status as a bare word, in Python or in SQL."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg in COLUMNS and _is_word(node.value):
            lines.append(node.value.lineno)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and IN_SQL.search(node.value):
            lines.append(node.lineno)
        lines += [
            place.lineno
            for place, values in _pairs(node)
            if isinstance(place, ast.Attribute) and place.attr in COLUMNS and any(_is_word(one) for one in values)
        ]
    return lines


def bare_states_of_rows(source: str) -> list[int]:
    """Return the lines that compare a state column of the issuers' tables with a bare word."""
    return [
        place.lineno
        for node in ast.walk(ast.parse(source))
        for place, values in _pairs(node)
        if isinstance(place, ast.Attribute)
        and place.attr in COLUMNS
        and isinstance(place.value, ast.Name)
        and place.value.id.startswith("Issuance")
        and any(_is_word(one) for one in values)
    ]


def unchecked_changes(source: str) -> list[int]:
    """Return the lines that change a state or status without the table: neither by `change`, nor where `sources`."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            lines += [
                target.lineno
                for target, value in _targets(node)
                if isinstance(target, ast.Attribute)
                and target.attr in COLUMNS
                and not (isinstance(target.value, ast.Name) and target.value.id == "self")  # an object's own, no row's
                and not _calls(value, "change")
            ]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "values":
            lines += [
                keyword.value.lineno
                for keyword in node.keywords
                if keyword.arg in COLUMNS
                and not _calls(keyword.value, "change")
                and not any(_calls(part, "sources") for part in ast.walk(node.func))
            ]
    return lines


def _pairs(node: ast.AST) -> list[tuple[ast.expr, list[ast.expr]]]:
    """Return what a node compares, assigns or calls, with its values."""
    match node:
        case ast.Compare():
            return [(node.left, node.comparators)]
        case ast.Assign():
            return [(target, [value]) for target, value in _targets(node) if value is not None]
        case ast.Call(func=ast.Attribute()):
            return [(node.func.value, node.args)]
        case _:
            return []


def _targets(node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> list[tuple[ast.expr, ast.expr | None]]:
    """Return the targets of an assignment with the value of each, also where several are assigned at once."""
    found: list[tuple[ast.expr, ast.expr | None]] = []
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            found += zip(target.elts, node.value.elts, strict=True)
        elif isinstance(target, ast.Tuple):
            found += [(part, None) for part in target.elts]
        else:
            found.append((target, node.value))
    return found


def _is_word(node: ast.expr) -> bool:
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts)


def _calls(node: ast.AST | None, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


@pytest.mark.parametrize(
    "planted",
    [
        "row.state == 'ready'",
        "row.status not in ('held', 'refused')",
        "row.state = 'landed'",
        "row.state, row.reason = 'landed', None",
        "query.where(Row.state.in_(('wanted', 'failed')))",
        "update(Row).values(state='queued')",
        "'SELECT 1 FROM issuance_grants WHERE state <> \\'ready\\''",
    ],
)
def test_a_planted_bare_state_is_found(planted: str) -> None:
    assert bare_states(planted) == [1]


@pytest.mark.parametrize(
    "planted",
    [
        "row.state = BatchState.LANDED",
        "row.state, row.reason = BatchState.LANDED, None",
        "row.state, row.reason = both",
        "row.status: str = RecordState.HELD",
        "update(Row).where(Row.number == 1).values(state=BatchState.VOID)",
    ],
)
def test_a_planted_change_beside_the_table_is_found(planted: str) -> None:
    assert unchecked_changes(planted) == [1]


@pytest.mark.parametrize(
    "lawful",
    [
        "row.state = change(row.state, BatchState.LANDED)",
        "row.state, row.reason = change(row.state, BatchState.LANDED), None",
        "update(Row).where(Row.state.in_(sources(state))).values(state=state)",
        "update(Row).where(Row.state == BatchState.VOIDING).values(state=change(BatchState.VOIDING, BatchState.VOID))",
    ],
)
def test_a_change_by_the_table_is_no_finding(lawful: str) -> None:
    assert unchecked_changes(lawful) == []


def test_the_pipeline_names_no_state_by_a_bare_word_and_changes_none_beside_the_table() -> None:
    root = Path(issuers.__file__).parent
    others = {root / "rules" / "rulebook.py", root / "rules" / "activities.py"}  # a rulebook's approval
    found = [
        f"{path.relative_to(root)}:{line}"
        for path in sorted(root.rglob("*.py"))
        if path not in others
        for text in [path.read_text(encoding="utf-8")]
        for line in (*bare_states(text), *unchecked_changes(text))
    ]
    assert found == []


def test_above_the_pipeline_no_state_column_is_compared_with_a_bare_word() -> None:
    assert bare_states_of_rows("select(IssuanceBatchRow).where(IssuanceBatchRow.state == 'landed')") == [1]
    root = Path(issuers.__file__).parent.parent
    found = [
        f"{path.relative_to(root)}:{line}"
        for package in PRODUCT
        for path in sorted((root / package).rglob("*.py"))
        for line in bare_states_of_rows(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_partial_indexes_of_the_tables_name_states_that_exist() -> None:
    [records] = [table for name, table in Base.metadata.tables.items() if name == "issuance_records"]
    conditions = [str(index.dialect_options["sqlite"]["where"]) for index in records.indexes]
    named = {word for condition in conditions for word in re.findall(r"status \S+ '(\w+)'", condition)}
    assert named == {RecordState.ACCEPTED, RecordState.AWAITING_LINK}
