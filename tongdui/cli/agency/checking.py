"""``issuers check``: a mapping and rules on a file, shown so that a clerk can see whether they were meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.errors import ConfigurationError
from ledger.standard.amounts import points_text
from ledger.standard.ids import ProgrammeSlug
from ledger.standard.value import FEN_PER_YUAN
from tongdui.cli.console import ExitCode, Output
from tongdui.cli.options import AsJson, StateDir, open_beside, programme_of, readable, settings
from tongdui.clock import clock_of

if TYPE_CHECKING:
    from issuers.answers import CheckedRow, CheckReport
    from issuers.rules.activities import Deviation
    from issuers.rules.refusals import Fault
    from issuers.sources.returns.cells import Reason

_CELL_CHARS = 60
_REASONS_MAX = 1_000_000
OUTCOMES = {
    "grant": "授予 granted",
    "refuse": "退回 refused",
    "wait": "待期 waits",
    "hold": "待复核 held",
    "duplicate": "重复 duplicate",
    "correct": "更正 corrects",
}
KINDS = {
    "duplicate": "相同的行 the same row",
    "correction": "后续版本 a later version",
    "other_person": "另一人 another person",
    "other_day": "另一日期 another day",
}


def register(issuers: typer.Typer) -> None:
    """Add the commands."""
    issuers.command("check")(check)
    issuers.command("draft")(draft)
    issuers.command("refused")(refused_rows)


def check(
    file: Annotated[Path, typer.Argument(help="A file as the source system exports it.")],
    mapping: Annotated[
        str, typer.Option("--mapping", metavar="M", help="The mapping: its name, as `ingest` takes it, or a YAML file.")
    ],
    rules: Annotated[Path, typer.Option("--rules", metavar="R", help="The rulebook: a YAML file.")],
    catalogue: Annotated[
        Path | None, typer.Option(metavar="C", help="The activity catalogue: a YAML file (default: the city's).")
    ] = None,
    first: Annotated[int, typer.Option(min=1, max=1_000, help="How many rows to show.")] = 20,
    refused: Annotated[
        Path | None,
        typer.Option(
            "--refused", metavar="OUT", help="Write the refused rows to a file of the same form, with reasons."
        ),
    ] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Try a mapping and a rulebook out on a file: what would be granted, what refused and why. Nothing is stored.

    The first rows are shown as they were read, beside their cells: personal data, for your eyes. A rulebook that is
    still a draft is tried as if it were approved.

    Exit code 0 if every record is understood, 1 if some would be refused.
    """
    from issuers.intake.dry_run import dry_run
    from issuers.rules.activities import ACTIVITIES, Catalogue, deviations
    from issuers.rules.rulebook import Rulebook, as_approved
    from issuers.sources.mapping import FOLDER, MappingFolder
    from issuers.sources.returns.writing import write_back

    output = Output(as_json=as_json)
    path = Path(mapping)
    is_file = path.suffix == ".yaml" or path.exists()
    source = MappingFolder(FOLDER).load(readable(path, "the mapping") if is_file else mapping)
    book = Rulebook.load(readable(rules, "the rulebook"))
    activities = Catalogue.load(ACTIVITIES if catalogue is None else readable(catalogue, "the activity catalogue"))
    outside = deviations(book, activities)
    folder = settings(state_dir).state_dir
    par = _par(folder, source.programme)
    now = clock_of(folder).timestamp()
    reasons: dict[int, Reason] = {}
    found = dry_run(
        source,
        [as_approved(book)],
        readable(file, "the file"),
        now,
        par_microfen=par,
        first=first,
        on_refusal=None if refused is None else lambda fault: _keep_reason(reasons, fault),
    )
    _show(output, found, outside)
    if refused is not None and reasons:
        count = write_back(file, source, reasons, refused)
        output.say(f"{refused}: {count} 行退回，请改正后重新提交 rows to correct and give back")
    result = {"ok": not found.refusals, **texts(asdict(found)), "outside_catalogue": [asdict(one) for one in outside]}
    output.result(result)
    if found.refusals:
        raise typer.Exit(ExitCode.NO)


