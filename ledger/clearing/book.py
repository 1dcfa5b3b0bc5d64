"""What the clearing book says, read from a node at one block: claims, dues, cycle. Amounts in fen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.chain.answers import hex_bytes
from ledger.chain.rpc import RpcClient
from ledger.clearing.netting import split_by_largest_remainder
from ledger.deployment.artifacts import call_data, decode_result
from ledger.standard.ids import POOL, TREASURY, Address, MerchantId, ProgrammeId, programme_participant

_NAME = "ClearingBook"


@dataclass(frozen=True, slots=True)
class Claim:
    """A merchant's claim; see IClearingBook.sol."""

    matured_fen: int
    younger_fen: int
    youngest_fen: int
    locked_fen: int
    payable_fen: int


@dataclass(frozen=True, slots=True)
class Due:
    """What a programme has to pay by ``due_by`` (Unix seconds), and what has been due from earlier."""

    fen: int
    older_fen: int
    due_by: int
    waived_until: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The book as a whole."""

    cycle: int
    due_by: int
    pool_fen: int
    """What lies in the treasury account for merchants."""
    treasury_fen: int
    """Value that expired and was not taken back."""
    claims: Claim
    """Of all merchants."""
    owed_fen: dict[ProgrammeId, int]
    """What programmes owe, in the order of their first appropriation."""

    @property
    def next_total_fen(self) -> int:
        """What a cycle opened now would be over."""
        return max(0, self.claims.matured_fen - self.pool_fen)

    def next_dues(self) -> dict[ProgrammeId, int]:
        """Return each debtor's due amount if a cycle were opened now, as the contract splits it."""
        return split_by_largest_remainder(self.next_total_fen, self.owed_fen)


class BookReader:
    """Reads the book at one height. Raises `RpcError` where the node cannot say."""

    def __init__(self, rpc: RpcClient, book: Address, height: int) -> None:
        self._rpc = rpc
        self._book = book
        self._height = height

    def standing(self) -> Standing:
        """Return the book as a whole."""
        first = [("lastCycle", ()), ("position", (POOL,)), ("position", (TREASURY,)), ("totalClaims", ())]
        (cycle, due_by), pool, treasury, claims, programmes = self._ask([*first, ("programmes", ())])
        positions = self._ask([("position", (programme_participant(programme),)) for programme in programmes])
        owed = {ProgrammeId(p): -fen for p, fen in zip(programmes, positions, strict=True) if fen < 0}
        return Standing(cycle, due_by, -pool, treasury, Claim(*claims), owed)

    def dues(self, programmes: Sequence[ProgrammeId]) -> dict[ProgrammeId, Due]:
        """Return what programmes have to pay."""
        found = self._ask([("due", (programme,)) for programme in programmes])
        return {programme: Due(*due) for programme, due in zip(programmes, found, strict=True)}

    def claims(self, merchants: Sequence[MerchantId]) -> dict[MerchantId, Claim]:
        """Return merchants' claims."""
        found = self._ask([("claim", (merchant,)) for merchant in merchants])
        return {merchant: Claim(*claim) for merchant, claim in zip(merchants, found, strict=True)}

    def _ask(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        if not calls:
            return []
        requests = [
            ("eth_call", [{"to": self._book, "data": "0x" + call_data(_NAME, f, args).hex()}, hex(self._height)])
            for f, args in calls
        ]
        answers = self._rpc.batch(requests)
        return [
            decode_result(_NAME, function, hex_bytes(answer, "eth_call"))
            for (function, _), answer in zip(calls, answers, strict=True)
        ]
