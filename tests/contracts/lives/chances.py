"""What a life draws by lot, and what it remembers to do something with it later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from city import DAY, Person
from reference import HoldOrder, MerkleTree, Prefix, quarter_of, token_id

from . import keys
from .model import Batch, Model, Paid
from .setting import Player


@dataclass
class Past:
    """What a life remembers, to do something with it later."""

    batches: list[tuple[Batch, bytes]] = field(default_factory=list)
    """with the issuer's signature"""
    revocations: list[tuple[Batch, bytes, bytes]] = field(default_factory=list)
    sent: dict[str, list[bytes]] = field(default_factory=lambda: {"exchange": [], "redeem": [], "hold": []})
    """packed orders, one by one"""
    closings: dict[str, list[bytes]] = field(default_factory=lambda: {"capture": [], "release": []})
    holds: list[HoldOrder] = field(default_factory=list)
    payments: list[Paid] = field(default_factory=list)
    refunds: list[tuple[Paid, Prefix, bytes, bool]] = field(default_factory=list)
    """payment, prefix, signature, and whether the arbiter made it"""
    trees: dict[int, MerkleTree] = field(default_factory=dict)
    proposals: list[tuple[Any, bytes, bytes, Callable[[int], None]]] = field(default_factory=list)
    """target, data, salt, and what the model does when it is carried out"""
    nonces: Counter[tuple[str, int]] = field(default_factory=Counter)
    references: list[bytes] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)


class Chances:
    """Who, what and how much: mostly what can succeed, now and then what cannot."""

    random: Random
    time: int
    players: list[Player]
    model: Model
    past: Past

    def sign(self, person: Person, digest: bytes) -> bytes:
        """Sign, and let the model know who did."""
        signature = keys.sign(person.key, digest)
        self.model.signers[digest, signature] = person.address
        return signature

    def spoilt(self, signature: bytes) -> bytes:
        """Cut short, too long, of another v, or the form that is not allowed."""
        changed = (b"", signature[:-1], signature + b"\0", signature[:-1] + b"\x1d", keys.twin(signature))
        return self.random.choice(changed)

    def chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def holder(self) -> Player:
        """Most often somebody who has something."""
        rich = [p for p in self.players if any(self.lots_of(p))]
        return self.random.choice(rich if rich and not self.chance(12) else self.players)

    def lots_of(self, player: Player) -> Iterator[int]:
        return (lot for (who, lot), amount in self.model.balances.items() if who == player.address and amount)

    def lot(self, player: Player | None = None) -> int:
        """A lot: most often a living one the player has something of, sometimes any."""
        if player is not None and not self.chance(15):
            held = sorted(self.lots_of(player))
            alive = [lot for lot in held if not self.model.is_dead(lot, self.time)]
            held = alive if alive and not self.chance(12) else held
            worth = [lot for lot in held if self.model.par(lot)]
            held = worth if worth and not self.chance(12) else held
            if held:
                return self.random.choice(held)
        quarter = quarter_of(self.time) + self.random.choice((-1, 0, 0, 1, 3, 4))
        return token_id(self.random.choice((*self.model.terms, 99)), quarter)

    def amount(self, player: Player, lot: int) -> int:
        held = self.model.balances[player.address, lot] or 500
        if self.chance(12):
            return self.random.choice((0, 1, held, held + 1, 2**48, 2**64 - 1))
        return self.random.randint(min(50, held), held)

    def nonce(self, account: str, lot: int) -> int:
        """Return the next nonce of a word; now and then one far away."""
        word = self.model.place_of(account, lot)
        base, window = self.model.nonces[word]
        if self.chance(25) or base > 2**31:
            return min(base + self.random.choice((0, 5, 30, 31, 32, 33, 62, 63, 64, 65, 95)), 2**32 - 1)
        free = max(self.past.nonces[word], base)
        while window >> (free - base) & 1:
            free += 1
        self.past.nonces[word] = free + 1
        return free

    def programme(self) -> int:
        return int(self.random.choice(sorted(self.model.terms)))

    def to_time(self, moment: int) -> None:
        """Go on to a moment, if it is not past."""
        self.time = max(self.time, moment)

    def remember(self, payments: list[Paid] | None) -> None:
        """Keep receipts for refunds and disputes, with the tree of their batch."""
        if payments:
            self.past.payments += payments
            self.past.trees[payments[0].batch] = MerkleTree([paid.leaf() for paid in payments], sort=False)

    @staticmethod
    def days(count: int) -> int:
        return count * DAY
