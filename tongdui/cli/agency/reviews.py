"""``issuers reviews``, ``review``, ``approve`` and ``reject``: what two people decide of held records."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.standard.amounts import points_text
from tongdui.cli.console import Output
from tongdui.cli.options import AsJson, StateDir, open_beside, programme_of

if TYPE_CHECKING:
    from issuers.answers import HeldRecord

Programme = Annotated[str, typer.Argument(help="Slug or number of the programme.")]
Number = Annotated[int, typer.Argument(metavar="REVIEW", help="The review's number, as `reviews` shows it.")]
By = Annotated[str, typer.Option("--by", help="Who looks or decides; it is logged.")]


def register(issuers: typer.Typer) -> None:
    """Add the commands."""
    issuers.command("reviews")(reviews)
    issuers.command("review")(review)
    issuers.command("approve")(approve)
    issuers.command("reject")(reject)


def reviews(programme: Programme, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """List the records that are held for two people, with the reason in both languages."""
    output = Output(as_json=as_json)
    with output.bars() as bars, open_beside(state_dir, bars) as books:
        found = books.issuers.reviews(programme_of(programme))
    rows = [(one.review_id, one.screen, f"{one.reason_zh}\n{one.reason_en}", len(one.approvals)) for one in found]
    output.listing(None, ["review", "screen", "reason", "approvals"], rows)
    output.result({"ok": True, "items": [asdict(one) for one in found]})


def review(programme: Programme, number: Number, by: By, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show a held record and the record that it clashes with, side by side. The look is logged."""
    output = Output(as_json=as_json)
    with output.bars() as bars, open_beside(state_dir, bars) as books:
        pair = books.issuers.review_pair(programme_of(programme), number)
        with books.database.transaction() as session:
            books.note_look(session, f"command line: {by}", 0, f"issuers review {number}")
    output.say(f"{pair.review.reason_zh}\n{pair.review.reason_en}")
    sides = [_side(pair.held), {} if pair.other is None else _side(pair.other)]
    names = list(dict.fromkeys([*sides[1], *sides[0]]))
    rows = [
        (name, sides[1].get(name, ""), sides[0].get(name, ""), "≠" if name in pair.differing else "") for name in names
    ]
    output.listing(None, ["field 字段", "known 已有记录", "held 待复核", ""], rows)
    output.result(
        {
            "ok": True,
            "review": asdict(pair.review),
            "held": asdict(pair.held),
            "other": None if pair.other is None else asdict(pair.other),
            "differing": list(pair.differing),
        }
    )


def approve(
    programme: Programme,
    number: Number,
    by: By,
    as_correction: Annotated[
        bool,
        typer.Option("--as-correction", help="It corrects the record of its number; else it is a deed of its own."),
    ] = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Approve a held record. The second of two different people (`--by`) who say the same puts it in force."""
    output = Output(as_json=as_json)
    with output.bars() as bars, open_beside(state_dir, bars) as books:
        books.issuers.review(programme_of(programme), number)
        status = books.issuers.approve(number, by, as_correction=as_correction)
    output.say("noted; a second person must say the same" if status == "first" else f"decided: {status}")
    output.result({"ok": True, "status": status})


def reject(
    programme: Programme,
    number: Number,
    by: By,
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Reject a held record: it is refused, and what is known stays as it is."""
    output = Output(as_json=as_json)
    with output.bars() as bars, open_beside(state_dir, bars) as books:
        books.issuers.review(programme_of(programme), number)
        books.issuers.reject(number, by, note)
    output.say("refused")
    output.result({"ok": True, "status": "refused"})


def _side(record: HeldRecord) -> dict[str, str]:
    """Return what a table shows of a record."""
    shown = {"file 文件": f"{record.file}, row {record.row}", "status 状态": record.status.value}
    shown["points 积分"] = points_text(record.granted_minor)
    if record.content is None:
        return {**shown, "day": record.deed_day, "activity": record.activity}
    return {**shown, **record.content}
