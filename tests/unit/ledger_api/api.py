"""The API over a small city, called through ASGI: real services and SQLite, doubles only for the chain itself."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import create_autospec

import httpx

from issuers.service import IssuerService
from issuers.sources.webhooks.sources import WebhookSources
from ledger.chain.engine import Engine
from ledger.clearing.appropriations import Appropriations
from ledger.clearing.office import FinanceOffice
from ledger.custody.keystore import Keystore
from ledger.custody.master import Envelope
from ledger.deployment.file import Deployment
from ledger.outgoing import Outgoing
from ledger.residents.link_codes import LinkCodes
from ledger.standard.contract import BatchState
from ledger.standard.evidence import EvidenceLeaf, verify
from ledger.standard.ids import Address
from ledger.webhooks.book import WebhookBook
from ledger_api.app import create_app
from ledger_api.auth.logins import Logins
from ledger_api.auth.passwords import Passwords
from ledger_api.auth.sessions import SessionLimits, Sessions
from ledger_api.auth.sign_in import SignIn
from ledger_api.auth.throttle import SignInThrottle
from ledger_api.auth.tokens import LOCAL_ALGORITHM, LocalIssuer, TokenVerifier
from ledger_api.http.metrics import Metrics
from ledger_api.http.middleware import RateLimiter
from ledger_api.ports import Check, InvariantReport, OrderOnChain, ProgrammeName
from ledger_api.services import BodyLimits, Services
from redemption.acts.refund_approvals import RefundApprovals
from redemption.refunds import Refunds
from redemption.shops.applications import MerchantApplications
from redemption.shops.payees import Payees
from redemption.shops.sealing import ShopSeal
from tests.unit.redemption.world import World
from tongdui.settings import Settings

with warnings.catch_warnings():
    # Starlette asks for a successor of httpx that nothing else here needs; httpx still works.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

ISSUER, AUDIENCE = "urn:test", "tongdui-api"
NAMES = {
    1: ProgrammeName(1, "volunteer", "志愿服务", "Volunteering"),
    2: ProgrammeName(2, "environmental", "绿色环保", "Environment"),
    4: ProgrammeName(4, "culture", "文化消费", "Culture"),
    5: ProgrammeName(5, "residence", "居住证积分", "Residence permit"),
}


@dataclass
class ChainDouble:
    """What the chain would say."""

    orders: dict[bytes, OrderOnChain] = field(default_factory=dict)
    batches: dict[tuple[int, int], tuple[BatchState, bytes]] = field(default_factory=dict)

    def final_height(self) -> int:
        return 7

    def order(self, order_id: bytes) -> OrderOnChain | None:
        return self.orders.get(order_id)

    def batch(self, programme: int, number: int) -> tuple[BatchState, bytes]:
        return self.batches.get((programme, number), (BatchState.UNUSED, bytes(32)))

    def has_grant(self, programme: int, number: int, leaf: EvidenceLeaf, proof: list[bytes]) -> bool:
        state, root = self.batch(programme, number)
        return state is BatchState.LANDED and verify(root, leaf.hash(), proof)


@dataclass
class ReceiptsDouble:
    """Receipts that say their order's id."""

    final: set[bytes] = field(default_factory=set)

    def for_order(self, order_id: bytes) -> dict[str, Any] | None:
        return {"order": order_id.hex()} if order_id in self.final else None

    def for_grant(self, grant_id: bytes) -> dict[str, Any] | None:
        return {"grant": grant_id.hex()} if grant_id in self.final else None

    def verify(self, receipt: Mapping[str, Any]) -> tuple[bool, str, dict[str, Any]]:
        return ("order" in receipt), "what it says", {"kind": "event"}


@cache
def _chainless() -> tuple[Deployment, Engine]:
    """Return what an office holds and does not use here; made once, for that takes longer than most tests."""
    deployment = create_autospec(Deployment, instance=True)
    deployment.address.return_value = Address("0x" + "bb" * 20)
    return deployment, create_autospec(Engine, instance=True)


def _office(world: World, kind: str = "finance") -> FinanceOffice:
    """An office whose acts are announced; what it sends needs a chain: tests/integration/ledger_api."""
    deployment, engine = _chainless()
    return FinanceOffice(world.database, engine, deployment, world.outbox, world.clock, Address("0x" + "cc" * 20), kind)


