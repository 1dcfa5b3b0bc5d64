"""What the demo says at its end can be done as it is said."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from scripts.demo.run import opening

ROOT = Path(__file__).resolve().parents[4]


def test_the_command_that_opens_the_city_is_one_that_make_takes() -> None:
    command = shlex.split(opening(Path(".tongdui/demo")))
    planned = subprocess.run(
        [command[0], "--dry-run", *command[1:]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ".venv/bin/tongdui serve --state-dir .tongdui/demo" in planned.stdout
