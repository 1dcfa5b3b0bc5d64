"""The README's commands work as they are printed, in both languages."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runs import ROOT, environment
from tests.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PRINTED_PORT = 8080


def blocks(readme: str) -> list[str]:
    """Return the shell blocks of a README."""
    return re.findall(r"```sh\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), re.DOTALL)


def commands(block: str) -> list[str]:
    """Return a block's lines without comments."""
    return [re.sub(r"\s+#.*$", "", line) for line in block.splitlines() if line and not line.startswith("#")]


def test_both_languages_print_the_same_commands() -> None:
    assert [commands(one) for one in blocks("README.md")] == [commands(one) for one in blocks("README.zh-CN.md")]


def free_port() -> int:
    """Return the printed port, or another one where somebody has it."""
    for port in (PRINTED_PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("no port is free")


def _at(script: str, port: int) -> str:
    """Return a printed block for another port than the printed one; the chain's window is at the next port."""
    for offset in (1, 0):
        script = script.replace(str(PRINTED_PORT + offset), str(port + offset))
    return script


def in_shell(folder: Path, script: str, port: int) -> subprocess.Popen[str]:
    """Start a printed block; only the port may differ from what is printed."""
    return subprocess.Popen(
        ["bash", "-euc", _at(script, port)],
        cwd=folder,
        env=environment() | {"PYTHONPATH": str(ROOT), "TONGDUI_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextmanager
def served(folder: Path, block: str, port: int) -> Iterator[None]:
    """Run the block that serves until the with-block ends."""
    process = in_shell(folder, block, port)
    try:

        def status() -> int | str:
            assert process.poll() is None, process.communicate()[1][-2000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                    return int(answer.status)
            except OSError as error:
                return str(error)

        eventually(status, lambda seen: seen == 200, timeout_s=60, poll_s=0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)


def documents(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects that were printed one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        one, at = decoder.raw_decode(text, at)
        found.append(one)
        while at < len(text) and text[at].isspace():
            at += 1
    return found


def test_the_five_calls_work_as_printed(undisturbed: Path, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    shutil.copytree(undisturbed, tmp_path / ".tongdui" / "demo")
    _, serve, calls, checks = blocks("README.md")
    port = free_port()
    with served(tmp_path, serve, port):
        caller = in_shell(tmp_path, calls, port)
        out, err = caller.communicate(timeout=120)
        assert caller.returncode == 0, err
        setting_up = calls.splitlines()[0]
        checker = in_shell(tmp_path, f"{setting_up}\n{checks}", port)
        said, err = checker.communicate(timeout=120)
        assert checker.returncode == 0, err
    assert "included, not sealed" in said
    assert "PASS" in said
    wallet, exchange, order, verified = documents(out)
    assert any(one["slug"] == "environmental" for one in wallet["programmes"])
    assert exchange["orders"][0]["kind"] == "exchange"
    assert order["state"] == "paid"
    assert order["is_final"] is True
    assert verified["outcome"] == "landed"
    assert verified["order_id"] == order["order_id"]