def draft(
    file: Annotated[Path, typer.Argument(help="A file as the source system exports it.")],
    programme: Annotated[
        str | None, typer.Option(metavar="P", help="Slug of the programme (default: the one that the file speaks of).")
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="R", help="Its rulebook: a YAML file (default: the city's).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The mapping's name (default: programme and format).")] = None,
    system: Annotated[str | None, typer.Option(help="The source system's name.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the draft there; an existing file is left.")] = None,
    as_json: AsJson = False,
) -> None:
    """Propose a mapping for a file, for a person to finish: columns, types, examples, and what is doubtful."""
    from issuers.drafting.drafts import columns_of, text_of
    from issuers.drafting.drafts import draft as drafted
    from issuers.rules.activities import approved_rulebooks
    from issuers.rules.rulebook import Rulebook
    from issuers.sources.mapping import FOLDER, MappingFolder

    output = Output(as_json=as_json)
    slug = None if programme is None else ProgrammeSlug(programme)
    if rules is not None:
        books = [Rulebook.load(readable(rules, "the rulebook"))]
        slug = slug or books[0].file.slug
    else:
        books = [versions[-1] for versions in approved_rulebooks().values()]
    mappings = MappingFolder(FOLDER).all()
    found = drafted(readable(file, "the file"), books, mappings, programme=slug, name=name, system=system)
    text = text_of(found, file.name)
    if out is None:
        output.say(text.rstrip())
    else:
        try:
            with out.open("x", encoding="utf-8") as target:
                target.write(text)
        except FileExistsError:
            raise ConfigurationError(f"{out} exists; it is left as it is") from None
        for doubt in found.doubts:
            output.say(f"? {doubt.zh}\n  {doubt.en}")
    output.result(
        {
            "ok": True,
            "mapping": found.content,
            "text": text,
            "columns": columns_of(found),
            "doubts": [asdict(one) for one in found.doubts],
        }
    )


