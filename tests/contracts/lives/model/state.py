"""What a city's contracts remember, as tables whose changes can be undone, and the few facts that all rules use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from eth_account import Account
from eth_keys.exceptions import BadSignature
from reference import ZERO, Domain

DAY = 86_400
UNKNOWN, ACTIVE, CLOSING, CLOSED = range(4)
TRANSFERABLE, EXCHANGE_IN, EXCHANGE_OUT, REDEEMABLE = 1, 2, 4, 8
POOL, TREASURY = 3 << 32, 4 << 32
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class Reverts(Exception):
    """The call should revert with this error and these values, and change nothing."""

    def __init__(self, name: str, *values: Any) -> None:
        self.name = name
        self.values = values
        super().__init__(f"{name}{values}")


class Table(dict[Any, Any]):
    """A mapping in which a key that is missing has a known value, and whose changes can be undone."""

    def __init__(self, undo: list[tuple[Table, Any, Any]], default: Any) -> None:
        super().__init__()
        self.undo = undo
        self.default = default

    def __missing__(self, key: Any) -> Any:
        return self.default

    def __setitem__(self, key: Any, value: Any) -> None:
        self.undo.append((self, key, self[key]))
        self.put(key, value)

    def put(self, key: Any, value: Any) -> None:
        """Set what is not to be undone."""
        if value == self.default:
            self.pop(key, None)
        else:
            super().__setitem__(key, value)


class Terms(NamedTuple):
    """What never changes of a programme."""

    par: int
    flags: int
    scope: int


class Shop(NamedTuple):
    """A merchant; key ZERO: unknown or retired."""

    key: str = ZERO
    scope: int = 0


class Lock(NamedTuple):
    """What the consumer arbiter locked for an order."""

    merchant: int = 0
    fen: int = 0
    until: int = 0


class Request(NamedTuple):
    """A succession under way; state 1 requested, 2 confirmed, 3 objected, 4 allowed."""

    new: str = ZERO
    state: int = 0
    since: int = 0
    desk: str = ZERO


@dataclass
class Wallet:
    """A contract wallet: whether it says yes to its owner's signatures, or to anything at all."""

    owner: str
    agrees: bool = True
    to_anything: bool = False


class State:
    """All tables. An act changes them, or raises `Reverts`, after which `undone` puts them back."""

    def __init__(self, domain: Domain, ledger: str, wallets: dict[str, Wallet]) -> None:
        self.domain, self.ledger, self.wallets = domain, ledger, wallets
        self.signers: dict[tuple[bytes, bytes], str] = {}
        """(digest, signature): who made it."""
        self.told: list[tuple[str, dict[str, Any]]] = []
        """Events of the act under way, but for PositionChanged, which are added up instead."""
        self._undo: list[tuple[Table, Any, Any]] = []
        table = self._table
        self.roles = table(False)  # (role, account)
        self.terms, self.state, self.spendable_until, self.rulebook = table(None), table(0), table(0), table((0, 0))
        self.frozen_until, self.freezable_from = table(0), table(0)
        self.keys = table(0)  # (programme, key): active from
        self.ceilings = table((0, 0))  # programme: what it mints and revokes a day, 0 the default
        self.minted_fen, self.revoked_fen = table(0), table(0)  # (programme, day)
        self.balances, self.supplies, self.redeemed, self.swept = table(0), table(0), table(0), table(0)
        self.nonces = table((0, 0))  # (holder, word): base, window
        self.allowances, self.operators = table(0), table(False)
        self.batches, self.revoked, self.owed = table(None), table(0), table(0)
        self.holds = table(None)
        self.successor, self.requests, self.reborn = table(ZERO), table(Request()), table((0, 0))
        self.brakes = table((0, 0))  # module: paused until, pausable from
        self.resident_caps, self.inflow_caps = table(0), table(0)  # by module; (module, programme)
        self.outflow, self.inflow = table(0), table(0)  # (module, holder or programme, day)
        self.positions, self.earned, self.locked, self.locks = table(0), table(0), table(0), table(Lock())
        self.years, self.documents, self.paid, self.reclaimed = table((0, 0, False)), table(False), table(0), table(0)
        self.dues, self.waived, self.paid_in_cycle = table((0, 0)), table(0), table(0)
        self.references, self.roots, self.kept = table(False), table(None), table(None)
        self.shops = table(Shop())
        self.word = table(0)
        """Single facts by name: last_batch, cycle, due_by, term, ceiling, arbiter, rebirth_cap, listed; and sums that
        only invariants ask for: value_in, paid_out."""

    def _table(self, default: Any) -> Table:
        return Table(self._undo, default)

    def begin(self) -> None:
        """Begin an act: what is done from here on can be undone."""
        self._undo.clear()
        self.told.clear()

    def undone(self) -> None:
        while self._undo:
            table, key, value = self._undo.pop()
            table.put(key, value)
        self.told.clear()

    def tell(self, event: str, **values: Any) -> None:
        self.told.append((event, values))

    # -------------------------------------------------------------------------------------------- who may, who signed

    def check_role(self, role: int, caller: str) -> None:
        if not self.roles[role, caller]:
            raise Reverts("AccessManagedUnauthorized", caller)

    def check_plain(self, caller: str) -> None:
        if caller in self.wallets:
            raise Reverts("PlainAccountNeeded", caller)

    def recover(self, digest: bytes, signature: bytes) -> str:
        """Return whose plain key signed, ZERO where the form is wrong."""
        if len(signature) != 65 or signature[64] not in (27, 28) or int.from_bytes(signature[32:64]) > HALF_ORDER:
            return ZERO
        known = self.signers.get((digest, signature))
        if known is not None:
            return known
        try:
            return str(Account._recover_hash(digest, signature=signature))
        except (BadSignature, ValueError):
            return ZERO

    def is_signed(self, account: str, digest: bytes, signature: bytes) -> bool:
        """Whether the account signed the digest, or is a wallet that says so; what was not signed here nobody did."""
        signer = self.signers.get((digest, signature))
        wallet = self.wallets.get(account)
        if wallet is not None and wallet.agrees and account != ZERO:
            return wallet.to_anything or signer == wallet.owner
        return signer == account

    def digest(self, primary: str, **message: Any) -> bytes:
        return _digest(self.domain, primary, tuple(message.items()))

    def id_of(self, order: Any) -> bytes:
        """Return the digest of an order."""
        return _digest(self.domain, type(order).__name__, tuple(order.__dict__.items()))


@lru_cache(2_000)
def _digest(domain: Domain, primary: str, message: tuple[tuple[str, Any], ...]) -> bytes:
    return domain.digest(primary, **dict(message))
