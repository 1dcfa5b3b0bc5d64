"""The mutation check: what is changed, where it never is, and how outcomes are counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import ConfigurationError
from scripts.mutation.compiler import Code, SolcServer
from scripts.mutation.coverage import CITY, coverage_of
from scripts.mutation.equivalents import read_equivalents, stale
from scripts.mutation.finder import Mutant, find_mutants, without_comments
from scripts.mutation.judge import Trace
from scripts.mutation.order import Order
from scripts.mutation.report import Choice, page, score_of
from scripts.mutation.results import Results, result_of
from scripts.mutation.run import ranked

HEAD = "// SPDX-License-Identifier: MIT\npragma solidity 0.8.30;\n"
NAME = "contracts/Sample.sol"


@pytest.fixture(scope="module")
def solc() -> Iterator[SolcServer]:
    with SolcServer() as server:
        yield server


def mutants_of(solc: SolcServer, body: str, name: str = NAME) -> list[Mutant]:
    return find_mutants({name: HEAD + body}, solc)


def changes(solc: SolcServer, statements: str) -> set[tuple[str, str, str]]:
    """Return (operator, before, after) of all mutants of a function's body."""
    body = "contract Sample { uint256 s; bool t; event E(); error X(); function f(uint256 a, uint256 b) public {"
    return {(m.operator, m.original, m.mutated) for m in mutants_of(solc, f"{body} {statements} }} }}")}


@pytest.mark.parametrize(
    ("sign", "others"),
    [
        ("<", ("<=", ">=")),
        ("<=", ("<", ">")),
        (">", (">=", "<=")),
        (">=", (">", "<")),
        ("==", ("!=",)),
        ("!=", ("==",)),
    ],
)
def test_bounds_shift_and_comparisons_flip(solc: SolcServer, sign: str, others: tuple[str, ...]) -> None:
    found = {after for kind, _, after in changes(solc, f"t = a {sign} b;") if kind == "comparison"}
    assert found == {f"a {other} b" for other in others}


@pytest.mark.parametrize(
    ("sign", "other"),
    [("+", "-"), ("-", "+"), ("*", "/"), ("/", "*"), ("%", "*"), ("&", "|"), ("|", "&"), ("^", "&"), ("<<", ">>")],
)
def test_arithmetic_and_bits_are_exchanged(solc: SolcServer, sign: str, other: str) -> None:
    assert ("operator", f"a {sign} b", f"a {other} b") in changes(solc, f"s = a {sign} b;")


def test_a_logical_operator_is_exchanged_and_loses_either_side(solc: SolcServer) -> None:
    found = changes(solc, "t = (a > 1) || b > 2;")
    both = {(kind, after) for kind, before, after in found if before == "(a > 1) || b > 2"}
    assert both == {("operator", "(a > 1) && b > 2"), ("condition part", "((a > 1))"), ("condition part", "(b > 2)")}


def test_a_check_is_dropped_and_a_branch_also_forced(solc: SolcServer) -> None:
    assert {after for kind, _, after in changes(solc, "if (a > b) revert X();") if kind == "branch"} == {"false"}
    assert {after for kind, _, after in changes(solc, "if (a > b) s = 1;") if kind == "branch"} == {"false", "true"}


def test_statements_are_dropped_with_their_semicolon(solc: SolcServer) -> None:
    found = changes(solc, "s = a; delete s; emit E(); if (a > b) revert X();")
    dropped = {before for kind, before, after in found if kind == "statement" and after == "{}"}
    assert dropped == {"s = a;", "delete s;", "emit E();", "revert X();"}


def test_compound_assignments_steps_and_negations_turn_round(solc: SolcServer) -> None:
    found = changes(solc, "s += a; ++s; s--; t = !t;")
    assert ("assignment", "s += a", "s -= a") in found
    assert {after for kind, _, after in found if kind == "step"} == {"--s", "s++"}
    assert ("negation", "!t", "(t)") in found


def test_modifiers_are_dropped(solc: SolcServer) -> None:
    found = mutants_of(solc, "contract Sample { modifier m() { _; } function f() public m {} }")
    assert [(m.original, m.mutated) for m in found if m.operator == "modifier"] == [("m", "(nothing)")]


def test_constants_move_by_one_and_truth_is_swapped(solc: SolcServer) -> None:
    found = {(before, after) for kind, before, after in changes(solc, "s = 30 days; s = 0; t = true;")}
    assert {("30 days", "(30 days + 1)"), ("30 days", "(30 days - 1)"), ("0", "(0 + 1)"), ("true", "false")} <= found
    assert ("0", "(0 - 1)") not in found


