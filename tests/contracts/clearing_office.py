"""The clearing book alone, with an account for each of its callers and a stub where it expects the points ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from brownie import accounts
from city import DAY, deploy_artifact, event_values, go_to, next_block_at, now

WEEK = 7 * DAY
"""What the office's book takes for a period, and the time in which dues are to be paid."""
POOL, TREASURY = 3 << 32, 4 << 32
DOCUMENT = b"\x0d" * 32
ROLES: Mapping[str, tuple[str, ...]] = {
    "exchange": ("post",),
    "redemption": ("postReceipts", "postRefund", "lockOrder"),
    "finance": ("recordAppropriation", "lapse", "reclaim", "fund", "payout", "payDirectly"),
    "registrar": ("registerMerchant",),
    "council": ("setWaiver", "setArbiterKey", "setTerms"),
}


def programme(number: int) -> int:
    return 1 << 32 | number


def merchant(number: int) -> int:
    return 2 << 32 | number


def pack_payouts(payouts: Iterable[tuple[int, int]]) -> bytes:
    return b"".join(number.to_bytes(4, "big") + fen.to_bytes(8, "big") for number, fen in payouts)


class ClearingOffice:
    """Shorthands for what is done with the book. Time begins at the first second of a period."""

    def __init__(self, brownie_project: Any, maturity: int = WEEK, terms: tuple[int, int] = (WEEK, 0)) -> None:
        self.project = brownie_project
        self.admin, self.stranger = accounts[0], accounts[9]
        self.by = {name: {"from": accounts[1 + i]} for i, name in enumerate(ROLES)}
        self.maturity = maturity
        self.start = (now() // maturity + 2) * maturity
        go_to(self.start)
        self.manager = deploy_artifact("AccessManager", self.admin)
        self.ledger = brownie_project.LedgerStub.deploy({"from": self.admin})
        self.book = self.deploy_book(maturity, terms)
        for number, (name, functions) in enumerate(ROLES.items(), 1):
            selectors = [getattr(self.book, function).signature for function in functions]
            self.manager.setTargetFunctionRole(self.book, selectors, number, {"from": self.admin})
            self.manager.grantRole(number, self.by[name]["from"], 0, {"from": self.admin})
        self._references = 0

    def deploy_book(self, maturity: int, terms: tuple[int, int]) -> Any:
        return self.project.ClearingBook.deploy(self.manager, self.ledger, maturity, terms, {"from": self.admin})

    def reference(self) -> bytes:
        """Return a payment reference that was not used before."""
        self._references += 1
        return self._references.to_bytes(32, "big")

    def at_period(self, number: int, second: int = 0) -> None:
        """Make the next transaction land in this second of the start's `number`-th period after it."""
        next_block_at(self.start + number * self.maturity + second)

    def appropriate(self, number: int, fen: int, year: int = 2030, document: bytes = DOCUMENT) -> Any:
        return self.book.recordAppropriation(number, year, fen, document, self.by["finance"])

    def earn(self, debits: Mapping[int, int], claims: Mapping[int, int]) -> Any:
        """Post receipts: what programmes owe for what merchants earned."""
        postings = [(programme(number), -fen) for number, fen in debits.items()]
        postings += [(merchant(number), fen) for number, fen in claims.items()]
        return self.book.postReceipts(postings, b"\x0e" * 32, self.by["redemption"])

    def refund(
        self,
        number: int,
        merchant_number: int,
        fen: int,
        order_time: int,
        order: bytes = b"\x0a" * 32,
        *,
        by_arbiter: bool = False,
    ) -> Any:
        """Give `fen` of an order of `order_time` back to a programme."""
        postings = [(programme(number), fen), (merchant(merchant_number), -fen)]
        arguments = (postings, order, merchant_number, 1 << 64 | 5, order_time, by_arbiter)
        return self.book.postRefund(*arguments, self.by["redemption"])

    def lock(self, order: bytes, merchant_number: int, fen: int) -> Any:
        return self.book.lockOrder(order, merchant_number, fen, b"\x0c" * 32, self.by["redemption"])

    def fund(self, number: int, fen: int, reference: bytes | None = None) -> Any:
        return self.book.fund(number, fen, reference or self.reference(), self.by["finance"])

    def payout(self, payouts: Iterable[tuple[int, int]], reference: bytes | None = None) -> Any:
        return self.book.payout(pack_payouts(payouts), reference or self.reference(), self.by["finance"])

    def open_cycle(self) -> Any:
        return self.book.openCycle({"from": self.stranger})

    def claim(self, number: int) -> tuple[int, int, int, int, int]:
        """Return matured, younger, youngest, locked and payable fen."""
        return tuple(self.book.claim(number))

    def due(self, number: int) -> tuple[int, int]:
        """Return fen of this cycle and older fen."""
        return tuple(self.book.due(number)[:2])

    def is_overdue(self, number: int) -> bool:
        return bool(self.book.fundingOf(number)[2])

    def assert_zero_sum(self, programmes: Iterable[int], merchants: Iterable[int]) -> None:
        """All positions sum to 0, and the sums over all merchants are exact."""
        merchants = list(merchants)
        participants = [programme(number) for number in programmes] + [merchant(number) for number in merchants]
        assert sum(self.book.position(participant) for participant in (*participants, POOL, TREASURY)) == 0
        claims = [self.claim(number) for number in merchants]
        assert tuple(self.book.totalClaims())[:4] == tuple(sum(part) for part in list(zip(*claims, strict=True))[:4])
        assert self.book.totalClaims()[4] == -self.book.position(POOL)


def positions(tx: Any) -> list[tuple[int, int, int]]:
    """Return (participant, delta, position) of each PositionChanged, in order."""
    return [(e["participant"], e["delta"], e["position"]) for e in event_values(tx, "PositionChanged")]
