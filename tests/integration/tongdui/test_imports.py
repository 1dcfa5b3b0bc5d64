"""What is loaded on which way, seen in a process of its own: starts are short, workers need no web framework."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.runs import ROOT, environment, tongdui

WEB = frozenset({"fastapi", "starlette", "uvicorn"})
HEAVY = WEB | {
    "pydantic_settings",
    "web3",
    "eth_account",
    "sqlalchemy",
    "psycopg",
    "httpx",
    "openpyxl",
    "lxml",
    "cryptography",
    "coincurve",
}

HELP = """
import sys
from typer.testing import CliRunner
from tongdui.cli.main import app
result = CliRunner().invoke(app, sys.argv[1:])
assert result.exit_code == 0, result.output
print("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""
OPENING = """
import sys
from pathlib import Path
from tongdui.bootstrap import open_city
from tongdui.settings import Settings
with open_city(Settings(state_dir=Path(sys.argv[1]), _env_file=None)) as city:
    city.invariants.refresh()
    print("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded(program: str, *arguments: str) -> set[str]:
    """Return the packages that a program has loaded at its end."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "command",
    [(), ("verify",), ("audit",), ("serve",), ("work",), ("issuers", "ingest"), ("signer", "serve")],
    ids=lambda command: " ".join(command) or "tongdui",
)
def test_help_loads_neither_chain_nor_database_nor_web(command: tuple[str, ...]) -> None:
    assert loaded(HELP, *command, "--help") & HEAVY == set()


def test_an_open_city_with_its_workers_has_no_web_framework(tmp_path: Path) -> None:
    deployed = tongdui("deploy", "--state-dir", str(tmp_path))
    assert deployed.code == 0, deployed.err
    found = loaded(OPENING, str(tmp_path))
    assert "sqlalchemy" in found
    assert found & WEB == set()
