"""The waits of a real city, by OpenZeppelin's AccessManager: acts that are announced, modules that come late.

The city of the other tests grants its roles without any wait; here the same manager has the delays that the deployment
gives it, and a council is its only admin.
"""

from __future__ import annotations

from typing import Any

from city import ARBITER, DAY, DESK, EXCHANGE, FINANCE, REDEMPTION, REGISTRAR, SUPERVISOR, City, go_to, now
from eth_abi import encode
from eth_utils import keccak

ANNOUNCED = DAY
"""How long an act of finance or the registrar waits."""
AUTHORITY_WAIT = 7 * DAY
"""How long a change of who may do what is seen before it takes effect."""
DELAYED_ROLES = (0, EXCHANGE, REDEMPTION, FINANCE, DESK, REGISTRAR, ARBITER, SUPERVISOR)
"""All but the guardian's, who can only brake."""


class Institutions:
    """A city whose finance bureau and registrar announce what they do, and whose supervisor can cancel it."""

    def __init__(self, city: City) -> None:
        self.city, self.manager = city, city.manager
        self.supervisor = city.other_desk
        for role, account in ((FINANCE, city.finance), (REGISTRAR, city.registrar)):
            self.manager.grantRole(role, account, ANNOUNCED, city.by_admin)
            self.manager.setRoleGuardian(role, SUPERVISOR, city.by_admin)
        self.manager.grantRole(SUPERVISOR, self.supervisor, 0, city.by_admin)
        for role in DELAYED_ROLES:
            self.manager.setGrantDelay(role, AUTHORITY_WAIT, city.by_admin)
        for target in (city.ledger, city.book, city.succession, city.exchange, city.redemption):
            self.manager.setTargetAdminDelay(target, AUTHORITY_WAIT, city.by_admin)
        # The manager puts these delays in force five days after they were set.
        go_to(now() + 5 * DAY)

    def data(self, contract: Any, function: str, *args: Any) -> bytes:
        return bytes.fromhex(getattr(contract, function).encode_input(*args)[2:])

    def operation(self, caller: Any, target: Any, data: bytes) -> bytes:
        """Return the id of an announced act."""
        return keccak(encode(["address", "address", "bytes"], [caller.address, target.address, data]))

    def announce(self, caller: Any, target: Any, function: str, *args: Any, when: int = 0) -> bytes:
        """Announce an act, for as soon as may be, and return its data."""
        data = self.data(target, function, *args)
        self.manager.schedule(target, data, when, {"from": caller})
        return data

    def cancel(self, by: Any, caller: Any, target: Any, data: bytes) -> Any:
        return self.manager.cancel(caller, target, data, {"from": by})
