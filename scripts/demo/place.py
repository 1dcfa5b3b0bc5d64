"""The demo's state directory: which city it is, its sources' exports, and what is written into it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from issuers.samples.generate import Samples, generate
from issuers.samples.people import population
from ledger.audit.report import AuditReport
from ledger.errors import InvariantViolation
from ledger.proofs.receipt import verify_receipt
from ledger.standard.ids import OrderId
from scripts.demo.environment import DemoStepFailed
from scripts.demo.intake import IntakeDesk
from tongdui.bootstrap import City
from tongdui.cli.console import Bars, UsageError
from tongdui.settings import Settings


@dataclass(frozen=True, slots=True)
class Sizes:
    """How big the made-up city is."""

    people: int
    records: int
    seed: int


def demo_settings(state_dir: Path, rpc: str | None = None) -> Settings:
    """Return the demo's settings: no database of the environment is used, and no node but those that are named.

    ``rpc``: a network's nodes, with commas between them; their finality is the environment's ``TONGDUI_FINALITY``.
    """
    return Settings(
        state_dir=state_dir,
        workers=False,
        rpc_url=rpc,
        database_url=None,
        deployment_file=None,
        master_key_file=None,
        oidc_issuer=None,
        oidc_jwks_url=None,
        outgoing_networks=["127.0.0.0/8"],
        rate_per_minute=100_000,
    )


def remember_sizes(state_dir: Path, sizes: Sizes) -> None:
    """Note what this city is, at the first run; a later run has to ask for the same. Raises UsageError."""
    path = state_dir / "demo.json"
    wanted = asdict(sizes)
    if not path.exists():
        write(path, orjson.dumps(wanted))
        return
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path} is damaged; remove {state_dir} or name another --state-dir") from error
    if found != wanted:
        what = " ".join(f"--{name} {found.get(name)}" for name in wanted)
        raise UsageError(f"{state_dir} holds a city of {what}; remove it, or name another --state-dir")


def samples_of(state_dir: Path, sizes: Sizes, bars: Bars) -> Samples:
    """Write the source systems' exports once: a second run reads the very same bytes."""
    folder = state_dir / "samples"
    if folder.is_dir():
        return Samples(folder, population(sizes.seed, sizes.people), {})
    draft = state_dir / "samples.draft"
    generate(draft, sizes.seed, sizes.people, sizes.records)
    draft.rename(folder)
    shutil.rmtree(draft, ignore_errors=True)
    bars.done("samples", str(folder))
    return Samples(folder, population(sizes.seed, sizes.people), {})


def write(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one, whole."""
    draft = path.with_suffix(path.suffix + ".draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def cross_check(desk: IntakeDesk, report: AuditReport) -> None:
    """Compare what the issuers believe they minted and revoked with what the auditor found on chain."""
    for slug, (minted, revoked) in desk.landed().items():
        found = report.programmes[slug]
        if (minted, revoked) != (found.minted, found.revoked + found.revoked_shortfall):
            raise InvariantViolation(
                f"programme {slug}: the issuers minted {minted} and revoked {revoked} minor units,"
                f" the auditor found {found.minted} and {found.revoked + found.revoked_shortfall}"
            )
    if report.positions_sum_fen:
        raise InvariantViolation(f"positions add up to {report.positions_sum_fen} fen")


def keep_receipt(city: City, order_id: str, state_dir: Path) -> tuple[bytes, str]:
    """Write the ticket's receipt and check it as a stranger would. Returns its bytes and the verdict."""
    made = city.receipts.for_order(OrderId(bytes.fromhex(order_id[2:])))
    if made is None:
        raise DemoStepFailed("the receipt", f"there is none for order {order_id}")
    content = orjson.dumps(made, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    found = verify_receipt(json.loads(content), None, city.deployment)
    if not found.ok:
        raise InvariantViolation(f"the receipt of the demo does not hold: {found.reason}")
    write(state_dir / "receipt.json", content)
    return content, found.summary
