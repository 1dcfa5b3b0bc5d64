"""The embedded node has a network of its own: whoever else runs on the machine finds no way to it."""

from __future__ import annotations

import logging
import os
import socket
import stat
from pathlib import Path

import pytest

from ledger.chain.embedded import door
from ledger.chain.embedded.anvil import AnvilNode, NodeSettings
from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.rpc import RpcClient, RpcError
from tests.eventually import eventually
from tests.integration.ledger.chain.kit import manual_clock

pytestmark = pytest.mark.skipif(not door.is_available(), reason="this system lets this user have no network namespace")

_LISTENS = "0A"


def listening() -> set[int]:
    """Return the TCP ports on which anybody listens in our network."""
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {int(fields[1].rpartition(":")[2], 16) for fields in lines if fields[3] == _LISTENS}


def opened(folder: Path, *, isolate: bool | None = None) -> EmbeddedEngine:
    return EmbeddedEngine.open(folder, manual_clock(), EmbeddedOptions(isolate=isolate))


def test_no_port_of_the_machine_leads_to_the_node(tmp_path: Path) -> None:
    before = listening()
    engine = opened(tmp_path / "chain")
    try:
        assert engine.is_isolated
        # Other tests' nodes may have begun to listen meanwhile: chains of their own.
        assert engine.chain_id not in {_chain_at(port) for port in listening() - before}
    finally:
        engine.close()


def _chain_at(port: int) -> int | None:
    with RpcClient(f"http://127.0.0.1:{port}", 1.0) as stranger:
        try:
            return int(stranger.call("eth_chainId"), 16)
        except (RpcError, TypeError, ValueError):
            return None


def test_a_port_of_the_machine_leads_to_a_node_that_is_not_isolated(tmp_path: Path) -> None:
    """What the test above would find, if there were anything."""
    before = listening()
    engine = opened(tmp_path / "chain", isolate=False)
    try:
        assert engine.chain_id in {_chain_at(port) for port in listening() - before}
    finally:
        engine.close()


def test_the_door_is_open_to_this_user_alone(tmp_path: Path) -> None:
    engine = opened(tmp_path / "chain")
    try:
        (entry,) = (tmp_path / "chain" / "anvil").glob("door-*")
        assert stat.S_IMODE((tmp_path / "chain").stat().st_mode) == 0o700
        assert stat.S_IMODE(entry.stat().st_mode) & 0o077 == 0
    finally:
        engine.close()
    assert not list((tmp_path / "chain" / "anvil").glob("door-*"))


def test_the_door_ends_with_the_node(tmp_path: Path) -> None:
    engine = opened(tmp_path / "chain")
    try:
        (entry,) = (tmp_path / "chain" / "anvil").glob("door-*")
        assert _is_kept(entry)
        pid = engine.node_pid
        assert pid is not None
        os.kill(pid, 9)
        eventually(lambda: not _is_kept(entry))
        assert engine.rpc.call("eth_blockNumber") == "0x0", "another node, behind another door"
        assert engine.node_pid != pid
    finally:
        engine.close()


def _is_kept(entry: Path) -> bool:
    folder = os.open(entry.parent, os.O_PATH)  # a socket's path has room for 107 bytes, a test's folder may be longer
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(f"/proc/self/fd/{folder}/{entry.name}")
        except OSError:
            return False
        finally:
            os.close(folder)
    return True


def test_a_node_may_be_killed_twice(tmp_path: Path) -> None:
    """The second time must close no descriptor that is somebody else's by then."""
    settings = NodeSettings(chain_id=1_000_000_007, genesis_timestamp=1_788_192_000)
    node = AnvilNode.start(settings, tmp_path, is_isolated=True)
    node.kill()
    descriptors = [os.open("/dev/null", os.O_RDONLY) for _ in range(16)]
    node.kill()
    for descriptor in descriptors:
        os.close(descriptor)


def test_without_a_namespace_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        engine = opened(tmp_path / "chain", isolate=False)
    try:
        assert not engine.is_isolated
        assert "every process of this machine" in caplog.text
        assert engine.url.startswith("http://127.0.0.1:")
    finally:
        engine.close()
