"""The nonce chooser against a model of the contract's window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.orders import nonces


class Word:
    """LotLanes.spendNonce, in Python."""

    def __init__(self) -> None:
        self.base = 0
        self.spent: set[int] = set()

    def spend(self, nonce: int) -> bool:
        if nonce < self.base or nonce >= self.base + 64 or nonce in self.spent:
            return False
        self.base = max(self.base, nonce - 31)
        self.spent.add(nonce)
        return True


def test_the_first_nonces_count_up() -> None:
    assert [nonces.choose([], range(n)) for n in range(4)] == [0, 1, 2, 3]


def test_a_free_nonce_below_is_used_first() -> None:
    assert nonces.choose([0, 2], [3]) == 1


def test_none_is_given_that_would_cancel_an_open_order() -> None:
    assert nonces.choose([], range(32)) is None
    assert nonces.choose([], range(1, 32)) == 0


def test_the_words_of_a_year_are_one() -> None:
    year = [nonces.word_of(7 << 32 | quarter) for quarter in (101, 102, 103, 104)]
    assert len(set(year)) == 1
    assert nonces.word_of(7 << 32 | 105) == year[0] + 1
    assert nonces.word_of(7 << 32) == 7 << 32


@given(st.lists(st.tuples(st.sampled_from(["place", "land", "die"]), st.integers(0, 40)), max_size=200))
def test_every_chosen_nonce_is_accepted_in_whatever_order_orders_land(acts: list[tuple[str, int]]) -> None:
    word, open_orders = Word(), set[int]()
    for act, which in acts:
        if act == "place":
            chosen = nonces.choose(word.spent, open_orders)
            if chosen is not None:
                assert chosen not in open_orders
                open_orders.add(chosen)
        elif open_orders:
            nonce = sorted(open_orders)[which % len(open_orders)]
            open_orders.remove(nonce)
            if act == "land":
                assert word.spend(nonce)


@given(st.sets(st.integers(0, 200)))
def test_when_nothing_is_open_there_is_always_a_nonce(spent: set[int]) -> None:
    word = Word()
    landed = [nonce for nonce in sorted(spent) if word.spend(nonce)]
    chosen = nonces.choose(landed, [])
    assert chosen is not None
    assert word.spend(chosen)
