"""``issuers claims``, ``decide`` and ``link-code``: whose a source id is, when several residents claim it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.standard.civil_time import DAY_S, city_moment
from tongdui.cli.console import Output, UsageError
from tongdui.cli.options import AsJson, StateDir, open_beside, programme_of

if TYPE_CHECKING:
    from ledger.residents.decisions import ContestedId

Programme = Annotated[str, typer.Argument(help="Slug or number of the programme.")]
By = Annotated[str, typer.Option("--by", help="Who looks or decides; it is logged.")]


def register(issuers: typer.Typer) -> None:
    """Add the commands."""
    issuers.command("claims")(claims)
    issuers.command("decide")(decide)
    issuers.command("link-code")(link_code)


def claims(programme: Programme, by: By, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """List source ids that several residents claim, with what there is to decide by. The look is logged."""
    output = Output(as_json=as_json)
    with output.bars() as bars, open_beside(state_dir, bars) as books:
        number = books.issuers.programme_id(programme_of(programme))
        with books.database.transaction() as session:
            found = books.decisions.contested(session, number, limit=1_000)
            for one in found:
                for claimant in one.claimants:
                    books.note_look(session, f"command line: {by}", claimant.resident_id, "issuers claims")
        waiting = {one.source_hmac: books.issuers.records_awaiting(number, one.source_hmac) for one in found}
    rows = [
        (
            "0x" + one.source_hmac.hex(),
            one.source_id,
            one.state,
            waiting[one.source_hmac],
            claimant.resident_id,
            claimant.name_masked,
            claimant.proof + (", holds it" if claimant.is_holder else ""),
            _decided(one, claimant.resident_id),
        )
        for one in found
        for claimant in one.claimants
    ]
    columns = ["claim", "source id", "state", "records wait", "claimant", "name", "proof", "decided by one"]
    output.listing(None, columns, rows)
    output.result(
        {
            "ok": True,
            "items": [
                {
                    "claim": "0x" + one.source_hmac.hex(),
                    "source_id": one.source_id,
                    "state": one.state,
                    "records_waiting": waiting[one.source_hmac],
                    "claimants": [
                        {
                            "claimant": str(claimant.resident_id),
                            "name_masked": claimant.name_masked,
                            "proof": claimant.proof,
                            "state": claimant.state,
                            "is_holder": claimant.is_holder,
                        }
                        for claimant in one.claimants
                    ],
                    "decided_by_one": None if one.proposal is None else one.proposal.decider,
                }
                for one in found
            ],
        }
    )


def decide(
    programme: Programme,
    claim: Annotated[str, typer.Argument(help="The claim, 0x and 64 digits, as `claims` shows it.")],
    by: By,
    claimant: Annotated[str | None, typer.Option("--for", metavar="CLAIMANT", help="The claimant's number.")] = None,
    document: Annotated[
        bool, typer.Option("--document", help="Ask for the member's identity document instead; it is stored nowhere.")
    ] = False,
    nobody: Annotated[bool, typer.Option("--nobody", help="None of the claimants has it.")] = False,
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Decide whose a source id is. The second of two different people (`--by`) puts it in force."""
    if [claimant is not None, document, nobody].count(True) != 1:
        raise UsageError("give exactly one of --for CLAIMANT, --document and --nobody")
    digest = _hash(claim)
    if claimant is not None and not (claimant.isascii() and claimant.isdigit()):
        raise UsageError(f"a claimant is a number, not {claimant!r}")
    number_of_document = typer.prompt("identity document", hide_input=True, err=True) if document else None
    output = Output(as_json=as_json)
    with output.bars() as bars, open_beside(state_dir, bars) as books:
        number = books.issuers.programme_id(programme_of(programme))
        with books.database.transaction() as session:
            chosen = None if claimant is None else int(claimant)
            if number_of_document is not None:
                chosen = books.decisions.claimant_by_document(session, number, digest, number_of_document)
            status = books.decisions.decide(session, number, digest, chosen, f"command line: {by}", note)
    said = {
        "first": "noted; a second person must confirm it",
        "decided": "decided; the records that waited are granted",
    }
    output.say(said[status])
    output.result({"ok": True, "status": status})


def link_code(
    programme: Programme,
    source_id: Annotated[str, typer.Argument(help="The member's number in the source system.")],
    days: Annotated[int, typer.Option(min=1, max=90, help="How long the code is good.")] = 7,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a link code for a member whom the agency has checked: it proves that the number is theirs."""
    output = Output(as_json=as_json)
    with output.bars() as bars, open_beside(state_dir, bars) as books:
        number = books.issuers.programme_id(programme_of(programme))
        code, expires_at = books.link_codes.make(number, source_id, days * DAY_S)
    until = city_moment(expires_at)
    output.say(f"{code}, good until {until:%Y-%m-%d %H:%M}")
    output.result({"ok": True, "code": code, "expires_at": until.isoformat()})


def _decided(found: ContestedId, resident_id: int) -> str:
    proposal = found.proposal
    if proposal is None:
        return ""
    if proposal.resident_id is None:
        return f"nobody ({proposal.decider})"
    return f"this one ({proposal.decider})" if proposal.resident_id == resident_id else ""


def _hash(text: str) -> bytes:
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != 32:
        raise UsageError(f"a claim is 0x and 64 hexadecimal digits, not {text!r}")
    return value
