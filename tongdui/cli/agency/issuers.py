"""``issuers …`` and ``refusals``: bringing records in, trying rules out, and saying why."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from issuers.states import BatchState, RefusalState
from ledger.errors import ConfigurationError
from ledger.standard.amounts import points_text
from ledger.standard.ids import ProgrammeSlug
from tongdui.cli.agency import checking, claims, reviews, webhooks
from tongdui.cli.console import Bars, ExitCode, Output, UsageError
from tongdui.cli.options import AsJson, StateDir, open_beside, programme_of, settings
from tongdui.clock import clock_of

if TYPE_CHECKING:
    from issuers.answers import RefusalPage
    from issuers.intake.deliveries import Progress
    from issuers.service import IssuerService
    from issuers.sources.rest import TokenSource
    from tongdui.settings import Settings

_STUCK_S = 300.0
_POLL_S = 0.5

issuers = typer.Typer(help="Bring records in, try a mapping and rules out, explain a grant.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    checking.register(issuers)
    issuers.command("ingest")(ingest)
    issuers.command("explain")(explain)
    issuers.command("counts")(counts)
    issuers.command("stages")(stages)
    claims.register(issuers)
    reviews.register(issuers)
    webhooks.register(issuers)
    app.add_typer(issuers, name="issuers")
    app.command("refusals")(refusals)


def ingest(
    programme: Annotated[str, typer.Argument(help="Slug or number of the programme.")],
    files: Annotated[list[Path] | None, typer.Argument(help="Files, or drop folders.")] = None,
    mapping: Annotated[
        str | None, typer.Option(help="Name of a mapping or a YAML file (default: the programme's for the format).")
    ] = None,
    rest: Annotated[
        str | None, typer.Option(metavar="URL", help="Pull from a REST API instead of reading files.")
    ] = None,
    bearer_env: Annotated[
        str, typer.Option("--token-env", help="Environment variable that holds the API's bearer token.")
    ] = "TONGDUI_SOURCE_TOKEN",
    token_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="OAuth 2 token endpoint, for tokens that expire; the client's id and secret are in the environment"
            " variables TONGDUI_SOURCE_CLIENT_ID and TONGDUI_SOURCE_CLIENT_SECRET.",
        ),
    ] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Take records in, grant, sign, mint and wait until all has landed.

    Several may run at once, and beside `tongdui serve`, which then batches and sends what they take in.

    The same file again changes nothing; interrupted, it goes on where it stopped. Refused records are kept with their
    reasons (`tongdui refusals`) and never stop their neighbours: exit code 1 says that there were some.
    """
    if bool(files) == bool(rest):
        raise UsageError("name files or folders, or a REST API with --rest URL")
    for path in files or ():
        if not path.exists():
            raise ConfigurationError(f"{path} does not exist")
    tokens = _tokens(bearer_env, token_url, settings(state_dir)) if rest else ""
    output = Output(as_json=as_json)
    chosen: str | Path | None = Path(mapping) if mapping is not None and Path(mapping).suffix == ".yaml" else mapping
    with output.bars() as bars, _service(state_dir, bars) as service:
        slug = next(iter(service.counts(programme_of(programme))))

        def progress(at: Progress) -> None:
            detail = f"{at.name}: {at.rows} rows, {at.accepted} accepted, {at.refused} refused"
            bars.set(slug, int((at.fraction or 0) * 100), 100, detail)

        reports = []
        for path in files or ():
            if path.is_dir():
                reports += service.ingest_drop_folder(slug, path, chosen, progress)
            else:
                reports.append(service.ingest_file(slug, path, chosen, progress))
        if rest:
            reports.append(service.pull_rest(slug, rest, tokens, chosen, progress))
        _carry_out(state_dir, service, slug, bars)
        totals = service.counts(slug)[slug]
        waiting = service.open_batches(slug)
    refused = sum(sum(report.refusals.values()) for report in reports)
    output.listing(
        None,
        ["delivery", "file", "outcome", "rows", "refused", "why"],
        [
            (one.delivery_id, one.name, one.outcome, one.rows, sum(one.refusals.values()), _why(one.refusals))
            for one in reports
        ],
    )
    for one in reports:
        if one.refusals:
            output.say(f"{one.name}: tongdui refusals {slug} --delivery {one.delivery_id} says which rows, and why")
    output.say(
        f"{slug}: {totals.records} records, {totals.accepted} accepted, {totals.refused} refused,"
        f" {totals.awaiting_link} await a link, {totals.held} held, {totals.waiting} wait for funding"
    )
    unsigned = [one for one in waiting if one.state is BatchState.PREPARED]
    if unsigned:
        output.say(f"{len(unsigned)} batches wait to be signed: {unsigned[0].reason}")
    output.result(
        {
            "ok": not refused,
            "programme": slug,
            "unsigned": len(unsigned),
            "deliveries": [
                {
                    "delivery": str(one.delivery_id),
                    "name": one.name,
                    "outcome": one.outcome,
                    "rows": one.rows,
                    "refusals": dict(one.refusals),
                }
                for one in reports
            ],
            "counts": _texts(asdict(totals)),
        }
    )
    if refused:
        raise typer.Exit(ExitCode.NO)


