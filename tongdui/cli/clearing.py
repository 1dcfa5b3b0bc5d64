"""``clearing``: cycles, dues, what debtors paid in, what merchants are paid, statements, and the check of a cycle."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.standard.amounts import to_fen, yuan_text
from ledger.standard.civil_time import CITY_TZ
from ledger.standard.errors import MalformedAmountText
from ledger.standard.ids import MerchantId, ProgrammeId
from tongdui.cli.console import ExitCode, Output, UsageError
from tongdui.cli.options import AsJson, StateDir, installed, settings
from tongdui.clock import clock_of

if TYPE_CHECKING:
    from ledger.clearing.book import BookReader, Standing
    from ledger.clearing.office import Act
    from tongdui.bootstrap import City

clearing = typer.Typer(
    name="clearing",
    help="Cycles, dues, payments and statements. The finance bureau's acts are announced and wait a day.",
    no_args_is_help=True,
)
_OPEN_GAS = 8_000_000


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(clearing)


@dataclass(frozen=True, slots=True)
class _Desk:
    city: City
    reader: BookReader


@contextmanager
def _desk(state_dir: Path | None, output: Output) -> Iterator[_Desk]:
    """Open the installation; no gateway may run on it."""
    from ledger.clearing.book import BookReader
    from tongdui.bootstrap import open_city

    chosen = installed(settings(state_dir, workers=False))
    with output.bars() as bars, open_city(chosen, clock_of(chosen.state_dir), progress=bars.hook("open")) as city:
        book = city.deployment.address("ClearingBook")
        yield _Desk(city, BookReader(city.engine.rpc, book, city.engine.final_height()))


@clearing.command()
def status(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Say how the book stands: cycle, dues, claims by age, pool, treasury, and the bureau's open acts."""
    output = Output(as_json=as_json)
    with _desk(state_dir, output) as desk:
        standing = desk.reader.standing()
        dues = desk.reader.dues(list(standing.owed_fen))
        with desk.city.database.read() as session:
            acts = desk.city.office.acts(session, only_open=True)
    output.say(
        f"cycle {standing.cycle}"
        + (f", due by {_day(standing.due_by)}" if standing.cycle else "")
        + f"; pool {yuan_text(standing.pool_fen)} yuan, treasury {yuan_text(standing.treasury_fen)} yuan"
    )
    claims = standing.claims
    output.say(
        f"merchants' claims: {yuan_text(claims.matured_fen)} yuan matured, {yuan_text(claims.younger_fen)} and"
        f" {yuan_text(claims.youngest_fen)} younger, {yuan_text(claims.locked_fen)} locked for disputed orders"
    )
    output.listing(
        "debtors",
        ["programme", "owes (yuan)", "due", "overdue from earlier"],
        [
            (programme, yuan_text(fen), yuan_text(dues[programme].fen), yuan_text(dues[programme].older_fen))
            for programme, fen in standing.owed_fen.items()
        ],
    )
    _say_acts(output, acts)
    output.result(
        {
            "ok": True,
            "cycle": standing.cycle,
            "due_by": standing.due_by,
            "pool_fen": str(standing.pool_fen),
            "treasury_fen": str(standing.treasury_fen),
            "claims_fen": {name: str(fen) for name, fen in asdict(claims).items()},
            "owed_fen": {str(programme): str(fen) for programme, fen in standing.owed_fen.items()},
            "dues_fen": {str(p): {"due": str(due.fen), "older": str(due.older_fen)} for p, due in dues.items()},
            "acts": [_act(act) for act in acts],
        }
    )


