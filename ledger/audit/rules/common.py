"""What the rules of all contracts share: the books, the transaction, and the checks that recur."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ledger.audit.books import NOBODY, Account, Books, LotPart, ProgrammeBook
from ledger.audit.calls import Call
from ledger.audit.orders import is_prefix, prefix_of, signer_of
from ledger.audit.report import Contradicted
from ledger.audit.rules.authority import may_call
from ledger.audit.transaction import Collected, Effect, Move, Reborn, Transaction
from ledger.proofs.events import Event
from ledger.standard.contract import LANE_MAX
from ledger.standard.ids import OrderId, ProgrammeId, programme_of, to_address
from ledger.standard.quarters import is_dead
from ledger.standard.typed_data import Domain

Handlers = dict[tuple[str, str], Callable[[Event], None]]
"""By (contract, event)."""


class Scene:
    """The books, the installation, and the transaction that is being replayed on them."""

    def __init__(self, domain: Domain, addresses: Mapping[str, Account], names: Mapping[Account, str]) -> None:
        """``addresses`` are the contracts of today, ``names`` all that ever were, by address."""
        self.domain = domain
        self.addresses = addresses
        self.names = names
        self.books = Books(addresses["PointsLedger"])
        self.tx = Transaction()


class Rules(ABC):
    """Base of the rules of one duty. Every check raises Contradicted."""

    def __init__(self, scene: Scene) -> None:
        """Work on a scene that other rules share."""
        self.scene = scene

    @property
    def books(self) -> Books:
        """The books."""
        return self.scene.books

    @property
    def tx(self) -> Transaction:
        """The transaction that is being replayed."""
        return self.scene.tx

    @abstractmethod
    def handlers(self) -> Handlers:
        """Return which method takes which event."""

    def programme(self, identifier: ProgrammeId, where: str) -> ProgrammeBook:
        """Return a programme, which must be registered."""
        programme = self.books.programmes.get(identifier)
        if programme is None:
            raise Contradicted(f"programme {identifier}", where, "registered", "unknown")
        return programme

    def is_dead(self, token: int) -> bool:
        """Whether a lot can no longer be spent at this transaction's time."""
        programme = self.books.programmes.get(programme_of(token))
        return is_dead(token & 0xFFFFFFFF, self.tx.time) or (programme is not None and programme.is_over(self.tx.time))

    # --------------------------------------------------------------------------------------------- who acts

    def act(self, event: Event, function: str, contract: str = "", **args: Any) -> Call:
        """Return the call behind a restricted act's event: one that is known to have been made, by who may make it."""
        name = contract or event.contract
        found = [
            call
            for call in self.tx.acts
            if call.function == function
            and call.contract == name
            and (contract or call.target == event.log.address)
            and all(call.args[key] == value for key, value in args.items())
        ]
        allowed = next((call for call in found if may_call(self.books, self.scene.addresses, call, self.tx.time)), None)
        if allowed is not None:
            self.tx.acts.remove(allowed)
            self.tx.acted.append(allowed)
            return allowed
        if found:
            caller = name_of(found[0].caller)
            raise Contradicted(f"who calls {name}.{function}", event.log.where, "a role that may, and no wait", caller)
        what = f"{event.contract}.{event.name}"
        asked = f"a call of {name}.{function} that says so, in the transaction or by an executed decision"
        raise Contradicted(what, event.log.where, asked, "none")

    def called_by(self, account: Account, function: str, where: str, **args: Any) -> None:
        """What an account does by itself stands in its own transaction, unless the account is a contract."""
        call = self.tx.call
        if (
            call is not None
            and call.caller == account
            and call.function == function
            and all(call.args[key] == value for key, value in args.items())
        ):
            return
        if account == self.tx.sender:
            raise Contradicted(
                f"act of {name_of(account)}", where, f"a call of {function} that says so", "another call"
            )
        self.is_contract(where, account)

    def is_contract(self, where: str, *accounts: Account) -> None:
        """Note that one of these accounts acted without a key's signature: it must turn out to have code."""
        self.books.contracts.setdefault(accounts, where)

    def direct_call(self, event: Event, *functions: str) -> Call:
        """Return the transaction's own call, which must be of one of these functions of the event's contract."""
        call = self.tx.call
        if call is None or call.target != event.log.address or call.function not in functions:
            asked = " or ".join(f"{event.contract}.{function}" for function in functions)
            found = "another call" if call is None else f"{call.contract}.{call.function}"
            raise Contradicted(
                f"{event.contract}.{event.name}", event.log.where, f"a transaction that calls {asked}", found
            )
        self.tx.wanted.discard(event.name)
        return call

    def check_signed(self, account: Account, digest: bytes, signature: bytes, what: str, where: str) -> None:
        """A signature is an account's, or the account is a contract whose word was asked for (ERC-1271)."""
        signer = signer_of(digest, signature)
        if signer == account and account != NOBODY:
            return
        if account == NOBODY:
            raise Contradicted(f"signature of {what}", where, "somebody's", "nobody can sign it")
        self.is_contract(where, account)

    # ------------------------------------------------------------------------------------------- lots' effects

    def explain(self, event: Event, expected: Sequence[Effect]) -> None:
        """What happened to lots since the last event that explained them must be exactly ``expected``."""
        if self.tx.trace != list(expected):
            what = f"transfers of {event.contract}.{event.name}"
            raise Contradicted(what, event.log.where, effects_name(expected), effects_name(self.tx.trace))
        self.tx.trace.clear()

    def apply(self, move: Move, where: str) -> Move:
        """Book a move and return it."""
        _, sender, receiver, token, amount = move
        books = self.books
        programme = self.programme(programme_of(token), where)
        if sender == NOBODY:
            supply = books.supply[token] + amount
            if supply > LANE_MAX:
                raise Contradicted(f"supply of lot {token}", where, f"<= {LANE_MAX}", supply)
            books.supply[token] = supply
            programme.supply += amount
        else:
            before = books.balances[sender, token]
            if before < amount:
                raise Contradicted(f"balance of {name_of(sender)} in lot {token}", where, f">= {amount}", before)
            books.balances[sender, token] = before - amount
        if receiver == NOBODY:
            books.supply[token] -= amount
            programme.supply -= amount
        else:
            books.balances[receiver, token] += amount
        return move

    def collect(self, account: Account, token: int, caller: Account, where: str) -> list[Effect]:
        """What is collected when a lot comes back to an account that owes of it."""
        debt = self.books.owed.get((account, token), 0)
        amount = min(debt, self.books.balances[account, token])
        if not amount or self.is_dead(token):
            return []
        return self.collected(account, token, account, amount, caller, where)

    def collected(
        self, debtor: Account, token: int, account: Account, amount: int, caller: Account, where: str
    ) -> list[Effect]:
        """Book what is collected of an account for a debtor."""
        burn = self.apply(Move(caller, account, NOBODY, token, amount), where)
        self.books.owed[debtor, token] -= amount
        figures = self.books.programmes[programme_of(token)].figures
        figures.revoked += amount
        figures.revoked_shortfall -= amount
        return [burn, Collected(debtor, token, account, amount)]

    # ------------------------------------------------------------------------------------------------- orders

    def once(self, order: OrderId, where: str) -> None:
        """Invariant 3: an order has effect at most once."""
        if order in self.books.orders:
            raise Contradicted(f"order {hex_of(order)}", where, "effect at most once", "a second effect")
        self.books.orders.add(order)

    def prefix(self, lots: tuple[LotPart, ...], kept: int, where: str) -> tuple[LotPart, ...]:
        """Return the lots of a packed ``Prefix``."""
        parts = kept >> 64, kept & 2**64 - 1
        if not is_prefix(lots, parts):
            raise Contradicted("kept prefix", where, "a prefix of the lots", parts)
        return prefix_of(lots, parts)

    def same(self, what: str, event: Event, expected: object, found: object) -> None:
        """What must be and what is."""
        if expected != found:
            raise Contradicted(what, event.log.where, expected, found)


