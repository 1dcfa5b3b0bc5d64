"""``network``: a city on a network of real validators, some of which die, lie, rewind or are cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tongdui.cli.console import ExitCode, Output
from tongdui.cli.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("network")(network)


def network(
    folder: Annotated[Path, typer.Option(help="Where network and city are kept; emptied first.")] = Path(
        "build/network"
    ),
    only: Annotated[list[str] | None, typer.Option("--only", help="A scenario's name; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a city on four Clique signers and a node that answers, all processes of their own, and break the network.

    Signers die, one and too many; the network is cut in two and healed; a signer's disk is set back; a node lies; the
    gateway's node goes away in the middle; two gateways share a database and one is killed. After each scenario every
    record is minted exactly once, and the auditor's verdict is PASS. A stall must be said within 30 seconds.

    Exit code 0: so it is; 1: something was lost, doubled, unseen, or an audit failed.
    """
    from scripts.network.run import run

    output = Output(as_json=as_json)
    found = run(
        folder,
        lambda text: output.progress_console.print(text, markup=False, soft_wrap=True),
        only or (),
    )
    output.say(
        f"{len(found.scenarios)} scenarios. Lost {found.lost}, doubled {found.duplicated}, stalls unseen"
        f" {found.unseen_stalls}, audits failed {found.audit_failures}.",
        style="bold green" if found.is_clean else "bold red",
    )
    output.result(
        {
            "ok": found.is_clean,
            "scenarios": len(found.scenarios),
            "lost": found.lost,
            "duplicated": found.duplicated,
            "unseen_stalls": found.unseen_stalls,
            "audit_failures": found.audit_failures,
            "failed": found.failed,
            "notes": found.notes,
            "seconds": found.seconds,
        }
    )
    if not found.is_clean:
        raise typer.Exit(ExitCode.NO)
