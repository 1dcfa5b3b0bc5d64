"""The invariants that the events alone must keep: who follows the log has all balances, and sees nothing twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from reference import MICROFEN_MINOR, ZERO, programme_of

from .model import Model
from .wire import Event

GIVES_BACK = {"capture", "release", "refund", "refundLocked"}
MOVES_DEAD = GIVES_BACK | {"revoke", "sweep"}
"""What may move a lot that has expired (8)."""


class Ledgers:
    """Balances, supplies and positions added up from the events."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.balances: dict[tuple[str, int], int] = defaultdict(int)
        self.minted: dict[int, int] = defaultdict(int)
        self.burned: dict[int, int] = defaultdict(int)
        self.positions: dict[int, int] = defaultdict(int)
        self.funded_now: set[int] = set()
        """Programmes that minted in the step under way."""
        self.once: Counter[tuple[Any, ...]] = Counter()

    def follow(self, act: str, events: Sequence[Event], at: int) -> None:
        """Take up the events of one transaction, and hold each to what must always be so."""
        back: dict[int, int] = defaultdict(int)
        for name, values in events:
            if name == "Transfer":
                self._transfer(act, values, at)
                back[programme_of(values["id"])] += values["amount"] * (values["sender"] == ZERO)
            elif name == "PositionChanged":
                participant = values["participant"]
                self.positions[participant] += values["delta"]
                assert self.positions[participant] == values["position"]
            elif name == "BatchMinted":
                self.funded_now.add(values["programme"])
            elif name == "Exchanged":
                self._exchanged(values)
            self._count(name, values)
        if act in ("refund", "refundLocked") and events:
            self._refunded(dict(events)["Refunded"], back)

    def _transfer(self, act: str, values: dict[str, Any], at: int) -> None:
        sender, receiver, lot, amount = (values[part] for part in ("sender", "receiver", "id", "amount"))
        assert act in MOVES_DEAD or amount == 0 or not self.model.is_dead(lot, at), "8: an expired lot moved"
        for who, total, change in ((sender, self.minted, -amount), (receiver, self.burned, amount)):
            if who == ZERO:
                total[lot] += amount
            else:
                self.balances[who, lot] += change
                assert self.balances[who, lot] >= 0

    def _exchanged(self, values: dict[str, Any]) -> None:
        """5. Value out of an exchange <= value in; a lot keeps its expiry quarter."""
        value_in = values["amountIn"] * self.model.par(values["fromId"])
        value_out = values["amountOut"] * self.model.par(values["toId"])
        assert value_out <= values["fen"] * MICROFEN_MINOR <= value_in
        assert values["fromId"] & 0xFFFFFFFF == values["toId"] & 0xFFFFFFFF

    def _count(self, name: str, values: dict[str, Any]) -> None:
        """3. Each batch and each order has effect at most once."""
        key: tuple[Any, ...] | None = None
        if name == "BatchLanded":
            key = (name, values["programme"], values["number"])
        elif name in ("Exchanged", "Redeemed", "Held", "HoldClosed"):
            key = (name, values["holdId"] if name == "HoldClosed" else values["orderId"])
        if key is not None:
            self.once[key] += 1
            assert self.once[key] == 1, f"3: twice {key}"

    def _refunded(self, values: dict[str, Any], back: dict[int, int]) -> None:
        """6. A refund restores the same programme and amount."""
        assert {p: n for p, n in back.items() if n} == self.model.last_refund

    def check(self) -> None:
        """The events alone give back every balance, supply and position (1, 2)."""
        model = self.model
        assert {k: n for k, n in self.balances.items() if n} == {k: n for k, n in model.balances.items() if n}
        supplies = {lot: self.minted[lot] - self.burned[lot] for lot in self.minted}
        assert {lot: n for lot, n in supplies.items() if n} == {lot: n for lot, n in model.supplies.items() if n}
        positions = {k: n for k, n in self.positions.items() if n}
        assert positions == {k: n for k, n in model.positions.items() if n}
        assert sum(positions.values()) == 0
