"""Why an order is not placed. Each is what the chain would say, said earlier and at no cost."""

from __future__ import annotations

from ledger.errors import TongduiError
from ledger.orders.eligibility import Refusal
from ledger.standard.ids import MerchantId, ProgrammeId


class OrderError(TongduiError):
    """Base of the errors of this package."""


class InsufficientPoints(OrderError):
    """The holder's living points that may be used do not suffice. Units by ``unit``: ``minor`` or ``fen``."""

    def __init__(self, unit: str, needed: int, available: int) -> None:
        self.unit = unit
        self.needed = needed
        self.available = available
        super().__init__(f"{needed} {unit} are needed, {available} are available")


class ProgrammeForbids(OrderError):
    """The points of a programme may not be used so now: see `ledger.orders.eligibility`."""

    def __init__(self, programme: ProgrammeId, refusal: Refusal) -> None:
        self.programme = programme
        self.refusal = refusal
        super().__init__(f"programme {programme}: {refusal.text}")


class OrdersPaused(OrderError):
    """The module that would carry out the order is paused. ``until``: Unix time."""

    def __init__(self, until: int) -> None:
        self.until = until
        super().__init__(f"orders of this kind are paused until {until}")


class MerchantUnknown(OrderError):
    """No such merchant, or it was retired."""

    def __init__(self, merchant: MerchantId) -> None:
        self.merchant = merchant
        super().__init__(f"merchant {merchant} is unknown or retired")


class TooManyLots(OrderError):
    """The payment would take more lots than an order may name."""

    def __init__(self, lots_max: int) -> None:
        self.lots_max = lots_max
        super().__init__(f"more than {lots_max} lots would be needed; exchange small lots into one programme first")


class TooManyOpenOrders(OrderError):
    """All nonces of the holder's word that may be used now belong to orders without an outcome."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        super().__init__(f"{holder} has too many orders without an outcome; wait for one of them")


class TooLittle(OrderError):
    """A payment is worth less than the chain takes."""

    def __init__(self, fen: int, least_fen: int) -> None:
        self.fen = fen
        self.least_fen = least_fen
        super().__init__(f"a payment of {fen} fen is below the least of {least_fen} fen")


class NothingToGain(OrderError):
    """The exchange would be worth less than one fen, or less than the minimum wanted."""

    def __init__(self, out_minor: int, min_out_minor: int) -> None:
        self.out_minor = out_minor
        self.min_out_minor = min_out_minor
        super().__init__(f"the exchange would give {out_minor} minor units; at least {min_out_minor} are wanted")


class WrongSignature(OrderError):
    """A signed order that came in is not signed by its holder."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        super().__init__(f"the order is not signed by its holder {holder}")


class DeadlineUnfit(OrderError):
    """The deadline has passed, or lies too far ahead."""

    def __init__(self, deadline: int, earliest: int, latest: int) -> None:
        self.deadline = deadline
        self.earliest = earliest
        self.latest = latest
        super().__init__(f"deadline {deadline} is not between {earliest} and {latest}")


class NonceTaken(OrderError):
    """Another open order of this holder uses the nonce, or it is spent."""

    def __init__(self, holder: str, nonce: int) -> None:
        self.holder = holder
        self.nonce = nonce
        super().__init__(f"nonce {nonce} of {holder} is taken by another order, or spent")
