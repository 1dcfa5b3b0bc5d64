"""What can go wrong between a resident and a merchant."""

from __future__ import annotations

from ledger.errors import TongduiError
from ledger.standard.ids import MerchantId, OrderIdText


class RedemptionError(TongduiError):
    """Base of the errors of this package."""


class UnknownMerchant(RedemptionError):
    """No merchant has this number."""

    def __init__(self, merchant_id: MerchantId) -> None:
        self.merchant_id = merchant_id
        super().__init__(f"merchant {merchant_id} is not registered")


class MerchantSuspended(RedemptionError):
    """The merchant takes no new orders."""

    def __init__(self, merchant_id: MerchantId) -> None:
        self.merchant_id = merchant_id
        super().__init__(f"merchant {merchant_id} takes no orders at present")


class UnknownOffer(RedemptionError):
    """No offer has this id."""

    def __init__(self, offer_id: str) -> None:
        self.offer_id = offer_id
        super().__init__(f"offer {offer_id!r} does not exist")


class OfferClosed(RedemptionError):
    """The offer is paused, ended, or outside its dates."""

    def __init__(self, offer_id: str, reason: str) -> None:
        self.offer_id = offer_id
        self.reason = reason
        super().__init__(f"offer {offer_id!r} cannot be redeemed: {reason}")


class OutOfStock(RedemptionError):
    """Fewer pieces are left than were asked for."""

    def __init__(self, offer_id: str, asked: int, left: int) -> None:
        self.offer_id = offer_id
        self.asked = asked
        self.left = left
        super().__init__(f"offer {offer_id!r} has {left} left; {asked} were asked for")


class OfferLimitReached(RedemptionError):
    """A resident may take only so many of this offer."""

    def __init__(self, offer_id: str, limit: int) -> None:
        self.offer_id = offer_id
        self.limit = limit
        super().__init__(f"a resident may redeem offer {offer_id!r} {limit} times at most")


class NotEnoughHeld(RedemptionError):
    """A hold is worth less than the merchant wants to keep of it."""

    def __init__(self, wanted_fen: int, held_fen: int) -> None:
        self.wanted_fen = wanted_fen
        self.held_fen = held_fen
        super().__init__(f"{wanted_fen} fen are wanted; the order is worth {held_fen} fen")


class UnknownOrder(RedemptionError):
    """No redemption order has this id (or it is somebody else's)."""

    def __init__(self, order_id: OrderIdText) -> None:
        self.order_id = order_id
        super().__init__(f"order {order_id} is not known")


class OrderStateConflict(RedemptionError):
    """An act cannot take effect on an order as it is (`redemption.acts.table`).

    ``reason`` is a word of a closed set; ``passes``: it ends by itself, so that asking again later makes sense.
    """

    def __init__(self, order_id: OrderIdText, state: str, act: str, reason: str, *, passes: bool = False) -> None:
        self.order_id = order_id
        self.state = state
        self.act = act
        self.reason = reason
        self.passes = passes
        super().__init__(f"order {order_id} is {state}; {act} is refused: {reason.replace('_', ' ')}")


class ActExistsDifferently(RedemptionError):
    """The client's id of an act was used before, for another one. ``outcome`` is a word of a closed set."""

    def __init__(self, key: str, field: str) -> None:
        self.key = key
        self.field = field
        self.outcome = f"exists_with_different_{field}"
        super().__init__(f"the act {key!r} exists with a different {field}; nothing was done")


class PayerErased(RedemptionError):
    """The resident who paid was erased: points given back would reach nobody."""

    def __init__(self, order_id: OrderIdText) -> None:
        self.order_id = order_id
        super().__init__(f"the payer of order {order_id} was erased; points that go back would reach nobody")


class RequestKeyReused(RedemptionError):
    """The same request key came with another content."""

    def __init__(self, request_key: str, field: str) -> None:
        self.request_key = request_key
        self.field = field
        super().__init__(f"request key {request_key!r} was used before with a different {field}")


class BadSlipCode(RedemptionError):
    """No open slip of this merchant has this code."""

    def __init__(self) -> None:
        super().__init__("the code belongs to no open slip of this merchant")


class SlipExpired(RedemptionError):
    """The slip's time is over."""

    def __init__(self, slip_id: str) -> None:
        self.slip_id = slip_id
        super().__init__("the slip has expired; ask for a new one")


class SlipUsed(RedemptionError):
    """The slip has been used, or a newer one replaced it."""

    def __init__(self, slip_id: str) -> None:
        self.slip_id = slip_id
        super().__init__("the slip was used before, or a newer one replaced it")


