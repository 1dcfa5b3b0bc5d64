"""Options that several commands share, and what they turn into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.errors import ConfigurationError
from ledger.standard.ids import ProgrammeId, ProgrammeSlug
from tongdui.cli.console import Bars
from tongdui.clock import clock_of

if TYPE_CHECKING:
    from tongdui.offline import Books
    from tongdui.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on the last line of standard output.")]
StateDir = Annotated[
    Path | None,
    typer.Option("--state-dir", help="Keys, database and chain (default: .tongdui, or TONGDUI_STATE_DIR)."),
]

WindowPort = Annotated[
    int | None,
    typer.Option(
        "--window-port",
        min=0,
        max=65535,
        help="Let auditors on this machine read the embedded chain at this port, without a token; 0 takes a free one.",
    ),
]


def settings(state_dir: Path | None = None, **changes: Any) -> Settings:
    """Return the settings of the environment, with what the command line says instead.

    Raises ConfigurationError that names the setting.
    """
    import pydantic

    from tongdui.settings import Settings

    given = {name: value for name, value in changes.items() if value is not None}
    if state_dir is not None:
        given["state_dir"] = state_dir
    try:
        return Settings(**given)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"setting {name} (TONGDUI_{name.upper()}): {first['msg']}") from error


def installed(chosen: Settings) -> Settings:
    """Return the settings if something was ever installed there: whoever only asks must not make a city by a typing
    error. Raises ConfigurationError."""
    if not (chosen.state_dir / "keys").is_dir():
        raise ConfigurationError(
            f"nothing is installed in {chosen.state_dir}; look at --state-dir, or start there with: tongdui serve"
        )
    return chosen


@contextmanager
def open_beside(state_dir: Path | None, bars: Bars) -> Iterator[Books]:
    """Open an installation's books, also while a gateway runs on it; where nothing is deployed yet, deploy first."""
    from ledger.deployment.file import FILE_NAME
    from tongdui.offline import open_books

    chosen = settings(state_dir, workers=False)
    clock = clock_of(chosen.state_dir)
    if not (chosen.deployment_file or chosen.state_dir / FILE_NAME).exists():
        from tongdui.bootstrap import open_city  # which takes a third of a second to import

        with open_city(chosen, clock, progress=bars.hook("deploy")):
            pass
    with open_books(chosen, clock) as books:
        yield books


def readable(path: Path, what: str) -> Path:
    """Return a path that is a readable file. Raises ConfigurationError that says what was looked for."""
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise ConfigurationError(f"{what} {path} {kind}")
    return path


def programme_of(text: str) -> ProgrammeId | ProgrammeSlug:
    """Return what names a programme on the command line: a number or a slug."""
    return ProgrammeId(int(text)) if text.isascii() and text.isdigit() else ProgrammeSlug(text)