def test_an_enumeration_yields_its_next_member(solc: SolcServer) -> None:
    body = "enum V { A, B, C } contract Sample { V v; function f() public { v = V.C; } }"
    assert ("V.C", "V.A") in {(m.original, m.mutated) for m in mutants_of(solc, body)}


def test_results_are_turned_or_emptied(solc: SolcServer) -> None:
    body = """contract Sample {
        function f(uint256 a) public pure returns (bool) { return a > 1; }
        function g(uint256 a) public pure returns (uint256) { return a; }
        function h(address a) public pure returns (address) { return a; } }"""
    found = {(m.original, m.mutated) for m in mutants_of(solc, body) if m.operator == "result"}
    assert found == {("a > 1", "!(a > 1)"), ("a", "0"), ("a", "address(0)")}


def test_both_sides_of_a_choice_are_taken(solc: SolcServer) -> None:
    found = changes(solc, "s = a > b ? a : b;")
    assert {after for kind, before, after in found if kind == "branch"} == {"(a)", "(b)"}


def test_assembly_is_changed_as_well(solc: SolcServer) -> None:
    found = changes(solc, 'assembly ("memory-safe") { mstore(0, add(a, 32)) }')
    assert ("operator", "add(a, 32)", "sub(a, 32)") in found
    assert ("constant", "32", "33") in found
    assert ("statement", "mstore(0, add(a, 32))", "{}") in found


def test_nothing_in_a_comment_or_text_is_changed_as_code(solc: SolcServer) -> None:
    plain = "contract Sample { uint256 s; function f(uint256 a) public { s = a + 1; } }"
    commented = plain.replace("s = a + 1;", "/* b - 2 */ s = a /* 3 < 4 */ + 1; // if (true) revert();\n")
    assert [(m.original, m.mutated) for m in mutants_of(solc, commented)] == [
        (m.original, m.mutated) for m in mutants_of(solc, plain)
    ]
    text = 'contract Sample { string s; function f() public { s = "a < b"; } }'
    assert {m.mutated for m in mutants_of(solc, text) if m.operator != "statement"} == {'"a < b~"'}


def test_mocks_and_interfaces_are_left_alone(solc: SolcServer) -> None:
    body = "contract Sample { uint256 s; function f() public { s = 1; } }"
    assert mutants_of(solc, body)
    assert not mutants_of(solc, body, "contracts/mocks/Sample.sol")
    assert not mutants_of(solc, body, "contracts/interfaces/Sample.sol")
    assert not mutants_of(solc, body, "@openzeppelin/contracts/Sample.sol")


def test_every_mutant_changes_just_its_place(solc: SolcServer) -> None:
    source = HEAD + "// 通兑\ncontract Sample { uint256 s; function f(uint256 a) public { if (a < 2) s = a + 1; } }"
    for mutant in find_mutants({NAME: source}, solc):
        changed = mutant.apply(source)
        assert changed != source
        assert changed.count("\n") == source.count("\n")
        assert changed.startswith(HEAD + "// 通兑\ncontract Sample")


def test_ids_follow_code_and_keys_follow_the_change(solc: SolcServer) -> None:
    body = "contract Sample { uint256 s; function f(uint256 a) public { s = a + 1; s = a + 1; } }"
    before = mutants_of(solc, body)
    assert len({m.key for m in before}) == len(before)
    commented = mutants_of(solc, body.replace("s = a", "/* why */ s = a"))
    assert [m.id for m in commented] == [m.id for m in before]
    grown = mutants_of(solc, body.replace("uint256 s;", "uint256 s; uint256 r;"))
    assert {m.key for m in grown} == {m.key for m in before}
    assert not {m.id for m in grown} & {m.id for m in before}


def test_a_constant_reaches_what_uses_it_even_through_another(solc: SolcServer) -> None:
    body = """contract Sample { uint256 constant A = 7; uint256 constant B = A * 2; uint256 s;
        function f() public { s = B; } function g() public { s = 3; } }"""
    source = HEAD + body
    seven = next(m for m in mutants_of(solc, body) if m.original == "7")
    assert [source[start : start + length] for _, start, length in seven.reach] == ["s = B"]


def test_comments_are_removed_but_not_from_texts() -> None:
    assert without_comments('a = "// no"; /* yes\n */ b;  // yes') == 'a = "// no"; b;'


def test_what_does_not_compile_is_said(solc: SolcServer) -> None:
    with pytest.raises(ConfigurationError, match="do not compile"):
        mutants_of(solc, "contract Sample {")