class DeskProofRefused(RedemptionError):
    """The PIN is wrong, or the second clerk's approval does not fit; ``reason`` is for the clerk."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the resident's consent could not be shown: {reason}")


class PinLocked(RedemptionError):
    """Too many wrong PINs."""

    def __init__(self, locked_until: int) -> None:
        self.locked_until = locked_until
        super().__init__("too many wrong PINs; the card's PIN is locked for a while, a second clerk can approve")


class WeakPin(RedemptionError):
    """A PIN is six digits, and not one that everybody tries first."""

    def __init__(self) -> None:
        super().__init__("a PIN has six digits that are neither all alike nor a plain sequence")


class OwnOrder(RedemptionError):
    """Who served the resident may not hand over (capture) the order: two people see every purchase at a desk."""

    def __init__(self, order_id: OrderIdText) -> None:
        self.order_id = order_id
        super().__init__(f"order {order_id} was taken by this clerk; somebody else has to hand it over")


class SelfDealing(RedemptionError):
    """Who acts for a shop pays there with no points: they would turn into money in one hand."""

    def __init__(self, merchant_id: MerchantId) -> None:
        self.merchant_id = merchant_id
        super().__init__(f"whoever acts for merchant {merchant_id} cannot pay there with points")


class MerchantHoldsKey(RedemptionError):
    """The merchant signs captures and refunds itself; the gateway has no key to do it."""

    def __init__(self, merchant_id: MerchantId) -> None:
        self.merchant_id = merchant_id
        super().__init__(f"merchant {merchant_id} holds its own key; the signature has to come from there")


class RefundNeedsSecond(RedemptionError):
    """Above a limit a refund takes two logins: one proposes it, another carries it out."""

    def __init__(self, order_id: OrderIdText, alone_max_fen: int) -> None:
        self.order_id = order_id
        self.alone_max_fen = alone_max_fen
        super().__init__(f"more than {alone_max_fen} fen of order {order_id} go back by two logins alone")


class RefundTooLate(RedemptionError):
    """Refunds end some days after the payment."""

    def __init__(self, order_id: OrderIdText, days: int) -> None:
        self.order_id = order_id
        self.days = days
        super().__init__(f"order {order_id} was paid more than {days} days ago")


class NotRefundable(RedemptionError):
    """Nothing would go back, or the payment cannot be shown to the chain."""

    def __init__(self, order_id: OrderIdText, reason: str) -> None:
        self.order_id = order_id
        self.reason = reason
        super().__init__(f"order {order_id} cannot be refunded so: {reason}")


class OrderUnfit(RedemptionError):
    """A signed order does not fit the offer it is meant for."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the order does not fit the offer: {reason}")


class UnknownApplication(RedemptionError):
    """No shop's application has this id (or it is somebody else's)."""

    def __init__(self) -> None:
        super().__init__("no such application is known")


class ApplicationExists(RedemptionError):
    """The business licence has an application already, or a shop."""

    def __init__(self) -> None:
        super().__init__("this business licence has an application already, or a shop")


class TooManyApplications(RedemptionError):
    """One login has so many applications that nobody has decided."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"at most {limit} applications of one login wait at a time")


class ApplicationStateConflict(RedemptionError):
    """The application is not in a state in which this can be done."""

    def __init__(self, state: str, act: str) -> None:
        self.state = state
        self.act = act
        super().__init__(f"the application is {state}; {act} is refused")


class UnknownShopScope(RedemptionError):
    """The city has no such scope, so that no points could be spent there by it."""

    def __init__(self, scope: str, known: tuple[str, ...]) -> None:
        self.scope = scope
        self.known = known
        super().__init__(f"the city has no scope {scope!r}; there are {', '.join(known)}")


class NoPayeeChange(RedemptionError):
    """No such change of the shop's payee waits."""

    def __init__(self, merchant_id: MerchantId) -> None:
        self.merchant_id = merchant_id
        super().__init__(f"no such change of merchant {merchant_id}'s payee waits")


class PayeeChangeWaits(RedemptionError):
    """A confirmed change of the payee waits for its time; it has to be withdrawn before another."""

    def __init__(self, merchant_id: MerchantId, effective_at: int) -> None:
        self.merchant_id = merchant_id
        self.effective_at = effective_at
        super().__init__(f"a change of merchant {merchant_id}'s payee is confirmed and waits for its time")
