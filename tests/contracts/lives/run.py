"""Runs lives one after the other, each from the city's beginning."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from . import facts
from .comparison import check_invariants, compare, scope_of
from .moves.accounts import AccountMoves
from .moves.authority import AuthorityMoves
from .moves.council import CouncilMoves
from .moves.finance import FinanceMoves
from .moves.holders import HolderMoves
from .moves.issuers import IssuerMoves
from .moves.merchants import MerchantMoves
from .moves.rogue import RogueMoves
from .setting import Setting

SAMPLE = 6
"""How many of the lesser facts are read after each step."""


class CityLife(
    IssuerMoves, HolderMoves, MerchantMoves, RogueMoves, AccountMoves, FinanceMoves, AuthorityMoves, CouncilMoves
):
    """One random life: each move does something on the chain and in the model, and compares what came of it."""

    def check(self) -> None:
        """Compare all that the step could have changed, and a few of the other facts."""
        holders = [player.address for player in self.players]
        scope = scope_of(self.model, holders)
        found = compare(self.wire, self.city, self.model, holders, self.time)
        check_invariants(found, self.model, self.ledgers, scope)
        known = list(facts.facts_of(self))
        facts.check(self, self.random.sample(known, min(SAMPLE, len(known))))

    def end(self) -> None:
        self.ledgers.check()
        facts.check(self, list(facts.facts_of(self)))


class Contradiction(AssertionError):
    """Chain and model differ; the message repeats the life."""

    def __init__(self, seed: str, life: CityLife, why: BaseException) -> None:
        story = "\n  ".join(life.story[-12:])
        super().__init__(f"TONGDUI_SEED={seed}, step {life.age}: {type(why).__name__}: {why}\n  {story}")


def run_lives(
    setting: Setting, seed: str, lives: int, steps: int, say: Callable[[str], None], seconds: float = 1e9
) -> tuple[int, Counter[str]]:
    """Run lives of so many steps each, as long as the seconds last; return the steps made, and what was met.

    A seed "7" gives the lives "7.1", "7.2" and so on; a seed with a point is one life alone.
    """
    seen: Counter[str] = Counter()
    made, began = 0, time.monotonic()
    names = [seed] if "." in seed else [f"{seed}.{i}" for i in range(1, lives + 1)]
    for place, name in enumerate(names, 1):
        if time.monotonic() - began > seconds:
            break
        made += live(setting, name, steps, seen)
        if place % 25 == 0:
            say(f"{place} lives, {made} steps, {time.monotonic() - began:.0f} s")
    return made, seen


def live(setting: Setting, seed: str, steps: int, seen: Counter[str]) -> int:
    """Live one life and put the city back."""
    before = setting.wire.ask("evm_snapshot")
    life = CityLife(setting, seed, seen)
    try:
        life.first_grants()
        for _ in range(steps):
            life.step()
            life.check()
        life.end()
    except Exception as why:
        raise Contradiction(seed, life, why) from why
    finally:
        assert setting.wire.ask("evm_revert", before) is True
    return steps
