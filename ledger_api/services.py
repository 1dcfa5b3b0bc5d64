"""What the routes need, passed in by the composition root: services of the core, and the ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from issuers.service import IssuerService
from issuers.sources.webhooks.sources import WebhookSources
from ledger.clearing.appropriations import Appropriations
from ledger.clock import Clock
from ledger.orders.desk import OrderDesk
from ledger.residents.decisions import SourceDecisions
from ledger.residents.link_codes import LinkCodes
from ledger.residents.registry import ResidentRegistry
from ledger.standard.ids import ProgrammeId
from ledger.store.database import Database
from ledger.webhooks.book import WebhookBook
from ledger_api.auth.sessions import Sessions
from ledger_api.auth.sign_in import SignIn
from ledger_api.auth.tokens import LocalIssuer, TokenVerifier
from ledger_api.http.metrics import Metrics
from ledger_api.http.middleware import Limiter
from ledger_api.ports import ChainView, Check, InvariantReport, PageSettings, ProgrammeName, Receipts
from redemption.acts.book import ActBook
from redemption.acts.refund_approvals import RefundApprovals
from redemption.desk_approval import DeskApprovals
from redemption.fulfilment import Fulfilment
from redemption.merchants import MerchantDirectory
from redemption.offers import OfferCatalogue
from redemption.orders import Redemptions
from redemption.refunds import Refunds
from redemption.shops.applications import MerchantApplications


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How much of a request's body is read, in bytes, and where a large one is spooled."""

    document_max: int
    """Of a request to the API."""
    push_document_max: int
    """Of a source system's push as one JSON document, which is parsed whole."""
    push_lines_max: int
    """Of a source system's push as JSON Lines, which is spooled to a file and read as a stream."""
    spool_dir: Path


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the API can do."""

    limits: BodyLimits
    clock: Clock
    database: Database
    names: Mapping[ProgrammeId, ProgrammeName]
    registry: ResidentRegistry
    orders: OrderDesk
    merchants: MerchantDirectory
    applications: MerchantApplications
    offers: OfferCatalogue
    redemptions: Redemptions
    fulfilment: Fulfilment
    refunds: Refunds
    refund_approvals: RefundApprovals
    acts: ActBook
    issuers: IssuerService
    approvals: DeskApprovals
    link_codes: LinkCodes
    decisions: SourceDecisions
    webhooks: WebhookSources
    webhook_book: WebhookBook
    appropriations: Appropriations
    chain: ChainView
    deployment: Mapping[str, Any]
    """The deployment file's content: public, for auditors."""
    receipts: Receipts
    verifier: TokenVerifier
    local_issuer: LocalIssuer | None
    sign_in: SignIn
    sessions: Sessions
    request_secret: bytes
    """Keys the digests of stored requests."""
    readiness: Callable[[], Sequence[Check]]
    invariants: Callable[[], InvariantReport]
    limiter: Limiter
    metrics: Metrics = field(default_factory=Metrics)
    pages: PageSettings = field(default_factory=PageSettings)
    after_write: Callable[[], None] = lambda: None
    """Wakes the workers, so that an order need not wait for their next round."""
    after_link: Callable[[], None] = lambda: None
    """Wakes the issuers: records that awaited a link can be granted."""
