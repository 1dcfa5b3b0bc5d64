"""``issuers batches`` and ``issuers void``: what has not landed and why, and giving up a number."""

from __future__ import annotations

import getpass
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from issuers.errors import BatchLanded
from issuers.states import BatchState, VoidState
from ledger.chain.errors import EngineBusy
from ledger.standard.amounts import points_text
from ledger.standard.ids import ProgrammeId, ProgrammeSlug
from tongdui.cli.console import Bars, ExitCode, Output
from tongdui.cli.options import AsJson, StateDir, open_beside, programme_of, settings
from tongdui.clock import clock_of

if TYPE_CHECKING:
    from issuers.batches.voiding import VoidStatus
    from issuers.service import IssuerService

_PATIENCE_S = 30.0
_POLL_S = 0.2


def register(group: typer.Typer) -> None:
    """Add the commands to ``issuers``."""
    group.command("batches")(batches)
    group.command("void")(void)


def batches(
    programme: Annotated[str | None, typer.Argument(help="Slug or number of the programme (default: all).")] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """List batches that have not landed, and why: signer away or refusing, funding, a void under way."""
    output = Output(as_json=as_json)
    with output.bars() as bars, open_beside(state_dir, bars) as books:
        found = books.issuers.open_batches(None if programme is None else programme_of(programme))
    output.listing(
        None,
        ["programme", "batch", "state", "grants", "points", "why"],
        [
            (one.programme, one.number, one.state, one.grants, points_text(one.amount_minor), one.reason or "")
            for one in found
        ],
    )
    items = [{**asdict(one), "number": str(one.number), "amount_minor": str(one.amount_minor)} for one in found]
    output.result({"ok": True, "batches": items})


def void(
    programme: Annotated[str, typer.Argument(help="Slug or number of the programme.")],
    number: Annotated[int, typer.Argument(min=1, help="Number of the batch.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with the batch.")],
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Give up a batch's number: the issuer signs a void, and once it is final the grants get new numbers.

    Beside a running gateway, the gateway carries it out. Exit code 1 if the batch has landed, or landed first: then its
    grants can only be revoked one by one. With a signer that is away the void waits; the same command again says where
    it stands.
    """
    output = Output(as_json=as_json)
    which = programme_of(programme)
    with output.bars() as bars, open_beside(state_dir, bars) as books:
        try:
            books.issuers.void_batch(which, number, getpass.getuser(), reason)
        except BatchLanded as error:
            output.say(str(error))
            output.result({"ok": False, "state": BatchState.LANDED, "number": str(number), "problem": str(error)})
            raise typer.Exit(ExitCode.NO) from None
        found = _carried_out(state_dir, books.issuers, which, number, bars)
    state, problem = (VoidState.WANTED, None) if found is None else (found.state, found.problem)
    output.say(f"the void of batch {number} is {state}" + (f": {problem}" if problem else ""))
    if state is VoidState.FINAL:
        output.say("its grants are batched under new numbers")
    output.result({"ok": state is VoidState.FINAL, "state": state, "number": str(number), "problem": problem})
    if state is VoidState.FAILED:
        raise typer.Exit(ExitCode.NO)


def _carried_out(
    state_dir: Path | None, service: IssuerService, programme: ProgrammeId | ProgrammeSlug, number: int, bars: Bars
) -> VoidStatus | None:
    """Sign, send and project, or watch a while how the running gateway does it; returns where the void stands."""
    from tongdui.bootstrap import open_city

    chosen = settings(state_dir, workers=False)
    try:
        with open_city(chosen, clock_of(chosen.state_dir), progress=bars.hook("open")) as city:
            city.work_until_idle()
    except EngineBusy:
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            found = service.void_status(programme, number)
            if found is not None and (found.state in (VoidState.FINAL, VoidState.FAILED) or found.problem):
                break
            time.sleep(_POLL_S)
    return service.void_status(programme, number)