@clearing.command("open")
def open_cycle(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Open a cycle: what is owed in all, and each debtor's due amount and date. Anyone may, once the last is due.

    Exit code 1 if it is too early or nothing is due.
    """
    from ledger.deployment.artifacts import call_data
    from ledger.outbox.states import MessageState

    output = Output(as_json=as_json)
    with _desk(state_dir, output) as desk:
        city, before = desk.city, desk.reader.standing()
        key = f"cycle:{before.cycle + 1}:{city.clock.timestamp()}"
        book = city.deployment.address("ClearingBook")
        with city.database.transaction() as session:
            call = call_data("ClearingBook", "openCycle")
            city.gateway.outbox.enqueue_call(session, "cycle", key, book, call, _OPEN_GAS)
        city.run_until_idle()
        with city.database.read() as session:
            sent = city.gateway.outbox.status(session, key)
    done = sent is not None and sent.state is MessageState.DONE
    reason = None if sent is None else sent.reason
    output.say(f"cycle {before.cycle + 1} is open" if done else f"no cycle was opened: {reason}")
    output.result({"ok": done, "cycle": before.cycle + int(done), "reason": None if done else reason})
    if not done:
        raise typer.Exit(ExitCode.NO)


@clearing.command()
def fund(
    programme: Annotated[int, typer.Argument(min=1, help="Number of the programme whose agency paid.")],
    yuan: Annotated[str, typer.Argument(help="What it paid into the treasury account: 12345.67.")],
    reference: Annotated[str, typer.Option("--reference", help="The bank's reference; it counts once.")],
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Book what an agency paid into the treasury account. Announced now, carried out in a day unless cancelled."""
    from ledger.clearing.payments import order_funding

    output = Output(as_json=as_json)
    fen = _fen(yuan)
    with _desk(state_dir, output) as desk:
        with desk.city.database.transaction() as session:
            order_funding(desk.city.office, session, ProgrammeId(programme), fen, reference, getpass.getuser())
        _finish(output, desk.city)


@clearing.command()
def payout(
    reference: Annotated[str, typer.Option("--reference", help="The payment run's reference; it counts once.")],
    merchant: Annotated[list[int] | None, typer.Option("--merchant", help="Only these; may be repeated.")] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Pay merchants what is payable now, some hundreds a call. Announced now, carried out in a day.

    What a bank pays follows the chain: each merchant gets at most what is payable when the call lands.
    """
    from ledger.clearing.payments import order_payouts

    output = Output(as_json=as_json)
    with _desk(state_dir, output) as desk:
        city = desk.city
        with city.database.read() as session:
            known = [MerchantId(one.merchant_id) for one in city.merchants.page(session, None, 100_000)]
        wanted = [one for one in known if merchant is None or one in merchant]
        payable = {who: claim.payable_fen for who, claim in desk.reader.claims(wanted).items()}
        total = sum(payable.values())
        output.say(f"{yuan_text(total)} yuan are payable to {sum(fen > 0 for fen in payable.values())} merchants")
        with city.database.transaction() as session:
            order_payouts(city.office, session, payable, reference, getpass.getuser())
        _finish(output, city)


@clearing.command("continue")
def carry_on(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Take the bureau's open acts further, as a running gateway does by itself."""
    output = Output(as_json=as_json)
    with _desk(state_dir, output) as desk:
        _finish(output, desk.city)


@clearing.command()
def statement(
    merchant: Annotated[int | None, typer.Option("--merchant", help="Number of a merchant.")] = None,
    programme: Annotated[int | None, typer.Option("--programme", help="Number of a programme.")] = None,
    since: Annotated[datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="First day.")] = None,
    until: Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Day after the last.")] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Print a merchant's or a programme's account over some days."""
    from ledger.clearing.views import merchant_statement, programme_statement

    if (merchant is None) == (programme is None):
        raise UsageError("say whose account: --merchant NUMBER or --programme NUMBER")
    output = Output(as_json=as_json)
    times = _moment(since, 0), _moment(until, 1 << 40)
    with _desk(state_dir, output) as desk, desk.city.database.read() as session:
        found = (
            merchant_statement(session, MerchantId(merchant), *times)
            if merchant is not None
            else programme_statement(session, ProgrammeId(programme or 0), *times)
        )
    output.listing(
        None,
        ["opening", "credited", "debited", "closing"],
        [tuple(map(yuan_text, (found.opening_fen, found.credited_fen, found.debited_fen, found.closing_fen)))],
    )
    output.result(
        {
            "ok": True,
            "opening_fen": str(found.opening_fen),
            "credited_fen": str(found.credited_fen),
            "debited_fen": str(found.debited_fen),
            "closing_fen": str(found.closing_fen),
        }
    )


@clearing.command()
def verify(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Compute the last cycle's dues anew from the block before it, and compare. Exit code 1 if they differ."""
    from ledger.clearing.book import BookReader
    from ledger.clearing.views import last_cycle

    output = Output(as_json=as_json)
    with _desk(state_dir, output) as desk:
        with desk.city.database.read() as session:
            opened = last_cycle(session)
        if opened is None:
            output.say("no cycle was opened yet")
            output.result({"ok": True, "cycle": 0})
            return
        book = desk.city.deployment.address("ClearingBook")
        before: Standing = BookReader(desk.city.engine.rpc, book, opened.block_number - 1).standing()
    computed: dict[int, int] = {programme: fen for programme, fen in before.next_dues().items() if fen}
    differ = computed != opened.dues or before.next_total_fen != opened.total_fen
    output.listing(
        f"cycle {opened.cycle}, {yuan_text(opened.total_fen)} yuan",
        ["programme", "due (chain)", "due (computed)"],
        [
            (programme, yuan_text(opened.dues.get(programme, 0)), yuan_text(computed.get(programme, 0)))
            for programme in sorted({*opened.dues, *computed})
        ],
    )
    output.result({"ok": not differ, "cycle": opened.cycle, "total_fen": str(opened.total_fen)})
    if differ:
        raise typer.Exit(ExitCode.NO)


def _finish(output: Output, city: City) -> None:
    """Send what can be sent, and say where the bureau's acts stand."""
    city.run_until_idle()
    with city.database.read() as session:
        acts = city.office.acts(session)
    _say_acts(output, acts)
    output.result({"ok": True, "acts": [_act(act) for act in acts]})


def _say_acts(output: Output, acts: list[Act]) -> None:
    if acts:
        output.listing(
            "the finance bureau's acts",
            ["act", "state", "ready", "why"],
            [(act.key, act.state.value, _day(act.ready_at), act.reason or "") for act in acts],
        )


def _act(act: Act) -> dict[str, object]:
    return {"key": act.key, "state": act.state.value, "ready_at": act.ready_at, "reason": act.reason}


def _day(timestamp: int | None) -> str:
    return "" if not timestamp else f"{datetime.fromtimestamp(timestamp, CITY_TZ):%Y-%m-%d %H:%M}"


def _moment(day: datetime | None, otherwise: int) -> int:
    return otherwise if day is None else int(day.replace(tzinfo=CITY_TZ).timestamp())


def _fen(yuan: str) -> int:
    try:
        return to_fen(yuan)
    except MalformedAmountText as error:
        raise UsageError(f"{yuan!r} is no amount of yuan with at most two decimals") from error
