"""A desk with a city on a real chain behind it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ledger.audit.auditor import audit
from ledger.audit.report import AuditReport
from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.transactions import sign_legacy
from ledger.clock import ManualClock
from ledger.custody.signer import IssuerSigner, LocalSigner
from ledger.deployment import artifacts
from ledger.deployment.city import AppropriationConfig, load
from ledger.deployment.deploy import deploy
from ledger.deployment.file import Deployment
from ledger.gateway import Gateway
from ledger.standard.ids import ProgrammeId, address_bytes
from ledger.standard.keccak import keccak256
from ledger.standard.signatures import SigningKey
from ledger.store.database import Database
from ledger.store.models.projection import BalanceRow, FlowRow
from tests.empty_books import empty_books
from tests.integration.actors import lab_actors
from tests.integration.issuers.lab import NOW, PROGRAMMES, Desk, open_desk


def secret(name: str) -> bytes:
    """A key that is the same in every run."""
    return keccak256(b"issuers' chain " + name.encode())


def key(name: str) -> SigningKey:
    """A prepared key."""
    return SigningKey(secret(name))


@dataclass
class City:
    """An installation: chain, gateway and desk."""

    engine: EmbeddedEngine
    deployment: Deployment
    gateway: Gateway
    desk: Desk
    finance_nonce: int = 0

    def land(self) -> None:
        """Let everything that is enqueued reach the chain and the projection, and tell the desk."""
        self.gateway.run_until_idle()
        self.desk.service.settle()

    def appropriate(self, programme: int, fiscal_year: int, fen: int) -> None:
        """Record an appropriation as the finance bureau."""
        data = artifacts.call_data(
            "ClearingBook", "recordAppropriation", [programme, fiscal_year, fen, keccak256(b"document")]
        )
        target = self.deployment.address("ClearingBook")
        raw, _ = sign_legacy(key("finance"), self.engine.chain_id, self.finance_nonce, target, data, 500_000)
        self.finance_nonce += 1
        self.engine.submit([raw])
        self.gateway.run_until_idle()
        self.engine.produce()
        self.gateway.run_until_idle()

    def balance(self, account: str, token: int) -> int:
        """What an account holds of a lot, by the projection."""
        with self.desk.database.read() as session:
            row = session.get(BalanceRow, (address_bytes(account), token))
            return 0 if row is None else row.amount_minor

    def flow(self, programme: int, kind: str) -> int:
        """A programme's running total of a kind of movement, by the projection."""
        with self.desk.database.read() as session:
            row = session.get(FlowRow, (programme, kind))
            return 0 if row is None else row.amount_minor

    def audit(self) -> AuditReport:
        """What the independent auditor says, leaf files included."""
        return audit(
            self.engine.url, self.deployment, self.engine.final_height(), leaf_files=[self.desk.folder / "leaves"]
        )

    def close(self) -> None:
        """End as a process would."""
        self.gateway.stop()
        self.engine.close()
        self.desk.database.close()


def open_city(
    folder: Path,
    appropriated_fen: dict[int, int] | None = None,
    remote: dict[ProgrammeId, IssuerSigner] | None = None,
    url: str | None = None,
) -> City:
    """Build a city. ``appropriated_fen`` replaces what its programmes may issue in 2026; ``remote`` signs in another
    house for its programmes."""
    local = {number: LocalSigner(secret(f"issuer {number}")) for number in PROGRAMMES.values()}
    signers: dict[ProgrammeId, IssuerSigner] = {**local, **(remote or {})}
    clock = ManualClock(NOW)
    # On loopback: an agency's signer is another process, and asks this node.
    options = EmbeddedOptions(
        chain_id=987_654_321, genesis_timestamp=int(NOW.timestamp()), isolate=False, second_node=False
    )
    engine = EmbeddedEngine.open(folder / "chain", clock, options)
    config = load()
    if appropriated_fen is not None:
        given = tuple(
            AppropriationConfig(ProgrammeId(programme), 2026, fen, "document")
            for programme, fen in appropriated_fen.items()
        )
        # So little money would let the default ceilings, not the funding, hold the mints back.
        unbounded = tuple(
            dataclasses.replace(one, daily_mint_fen=2**47, daily_revoke_fen=2**47) for one in config.programmes
        )
        config = dataclasses.replace(config, appropriations=given, programmes=unbounded)
    actors = lab_actors(config, key, {ProgrammeId(number): (one.address,) for number, one in signers.items()})
    deployment = deploy(engine, config, actors, key("deployer"))
    database = empty_books(folder / "books.db") if url is None else Database(url)
    if url is not None:
        database.create_all()
    gateway = Gateway(database, engine, deployment, [key("relayer 1"), key("relayer 2")], clock)
    desk = open_desk(folder, None, deployment, signers, clock, database)
    return City(engine, deployment, gateway, desk)
