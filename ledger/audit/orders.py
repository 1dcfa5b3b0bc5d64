"""The signed orders behind the events: they stand in the bytes of the transactions that carried them out.

Events name an order by its id, which is its EIP-712 digest, so the bytes need no proof of their own: whatever hashes to
the id is the order. The signer is recovered here; whether that is the holder, the rules decide.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger.audit.books import Account
from ledger.audit.chain import read_many
from ledger.chain.rpc import RpcClient
from ledger.proofs.events import Event
from ledger.proofs.orders import Order, orders_in
from ledger.standard.contract import NONCE_WINDOW
from ledger.standard.errors import BadSignature
from ledger.standard.ids import address_bytes
from ledger.standard.packed import OrderCall
from ledger.standard.signatures import recover
from ledger.standard.typed_data import Domain, ExchangeOrder

_OUTCOMES = {
    ("Exchange", "Exchanged"),
    ("Exchange", "Rejected"),
    ("Redemption", "Redeemed"),
    ("Redemption", "Held"),
    ("Redemption", "Captured"),
    ("Redemption", "Released"),
    ("Redemption", "Rejected"),
}

Place = tuple[int, int]
"""(block, transaction)"""

NonceState = tuple[int, int]
"""(base, window): bit i of the window says that nonce base + i is spent, and every nonce below the base is."""


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order as a call carried it. ``signer`` is None where no key follows from the signature."""

    id: bytes
    call: OrderCall
    order: Order
    signer: Account | None

    @property
    def holder(self) -> Account:
        """Whose points."""
        return address_bytes(self.order.holder)

    @property
    def nonce_token(self) -> int | None:
        """The lot in whose word the nonce lies; None for captures and releases, which spend none."""
        if self.call in (OrderCall.CAPTURE, OrderCall.RELEASE):
            return None
        return self.order.from_id if isinstance(self.order, ExchangeOrder) else self.order.lots[0].id


OrdersByPlace = Mapping[Place, Sequence[SignedOrder] | None]
"""In the order of the call; None where the transaction called something else, which passed the orders on."""


def read_orders(
    rpc: RpcClient, events: Iterable[Event], modules: Mapping[str, Account], domain: Domain
) -> dict[Place, Sequence[SignedOrder] | None]:
    """Return the orders of every transaction in which an order had an outcome. Raises RpcError."""
    places = sorted(
        {(event.log.block, event.log.transaction) for event in events if (event.contract, event.name) in _OUTCOMES}
    )
    calls = [("eth_getTransactionByBlockNumberAndIndex", [hex(block), hex(index)]) for block, index in places]
    found: dict[Place, Sequence[SignedOrder] | None] = {}
    for place, transaction in zip(places, read_many(rpc, calls), strict=True):
        target = bytes.fromhex((transaction.get("to") or "0x")[2:])
        if target not in modules.values():
            found[place] = None
            continue
        orders: deque[SignedOrder] = deque()
        for call, order, signature in orders_in(transaction, modules):
            digest = order.digest(domain)
            orders.append(SignedOrder(digest, call, order, _signer(digest, signature)))
        found[place] = orders
    return found


def spend_nonce(state: NonceState, nonce: int) -> NonceState | None:
    """Return the state with ``nonce`` spent, or None if it cannot be: `LotLanes.spendNonce`."""
    base, window = state
    ahead = nonce - base
    if not 0 <= ahead < 2 * NONCE_WINDOW:
        return None
    if ahead >= NONCE_WINDOW:
        slide = ahead - (NONCE_WINDOW - 1)
        base, window, ahead = base + slide, window >> slide, NONCE_WINDOW - 1
    return None if window >> ahead & 1 else (base, window | 1 << ahead)


def _signer(digest: bytes, signature: bytes) -> Account | None:
    if not signature:
        return None
    try:
        return address_bytes(recover(digest, signature))
    except BadSignature:
        return None
