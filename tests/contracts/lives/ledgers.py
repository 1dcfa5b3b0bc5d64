"""The invariants that the events alone must keep: who follows the log has all balances, and sees nothing twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from reference import MICROFEN_MINOR, ZERO, programme_of

from .model import Model
from .wire import Event

RESTORES = {"refund", "arbiterRefund"}
MOVES_DEAD = RESTORES | {"sweep"}
"""What may move a lot that has expired (8). No capture may, for no hold outlives its lots. A release may that comes
weeks later: what died meanwhile comes back to be swept."""


class Ledgers:
    """Balances, supplies and positions added up from the events."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.balances: dict[tuple[str, int], int] = defaultdict(int)
        self.minted: dict[int, int] = defaultdict(int)
        self.burned: dict[int, int] = defaultdict(int)
        self.redeemed: dict[int, int] = defaultdict(int)
        self.restored: dict[int, int] = defaultdict(int)
        self.positions: dict[int, int] = defaultdict(int)
        self.funded_now: set[int] = set()
        """Programmes that minted or lost appropriations in the step under way."""
        self.once: Counter[tuple[Any, ...]] = Counter()

    def follow(self, act: str, events: Sequence[Event], at: int) -> None:
        """Take up the events of one transaction, and hold each to what must always be so."""
        waiting: list[dict[str, Any]] = []
        sum_before = sum(self.positions.values())
        for name, values in events:
            if name == "Transfer":
                self._transfer(act, values, at)
                waiting.append(values)
            elif name == "PositionChanged":
                participant = values["participant"]
                self.positions[participant] += values["delta"]
                assert self.positions[participant] == values["position"]
            elif name in ("BatchMinted", "AppropriationLapsed"):
                self.funded_now.add(values["programme"])
            elif name == "Exchanged":
                self._exchanged(values, waiting)
            if name in ("Redeemed", "Captured"):
                self._redeemed(waiting, name == "Captured")
            if name in ("Redeemed", "Captured", "Exchanged", "Held", "Released", "Rejected"):
                waiting.clear()
            self._count(name, values)
        if act in RESTORES and events:
            self._restored(waiting)
        assert sum(self.positions.values()) == sum_before == 0, "2: positions do not sum to 0"
        assert self.positions[3 << 32] <= 0, "10: the pool is above 0"

    def _transfer(self, act: str, values: dict[str, Any], at: int) -> None:
        sender, receiver, lot, amount = (values[part] for part in ("sender", "receiver", "id", "amount"))
        may = act in MOVES_DEAD or (act == "release" and sender == self.model.ledger)
        assert may or amount == 0 or not self.model.is_dead(lot, at), "8: an expired lot moved"
        for who, total, change in ((sender, self.minted, -amount), (receiver, self.burned, amount)):
            if who == ZERO:
                total[lot] += amount
            else:
                self.balances[who, lot] += change
                assert self.balances[who, lot] >= 0

    def _exchanged(self, values: dict[str, Any], transfers: list[dict[str, Any]]) -> None:
        """5. Value out of an exchange <= value in; a lot keeps its expiry quarter."""
        gone, come = transfers[-2:]
        value_in, value_out = (part["amount"] * self.model.par(part["id"]) for part in (gone, come))
        assert value_out <= values["fen"] * MICROFEN_MINOR <= value_in
        assert gone["id"] & 0xFFFFFFFF == come["id"] & 0xFFFFFFFF

    def _redeemed(self, transfers: list[dict[str, Any]], from_escrow: bool) -> None:
        for part in transfers:
            if part["receiver"] == ZERO and (part["sender"] == self.model.ledger) is from_escrow:
                self.redeemed[part["id"]] += part["amount"]

    def _restored(self, transfers: list[dict[str, Any]]) -> None:
        """6. Never more of a programme comes back than was redeemed of it."""
        for part in transfers:
            if part["sender"] == ZERO:
                self.restored[programme_of(part["id"])] += part["amount"]
        for programme, amount in self.restored.items():
            assert amount <= sum(n for lot, n in self.redeemed.items() if programme_of(lot) == programme)

    def _count(self, name: str, values: dict[str, Any]) -> None:
        """3. Each batch, order, reference and document has effect at most once."""
        key: tuple[Any, ...] | None = None
        if name in ("BatchMinted", "BatchVoided"):
            key = ("batch", values["programme"], values["number"])
        elif name in ("Exchanged", "Redeemed", "Held"):
            key = ("order", values["orderId"])
        elif name in ("Captured", "Released"):
            key = ("closed", values["orderId"])
        elif name == "OrderLocked":
            key = ("locked", values["orderId"])
        elif name == "AppropriationRecorded":
            key = (name, values["programme"], values["fiscalYear"], values["documentHash"])
        elif name == "AppropriationLapsed":
            key = (name, values["programme"], values["fiscalYear"])
        elif name == "SuccessorSet":
            key = (name, values["holder"])
        if key is not None:
            self.once[key] += 1
            assert self.once[key] == 1, f"3: twice {key}"

    def check(self) -> None:
        """The events alone give back every balance, supply and position (1, 2)."""
        model = self.model
        assert {k: n for k, n in self.balances.items() if n} == dict(model.balances)
        supplies = {lot: self.minted[lot] - self.burned[lot] for lot in {*self.minted, *self.burned}}
        assert {lot: n for lot, n in supplies.items() if n} == dict(model.supplies)
        positions = {k: n for k, n in self.positions.items() if n and k >> 32 != 2}
        assert positions == dict(model.positions)
