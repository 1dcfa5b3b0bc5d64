"""Nonces as the ledger spends them, against a model that remembers every one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.audit.nonces import spend_nonce
from ledger.standard.contract import NONCE_WINDOW
from tests.unit.ledger.standard.vectors import load

NONCES = st.lists(st.integers(0, 200), max_size=80)


@given(NONCES)
def test_no_nonce_is_spent_twice_and_none_far_ahead(nonces: list[int]) -> None:
    state, spent, base = (0, 0), set[int](), 0
    for nonce in nonces:
        allowed = base <= nonce < base + 2 * NONCE_WINDOW and nonce not in spent
        after = spend_nonce(state, nonce)
        assert (after is not None) == allowed
        if after is not None:
            state = after
            spent.add(nonce)
            base = max(base, nonce - NONCE_WINDOW + 1)
            assert state[0] == base
            assert state[1] < 1 << NONCE_WINDOW


def test_sliding_the_window_cancels_what_falls_below() -> None:
    state = spend_nonce((0, 0), 40)
    assert state == (9, 1 << 31)
    assert spend_nonce(state, 8) is None
    assert spend_nonce(state, 9) is not None


def test_the_shared_sequences_give_the_same_states() -> None:
    for sequence in load("nonces.json"):
        state = (0, 0)
        for step in sequence["steps"]:
            after = spend_nonce(state, step["nonce"])
            assert (after is not None) == step["accepted"]
            state = state if after is None else after
            assert state == (step["base"], step["window"])
