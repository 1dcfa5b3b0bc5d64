"""Which call carries which kind of order, and what it costs. Pure.

The gas of a call is computed, not asked for: an estimate costs a round trip and a run of the EVM, and would be wrong by
the time the call lands. A limit too high costs nothing (the price is 0, unused gas returns to the block); a limit too
low reverts the call, for modules revert rather than reject an order for lack of gas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.outbox.errors import UnknownKind
from ledger.standard.keccak import keccak256

GAS_MAX = 16_000_000
"""Under the 2**24 = 16,777,216 gas that EIP-7825 allows a transaction on newer engines."""

ORDERS_MAX = 120
"""Orders a call; more save no gas, and fewer neighbours share a call's outcome."""

_BASE = 200_000
_BYTE = 40  # 16 for calldata, twice as much again for copying and hashing it


@dataclass(frozen=True, slots=True)
class Route:
    """How orders of a kind reach the chain: ``function(bytes)`` of the module at ``target`` (20 bytes)."""

    target: bytes
    selector: bytes
    order_gas: int
    lot_gas: int


@dataclass(frozen=True, slots=True)
class Routes:
    """The modules' addresses (20 bytes each); built from the deployment, replaced when a module is."""

    by_kind: Mapping[str, Route]

    @classmethod
    def of(cls, exchange: bytes, redemption: bytes) -> Routes:
        """Return the routes of the five kinds of orders."""
        execute, hold = _selector("execute(bytes)"), _selector("hold(bytes)")
        return cls(
            {
                # An exchange into a lot that nobody has yet writes fresh words (22k each): the lot's, the holder's, the
                # two positions, the two caps'. So does a payment: the merchant's claim, a position for each lot.
                "exchange": Route(exchange, execute, order_gas=200_000, lot_gas=0),
                "redeem": Route(redemption, execute, order_gas=100_000, lot_gas=45_000),
                "hold": Route(redemption, hold, order_gas=110_000, lot_gas=60_000),
                "capture": Route(redemption, _selector("capture(bytes)"), order_gas=120_000, lot_gas=80_000),
                "release": Route(redemption, _selector("release(bytes)"), order_gas=90_000, lot_gas=65_000),
            }
        )

    def get(self, kind: str) -> Route:
        """Return the route of a kind. Raises UnknownKind."""
        try:
            return self.by_kind[kind]
        except KeyError:
            raise UnknownKind(kind) from None

    def order_gas(self, kind: str, packed: bytes) -> int:
        """Return an upper bound of the gas that one packed order needs, contract wallets included."""
        route = self.get(kind)
        return route.order_gas + route.lot_gas * _lots(kind, packed) + _BYTE * len(packed) + _wallet_gas(kind, packed)

    @staticmethod
    def call_gas(orders_gas: int) -> int:
        """Return the gas limit of a call whose orders need ``orders_gas`` together."""
        return min(GAS_MAX, orders_gas + _BASE)

    @staticmethod
    def calldata(route: Route, packed: bytes) -> bytes:
        """Return the calldata of ``function(bytes packed)``."""
        padding = b"\0" * (-len(packed) % 32)
        return route.selector + (32).to_bytes(32, "big") + len(packed).to_bytes(32, "big") + packed + padding


def mint_gas(grants: int) -> int:
    """Return the gas limit of a mint of ``grants`` grants, each to a holder who is new to the lot's word."""
    return min(GAS_MAX, 250_000 + 30_500 * grants)


_LOT_COUNT_AT = {"redeem": 33, "hold": 39, "capture": 39, "release": 39}
_SIGNATURE = 65


def _lots(kind: str, packed: bytes) -> int:
    at = _LOT_COUNT_AT.get(kind)
    return 0 if at is None or at >= len(packed) else packed[at]


def _wallet_gas(kind: str, packed: bytes) -> int:
    """A signature of another length is a contract wallet's: the check may take 100k gas, and 1/64 stays behind."""
    head = 57 if kind == "exchange" else _LOT_COUNT_AT[kind] + 1 + 16 * _lots(kind, packed)
    if kind == "capture":
        head += 9
    length = int.from_bytes(packed[head : head + 2], "big")
    return 0 if length in (0, _SIGNATURE) else 130_000


def _selector(signature: str) -> bytes:
    return keccak256(signature.encode())[:4]
