"""A city and its gateway on a real Anvil and a real database, for tests from outbox to projection."""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.engine import Engine
from ledger.clock import ManualClock
from ledger.deployment import artifacts
from ledger.deployment.city import load
from ledger.deployment.deploy import deploy
from ledger.deployment.file import Deployment
from ledger.gateway import Gateway
from ledger.outbox.routes import mint_gas
from ledger.standard import packed
from ledger.standard.ids import token_id
from ledger.standard.keccak import keccak256
from ledger.standard.quarters import quarter_at
from ledger.standard.signatures import SigningKey
from ledger.standard.typed_data import MintBatch
from ledger.store.database import Database
from tests.empty_books import empty_books
from tests.integration.actors import lab_actors

START = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
QUARTER = quarter_at(int(START.timestamp()))


def key(name: str) -> SigningKey:
    """A key that is the same in every run."""
    return SigningKey(keccak256(b"gateway lab " + name.encode()))


def open_engine(state: Path, clock: ManualClock) -> EmbeddedEngine:
    """Open the lab's chain: the same in every run."""
    options = EmbeddedOptions(chain_id=1_234_567_890, genesis_timestamp=int(START.timestamp()))
    return EmbeddedEngine.open(state / "chain", clock, options)


def deploy_city(engine: Engine) -> Deployment:
    """Put the demo's city on the chain (idempotent)."""
    config = load()
    # As much as is appropriated may be minted on the one day that a test is.
    ceilings = {one.programme: one.fen for one in config.appropriations}
    programmes = [replace(one, daily_mint_fen=2 * ceilings.get(one.id, 0)) for one in config.programmes]
    config = replace(config, programmes=tuple(programmes))
    return deploy(engine, config, lab_actors(config, key), key("deployer"))


@dataclass
class GatewayLab:
    """An installation in a folder. ``close`` and ``open_lab`` again is a restart."""

    state: Path
    clock: ManualClock
    engine: EmbeddedEngine
    database: Database
    deployment: Deployment
    gateway: Gateway
    _numbers: dict[int, int] = field(default_factory=dict)

    def mint_calldata(self, programme: int, grants: Sequence[tuple[str, int]], number: int, quarter: int) -> bytes:
        """Calldata of a batch signed by the programme's issuer."""
        body = packed.pack_grants(grants)
        root = keccak256(b"root" + number.to_bytes(8, "big"))
        batch = MintBatch(programme, quarter, number, root, keccak256(body))
        signature = key(f"issuer {programme}").sign_digest(batch.digest(self.deployment.domain()))
        return artifacts.call_data("PointsLedger", "mint", [(programme, quarter, number, root, body), signature])

    def enqueue_mint(
        self, programme: int, grants: Sequence[tuple[str, int]], number: int, quarter: int = QUARTER + 4
    ) -> str:
        """Enqueue a signed batch and return its dedupe key."""
        dedupe_key = f"mint:{programme}:{number}"
        calldata = self.mint_calldata(programme, grants, number, quarter)
        with self.database.transaction() as session:
            self.gateway.outbox.enqueue_call(
                session, "mint", dedupe_key, self.deployment.address("PointsLedger"), calldata, mint_gas(len(grants))
            )
        return dedupe_key

    def lot(self, programme: int, quarter: int = QUARTER + 4) -> int:
        """A token id."""
        return token_id(programme, quarter)

    def close(self) -> None:
        """End as a process would."""
        self.gateway.stop()
        self.engine.close()
        self.database.close()


@cache
def _deployed() -> Path:
    """Return a chain with the city on it, for the tests of this process to copy: that takes a quarter of the time of
    deploying, and comes to the same blocks."""
    state = Path(mkdtemp(prefix="gateway-lab-"))
    atexit.register(shutil.rmtree, state, ignore_errors=True)
    with open_engine(state, ManualClock(START)) as engine:
        deploy_city(engine)
    return state / "chain"


def new_lab(state: Path, url: str | None = None) -> GatewayLab:
    """Open a new installation, whose city is on the chain already."""
    shutil.copytree(_deployed(), state / "chain")
    return open_lab(state, url)


def open_lab(state: Path, url: str | None = None, relayers: int = 2) -> GatewayLab:
    """Open, or open again, an installation."""
    clock = ManualClock(START)
    engine = open_engine(state, clock)
    try:
        deployment = deploy_city(engine)
        file = f"sqlite:///{state}/desk.sqlite3"
        if url is None or url == file:
            database = empty_books(state / "desk.sqlite3")
        else:
            database = Database(url)
            database.create_all()
        keys = [key(f"relayer {index}") for index in range(relayers)]
        gateway = Gateway(database, engine, deployment, keys, clock)
    except BaseException:
        engine.close()
        raise
    return GatewayLab(state, clock, engine, database, deployment, gateway)
