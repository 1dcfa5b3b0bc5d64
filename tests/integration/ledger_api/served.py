"""A whole city for integration tests: real Anvil, real SQLite, real HTTP; points minted by a real issuer's key."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from ledger.chain import artifacts
from ledger.outbox.routes import mint_gas
from ledger.standard.evidence import EvidenceLeaf, MerkleTree
from ledger.standard.keccak import keccak256
from ledger.standard.packed import pack_grants
from ledger.standard.quarters import CITY_TZ, expiry_quarter
from ledger.standard.typed_data import MintBatch
from ledger_api.app import create_app
from ledger_api.bootstrap import City, open_city, open_token_issuer
from ledger_api.settings import Settings

SLUGS = {1: "volunteer", 2: "environmental", 3: "traffic", 4: "culture", 5: "residence"}


@dataclass
class Served:
    """A running city, and a client of it."""

    city: City
    url: str
    client: httpx.Client
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def token(self, subject: str, *scopes: str) -> dict[str, str]:
        issuer = open_token_issuer(self.city.settings, self.city.clock)
        return {"Authorization": f"Bearer {issuer.issue(subject, scopes)}"}

    def post(self, path: str, body: Any, headers: dict[str, str], key: str | None = None) -> httpx.Response:
        key = key or f"integration-{next(self._numbers):04d}"
        return self.client.post(path, json=body, headers={**headers, "Idempotency-Key": key})

    def get(self, path: str, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
        return self.client.get(path, headers=headers, params=params)

    def wait(self, order_id: str, headers: dict[str, str]) -> dict[str, Any]:
        answer = self.get(f"/v1/orders/{order_id}", headers, wait_s=20)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def grant(self, account: str, programme: int, minor: int) -> dict[str, Any]:
        """Mint as the programme's agency does; return the evidence as it would be published."""
        number = next(self._numbers)
        today = datetime.now(UTC).astimezone(CITY_TZ).date()
        quarter = 0 if programme == 5 else expiry_quarter(today, 4)
        leaf = EvidenceLeaf(
            grant_id=keccak256(f"grant {number}".encode()),
            account=account,
            token_id=programme << 32 | quarter,
            amount=minor,
            activity_code=b"TEST".ljust(32, b"\0"),
            rulebook_version=1,
            commitment=keccak256(b"commitment"),
        )
        tree = MerkleTree([leaf.hash()])
        grants = pack_grants([(account, minor)])
        batch = MintBatch(programme, quarter, number, tree.root, keccak256(grants))
        key = self.city.keystore.get(f"issuers/{SLUGS[programme]}")
        signature = key.sign_digest(batch.digest(self.city.deployment.domain()))
        calldata = artifacts.call_data("Issuance", "mint", [programme, quarter, number, tree.root, grants, signature])
        with self.city.database.transaction() as session:
            self.city.gateway.outbox.enqueue_call(
                session,
                "mint",
                f"mint:{programme}:{number}",
                self.city.deployment.address("Issuance"),
                calldata,
                mint_gas(1),
            )
        self.city.gateway.wake()
        return {
            "batch": str(number),
            "leaf": {
                "grant_id": "0x" + leaf.grant_id.hex(),
                "account": account,
                "token_id": str(leaf.token_id),
                "amount": str(minor),
                "activity_code": "0x" + leaf.activity_code.hex(),
                "rulebook_version": 1,
                "commitment": "0x" + leaf.commitment.hex(),
            },
            "proof": ["0x" + node.hex() for node in tree.proof(0)],
        }

    def resident(self, subject: str, document: str) -> tuple[dict[str, str], dict[str, Any]]:
        headers = self.token(subject, "resident:self", "resident:register")
        answer = self.post("/v1/residents", {"document_number": document}, headers)
        assert answer.status_code in {200, 201}, answer.text
        return headers, answer.json()


@contextmanager
def served_city(state_dir: Path, **settings: Any) -> Iterator[Served]:
    """Serve a city on a free port of loopback until the block ends."""
    chosen = Settings(state_dir=state_dir, port=0, _env_file=None, **settings)
    with open_city(chosen) as city:
        config = uvicorn.Config(create_app(city.services), host="127.0.0.1", port=0, log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        try:
            with httpx.Client(base_url=url, timeout=60) as client:
                yield Served(city, url, client)
        finally:
            server.should_exit = True
            thread.join(15)