def no_effect(_event: Event) -> None:
    """For events that change nothing."""


def name_of(account: Account) -> str:
    """An account in EIP-55."""
    return to_address(account)


def hex_of(value: bytes) -> str:
    """Bytes as 0x text."""
    return "0x" + value.hex()


def effect_name(effect: Effect) -> str:
    """An effect in words."""
    match effect:
        case Move(_, sender, receiver, token, amount):
            return f"{amount} of lot {token} from {name_of(sender)} to {name_of(receiver)}"
        case Reborn(holder, dead, token, amount):
            return f"{amount} of lot {dead} reborn in {token} for {name_of(holder)}"
        case Collected(debtor, token, account, amount):
            return f"{amount} of lot {token} that {name_of(debtor)} owed, of {name_of(account)}"


def effects_name(effects: Sequence[Effect]) -> str:
    """Some effects in words."""
    return (
        "; ".join(map(effect_name, effects[:4])) + (f"; and {len(effects) - 4} more" if len(effects) > 4 else "")
        or "none"
    )


def participant_name(participant: int) -> str:
    """A participant's position in words."""
    kind = {1: "programme", 2: "merchant"}.get(participant >> 32)
    if kind is None:
        return {3: "position of the pool", 4: "position of the treasury"}.get(
            participant >> 32, f"position {participant}"
        )
    return f"position of {kind} {participant & 0xFFFFFFFF}"
