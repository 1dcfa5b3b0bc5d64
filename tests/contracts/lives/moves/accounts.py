"""Accounts that give way to others: desks, objections, execution, and what lands later."""

from __future__ import annotations

from typing import Any

from city import DAY

from lives.keys import person
from lives.life import Life, address_of, move
from lives.model import Reverts
from lives.setting import Player

PLAYERS_MAX = 13


class AccountMoves(Life):
    """The one path of succession, with honest desks, thieves of a desk's key, and thieves of the old key."""

    def _heir(self) -> Player:
        """Somebody there, or somebody new; new ones keep the city alive."""
        if len(self.players) < PLAYERS_MAX and not self.chance(3):
            heir = person(f"heir {len(self.players)}")
            self.players.append(Player(heir.address, heir))
            return self.players[-1]
        return self.random.choice(self.players)

    def _some_lots(self) -> list[int]:
        known = sorted(self.model.supplies)
        lots = self.random.sample(known, min(len(known) // 2, 10))
        return [*lots, 2**64 + 5] if self.chance(15) else lots

    def _desk(self) -> Any:
        """One of the two desks; now and then somebody who is none."""
        return self.random.choice((self.city.desk, self.city.other_desk)) if not self.chance(15) else self.city.operator

    @move(2.5)
    def a_desk_asks(self) -> None:
        unretired = [p for p in self.players if p.address not in self.model.successor]
        old = self.random.choice(unretired if unretired and not self.chance(6) else self.players)
        heir = self._heir()
        new = heir.address if not self.chance(12) else self.random.choice((old.address, self.model.ledger))
        deadline = self.time + self.random.choice((1, DAY, DAY, 0 if self.chance(4) else DAY))
        digest = self.model.digest("Succession", oldAccount=old.address, newAccount=new, deadline=deadline)
        consent = self.sign(heir.person if not self.chance(15) else person("nobody"), digest)
        args = (old.address, new, deadline, consent)
        self.does(self._desk(), self.city.succession, "requestSuccession", args, self.model.request)

    def _asked(self, *states: int) -> str:
        found = sorted(holder for holder, asked in self.model.requests.items() if asked.state in states)
        return str(self.random.choice(found or [self.random.choice(self.players).address]))

    def _new_of(self, holder: str) -> str:
        return str(self.model.requests[holder].new) if not self.chance(12) else self.players[0].address

    @move(3)
    def a_desk_confirms(self) -> None:
        """Most often the other one."""
        holder = self._asked(1)
        asked = self.model.requests[holder]
        if not asked.state and not self.chance(6):
            return
        if self.chance(30):
            self.to_time(asked.since + 30 * DAY - self.random.choice((0, 1, 2)))
        other = self.city.other_desk if asked.desk == self.city.desk.address else self.city.desk
        desk = other if not self.chance(6) else self._desk()
        self.does(desk, self.city.succession, "confirm", (holder, self._new_of(holder)), self.model.confirm)

    @move(0.7)
    def the_old_key_objects(self) -> None:
        """As the caller, or by a signature that anyone relays."""
        holder = self._asked(1, 2)
        asked = self.model.requests[holder]
        if not asked.state and not self.chance(6):
            return
        player = next((p for p in self.players if p.address == holder), self.players[0])
        caller = player if self.chance(3) else self.anyone()
        who = address_of(caller)
        digest = self.model.digest("Objection", oldAccount=holder, newAccount=asked.new)
        signature = self.sign(player.person if not self.chance(8) else person("nobody"), digest)
        decide = lambda at: self.model.object_to(who, holder, signature, at)  # noqa: E731
        self.perform(self.act(caller, self.city.succession, "objectTo", (holder, signature), decide))

    @move(4)
    def anyone_executes(self) -> None:
        """Too early, too late, or in time."""
        random = self.random
        holder = self._asked(2, 4)
        asked = self.model.requests[holder]
        if not asked.state and not self.chance(8):
            return
        ready = asked.since + (7 * DAY if asked.state == 2 else 0)
        if not self.chance(5):
            self.to_time(ready - random.choice((0, 0, 1, 2)))
        elif self.chance(8):
            self.to_time(ready + 30 * DAY - random.choice((0, 1, 2)))
        lots = self._some_lots()
        self.does(self.anyone(), self.city.succession, "execute", (holder, lots), self.model.execute)

    @move(1.5)
    def forward(self) -> None:
        retired = [player.address for player in self.players if player.address in self.model.successor]
        if not retired and not self.chance(4):
            return
        old = self.random.choice(retired if retired and not self.chance(8) else [p.address for p in self.players])
        lots = self._some_lots()
        self.does(self.anyone(), self.city.ledger, "forward", (old, lots), self.model.forward)

    @move(0.3)
    def somebody_plays_the_succession_contract(self) -> None:
        """Only it may name successors."""
        caller = self.city.desk
        args = (self.players[0].address, self.players[1].address, [])

        def refuse(who: str, *_: Any) -> None:
            raise Reverts("PointsLedgerOnlySuccession", who)

        self.does(caller, self.city.ledger, "succeed", args, refuse)
