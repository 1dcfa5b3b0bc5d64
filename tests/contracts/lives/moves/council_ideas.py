"""What the council might want: one of each act that is its alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from city import DAY, Person, bits
from reference import ZERO

from lives.keys import person
from lives.life import Life
from lives.setting import MODULE_ROLES, SPARES
from lives.wire import Call

Idea = tuple[Any, str, tuple[Any, ...], Callable[[int], Any]]
"""Contract, function, arguments, and what the model does; it may return what is to be remembered if all goes well."""


class CouncilIdeas(Life):
    """A council that governs, one that blunders, and one whose majority is bought."""

    def ideas(self) -> list[Idea]:
        free = [name for name in MODULE_ROLES if name not in self.replacing and len(self.retired[name]) < SPARES]
        # One at a time: a second, made before the first was carried out, would leave two in office.
        ways = [self._of_programmes, self._of_programmes, self._of_clearing, self._of_itself]
        if free and not self.chance(3):
            ways.append(lambda: [self._replacement(self.random.choice(free))])
        return self._of_accounts() or self.random.choice(ways)()

    def _idea(self, contract: Any, function: str, args: tuple[Any, ...], rule: Callable[..., Any], *given: Any) -> Idea:
        plain = given or args
        return contract, function, args, lambda at: rule(self.council.address, *plain, at) and None

    def _of_programmes(self) -> list[Idea]:
        random, model, ledger = self.random, self.model, self.city.ledger
        programme = self.programme()
        version, state = random.randrange(6), random.choice((1, 2, 2, 2, 3, 3))
        ceilings = (programme, random.choice((0, 1, 5_000, 50_000)), random.choice((0, 1, 3_000, 50_000)))
        until = self.time + random.choice((0, 5 * DAY, 30 * DAY, 91 * DAY, 95 * DAY))
        found = [
            self._idea(ledger, "setRulebook", (programme, version, bits(version)), model.set_rulebook),
            self._idea(ledger, "setCeilings", ceilings, model.set_ceilings),
            self._idea(ledger, "setFrozenUntil", (programme, until), model.set_frozen_until),
            self._idea(ledger, "setFrozenUntil", (programme, 0), model.set_frozen_until),
            self._idea(ledger, "setRebirthCap", (random.choice((0, 500, 5_000, 100_000)),), model.set_rebirth_cap),
            self._rotation(random.choice(sorted(self.issuers))),
            self._series(),
        ]
        closing = [p for p in sorted(model.terms) if model.state[p] == 2]
        if closing and self.chance(2):
            programme, state = random.choice(closing), 3
            if self.chance(6):
                self.to_time(model.spendable_until[programme] + 150 * DAY - 2 * DAY)
        if state == 3 or self.chance(4):
            found.append(self._idea(ledger, "setState", (programme, state), model.set_state))
        return found

    def _of_clearing(self) -> list[Idea]:
        random, model, book = self.random, self.model, self.city.book
        exchange, programme = self.modules["exchange"], self.programme()
        fen = random.choice((0, 500, 5_000, 100_000))
        until = self.time + random.choice((0, 10 * DAY, 92 * DAY, 95 * DAY))
        terms = (random.choice((DAY, 7 * DAY, 7 * DAY, 91 * DAY)), random.choice((0, 0, 3_000, 20_000)))
        arbiter = person(f"arbiter {self.age % 5}")

        def set_arbiter(at: int) -> Callable[[], None]:
            model.set_arbiter_key(self.council.address, arbiter.address, at)
            return lambda: self.arbiter_keys.append(arbiter)

        module = exchange.address
        return [
            self._idea(exchange, "setResidentCap", (fen,), model.set_resident_cap, module, fen),
            self._idea(exchange, "setInflowCap", (programme, fen), model.set_inflow_cap, module, programme, fen),
            self._idea(book, "setWaiver", (programme, until), model.set_waiver),
            self._idea(book, "setTerms", (terms,), model.set_terms, *terms),
            (book, "setArbiterKey", (arbiter.address,), set_arbiter),
        ]

    def _of_itself(self) -> list[Idea]:
        random, council = self.random, self.rules_of_council
        member, joins = random.choice(self.setting.members), self.chance(2)
        rules = (random.choice((1, 2, 2, 2, 3, 0)), random.choice((3_600, DAY, 2 * DAY, 60)))
        return [
            (self.council, "setMember", (member, joins), lambda at: council.set_member(member, joins, at)),
            (self.council, "setRules", rules, lambda at: council.set_rules(*rules, at)),
        ]

    def _of_accounts(self) -> list[Idea]:
        """Its word on successions that were objected to."""
        found = []
        for holder, asked in self.model.requests.items():
            if asked.state == 3:
                args = (holder, asked.new, self.chance(2))
                found += [self._idea(self.city.succession, "decide", args, self.model.decide)] * 4
        return found

    def _replacement(self, name: str) -> Idea:
        """Another module takes over, in one call: the role goes to it and leaves the one in office."""
        role, old, new = MODULE_ROLES[name], self.modules[name], self.setting.spares[name][len(self.retired[name])]
        manager = self.city.manager
        calls = [
            bytes.fromhex(Call(ZERO, manager, function, args).data[2:])
            for function, args in (("grantRole", (role, new, 0)), ("revokeRole", (role, old)))
        ]

        def replace(at: int) -> Callable[[], None]:
            self.model.replace_module(self.council.address, role, old.address, new.address, at)
            return lambda: self._take_office(name, old, new)

        return manager, "multicall", (calls,), replace

    def _take_office(self, name: str, old: Any, new: Any) -> None:
        self.retired[name].append(old)
        self.modules[name] = new
        self.replacing.discard(name)

    def _rotation(self, programme: int) -> Idea:
        """A new issuer key, or the end of an old one."""
        known = self.issuers[programme]
        new = person(f"issuer {programme} since {self.age % 9}")
        if len(known) > 1 and self.chance(2):
            old = known[0]
            rule = self.model.remove_key
            return self._idea(self.city.ledger, "removeIssuerKey", (programme, old.address), rule)

        def rotate(at: int) -> Callable[[], None]:
            self.model.add_key(self.council.address, programme, new.address, at)
            return lambda: known.append(new)

        return self.city.ledger, "addIssuerKey", (programme, new.address), rotate

    def _series(self) -> Idea:
        """A new programme beside the old ones, or something like it that must not be."""
        random = self.random
        programme = random.choice((50, 51, 52, 1, 0))
        par, flags = random.choice((1, 3_000_000, 40_000_000, 10**11 + 1, 0)), random.choice((15, 14, 14, 8, 1, 16))
        scope, first = random.choice((0, 0b10)), person(f"issuer {programme}")
        key = first.address if not self.chance(12) else ZERO

        def register(at: int) -> Callable[[], None]:
            self.model.register_programme(self.council.address, programme, par, flags, scope, key, at)
            return lambda: self._begins(programme, first)

        args = (programme, par, flags, bits(scope), key, "A new series", "N")
        return self.city.ledger, "registerProgramme", args, register

    def _begins(self, programme: int, first: Person) -> None:
        self.issuers[programme] = [first]
