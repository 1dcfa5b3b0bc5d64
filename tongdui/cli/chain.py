"""``chain``: look after the embedded chain's journal while no gateway runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.errors import ConfigurationError
from tongdui.cli.console import Bars, ExitCode, Output
from tongdui.cli.options import AsJson, StateDir, installed, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ledger.chain.embedded.replay import ReplayProgress

chain = typer.Typer(no_args_is_help=True, help="Look after the embedded chain's journal while no gateway runs.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(chain, name="chain")
    chain.command("check")(check)
    chain.command("repair")(repair)


def check(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Make every journaled block again, and say which is the first that comes out otherwise. Changes nothing.

    Exit code 0: all can be made again; 1: not all.
    """
    from ledger.chain.embedded.repair import find_damage

    output = Output(as_json=as_json)
    with output.bars() as bars:
        found = find_damage(_folder(state_dir), progress=_hook(bars))
    if found is None:
        output.say("every journaled block can be made again", style="green")
        output.result({"ok": True, "first": None})
        return
    output.say(found.reason, style="red")
    output.say(
        f"it and the {found.blocks - 1} blocks after it hold {found.transactions} transactions. To make them anew: "
        f"tongdui chain repair --from {found.block_number}"
    )
    output.result(
        {
            "ok": False,
            "first": found.block_number,
            "reason": found.reason,
            "blocks": found.blocks,
            "transactions": found.transactions,
        }
    )
    raise typer.Exit(ExitCode.NO)


def repair(
    first: Annotated[int, typer.Option("--from", min=1, help="The block that `tongdui chain check` named.")],
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Put the transactions of a block that cannot be made again, and of all later ones, into new blocks.

    Says which transactions the node refuses now. The old journal is kept
    beside the new one. Receipts about the replaced blocks are void; run
    `tongdui reindex` afterwards.
    """
    from ledger.chain.embedded.repair import repair as run

    output = Output(as_json=as_json)
    with output.bars() as bars:
        done = run(_folder(state_dir), first, progress=_hook(bars))
    output.say(f"{done.blocks} blocks from {done.first} on were made anew; the old journal is {done.kept_as}")
    output.listing(
        f"{len(done.dropped)} of {done.transactions} transactions were dropped",
        ["block", "transaction", "reason"],
        [(one.block_number, "0x" + one.tx_hash.hex(), one.reason) for one in done.dropped],
    )
    output.say("now build the projections anew: tongdui reindex")
    output.result(
        {
            "ok": True,
            "first": done.first,
            "blocks": done.blocks,
            "transactions": done.transactions,
            "dropped": [
                {"block": one.block_number, "transaction": "0x" + one.tx_hash.hex(), "reason": one.reason}
                for one in done.dropped
            ],
            "kept_as": str(done.kept_as),
        }
    )


def _folder(state_dir: Path | None) -> Path:
    folder = installed(settings(state_dir)).state_dir / "chain"
    if not folder.is_dir():
        raise ConfigurationError(f"no embedded chain lives in {folder}; a network's chain is its nodes' own")
    return folder


def _hook(bars: Bars) -> Callable[[ReplayProgress], None]:
    shown = bars.hook("make the blocks again")
    return lambda at: shown("blocks", at.blocks_done, at.blocks_total)