class Api:
    """A client of one application, and tokens for it."""

    def __init__(self, world: World, **changes: Any) -> None:
        self.world = world
        settings = changes.pop("settings", None) or Settings(state_dir=world.directory, _env_file=None)
        self.issuer = LocalIssuer.open(world.directory / "tokens.pem", ISSUER, AUDIENCE, world.clock)
        self.chain = ChainDouble()
        self.receipts = ReceiptsDouble()
        self.checks = [Check("database", True, "answers")]
        self.report = InvariantReport(7, world.now, (Check("supply", True, "10 compared"),))
        self.issuers = create_autospec(IssuerService, instance=True)  # itself: tests/integration/ledger_api
        self.woken: list[str] = []
        self.sessions = Sessions(world.database, world.clock, SessionLimits())
        self.sign_in = SignIn(
            world.database,
            Logins(world.clock),
            self.sessions,
            Passwords(memory_kib=64, rounds=1),
            SignInThrottle(b"\x09" * 32, world.clock),
        )
        self.services = Services(
            limits=BodyLimits(
                document_max=settings.body_bytes_max,
                push_document_max=settings.push_document_bytes_max,
                push_lines_max=settings.push_bytes_max,
                spool_dir=settings.state_dir / "push",
            ),
            clock=world.clock,
            database=world.database,
            names=NAMES,
            registry=world.registry,
            orders=world.desk,
            merchants=world.merchants,
            applications=MerchantApplications(
                _office(world, "registrar"),
                world.merchants,
                Payees(ShopSeal(Envelope(b"\x0a" * 32)), world.clock),
                Keystore(world.directory / "keys", b"\x0b" * 32),
                ("food", "museum"),
                world.clock,
            ),
            offers=world.offers,
            redemptions=world.redemptions,
            fulfilment=world.fulfilment,
            refunds=create_autospec(Refunds, instance=True),  # refunds need a chain: tests/integration/redemption
            refund_approvals=RefundApprovals(world.clock, 50_000),
            acts=world.acts,
            issuers=self.issuers,
            approvals=world.approvals,
            link_codes=LinkCodes(b"\x07" * 32, world.clock),
            decisions=world.decisions,
            appropriations=Appropriations(_office(world), world.clock),
            webhooks=WebhookSources(Envelope(b"\x08" * 32), world.clock),
            webhook_book=WebhookBook(Envelope(b"\x0c" * 32), Outgoing(), world.clock),
            chain=self.chain,
            deployment={"chain_id": 1337},
            receipts=self.receipts,
            verifier=TokenVerifier(self.issuer, ISSUER, AUDIENCE, [LOCAL_ALGORITHM], world.clock),
            local_issuer=self.issuer,
            sign_in=self.sign_in,
            sessions=self.sessions,
            request_secret=b"\x06" * 32,
            readiness=lambda: self.checks,
            invariants=lambda: self.report,
            limiter=changes.pop("limiter", RateLimiter(10_000)),
            metrics=Metrics(),
            after_write=lambda: self.woken.append("write"),
            after_link=lambda: self.woken.append("link"),
        )
        self.client = TestClient(create_app(self.services), raise_server_exceptions=False)
        self._keys = itertools.count()

    def token(self, subject: str, *scopes: str, **options: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.issue(subject, scopes, **options)}"}

    def get(self, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> httpx.Response:
        return self.client.get(path, headers=dict(headers or {}), **options)

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None, key: str | None = None
    ) -> httpx.Response:
        key = key or f"test-key-{next(self._keys):04d}"
        return self.client.post(path, json=body, headers={"Idempotency-Key": key, **(headers or {})})

    def register(
        self, subject: str = "wang", document: str = "510107195403071234"
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Register a resident; return (headers of its token, its JSON)."""
        headers = self.token(subject, "resident:self", "resident:register")
        answer = self.post("/v1/residents", {"document_number": document}, headers)
        assert answer.status_code in {200, 201}, answer.text
        return headers, answer.json()


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Return (status, type) of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, document["type"]
