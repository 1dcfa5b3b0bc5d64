"""What the rules of all contracts share: the books, the transaction, and the checks that recur."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

from ledger.audit.books import NOBODY, Account, Books, LotPart, ProgrammeBook
from ledger.audit.cells import locate
from ledger.audit.orders import Place, SignedOrder, spend_nonce
from ledger.audit.report import Contradicted
from ledger.audit.transaction import Move, Transaction
from ledger.proofs.events import Event
from ledger.standard.contract import NONCE_LEFT, REJECTION_CODES, Verdict
from ledger.standard.ids import OrderId, ProgrammeId, programme_of, to_address
from ledger.standard.quarters import is_dead as lot_is_dead

Handlers = dict[tuple[str, str], Callable[[Event], None]]
"""By (contract, event)."""

NONCE_KEPT = NONCE_LEFT | {Verdict.NOT_HELD}
"""Every other rejection has spent a nonce; NOT_HELD refuses captures and releases, which have none."""


class Scene:
    """The books, and the transaction that is being replayed on them."""

    def __init__(self, ledger: Account) -> None:
        """Begin with empty books; ``ledger`` is the PointsLedger's address."""
        self.books = Books(ledger)
        self.tx = Transaction()
        self.orders: dict[Place, deque[SignedOrder] | None] = {}
        """Those that have had no outcome yet."""


