"""One random life: how an act is put to model and chain, and chance."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from city import SCOPES

from .chances import Chances, Past
from .ledgers import Ledgers
from .model import Model, Reverts
from .setting import BEGIN, MODULE_ROLES, Player, Setting
from .wire import Call, Mined


@dataclass(frozen=True)
class Act:
    """A call, and what the model says to it."""

    call: Call
    decide: Callable[[int], Any]
    name: str


def move(weight: float = 1) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Make a method one of the moves of a life; twice the weight, twice as often."""

    def mark(method: Callable[[Any], None]) -> Callable[[Any], None]:
        method.weight = weight  # type: ignore[attr-defined]
        return method

    return mark


class Life(Chances):
    """The city at its beginning, and what became of it."""

    def __init__(self, setting: Setting, seed: str, seen: Counter[str]) -> None:
        self.setting, self.wire, self.city = setting, setting.wire, setting.city
        self.council = setting.council
        self.time = BEGIN
        self.age = self.acts = 0
        self.random = Random(seed)
        self.seen = seen
        """Errors, verdicts and events met, over all lives of a run."""
        self.players: list[Player] = setting.players()
        self.model: Model = setting.model()
        self.rules_of_council = setting.council_model()
        self.rules_of_council.told = self.model.told
        self.ledgers = Ledgers(self.model)
        self.past = Past()
        self.issuers = {programme: [person] for programme, person in setting.issuers.items()}
        """Keys that signed once or sign now, the newest last."""
        self.modules = {name: getattr(self.city, name) for name in MODULE_ROLES}
        """Those in office."""
        self.retired: dict[str, list[Any]] = {name: [] for name in MODULE_ROLES}
        self.replacing: set[str] = set()
        self.shop_keys = {shop: self.city.merchant[shop] for shop in SCOPES}
        self.arbiter_keys = [self.city.arbiter_key]
        self.story: list[str] = []
        """Move by move, for whoever looks into a contradiction."""
        self.weights = self._weights()

    def _weights(self) -> dict[str, float]:
        """Each life has likes of its own, so that now and then much of one thing meets little of another."""
        found = {name: getattr(method, "weight", 0) for name, method in inspect.getmembers(type(self))}
        return {name: weight * self.random.choice((0.25, 1, 1, 1, 2, 4)) for name, weight in found.items() if weight}

    def step(self) -> None:
        """Make moves until one of them has put something to the chain."""
        self.age += 1
        acts = self.acts
        while acts == self.acts:
            name = self.random.choices(list(self.weights), list(self.weights.values()))[0]
            self.story.append(f"{self.age} {name} at {self.time}")
            getattr(self, name)()

    # -------------------------------------------------------------------------------------------------- the act

    def act(self, sender: Any, contract: Any, function: str, args: Sequence[Any], decide: Callable[[int], Any]) -> Act:
        """An act of an account, or of a player, whose wallet calls for it where it has one."""
        if isinstance(sender, Player) and sender.wallet is not None:
            inner = Call(sender.address, contract, function, tuple(args))
            passed_on = (contract, bytes.fromhex(inner.data[2:]))
            return Act(Call(self.city.operator.address, sender.wallet, "call", passed_on), decide, function)
        return Act(Call(address_of(sender), contract, function, tuple(args)), decide, function)

    def does(self, sender: Any, contract: Any, function: str, args: Sequence[Any], rule: Callable[..., Any]) -> Any:
        """Perform one act that the model decides by the caller, the same arguments and the time."""
        caller = address_of(sender)
        plain = [getattr(arg, "address", arg) for arg in args]
        return self.perform(self.act(sender, contract, function, args, lambda at: rule(caller, *plain, at)))[0]

    def anyone(self) -> Any:
        """Who relays: now and then a contract, which may not."""
        if self.chance(60):
            return self.players[6]
        return self.random.choice((self.city.operator, self.city.stranger))

    def perform(self, *acts: Act) -> list[Any]:
        """Put acts to the model and, in one block, to the chain: both do them, or both refuse for the same reason.

        Returns what the model answered, None where it refused.
        """
        self.time += 1
        self.acts += len(acts)
        decided = [self._decide(act) for act in acts]
        refused = decided[0][0]
        if refused is not None:
            found = self.wire.refusal(acts[0].call, self.time)
            got = None if found is None else (found.name, found.values)
            wanted = (refused.name, refused.values)
            assert got == wanted, f"{acts[0].name}: the chain says {got}, the model {wanted}"
        mined = self.wire.mine(self.time, [act.call for act in acts])
        for act, outcome, (refused, _, told) in zip(acts, mined, decided, strict=True):
            if outcome.ok is not (refused is None):
                why = self.wire.refusal(act.call, self.time)
                raise AssertionError(f"{act.name}: the chain says {why or 'yes'}, the model {refused or 'yes'}")
            self._compare(act, outcome, told)
        return [answer for _, answer, _ in decided]

    def _decide(self, act: Act) -> tuple[Reverts | None, Any, list[Any]]:
        self.model.begin()
        try:
            answer = act.decide(self.time)
        except Reverts as refused:
            self.model.undone()
            self.seen[refused.name] += 1
            return refused, None, []
        return None, answer, list(self.model.told)

    def _compare(self, act: Act, outcome: Mined, told: list[Any]) -> None:
        plain = [
            (name, {key: value for key, value in values.items() if key != "caller"} if name == "Transfer" else values)
            for _, (name, values) in outcome.events
            if name != "PositionChanged"
        ]
        if plain != told:
            differ = [pair for pair in zip(plain, told, strict=False) if pair[0] != pair[1]][:1]
            raise AssertionError(f"{act.name}: {len(plain)} events on the chain, {len(told)} in the model: {differ}")
        self.seen.update(f"Rejected {values['code']}" if name == "Rejected" else name for name, values in plain)
        self.ledgers.follow(act.name, [event for _, event in outcome.events], self.time)


def address_of(sender: Any) -> str:
    return str(getattr(sender, "address", sender))
