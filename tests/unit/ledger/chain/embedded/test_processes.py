"""A process is known by its pid and its start: another one with the same pid is never touched."""

from __future__ import annotations

import os
from pathlib import Path

from ledger.chain.embedded.processes import ProcessIdentity, identify, read_identity, write_identity


def test_this_process_is_recognised() -> None:
    identity = identify(os.getpid())
    assert identity is not None
    assert identity.is_running()


def test_the_same_pid_with_another_start_is_somebody_else() -> None:
    stranger = ProcessIdentity(os.getpid(), "another start")
    assert not stranger.is_running()
    assert not stranger.kill()  # or this test would not come back


def test_nobody_has_this_pid() -> None:
    assert identify(2**22 + 1) is None


def test_an_identity_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    write_identity(path, ProcessIdentity(5, "then"), port=1)
    assert read_identity(path) == ProcessIdentity(5, "then")


def test_half_a_file_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    assert read_identity(path) is None
    for content in (b"", b'{"pid": 5', b"[]", b'{"pid": 5}', b'{"pid": "x", "started": "y"}'):
        path.write_bytes(content)
        assert read_identity(path) is None
