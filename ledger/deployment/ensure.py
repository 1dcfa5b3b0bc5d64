"""The deployment that an installation starts with: what its file says, checked; or what has just been deployed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ledger.chain.engine import Engine
from ledger.chain.transactions import DigestSigner
from ledger.deployment.city import CityActors, CityConfig
from ledger.deployment.file import Deployment


def ensure_deployed(
    engine: Engine,
    config: CityConfig,
    actors: CityActors,
    deployer: DigestSigner,
    path: Path,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> Deployment:
    """Return the deployment that the file describes, after checking it; if there is no file, deploy and write it."""
    if path.exists():
        deployment = Deployment.read(path)
    else:
        # Imports web3, which a start with a deployment file does without.
        from ledger.deployment.deploy import deploy

        deployment = deploy(engine, config, actors, deployer, progress=progress)
        deployment.write(path)
    deployment.check(engine)
    return deployment
