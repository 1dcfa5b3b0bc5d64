"""What the API asks of its surroundings: narrow ports for what has an engine, and what they answer. No HTTP here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ledger.standard.contract import BatchState
from ledger.standard.evidence import EvidenceLeaf
from ledger.standard.ids import OrderId, ProgrammeId


@dataclass(frozen=True, slots=True)
class ProgrammeName:
    """How a programme is called."""

    programme: ProgrammeId
    slug: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class StoryPerson:
    """Somebody of the demo's story, as whom one signs in with one click, on loopback only."""

    login: str
    """The login's name."""
    name_zh: str
    name_en: str
    role: str
    """``resident``, ``owner``, ``till`` or ``desk``."""
    password: str
    """Generated for this city, for the steps that ask for it once more; shown on this machine only."""


@dataclass(frozen=True, slots=True)
class PageSettings:
    """How people reach the pages."""

    public_url: str | None = None
    """Where, beyond this machine; None: on loopback only."""
    validators: tuple[str, ...] = ()
    """The accounts that the page which checks receipts trusts to seal blocks."""
    people: tuple[StoryPerson, ...] = ()
    """The people of the demo's city; any other city has none."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be right, and what was found."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class OrderOnChain:
    """What the chain itself says of an order."""

    kind: str
    code: int
    fen: int | None
    block_number: int
    block_hash: bytes
    transaction_hash: bytes


class ChainView(Protocol):
    """Reads the chain, not the projections."""

    def final_height(self) -> int:
        """Return the number of the last final block."""
        ...

    def order(self, order_id: OrderId) -> OrderOnChain | None:
        """Return the outcome of an order, from the node's logs at final height."""
        ...

    def batch(self, programme: ProgrammeId, number: int) -> tuple[BatchState, bytes]:
        """Return (state, evidence root) from contract state at final height."""
        ...

    def has_grant(self, programme: ProgrammeId, number: int, leaf: EvidenceLeaf, proof: list[bytes]) -> bool:
        """Return whether a grant is in a batch that landed, by its leaf and path to the batch's root."""
        ...


class Receipts(Protocol):
    """Makes receipts that prove themselves, and checks them."""

    def for_order(self, order_id: OrderId) -> dict[str, Any] | None:
        """Return an order's receipt, or None while it is not final."""
        ...

    def for_grant(self, grant_id: bytes) -> dict[str, Any] | None:
        """Return a grant's receipt, or None while its batch has not landed."""
        ...

    def verify(self, receipt: Mapping[str, Any]) -> tuple[bool, str, dict[str, Any]]:
        """Return (whether it holds, what it says or why it fails, details). Needs no network."""
        ...


@dataclass(frozen=True, slots=True)
class InvariantReport:
    """The last check of the rules that must always hold."""

    block_number: int
    timestamp: int
    checks: tuple[Check, ...]