def refused_rows(
    programme: Annotated[str, typer.Argument(help="Slug or number of the programme.")],
    file: Annotated[Path, typer.Argument(help="A file that was taken in, as it was.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write them; an existing file is replaced.")],
    mapping: Annotated[
        str | None, typer.Option(help="Name of a mapping or a YAML file (default: the programme's for the format).")
    ] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Write the refused rows of a file to another of the same form, with their reasons in the first column.

    Correct them there, and give the file back with `ingest`: rows that are taken close their refusals. Values that a
    spreadsheet would take for a formula have an apostrophe before them, which is taken off again.
    """
    output = Output(as_json=as_json)
    chosen: str | Path | None = Path(mapping) if mapping is not None and Path(mapping).suffix == ".yaml" else mapping
    with output.bars() as bars, open_beside(state_dir, bars) as books:
        slug = programme_of(programme)
        count = books.issuers.write_refused(slug, readable(file, "the file"), out, chosen)
    output.say(
        f"{out}: {count} 行退回，请改正后重新提交 rows to correct and give back" if count else "0 行退回 no rows"
    )
    output.result({"ok": True, "rows": count})


def texts(values: dict[str, Any]) -> dict[str, Any]:
    """Return values for JSON: amounts are text, as in the API."""
    return {name: _text(name, value) for name, value in values.items()}


def _text(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return texts(value)
    if isinstance(value, list | tuple):
        return [texts(one) if isinstance(one, dict) else one for one in value]
    return str(value) if name.endswith(("_minor", "_fen")) and value is not None else value


def _keep_reason(reasons: dict[int, Reason], fault: Fault) -> None:
    from issuers.sources.returns.cells import Reason

    if fault.row and fault.row not in reasons and len(reasons) < _REASONS_MAX:
        english, chinese = fault.reason()
        where = "" if fault.field is None else f"{fault.field}: "
        reasons[fault.row] = Reason(where + english, where + chinese)


def _par(state_dir: Path, slug: ProgrammeSlug) -> int | None:
    """Return a programme's par here, else in the city that a new installation would deploy; None: in neither."""
    from ledger.deployment.city import load
    from ledger.deployment.file import FILE_NAME, Deployment

    try:
        return Deployment.read(state_dir / FILE_NAME).programme(slug).par_microfen
    except (ConfigurationError, OSError):
        return next((one.par_microfen for one in load().programmes if one.slug == slug), None)


def _show(output: Output, found: CheckReport, outside: Sequence[Deviation]) -> None:
    refused = sum(found.refusals.values())
    output.say(
        f"{found.rows} 条记录：{found.would_grant} 条将授予 {points_text(found.would_grant_minor)} 积分，"
        f"{found.pending} 条待期，{found.held} 条待复核，{refused} 条将退回"
    )
    output.say(
        f"{found.rows} records: {found.would_grant} would be granted {points_text(found.would_grant_minor)} points,"
        f" {found.pending} would wait, {found.held} would be held, {refused} would be refused"
    )
    if found.first_day:
        output.say(f"日期 days: {found.first_day} – {found.last_day}")
    output.listing(
        "将发行 what would be minted",
        ["积分项目 programme", "积分 points", "元 yuan", "记录 deeds", "人 people"],
        [
            (one.programme, points_text(one.amount_minor), _yuan(one.value_fen), one.deeds, one.people)
            for one in found.minted
        ],
    )
    for notice in found.notices:
        output.say(f"! {notice.zh}\n  {notice.en}", style="bold yellow")
    output.listing(
        "前几行 the first rows",
        ["行 line", "单元格 cells", "读作 read as", "结果 outcome"],
        [(one.line or one.row, _cells(one), _read(one), _outcome(one)) for one in found.first_rows],
    )
    if found.refusals:
        output.listing(
            "退回原因 refusals by reason",
            ["数 count", "代码 code", "原因 reason"],
            [
                (count, code, f"{found.reasons[code][1]}\n{found.reasons[code][0]}")
                for code, count in sorted(found.refusals.items(), key=lambda one: -one[1])
            ],
        )
        output.listing(
            "前几条退回 the first refusals",
            ["行 line", "字段 field", "代码 code", "原因 reason"],
            [
                (one["line"] or one["row"], one["field"], one["code"], f"{one['reason_zh']}\n{one['reason_en']}")
                for one in found.first_refusals
            ],
        )
    _show_columns(output, found)
    if found.first_grants:
        rows = [
            (one["row"], points_text(int(one["amount_minor"])), f"{one['explanation_zh']}\n{one['explanation_en']}")
            for one in found.first_grants
        ]
        output.listing("前几笔授予 the first grants", ["行 row", "积分 points", "依据 because"], rows)
    if outside:
        rates = [(one.code, one.rate, f"{one.reason_zh}\n{one.reason_en}") for one in outside]
        output.listing("rates that need the council's express approval", ["activity", "rate", "because"], rates)


def _show_columns(output: Output, found: CheckReport) -> None:
    output.listing(
        "各列 columns",
        ["列 column", "空 empty", "不同值 distinct", "常见值 repeated", "异常值 odd"],
        [
            (
                visible(one.column),
                one.empty,
                one.distinct if one.is_exact else f"> {one.distinct}",
                "\n".join(f"{visible(value)} × {count}" for value, count in one.repeated),
                "\n".join(f"{visible(odd.value)} (行 row {odd.row})" for odd in one.odd),
            )
            for one in found.columns
        ],
    )
    if found.first_repeats:
        counts = ", ".join(f"{KINDS[kind]} {count}" for kind, count in found.repeats.items())
        output.listing(
            f"重复的记录编号 repeated record numbers: {counts}",
            ["编号 number", "行 row", "先前行 first row", "视为 taken for"],
            [(visible(one.number), one.row, one.first_row, KINDS[one.kind]) for one in found.first_repeats],
        )
    if found.first_capped:
        output.listing(
            f"达到上限的人 people who reach a cap: {found.capped_people}",
            ["归属 owner", "受限记录 deeds cut", "合计积分 points in all"],
            [(visible(one.owner), one.deeds, points_text(one.granted_minor)) for one in found.first_capped],
        )


def _yuan(value_fen: int | None) -> str:
    return "" if value_fen is None else f"{value_fen // FEN_PER_YUAN}.{value_fen % FEN_PER_YUAN:02d}"


def visible(text: str) -> str:
    """Return a value of a file so that nothing in it is unseen, and nothing speaks to the terminal."""
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:_CELL_CHARS])
    return shown + ("…" if len(text) > _CELL_CHARS else "")


def _cells(row: CheckedRow) -> str:
    return "\n".join(f"{visible(column)}: {visible(cell or '')}" for column, cell in row.cells.items())


def _read(row: CheckedRow) -> str:
    if not row.record_id:
        return ""
    shown = [f"编号 number: {visible(row.record_id)}", f"归属 owner: {visible(row.owner)}", f"日期 day: {row.day}"]
    if row.started_at:
        shown.append(f"开始 start: {row.started_at}")
    if row.ended_at:
        shown.append(f"结束 end: {row.ended_at}")
    return "\n".join([*shown, f"活动 activity: {visible(row.activity)}", f"数量 quantity: {row.quantity}"])


def _outcome(row: CheckedRow) -> str:
    shown = [OUTCOMES[row.outcome]]
    if row.outcome == "grant":
        shown.append(f"{points_text(row.amount_minor)} 积分 points")
    return "\n".join([*shown, *(one for one in (row.reason_zh, row.reason_en) if one)])
