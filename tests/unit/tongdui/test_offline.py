"""A state folder that somebody made beforehand is closed to others before anything is kept in it."""

from __future__ import annotations

import stat
from pathlib import Path

from tongdui.offline import close_to_others, open_keys
from tongdui.settings import Settings


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_that_others_may_read_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o755)
    open_keys(Settings(state_dir=folder, _env_file=None))
    assert mode(folder) == 0o700
    close_to_others(folder)
    assert mode(folder) == 0o700