def explain(
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="A grant's id, 0x and 64 digits.")],
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Say why a grant is what it is: record, rule, arithmetic, caps, batch, evidence, and whether the chain agrees.

    Exit code 5 if it does not.
    """
    output = Output(as_json=as_json)
    _hex32(grant, "GRANT")
    with output.bars() as bars, _service(state_dir, bars) as service:
        found = service.explain(grant)
    output.say(
        f"{points_text(found.amount_minor)} points of {found.programme} to {found.account}"
        f" ({points_text(found.revoked_minor)} revoked)"
    )
    output.say(f"for a deed of {found.deed_day}, row {found.row} of {found.file}")
    if found.rulebook_hash_on_chain is None:
        chain = f"the chain names version {found.rulebook_version_on_chain} by now"
    else:
        chain = "as on chain" if found.rulebook_hash_on_chain == found.rulebook_hash else "ANOTHER THAN ON CHAIN"
    output.say(f"rulebook {found.rulebook_version}, hash {found.rulebook_hash} ({chain})")
    for step in (*found.steps_en, *found.caps_en, *found.steps_zh, *found.caps_zh):
        output.say(f"  · {step}")
    if found.batch_number is None:
        output.say(f"no batch: the grant is {found.state}")
    else:
        why = f": {found.batch_reason}" if found.batch_reason else ""
        output.say(f"batch {found.batch_number} ({found.batch_state}{why}), signed by {found.signer or 'nobody yet'}")
        output.say(f"lot {found.token_id}, which dies with quarter {found.expiry_quarter}")
        output.say(f"leaf {found.leaf}")
        for node in found.proof:
            output.say(f"  · {node}")
        root = {None: "not on chain yet", found.evidence_root: "as on chain"}
        output.say(f"root {found.evidence_root} ({root.get(found.evidence_root_on_chain, 'ANOTHER THAN ON CHAIN')})")
    if found.transaction is not None:
        output.say(f"landed in block {found.block_number}, transaction {found.transaction}")
    for one in found.revocations:
        total, code, state = one.split(":")
        output.say(f"revoked in all {points_text(int(total))} points, reason {code}, {state}")
    output.result({"ok": found.agrees_with_chain, **_texts(asdict(found))})
    if not found.agrees_with_chain:
        raise typer.Exit(ExitCode.BROKEN)


def counts(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Report the outcome of every programme's records, and what waits for how much money."""
    output = Output(as_json=as_json)
    with output.bars() as bars, _service(state_dir, bars) as service:
        found = service.counts()
        waits = service.funding_waits()
    columns = ["programme", "records", "accepted", "refused", "awaiting link", "held", "waiting"]
    rows = [
        (slug, one.records, one.accepted, one.refused, one.awaiting_link, one.held, one.waiting)
        for slug, one in found.items()
    ]
    output.table(None, columns, rows)
    for slug, wait in waits.items():
        output.say(f"{slug}: {points_text(wait.amount_minor)} points wait for funding: {wait.reason_en}")
    funding = {
        slug: {
            "batches": wait.batches,
            "amount_minor": str(wait.amount_minor),
            "missing_fen": str(wait.missing_fen),
            "available_fen": str(wait.available_fen),
            "reason_en": wait.reason_en,
            "reason_zh": wait.reason_zh,
        }
        for slug, wait in waits.items()
    }
    programmes = {slug: _texts(asdict(one)) | {"funding": funding.get(slug)} for slug, one in found.items()}
    output.result({"ok": True, "programmes": programmes})


