"""``bench``: how fast records become points that a wallet shows, on this machine."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from scripts.commands.options import AsJson
from scripts.console import Output


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(
    records: Annotated[int, typer.Option(min=1_000, max=5_000_000, help="How many records.")] = 50_000,
    residents: Annotated[int, typer.Option(min=100, max=1_000_000, help="To how many residents.")] = 12_500,
    database: Annotated[
        str, typer.Option(metavar="URL", help="A database of its own, empty [default: SQLite in a temporary folder].")
    ] = "",
    keep: Annotated[Path | None, typer.Option(help="Use this folder and keep it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the whole pipeline: a file of records to final blocks and projections, after a warm-up.

    Every record is granted, minted by issuer-signed batches, and read back from the projection; the sum is checked.
    """
    from scripts.benchmark import measure

    output = Output(as_json=as_json)
    folder = keep or Path(tempfile.mkdtemp(prefix="tongdui-bench-"))
    try:
        with output.bars() as bars:
            found = measure(folder, records, residents, database or None, bars)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    output.table(
        f"{found.records_per_s:,.0f} records/s ({found.database}, {found.peak_rss_mib} MiB)",
        ["stage", "seconds"],
        [(name, f"{seconds:.2f}") for name, seconds in found.stages.items()],
    )
    output.result(found.to_json())
