"""Forked processes behave as started ones: command line, environment, folder, output, exit code, death by a signal."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from tests import nursery
from tests.eventually import eventually

PROBE = """
import json, os, sys, threading, time
said = {"argv": sys.argv[1:], "folder": os.getcwd(), "env": dict(os.environ), "pid": os.getpid(), "name": __name__}
print(json.dumps(said), flush=True)
print("to the error output", file=sys.stderr)
if sys.argv[1] == "sleep":
    threading.Event().wait()
if sys.argv[1] == "raise":
    raise RuntimeError("as any program")
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def probe(tmp_path: Path) -> dict[str, str]:
    """An environment in which ``python -m probe`` runs the probe."""
    (tmp_path / "probe.py").write_text(PROBE)
    return {"PYTHONPATH": str(tmp_path), "ONLY": "this"}


def said(env: dict[str, str], *arguments: str, cwd: Path) -> tuple[int, dict[str, object], str]:
    import json

    with TemporaryFile() as out, TemporaryFile() as err:
        child = nursery.start("probe", arguments, env=env, cwd=cwd, stdout=out.fileno(), stderr=err.fileno())
        code = child.wait(30)
        out.seek(0)
        err.seek(0)
        found = json.loads(out.read())
        assert found["pid"] == child.pid != os.getpid()
        return code, found, err.read().decode()


def test_it_is_what_was_ordered(probe: dict[str, str], tmp_path: Path) -> None:
    code, found, err = said(probe, "3", "two words", cwd=tmp_path)
    assert code == 3
    assert (found["argv"], found["folder"], found["name"]) == (["3", "two words"], str(tmp_path), "__main__")
    assert found["env"] == probe
    assert err == "to the error output\n"


def test_an_error_is_one_of_any_program(probe: dict[str, str], tmp_path: Path) -> None:
    code, _, err = said(probe, "raise", cwd=tmp_path)
    assert code == 1
    assert err.rstrip().endswith("RuntimeError: as any program")


def test_it_can_be_killed_and_others_live(probe: dict[str, str], tmp_path: Path) -> None:
    first, second = (
        nursery.start("probe", ["sleep"], env=probe, cwd=tmp_path, stdout=subprocess.PIPE) for _ in range(2)
    )
    assert first.stdout is not None
    assert second.stdout is not None
    assert first.stdout.readline().startswith("{")
    assert second.stdout.readline().startswith("{")
    assert first.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        first.wait(0.01)
    first.kill()
    assert first.wait(30) == -signal.SIGKILL
    assert first.stdout.read() == "", "nobody else holds its output"
    assert second.poll() is None
    second.terminate()
    assert eventually(second.poll, lambda code: code is not None) == -signal.SIGTERM
    for child in (first, second):
        assert child.stdout is not None
        child.stdout.close()
