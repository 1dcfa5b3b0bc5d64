"""``audit`` and ``verify``: what a stranger runs. Neither reads our database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.errors import ConfigurationError
from ledger.standard.amounts import points_text, yuan_text
from tongdui.cli.console import ExitCode, Output, UsageError
from tongdui.cli.options import AsJson, StateDir, readable, settings
from tongdui.clock import clock_of

if TYPE_CHECKING:
    from ledger.audit.report import AuditReport

RECEIPT_BYTES_MAX = 16 * 1024 * 1024


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("audit")(audit)
    app.command("verify")(verify)


def audit(
    rpc: Annotated[str | None, typer.Option("--rpc", metavar="URL", help="The node to audit.")] = None,
    deployment: Annotated[
        Path | None, typer.Option("--deployment", metavar="FILE", help="The deployment.json that was published.")
    ] = None,
    block: Annotated[
        int | None, typer.Option("--block", min=0, help="Audit up to this block (default: latest).")
    ] = None,
    leaves: Annotated[
        list[Path] | None,
        typer.Option(
            "--leaves",
            help="Published evidence leaves, files or folders; may be repeated [default: the state directory's].",
        ),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            "--known-block", metavar="HASH", help="A block you know of; fail unless it is among those audited."
        ),
    ] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Replay the chain and compare: PASS, FAIL with the first contradiction, or INCOMPLETE.

    Uses no database. It rebuilds every block from its transactions and receipts, checks every signature in calldata and
    who decided what, recomputes every balance, supply, funding, claim and position, and proves that the storage of
    every contract says that and nothing else. INCOMPLETE means that no contradiction was found and something could not
    be looked at: no --leaves, a node without eth_getProof, the word of a contract wallet. It says what.

    Without --rpc it audits the embedded chain of the state directory, started from its journal (no gateway may run on
    it meanwhile; a running one says at which URL auditors reach it).

    Exit code 0 is PASS, 1 is FAIL, 6 is INCOMPLETE.
    """
    from ledger.audit.auditor import audit as run_audit
    from ledger.audit.report import INCOMPLETE
    from ledger.deployment.file import FILE_NAME, Deployment

    output = Output(as_json=as_json)
    chosen = settings(state_dir)
    if rpc is not None and not rpc.startswith(("http://", "https://")):
        raise UsageError(f"--rpc {rpc!r} is not an http:// or https:// URL")
    if rpc is not None and deployment is None:
        raise UsageError("--rpc needs --deployment FILE: which contracts are the city's is not for the node to say")
    for one in leaves or ():
        if not one.exists():
            raise ConfigurationError(f"evidence leaves {one} do not exist")
    if leaves is None and rpc is None and (own := chosen.state_dir / "leaves").is_dir():
        leaves = [own]
    path = deployment or chosen.deployment_file or chosen.state_dir / FILE_NAME
    described = Deployment.read(readable(path, "the deployment file"))
    with _node(rpc or chosen.rpc_url, chosen.state_dir) as url, output.bars() as bars:
        report = run_audit(url, described, block, bars.hook("audit"), leaves or None, known_block=known)
    show(output, report)
    output.result({"ok": report.ok, **report.to_json()})
    if not report.ok:
        raise typer.Exit(ExitCode.INCOMPLETE if report.verdict == INCOMPLETE else ExitCode.NO)


@contextmanager
def _node(url: str | None, state_dir: Path) -> Iterator[str]:
    """Yield the URL of the node to audit; the embedded one is started from its journal and stopped again."""
    if url is not None:
        yield url
        return
    from ledger.chain.embedded.engine import EmbeddedEngine

    folder = state_dir / "chain"
    if not folder.is_dir():
        raise ConfigurationError(f"there is no embedded chain in {folder}; name a node with --rpc URL")
    with EmbeddedEngine.open(folder, clock_of(state_dir)) as engine:
        yield engine.url


def show(output: Output, report: AuditReport) -> None:
    """Show a report to people."""
    styles = {"PASS": "bold green", "INCOMPLETE": "bold yellow"}
    output.say(report.verdict, style=styles.get(report.verdict, "bold red"))
    if report.contradiction is not None:
        found = report.contradiction
        output.say(f"{found.what}, at {found.where}: expected {found.expected}, found {found.found}")
    output.say(
        f"{report.events} events in {report.blocks} blocks, {report.accounts} accounts, up to {report.block_hash}"
    )
    lines = (
        ("granted", "minted"),
        ("+ exchanged in", "exchanged_in"),
        ("+ refunded", "refunded"),
        ("- exchanged out", "exchanged_out"),
        ("- redeemed", "redeemed"),
        ("- revoked", "revoked"),
        ("- expired", "expired"),
        ("= outstanding", "outstanding"),
    )
    rows = [
        (title, *(points_text(getattr(figures, field)) for figures in report.programmes.values()))
        for title, field in lines
    ]
    output.table(None, ["points", *report.programmes], rows)
    output.say(f"exchanged {yuan_text(report.exchanged_fen)} yuan, redeemed {yuan_text(report.redeemed_fen)} yuan")
    output.say(f"positions add up to {report.positions_sum_fen} fen")
    for check in report.checks:
        output.say(f"  ✓ {check}")
    for skipped in report.skipped:
        output.say(f"  ? not checked: {skipped}")
    for note in report.notes:
        output.say(f"  · {note}")


def verify(
    receipt: Annotated[Path, typer.Argument(help="A receipt: receipt.json.")],
    deployment: Annotated[
        Path | None, typer.Option("--deployment", metavar="FILE", help="The deployment.json you know to be the city's.")
    ] = None,
    validator: Annotated[
        list[str] | None,
        typer.Option("--validator", metavar="ADDRESS", help="An account trusted to seal blocks; repeat for each."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a receipt offline: no network, no database, nothing of ours.

    Say with --validator whose seals count (a development chain has none: the answer is then "included, not sealed").

    Exit code 0: it holds; 1: it does not.
    """
    from ledger.deployment.file import Deployment
    from ledger.proofs.receipt import verify_receipt

    output = Output(as_json=as_json)
    known = None if deployment is None else Deployment.read(readable(deployment, "the deployment file"))
    found = verify_receipt(_receipt(receipt), _validators(validator), known)
    output.say(found.summary, style="green" if found.ok else "bold red")
    for note in found.notes:
        output.say(f"  · {note}")
    output.result(found.to_json())
    if not found.ok:
        raise typer.Exit(ExitCode.NO)


def _validators(given: list[str] | None) -> list[str] | None:
    if not given:
        return None
    from ledger.standard.errors import StandardError
    from ledger.standard.ids import address_bytes, to_address

    try:
        return [to_address(address_bytes(one)) for one in given]
    except StandardError as error:
        raise UsageError(f"--validator: {error}") from error


def _receipt(path: Path) -> dict[str, Any]:
    if readable(path, "the receipt").stat().st_size > RECEIPT_BYTES_MAX:
        raise ConfigurationError(f"{path} is larger than any receipt ({RECEIPT_BYTES_MAX} bytes)")
    try:
        content = json.loads(path.read_bytes())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} is not a receipt: a receipt is a JSON object")
    return content
