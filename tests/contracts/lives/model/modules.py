"""What the modules share: brakes, roles, and how a relayed batch is taken apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from city import EXCHANGE, GUARDIAN, REDEMPTION
from eth_utils import keccak
from reference import ACCEPTED, MALFORMED, ZERO

from .issuance import Issuance
from .packing import Reader, Unpacked, orders_of
from .state import DAY, Reverts


class Modules(Issuance):
    """Exchange and redemption are whatever contract has the role."""

    def pause(self, caller: str, module: str, seconds: int, at: int) -> None:
        self.check_role(GUARDIAN, caller)
        if not 0 < seconds <= 72 * 3600:
            raise Reverts("PausableBadDuration", seconds)
        _, ready = self.brakes[module]
        if at < ready:
            raise Reverts("PausableTooSoon", ready)
        self.brakes[module] = (at + seconds, at + seconds + 7 * DAY)
        self.tell("Paused", until=at + seconds)

    def unpause(self, caller: str, module: str, at: int) -> None:
        self.check_role(GUARDIAN, caller)
        self.brakes[module] = (0, self.brakes[module][1])
        self.tell("Unpaused")

    def check_running(self, module: str, at: int) -> None:
        until = self.brakes[module][0]
        if at < until:
            raise Reverts("PausableIsPaused", until)

    def replace_module(self, caller: str, role: int, old: str, new: str, at: int) -> None:
        """Another contract takes over, in one call of the council's."""
        self.check_role(0, caller)
        fresh = not self.roles[role, new]
        granted = {"roleId": role, "account": new, "delay": 0, "since": at if fresh else 0}
        self.tell("RoleGranted", **granted, newMember=fresh)
        self.roles[role, new] = True
        if self.roles[role, old]:
            self.tell("RoleRevoked", roleId=role, account=old)
            self.roles[role, old] = False

    def run(
        self, packed: bytes, read: Callable[[Reader], Unpacked], one: Callable[[bytes, Any, Unpacked], int]
    ) -> None:
        """Hand each sound order of a batch to `one`; whatever it does not accept is skipped."""
        for found in orders_of(packed, read):
            if isinstance(found, bytes):
                self.tell("Rejected", orderId=keccak(found), holder=ZERO, code=MALFORMED)
                continue
            order_id = self.id_of(found.order)
            code = one(order_id, found.order, found)
            if code != ACCEPTED:
                self.tell("Rejected", orderId=order_id, holder=found.order.holder, code=code)

    def check_exchange(self, module: str, caller: str) -> None:
        self.check_plain(caller)
        self.check_role(EXCHANGE, module)

    def check_redemption(self, module: str, caller: str) -> None:
        self.check_plain(caller)
        self.check_role(REDEMPTION, module)
