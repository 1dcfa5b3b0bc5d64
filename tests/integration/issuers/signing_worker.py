"""A gateway that dies between the agency's signature and its own commit.

``signing_worker FOLDER SIGNATURES URL BEARER_FILE PUBLIC_KEY``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from issuers.batches.batcher import Batcher
from ledger.custody.web3signer import Web3Signer, Web3SignerAddress
from ledger.deployment.file import Deployment
from tests.integration.issuers.crash_worker import kill_at
from tests.integration.issuers.lab import open_desk


def main() -> None:
    """Sign, write the signature down where the gateway would not, and die."""
    folder, signatures, url, bearer, public_key = sys.argv[1:]
    address = Web3SignerAddress(url, bytes.fromhex(public_key), bearer_file=Path(bearer))
    signer = Web3Signer(address)
    sign = signer.sign_typed

    def noted(*args: Any) -> bytes:
        signature = sign(*args)
        with Path(signatures).open("a") as file:
            file.write(signature.hex() + "\n")
        return signature

    signer.sign_typed = noted  # type: ignore[method-assign]
    deployment = Deployment.read(Path(folder) / "deployment.json")
    desk = open_desk(Path(folder), None, deployment, {1: signer})
    kill_at(Batcher, "_store_signature", 1, before=True)
    desk.service.make_batches("volunteer")


if __name__ == "__main__":
    main()
