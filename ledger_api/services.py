"""What the routes need, handed in by ``bootstrap``: services of the core, and narrow ports for what has an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from issuers.service import IssuerService
from issuers.webhooks.sources import WebhookSources
from ledger.clearing.appropriations import Appropriations
from ledger.clock import Clock
from ledger.orders.desk import OrderDesk
from ledger.residents.decisions import SourceDecisions
from ledger.residents.link_codes import LinkCodes
from ledger.residents.registry import ResidentRegistry
from ledger.standard.evidence import EvidenceLeaf
from ledger.store.database import Database
from ledger_api.metrics import Metrics
from ledger_api.middleware import RateLimiter
from ledger_api.settings import Settings
from ledger_api.tokens import LocalIssuer, TokenVerifier
from redemption.consent import DeskConsent
from redemption.handover import Handover
from redemption.merchants import MerchantDirectory
from redemption.offers import OfferShelf
from redemption.orders import Redemptions
from redemption.refunds import Refunds


@dataclass(frozen=True, slots=True)
class ProgrammeName:
    """How a programme is called."""

    programme: int
    slug: str
    name_zh: str
    name_en: str


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

    def order(self, order_id: bytes) -> OrderOnChain | None:
        """Return what became of an order, from the node's logs at final height."""
        ...

    def batch(self, programme: int, number: int) -> tuple[int, bytes]:
        """Return (state: 0 unused, 1 landed, 2 void; evidence root) from contract state at final height."""
        ...

    def has_grant(self, programme: int, number: int, leaf: EvidenceLeaf, proof: list[bytes]) -> bool:
        """Return whether a grant is in a batch that landed, by its leaf and path to the batch's root."""
        ...


class Receipts(Protocol):
    """Makes receipts that prove themselves, and checks them."""

    def for_order(self, order_id: bytes) -> dict[str, Any] | None:
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


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the API can do."""

    settings: Settings
    clock: Clock
    database: Database
    names: Mapping[int, ProgrammeName]
    registry: ResidentRegistry
    orders: OrderDesk
    merchants: MerchantDirectory
    shelf: OfferShelf
    redemptions: Redemptions
    handover: Handover
    refunds: Refunds
    issuers: IssuerService
    consent: DeskConsent
    link_codes: LinkCodes
    decisions: SourceDecisions
    webhooks: WebhookSources
    appropriations: Appropriations
    chain: ChainView
    deployment: Mapping[str, Any]
    """The deployment file's content: public, for whoever audits."""
    receipts: Receipts
    verifier: TokenVerifier
    local_issuer: LocalIssuer | None
    request_secret: bytes
    """Keys the digests of stored requests."""
    readiness: Callable[[], Sequence[Check]]
    invariants: Callable[[], InvariantReport]
    limiter: RateLimiter
    metrics: Metrics = field(default_factory=Metrics)
    after_write: Callable[[], None] = lambda: None
    """Wakes the workers, so that an order need not wait for their next round."""
    after_link: Callable[[], None] = lambda: None
    """Wakes the issuers: records that awaited a link can be granted."""