class Rules(ABC):
    """Base of the rules of one contract. Every check raises Contradicted."""

    def __init__(self, scene: Scene) -> None:
        """Work on a scene that other rules share."""
        self._scene = scene

    @property
    def books(self) -> Books:
        """The books."""
        return self._scene.books

    @property
    def tx(self) -> Transaction:
        """The transaction that is being replayed."""
        return self._scene.tx

    @abstractmethod
    def handlers(self) -> Handlers:
        """Return which method takes which event."""

    def programme(self, identifier: ProgrammeId, event: Event) -> ProgrammeBook:
        """Return a programme, which must be registered."""
        programme = self.books.programmes.get(identifier)
        if programme is None:
            raise Contradicted(f"programme {identifier}", event.log.where, "registered", "unknown")
        return programme

    def once(self, order: OrderId, event: Event) -> None:
        """Invariant 3: an order has effect at most once."""
        if order in self.books.orders:
            raise Contradicted(f"order {hex_of(order)}", event.log.where, "effect at most once", "a second effect")
        self.books.orders.add(order)

    def take(self, event: Event, expected: list[Move]) -> None:
        """The last moves must be exactly ``expected``; they are explained now."""
        moves = self.tx.moves
        found = moves[len(moves) - len(expected) :] if len(expected) <= len(moves) else moves
        if found != expected:
            what = f"transfers of {event.contract}.{event.name}"
            raise Contradicted(what, event.log.where, moves_name(expected), moves_name(found))
        del moves[len(moves) - len(expected) :]

    def is_dead(self, token: int) -> bool:
        """Whether a lot can no longer be spent at this transaction's time."""
        programme = self.books.programmes[programme_of(token)]
        until = programme.spendable_until
        return lot_is_dead(token & 0xFFFFFFFF, self.tx.time) or (until != 0 and self.tx.time >= until)

    def check_alive(self, token: int, event: Event) -> None:
        """Invariant 8: no expired lot moves, but by capture or release, refund, revoke or sweep."""
        if self.is_dead(token):
            raise Contradicted(f"lot {token} in {event.name}", event.log.where, "a living lot", "a dead one")

    def check_running(self, event: Event) -> None:
        """A paused module does nothing but give back."""
        until = self.books.paused_until.get(event.contract, 0)
        if self.tx.time < until:
            raise Contradicted(f"{event.contract}.{event.name}", event.log.where, f"nothing before {until}", "an act")

    def check_receiver(self, holder: Account, receiver: Account, event: Event) -> Account:
        """Points given back go to the holder, or to whom the holder gave way."""
        expected = self.books.current_account(holder)
        if receiver != expected:
            raise Contradicted(f"receiver of {event.name}", event.log.where, name_of(expected), name_of(receiver))
        return receiver

    def prefix(self, lots: tuple[LotPart, ...], count: int, last: int, event: Event) -> tuple[LotPart, ...]:
        """Return the kept prefix of lots: the first ``count``, whole but the last, of which ``last`` is kept."""
        if count == 0 and last == 0:
            return ()
        if not 1 <= count <= len(lots) or not 1 <= last <= lots[count - 1][1]:
            raise Contradicted(f"prefix in {event.name}", event.log.where, "a prefix of the lots", (count, last))
        return (*lots[: count - 1], (lots[count - 1][0], last))

    def returned(self, receiver: Account, token: int, amount: int, source: Account) -> list[Move]:
        """The moves that give ``amount`` back: reborn as far as a LotReborn says so, the rest in its own lot."""
        moves: list[Move] = []
        waiting = self.tx.reborn
        reborn = 0
        if waiting and waiting[0][:2] == (receiver, token) and waiting[0][3] <= amount:
            _, _, alive, reborn = waiting.pop(0)
            if source != NOBODY:
                moves.append((source, NOBODY, token, reborn))
            moves.append((NOBODY, receiver, alive, reborn))
        if reborn != amount:
            moves.append((source, receiver, token, amount - reborn))
        return moves

    def rejected(self, event: Event) -> None:
        """An order was refused: it has no effect, but most refusals spend its nonce."""
        code = event["code"]
        if code not in REJECTION_CODES:
            raise Contradicted("rejection", event.log.where, "a known code", code)
        self.books.rejections += 1
        waiting = self._scene.orders.get(self.tx.place)
        if code == Verdict.MALFORMED and not (waiting and waiting[0].id == event["orderId"]):
            return  # its bytes were those of no order that could be read
        signed = self.order_behind(event)
        if signed is None:
            self.books.unseen_rejections += 1
        elif code not in NONCE_KEPT:
            self.spend_nonce(signed, event)

    def order_behind(self, event: Event) -> SignedOrder | None:
        """Return the signed order whose outcome an event is; None if a relaying contract hides it."""
        waiting = self._scene.orders.get(self.tx.place)
        if waiting is None:
            self.books.unseen_orders += 1
            return None
        if not waiting or waiting[0].id != event["orderId"]:
            what = f"order {hex_of(event['orderId'])}"
            found = hex_of(waiting[0].id) if waiting else "no order left"
            raise Contradicted(what, event.log.where, "the next order in the transaction's bytes", found)
        return waiting.popleft()

    def carry_out(self, event: Event) -> SignedOrder | None:
        """Return the order that an event carried out, having checked who signed it and spent its nonce."""
        self.check_running(event)
        signed = self.order_behind(event)
        if signed is not None:
            if signed.signer != signed.holder:
                self.books.contract_holders.add(signed.holder)
            if self.tx.time > signed.order.deadline:
                what = f"order {hex_of(signed.id)}"
                raise Contradicted(what, event.log.where, f"by {signed.order.deadline}", self.tx.time)
            self.spend_nonce(signed, event)
        return signed

    def spend_nonce(self, signed: SignedOrder, event: Event) -> None:
        """Spend the nonce of an order; captures and releases have none."""
        if signed.nonce_token is not None:
            self.spend(signed.holder, signed.nonce_token, signed.order.nonce, event)

    def spend(self, holder: Account, token: int, nonce: int, event: Event) -> None:
        """Spend a nonce in the word to which a lot belongs."""
        place = (holder, locate(token)[0])
        state = spend_nonce(self.books.nonces.get(place, (0, 0)), nonce)
        if state is None:
            what = f"nonce of {name_of(holder)}"
            raise Contradicted(what, event.log.where, "one that is free", f"{nonce}, spent or out of reach")
        self.books.nonces[place] = state

    def check_terms(self, event: Event, expected: object, found: object) -> None:
        """What an order says and what was done must be equal."""
        if expected != found:
            what = f"terms of order {hex_of(event['orderId'])}"
            raise Contradicted(what, event.log.where, expected, found)


def no_effect(_event: Event) -> None:
    """For events that move nothing, or whose effect is compared in storage."""


def name_of(account: Account) -> str:
    """An account in EIP-55."""
    return to_address(account)


def hex_of(value: bytes) -> str:
    """Bytes as 0x text."""
    return "0x" + value.hex()


def batch_name(key: tuple[int, int]) -> str:
    """A (programme, number) pair in words."""
    return f"{key[1]} of programme {key[0]}"


def move_name(move: Move) -> str:
    """A move in words."""
    sender, receiver, token, amount = move
    return f"{amount} of lot {token} from {name_of(sender)} to {name_of(receiver)}"


def moves_name(moves: list[Move]) -> str:
    """Some moves in words."""
    return "; ".join(map(move_name, moves[:4])) + (f"; and {len(moves) - 4} more" if len(moves) > 4 else "") or "none"


def participant_name(participant: int) -> str:
    """A participant's position in words."""
    kind = {1: "programme", 2: "merchant"}.get(participant >> 32, "participant")
    return f"position of {kind} {participant & 0xFFFFFFFF}"
