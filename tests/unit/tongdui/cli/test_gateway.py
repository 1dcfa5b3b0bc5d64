from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import ConfigurationError
from tongdui.cli.console import ExitCode, UsageError, exit_code
from tongdui.cli.main import app


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("reindex",),
        ("clearing", "status"),
        ("token", "wang", "--role", "resident"),
    ],
)
def test_a_folder_that_was_misspelt_is_named_and_nothing_is_made_there(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    """Whoever only asks must not hear that a city made a moment ago is well, nor get a token that no server takes."""
    folder = tmp_path / "typo"
    with pytest.raises(ConfigurationError, match=r"nothing is installed in .*typo") as caught:
        app([*command, "--state-dir", str(folder)], standalone_mode=False)
    assert exit_code(caught.value) is ExitCode.CONFIGURATION
    assert not folder.exists()


@pytest.mark.parametrize("scope", ["merchant:0", "everything"])
def test_a_scope_that_is_none_is_a_wrong_command_line_like_a_role_that_is_none(scope: str, tmp_path: Path) -> None:
    for wrong in (("--scope", scope), ("--role", "king")):
        with pytest.raises(UsageError, match=wrong[1]) as caught:
            app(["token", "wang", *wrong, "--state-dir", str(tmp_path)], standalone_mode=False)
        assert exit_code(caught.value) is ExitCode.USAGE
    assert list(tmp_path.iterdir()) == []
