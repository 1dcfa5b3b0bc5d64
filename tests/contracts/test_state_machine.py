"""Random lives of a city, compared after each step with a model in Python, and the design's invariants checked.

TONGDUI_SEED repeats a run, TONGDUI_LIVES and TONGDUI_STEPS make it longer; the seed is printed. Half an hour or so:
``TONGDUI_LIVES=400 make test-contracts ARGS="tests/contracts/test_state_machine.py -s"``.
"""

from __future__ import annotations

import os
import secrets

import pytest
from city import City
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from lives.invariants import Invariants
from lives.move_institutions import CouncilMoves
from lives.move_points import PointMoves
from lives.stage import Theatre

SEED = int(os.environ.get("TONGDUI_SEED") or secrets.randbelow(2**32))
LIVES = int(os.environ.get("TONGDUI_LIVES", "16"))
STEPS = int(os.environ.get("TONGDUI_STEPS", "200"))


REACHED = {"BatchMinted", "Exchanged", "Redeemed", "Held", "Captured", "Released", "Refunded", "Disputed", "Revoked"}
REACHED |= {"Swept", "Settled"}
"""What thousands of steps must have come to, or they tested too little."""


class Life(PointMoves, CouncilMoves, Invariants):
    """One random life: each rule does something on the chain and in the model, and compares what came of it."""


def test_random_lives(city: City, capsys: pytest.CaptureFixture[str]) -> None:
    """Thousands of random steps, each compared with the model; more with TONGDUI_LIVES and TONGDUI_STEPS."""
    with capsys.disabled():
        print(f"\nTONGDUI_SEED={SEED} TONGDUI_LIVES={LIVES} TONGDUI_STEPS={STEPS}")
    Life.theatre, Life.seed = Theatre(city), SEED
    with Life.theatre.wire.mining_by_hand():
        run_state_machine_as_test(
            seed(SEED)(Life),
            settings=settings(
                # Hypothesis begins with ten short ones.
                max_examples=LIVES + 10,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                print_blob=False,
                verbosity=Verbosity.quiet,
            ),
        )
    with capsys.disabled():
        print(f"{Life.lives} lives, {Life.steps} steps, no contradiction")
    print(f"seen: {dict(sorted(Life.seen.items()))}")
    assert Life.steps >= LIVES * STEPS // 2
    assert set(Life.seen) >= REACHED or Life.steps < 2_000, REACHED - set(Life.seen)
