"""What a clearing cycle costs at a city's size: ``python -m scripts.clearing_scale`` (= ``make clearing-scale``).

The clearing book and the ledger are deployed on an Anvil of their own. Each programme owes and each merchant has earned
a random amount. When that has matured, a cycle is opened, every debtor pays, and every merchant is paid, in batches of
``--payouts``. Measured are the transactions of the cycle alone: its opening, the debtors' payments and the
payouts. The run fails unless everyone is paid to the fen and the positions sum to 0.

The last line is one JSON object: merchants, programmes, transactions, the most that one of them costs and their sum in
gas, and the sum of all positions in fen, read one by one at the end.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.transactions import contract_address
from ledger.clock import ManualClock
from ledger.deployment.contracts import Contracts, read
from ledger.standard.civil_time import DAY_S
from scripts.gas import START, GasError, Sender, key

GAS_MAX = 10_000_000
"""What no transaction of a cycle may exceed; a block of a permissioned chain takes it with room to spare."""
MATURITY_S = 7 * DAY_S
EARNERS = 100
"""Merchants in one batch of receipts."""
POOL, TREASURY = 3 << 32, 4 << 32
_ORDER = ("AccessManager", "ClearingBook", "Succession", "PointsLedger")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scale:
    """The result."""

    merchants: int
    programmes: int
    transactions: int
    gas_max: int
    gas_total: int
    positions_sum_fen: int


class Books:
    """The two books, whose every role the relayer holds."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self.sender = Sender(engine)
        addresses = {name: contract_address(key("relayer").address, i) for i, name in enumerate(_ORDER)}
        self.contracts = Contracts(engine.rpc, addresses, engine.chain_id)
        manager, book, succession, ledger = (addresses[name] for name in _ORDER)
        arguments: dict[str, list[Any]] = {
            "AccessManager": [key("relayer").address],
            "ClearingBook": [manager, ledger, MATURITY_S, (MATURITY_S, 0)],
            "Succession": [manager, ledger],
            "PointsLedger": [manager, bytes(32), book, succession],
        }
        for name in _ORDER:
            self.sender.send(None, self.contracts.creation_data(name, arguments[name]))
        self._references = 0

    def reference(self) -> bytes:
        """Return a document's or payment's reference that was not used before."""
        self._references += 1
        return self._references.to_bytes(32, "big")

    def open_programme(self, programme: int, fen: int) -> None:
        """Register a programme and record what it has available."""
        terms = (programme, 10**6, 0, bytes(32), key("issuer").address, f"Programme {programme}", f"P{programme}")
        self.sender.call(self.contracts["PointsLedger"].functions.registerProgramme(*terms))
        book = self.contracts["ClearingBook"].functions
        self.sender.call(book.recordAppropriation(programme, 2026, fen, self.reference()))


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Return the items, at most ``size`` at a time."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def shared_out(total: int, count: int, rng: random.Random) -> list[int]:
    """Return ``count`` random amounts of at least 1 that sum to ``total``."""
    cuts = sorted(rng.sample(range(1, total), count - 1))
    return [high - low for low, high in zip([0, *cuts], [*cuts, total], strict=True)]


def measure(
    engine: EmbeddedEngine, clock: ManualClock, merchants: int, programmes: int, payouts: int, seed: int
) -> Scale:
    """Earn, wait, open, fund, pay out; return what the last three cost.

    Raises GasError if a transaction reverts or someone is not paid in full.
    """
    rng = random.Random(seed)
    books = Books(engine)
    book = books.contracts["ClearingBook"].functions
    total = merchants * 100_000
    debts = dict(enumerate(shared_out(total, programmes, rng), 1))
    claims = dict(enumerate(shared_out(total, merchants, rng), 1))
    for programme, fen in debts.items():
        books.open_programme(programme, fen)
    _earn(books, debts, claims)
    clock.set(clock.now() + timedelta(seconds=2 * MATURITY_S))

    spent = [books.sender.call(book.openCycle())]
    for programme in debts:
        due = read(book.due(programme), "latest").fen
        spent.append(books.sender.call(book.fund(programme, due, books.reference())))
    for batch in batches(list(claims.items()), payouts):
        packed = b"".join(merchant.to_bytes(4, "big") + fen.to_bytes(8, "big") for merchant, fen in batch)
        spent.append(books.sender.call(book.payout(packed, books.reference())))

    participants = [1 << 32 | programme for programme in debts] + [2 << 32 | merchant for merchant in claims]
    positions = [
        position
        for batch in batches([*participants, POOL, TREASURY], 500)
        for position in books.contracts.read_all([book.position(participant) for participant in batch], "latest")
    ]
    if any(positions):
        raise GasError(f"{sum(position != 0 for position in positions)} participants were not settled")
    gas = [each.gas for each in spent]
    return Scale(merchants, programmes, len(gas), max(gas), sum(gas), sum(positions))


def _earn(books: Books, debts: dict[int, int], claims: dict[int, int]) -> None:
    """Post receipts of all claims; the debtors follow each other until each owes its debt."""
    owed = [[1 << 32 | programme, fen] for programme, fen in debts.items()]
    for batch in batches(list(claims.items()), EARNERS):
        postings = [(2 << 32 | merchant, fen) for merchant, fen in batch]
        left = sum(fen for _, fen in batch)
        while left:
            taken = min(left, owed[0][1])
            postings.append((owed[0][0], -taken))
            owed[0][1] -= taken
            left -= taken
            if not owed[0][1]:
                owed.pop(0)
        books.sender.call(books.contracts["ClearingBook"].functions.postReceipts(postings, bytes([1] * 32)))


def run(merchants: int, programmes: int, payouts: int, seed: int) -> Scale:
    """Measure on a fresh chain and throw it away."""
    with tempfile.TemporaryDirectory(prefix="tongdui-clearing-") as folder:
        options = EmbeddedOptions(chain_id=1_234_567_890, genesis_timestamp=int(START.timestamp()))
        clock = ManualClock(START)
        with EmbeddedEngine.open(Path(folder), clock, options) as engine:
            return measure(engine, clock, merchants, programmes, payouts, seed)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print; return 1 if a transaction costs too much or the positions do not sum to 0."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.clearing_scale", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--merchants", type=int, default=3_000, help="merchants that are owed (default: 3000)")
    parser.add_argument("--programmes", type=int, default=30, help="programmes that owe (default: 30)")
    parser.add_argument("--payouts", type=int, default=600, help="merchants paid in one transaction (default: 600)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the amounts (default: 1)")
    args = parser.parse_args(argv)
    scale = run(args.merchants, args.programmes, args.payouts, args.seed)
    print(json.dumps(asdict(scale)))
    return 0 if scale.positions_sum_fen == 0 and scale.gas_max <= GAS_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