def test_coverage_joins_counters_to_places(solc: SolcServer) -> None:
    body = "contract Sample { uint256 s; function f(uint256 a) public { s = a + 1; } }"
    source = HEAD + body
    [plus] = [m for m in mutants_of(solc, body) if m.mutated == "a - 1"]
    start = source.index("a + 1")
    # Two instructions: PUSH1 1 (at 0) from `a + 1`, then STOP (at 2) from nowhere of ours.
    code = Code("", "600100", "", f"{start}:5:0;0:1:-1", {0: NAME}, ())
    places = {"first": {"Sample": [0]}, "second": {"Sample": [2]}, CITY: {"Sample": [0]}}
    coverage = coverage_of([Trace({}, places, [])], {"Sample": code})
    assert coverage.tests_of(plus) == {"first", CITY}
    of_the_session = {**places, "": {"Sample": [0]}}
    coverage = coverage_of([Trace({}, of_the_session, [])], {"Sample": code})
    assert coverage.tests_of(plus) == {"first", "second", CITY}, "any test may use what a session's fixture deployed"


def test_the_known_killer_comes_first_then_those_of_the_function_then_the_quick(solc: SolcServer) -> None:
    body = "contract Sample { uint256 s; function f(uint256 a) public { s = a + 1; } }"
    one, other, *_ = mutants_of(solc, body)
    order = Order({"tests/contracts/quick": 0.1, "tests/contracts/slow": 9.0}, [])
    tests = ["tests/contracts/slow", "tests/contracts/quick"]
    assert order.arrange(one, tests) == tests[::-1]
    order.learn(result_of(other, "killed", by="tests/contracts/slow"))
    assert order.arrange(one, tests) == tests
    order.learn(result_of(one, "killed", by="tests/contracts/quick"))
    assert order.arrange(one, tests) == tests[::-1]


def test_the_seed_and_the_keys_alone_choose(solc: SolcServer) -> None:
    mutants = mutants_of(solc, "contract Sample { uint256 s; function f(uint256 a) public { s = a * 3 + 1; } }")
    assert ranked(mutants, 1) == ranked(mutants[::-1], 1)
    assert ranked(mutants, 1) != ranked(mutants, 2)


def test_results_survive_a_run_that_was_ended_while_it_wrote(solc: SolcServer, tmp_path: Path) -> None:
    one, other, *_ = mutants_of(solc, "contract Sample { uint256 s; function f(uint256 a) public { s = a + 1; } }")
    path = tmp_path / "results.jsonl"
    Results(path).add(result_of(one, "killed", by="tests/contracts/t", code="1"))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"id":"cut o')
    again = Results(path)
    again.add(result_of(other, "survived", code="2"))
    assert {result.outcome for result in Results(path).all()} == {"killed", "survived"}
    path.write_text("no json\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="line 1"):
        Results(path)


def test_each_code_counts_once_and_listed_survivors_apart(solc: SolcServer, tmp_path: Path) -> None:
    mutants = mutants_of(solc, "contract Sample { uint256 s; function f(uint256 a) public { s = a * 3 + 1; } }")
    a, b, c, d, e, f, *_ = mutants
    results = [
        result_of(a, "killed", by="t", code="1"),
        result_of(b, "killed", by="t", code="1"),
        result_of(c, "timeout", by="t", code="2"),
        result_of(d, "survived", code="3"),
        result_of(e, "same", code="0"),
        result_of(f, "stillborn"),
    ]
    before = score_of(results, {})
    assert (before.mutants, before.killed, before.survived, before.timeout) == (3, 2, 1, 1)
    assert (before.proved, before.stillborn, before.score) == (1, 1, 66.66)
    listed = tmp_path / "equivalents.yaml"
    fields = {"key": d.key, "file": d.file, "function": d.function, "original": d.original, "mutated": d.mutated}
    listed.write_text(f"- {fields | {'reason': 'it is never read'}}\n", encoding="utf-8")
    equivalents = read_equivalents(listed)
    after = score_of(results, equivalents)
    assert (after.survived, after.equivalent, after.score, after.score_of_all) == (0, 1, 100.0, 66.66)
    assert "it is never read" in page(results, equivalents, Choice(len(mutants), 6, 1, []))
    assert stale(equivalents.values(), mutants) == []
    assert stale(equivalents.values(), [a]) != []


def test_a_list_that_names_a_mutant_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "equivalents.yaml"
    entry = "{key: k, file: f, function: g, original: a, mutated: b, reason: r}"
    path.write_text(f"- {entry}\n- {entry}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="twice"):
        read_equivalents(path)
    path.write_text("- {key: k}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="not a list"):
        read_equivalents(path)
