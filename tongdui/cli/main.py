"""The command line ``tongdui``: puts the command groups together and turns failures into one line and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from ledger.errors import TongduiError
from ledger.python_gc import collect_rarely
from tongdui.cli import audit, chain, clearing, gateway, network, signer, work
from tongdui.cli.agency import batches, issuers
from tongdui.cli.console import ExitCode, FileProblem, failure
from tongdui.cli.people import accounts, shops, tokens

_HELP = """
Tongdui (通兑): a city's points under one standard, exchanged across domains, on a ledger that anyone can verify.

[bold]tongdui serve[/] runs the API and its workers, [bold]tongdui work[/] the workers alone.
State is kept in .tongdui/.

Every command takes [bold]--json[/]: one JSON object on the last line of standard output. Progress and errors go to
standard error.
"""
_EPILOG = """
Exit codes: 0 done · 1 the answer is no (audit FAIL, receipt does not hold, records refused) · 2 wrong command line ·
3 a file or setting is missing or wrong · 4 something cannot be reached or is in use · 5 a broken invariant ·
6 the audit is incomplete · 130 interrupted: run the same command again to go on.
"""

app = typer.Typer(
    name="tongdui",
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("tongdui"))
        raise typer.Exit


@app.callback()
def root(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Hold the options that belong to no single command."""


gateway.register(app)
work.register(app)
audit.register(app)
issuers.register(app)
batches.register(issuers.issuers)
clearing.register(app)
chain.register(app)
signer.register(app)
network.register(app)
tokens.register(app)
accounts.register(app)
shops.register(app)


def main() -> None:
    """Run the command line and leave with its exit code."""
    run(app)


def run(commands: Callable[[], object]) -> None:
    """Run an application of commands; leave with the exit code of its failure, told in one line."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    as_json = "--json" in sys.argv[1:]
    collect_rarely()
    try:
        commands()
    except TongduiError as error:
        sys.exit(failure(error, as_json=as_json))
    except BrokenPipeError:
        # The reader of our output has gone; Python must not complain about it once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.NO)
    except OSError as error:
        sys.exit(failure(FileProblem(error), as_json=as_json))
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
