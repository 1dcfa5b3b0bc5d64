"""``python -m scripts``: what a checkout has beside the program: the demo, benchmarks, fault injection."""

from __future__ import annotations

import typer

from scripts.commands import bench, demo, faults, network, races
from tongdui.cli.main import run

app = typer.Typer(
    name="python -m scripts",
    help=__doc__,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
demo.register(app)
bench.register(app)
faults.register(app)
network.register(app)
races.register(app)

if __name__ == "__main__":
    run(app)
