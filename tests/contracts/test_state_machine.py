"""Random lives of a city, compared after each step with a model in Python, and the design's invariants checked.

Residents, agencies, merchants, desks, the finance bureau, guardian, registrar, consumer arbiter and council act,
honestly and as whoever stole one of their keys would. ``make lives LIVES=400 STEPS=250`` makes 100,000 steps.
TONGDUI_SEED repeats a run ("7") or one of its lives ("7.31"); a contradiction names it.
"""

from __future__ import annotations

import os
import secrets

import pytest
from city import City
from lives.run import run_lives
from lives.setting import Setting

SEED = os.environ.get("TONGDUI_SEED") or str(secrets.randbelow(2**32))
LIVES = int(os.environ.get("TONGDUI_LIVES", "16"))
STEPS = int(os.environ.get("TONGDUI_STEPS", "200"))

REACHED = {
    "BatchMinted",
    "BatchVoided",
    "Revoked",
    "Swept",
    "Exchanged",
    "Redeemed",
    "Held",
    "Captured",
}
REACHED |= {"Released", "Refunded", "OrderLocked", "LotReborn", "SuccessorSet", "SuccessionObjected", "CycleOpened"}
REACHED |= {
    "Funded",
    "PaidOut",
    "AppropriationLapsed",
    "AppropriationReclaimed",
    "RoleGranted",
    "FrozenUntilSet",
    "Paused",
}
REACHED |= {
    "PointsLedgerCeilingExceeded",
    "PointsLedgerOverdue",
    "PointsLedgerFundingExceeded",
    "ClearingBookNotCovered",
}
"""What thousands of steps must have come to, or they tested too little."""


def test_random_lives(city: City, capsys: pytest.CaptureFixture[str]) -> None:
    """Thousands of random steps, each compared with the model; more with TONGDUI_LIVES and TONGDUI_STEPS."""

    def say(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", end="", flush=True)

    say(f"TONGDUI_SEED={SEED} TONGDUI_LIVES={LIVES} TONGDUI_STEPS={STEPS}")
    setting = Setting(city)
    with setting.wire.mining_by_hand():
        made, seen = run_lives(setting, SEED, LIVES, STEPS, say)
    say(f"{made} steps, no contradiction\n")
    print(f"seen: {dict(sorted(seen.items()))}")
    assert set(seen) >= REACHED or made < 3_000, REACHED - set(seen)
