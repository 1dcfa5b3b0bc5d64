"""Storage words: where the compiler puts things, and how lanes and structs are packed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.audit.cells import array_cells, locate, lots_of, pack, text_cells, words_of
from ledger.proofs.layout import Layout
from ledger.standard.ids import token_id
from ledger.standard.keccak import keccak256
from ledger.standard.quarters import NEVER

LAYOUT = Layout.of(
    "Example",
    [
        {"label": "single", "slot": "0", "type": "t_uint64"},
        {"label": "map", "slot": "3", "type": "t_mapping(t_uint32,t_mapping(t_address,t_bool))"},
    ],
)


def test_the_quarters_of_a_calendar_year_share_a_word() -> None:
    words = {locate(token_id(7, quarter)) for quarter in (105, 106, 107, 108)}
    assert len({key for key, _ in words}) == 1
    assert {shift for _, shift in words} == {0, 48, 96, 144}
    assert locate(token_id(7, 109))[0] == locate(token_id(7, 108))[0] + 1
    assert lots_of(locate(token_id(7, 105))[0]) == "of programme 7, year 2026"


def test_lots_that_never_expire_have_a_word_of_their_own() -> None:
    assert locate(token_id(5, NEVER)) == (5 << 32, 144)
    assert lots_of(5 << 32) == "of programme 5, never expiring"


@given(st.integers(1, 2**32 - 1), st.integers(0, 2**32 - 8))
def test_no_two_lots_share_a_lane(programme: int, quarter: int) -> None:
    places = {locate(token_id(programme, quarter + step)) for step in range(5)}
    assert len(places) == 5


def test_nested_mappings_hash_outside_in() -> None:
    inner = keccak256((9).to_bytes(32, "big") + (3).to_bytes(32, "big"))
    account = b"\x11" * 20
    assert LAYOUT.at("map", 9, account) == int.from_bytes(keccak256(bytes(12) + account + inner), "big")
    assert LAYOUT.at("single") == 0


def test_struct_members_fill_words_from_the_low_end_and_never_cross_a_border() -> None:
    assert pack((64, 1), (8, 2), (192, 3), (64, 4)) == [1 | 2 << 64, 3 | 4 << 192]
    assert pack((64, -1)) == [2**64 - 1]


def test_an_array_has_its_length_and_as_many_items_a_word_as_fit() -> None:
    cells = list(array_cells(7, "years", 32, [2024, 2025, *range(2026, 2034)]))
    first = int.from_bytes(keccak256((7).to_bytes(32, "big")), "big")
    assert [cell.slot for cell in cells] == [7, first, first + 1]
    assert cells[0].value == 10
    assert cells[1].value & 2**64 - 1 == 2024 | 2025 << 32
    assert cells[2].value == 2032 | 2033 << 32


def test_a_short_text_stands_with_its_length_and_a_long_one_in_words_of_its_own() -> None:
    [short] = text_cells(3, "name", "GREEN")
    assert short.value == int.from_bytes(b"GREEN".ljust(32, b"\0"), "big") | 10
    head, *words = text_cells(3, "name", "x" * 33)
    assert head.value == 67
    assert [word.slot - words[0].slot for word in words] == [0, 1]
    assert words_of([head, *words])[words[1].slot] == int.from_bytes(b"x".ljust(32, b"\0"), "big")