def stages(
    programme: Annotated[str, typer.Argument(help="Slug or number of the programme.")],
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every second until Ctrl-C.")] = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Say what each stage of the pipeline did, refused and keeps waiting, also while records are being taken in."""
    output = Output(as_json=as_json)
    with output.bars() as bars, _service(state_dir, bars) as service:
        while True:
            [view] = service.pipeline(programme_of(programme)).values()
            rows = [
                (
                    one.name,
                    "" if one.done is None else one.done,
                    one.refused or "",
                    ", ".join(f"{code} {count}" for code, count in one.refusals.items()),
                    ", ".join(f"{count} for {what}" for what, count in one.waits.items()),
                )
                for one in view.stages
            ]
            output.listing(None, ["stage", "done", "refused", "why", "waiting"], rows)
            for one in view.reading:
                output.say(f"{one.kind} {one.name}: {one.rows_done} rows so far")
            if not watch:
                break
            time.sleep(1.0)
    output.result({"ok": True, "stages": [asdict(one) for one in view.stages], "reading": len(view.reading)})


def refusals(
    programme: Annotated[str, typer.Argument(help="Slug or number of the programme.")],
    after: Annotated[int | None, typer.Option(help="Cursor: refusals behind this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 20,
    delivery: Annotated[
        int | None, typer.Option(min=1, help="Those of one delivery alone; `ingest` names its number.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were corrected and sent again.")] = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """List refused records: file, line, field and reason, in both languages. No value of a record is shown."""
    output = Output(as_json=as_json)
    with output.bars() as bars, _service(state_dir, bars) as service:
        if delivery is None:
            page = service.refusals(programme_of(programme), after, limit, open_only=not every)
        else:
            slug = next(iter(service.counts(programme_of(programme))))
            page = _of_delivery(service, slug, delivery, after, limit, every=every)
    output.listing(
        None,
        ["id", "file", "line", "field", "reason"],
        [
            (one.refusal_id, one.file, one.line or one.row, one.field or "", f"{one.reason_zh}\n{one.reason_en}")
            for one in page.items
        ],
    )
    if page.next_cursor is not None:
        output.say(f"more: --after {page.next_cursor}")
    output.result({"ok": True, "items": [asdict(one) for one in page.items], "next_cursor": page.next_cursor})


def _of_delivery(
    service: IssuerService, slug: ProgrammeSlug, delivery: int, after: int | None, limit: int, *, every: bool
) -> RefusalPage:
    """Return a page of a delivery's refusals behind a cursor. Raises UsageError: it is another programme's."""
    from issuers.answers import RefusalPage

    found = service.refusals_of_delivery(delivery)
    if any(one.programme != slug for one in found):
        raise UsageError(f"delivery {delivery} is not of programme {slug}")
    shown = [one for one in found if one.refusal_id > (after or 0) and (every or one.state == RefusalState.OPEN)]
    return RefusalPage(tuple(shown[:limit]), shown[limit - 1].refusal_id if len(shown) > limit else None)


def _why(refusals: Mapping[str, int]) -> str:
    """Return reasons with their numbers, the commonest first."""
    return ", ".join(f"{code} {count}" for code, count in sorted(refusals.items(), key=lambda one: -one[1]))


@contextmanager
def _service(state_dir: Path | None, bars: Bars) -> Iterator[IssuerService]:
    with open_beside(state_dir, bars) as books:
        yield books.issuers


def _carry_out(state_dir: Path | None, service: IssuerService, slug: ProgrammeSlug, bars: Bars) -> None:
    """Batch, send and project, or wait until the process that runs the chain has done it. Raises GatewayStuck."""
    from ledger.chain.errors import EngineBusy
    from ledger.gateway import GatewayStuck
    from tongdui.bootstrap import open_city

    chosen = settings(state_dir, workers=False)
    moved_at, left = time.monotonic(), -1
    while True:
        try:
            with open_city(chosen, clock_of(chosen.state_dir), progress=bars.hook("open")) as city:
                city.work_until_idle()
            return
        except EngineBusy:
            # A gateway runs, or another intake carries everything out: it takes ours along.
            now_left = service.under_way(slug)
            if now_left == 0:
                return
            if now_left != left:
                moved_at, left = time.monotonic(), now_left
            if time.monotonic() - moved_at > _STUCK_S:
                raise GatewayStuck(
                    left, _STUCK_S, ["the gateway that runs does not carry out what was taken in"]
                ) from None
            bars.set("the running gateway", 0, max(left, 1), f"{left} grants and batches under way")
            time.sleep(_POLL_S)


def _tokens(bearer_env: str, token_url: str | None, chosen: Settings) -> str | TokenSource:
    """Return where the source's bearer tokens come from. Secrets come by the environment, never by the command line."""
    if token_url is None:
        token = os.environ.get(bearer_env, "")
        if not token:
            raise UsageError(f"the API's bearer token belongs into the environment variable {bearer_env}")
        return token
    from issuers.sources.rest import ClientCredentials
    from ledger.outgoing import Outgoing

    client_id, secret = (os.environ.get(f"TONGDUI_SOURCE_CLIENT_{name}", "") for name in ("ID", "SECRET"))
    if not client_id or not secret:
        raise UsageError(
            "--token-url needs TONGDUI_SOURCE_CLIENT_ID and TONGDUI_SOURCE_CLIENT_SECRET in the environment"
        )
    return ClientCredentials(token_url, client_id, secret, Outgoing.of(chosen.outgoing_networks))


def _hex32(text: str, name: str) -> None:
    digits = text.removeprefix("0x")
    if len(digits) != 64 or any(one not in "0123456789abcdefABCDEF" for one in digits):
        raise UsageError(f"{name} is 0x and 64 hexadecimal digits, not {text!r}")


def _texts(value: dict[str, Any]) -> dict[str, Any]:
    """Return a result with amounts as text, as everywhere in JSON here."""
    return {name: str(one) if name.endswith("_minor") else one for name, one in value.items()}
