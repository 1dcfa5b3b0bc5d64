"""What `make test-faults` rests on: plans that a seed alone decides, and strikes that hit."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.chain.embedded.anvil import NodeSettings
from ledger.chain.embedded.journal import Genesis, Journal
from ledger.chain.errors import JournalUnavailable
from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.store.database import DatabaseUnavailable
from scripts.faults import plan as kinds
from scripts.faults.clocks import FILE, TownClock, put_wrong
from scripts.faults.disk import is_full, small_disk
from scripts.faults.flaky_proxy import FlakyProxy
from scripts.faults.plan import Injection, draw
from scripts.faults.workload import PASSING


def test_a_seed_and_a_number_decide_everything() -> None:
    """The same plan again; another seed, another plan; and ten rounds see every place and every kind of line."""
    plans = [draw(1, number, 10.0, has_postgres=True) for number in range(1, 301)]
    assert plans == [draw(1, number, 10.0, has_postgres=True) for number in range(1, 301)]
    assert plans != [draw(2, number, 10.0, has_postgres=True) for number in range(1, 301)]
    places = {(one.on_postgres, one.on_network) for one in plans[:10]}
    assert len(places) == 4
    assert any(one.from_nothing for one in plans[:10])
    struck = Counter(injection.what for one in plans for injection in one.injections)
    assert set(struck) == {
        kinds.GATEWAY, kinds.WORKER, kinds.NODE, kinds.DATABASE, kinds.LINE, kinds.DISK, kinds.CLOCK,
    }  # fmt: skip
    assert min(struck.values()) > 20
    assert {bool(one.mishaps) for one in plans} == {bool(one.false_answers) for one in plans} == {True, False}
    assert not any(one.false_answers for one in plans if not one.on_network)
    without = [draw(1, number, 10.0, has_postgres=False) for number in range(1, 301)]
    assert not any(one.on_postgres or one.has_worker for one in without)


def test_strikes_say_what_they_are() -> None:
    """A line in the report names what was hit, for how long and by how much."""
    assert Injection(1.0, kinds.LINE, lasts_s=0.5).words() == "line for 0.5 s"
    assert Injection(1.0, kinds.CLOCK, amount=-7_200.0).words() == "clock -7200 s"


def test_a_full_disk_is_full_and_can_be_freed(tmp_path: Path) -> None:
    """Where nothing may be mounted, the process is limited instead."""
    script = "import sys, time\n"
    script += "while True:\n    try:\n        open(sys.argv[1], 'ab').write(b'x' * 100_000)\n"
    script += "        print(0, flush=True)\n    except OSError as error:\n        print(error.errno, flush=True)\n"
    script += "    sys.stdin.readline()\n"
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        writer = subprocess.Popen(
            [sys.executable, "-c", script, str(disk.folder / "file")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdin is not None
        assert writer.stdout is not None

        def write() -> int:
            assert writer.stdin is not None
            assert writer.stdout is not None
            found = int(writer.stdout.readline())
            writer.stdin.write("\n")
            writer.stdin.flush()
            return found

        assert write() == 0
        disk.fill(writer.pid, 8_192)
        write()  # may have been under way already
        errors = {write(), write()}
        assert errors <= {errno.ENOSPC, errno.EFBIG}
        assert all(is_full(OSError(one, "full")) for one in errors)
        disk.free()
        write()
        assert write() == 0
        writer.kill()
        writer.communicate()
    shutil.rmtree(tmp_path / "disk", ignore_errors=True)


def test_a_clock_set_wrong_is_wrong_on_one_hand_only(tmp_path: Path) -> None:
    """The story moves both hands, a strike moves the wall clock's."""
    now = [0.0]
    start = datetime(2026, 9, 1, 8, tzinfo=UTC)
    clock = TownClock(start, tmp_path / FILE, lambda: now[0])
    now[0] += 5
    assert (clock.now(), clock.steady()) == (start + timedelta(seconds=5), 5.0)
    clock.set(start + timedelta(days=2))
    assert clock.now() == start + timedelta(days=2)
    assert clock.steady() == pytest.approx(2 * 86_400)
    put_wrong(tmp_path, -3_600)
    assert clock.now() == start + timedelta(days=2, hours=-1)
    assert clock.steady() == pytest.approx(2 * 86_400)
    put_wrong(tmp_path, 0)
    assert clock.timestamp() == int((start + timedelta(days=2)).timestamp())


def test_a_line_that_is_cut_is_cut_for_open_calls_too() -> None:
    """And carries again once it is mended."""
    slow = FlakyProxy("http://127.0.0.1:9", 1, 0.0, 0.0)
    slow.relay = lambda _body: (time.sleep(0.5), b'{"jsonrpc":"2.0","id":1,"result":"0x1"}')[1]  # type: ignore[method-assign,func-returns-value]
    with RpcClient(slow.url, 5.0) as client:
        slow.cut()
        with pytest.raises(RpcError) as caught:
            client.call("eth_chainId")
        assert caught.value.reason is RpcReason.UNREACHABLE
        slow.restore()
    with RpcClient(slow.url, 5.0) as client:
        assert client.call("eth_chainId") == "0x1"
    slow.close()


def test_a_start_on_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    """The journal says that there is no room, and opens once there is."""
    settings = NodeSettings(chain_id=1_000_000_007, genesis_timestamp=1)
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        if not disk.is_mounted:
            pytest.skip("no disk can be mounted here, and this process would limit itself")
        path = disk.folder / "journal.sqlite3"
        journal = Journal(path)
        journal.begin(Genesis(settings, b"\x01" * 32))
        journal.close()
        disk.fill(0, 0)
        with pytest.raises(JournalUnavailable) as caught:
            Journal(path)
        assert "room" in str(caught.value)
        disk.free()
        journal = Journal(path)
        assert journal.head().block_hash == b"\x01" * 32
        journal.close()


def test_a_database_that_cannot_be_opened_for_now_is_waited_for() -> None:
    assert issubclass(DatabaseUnavailable, PASSING)
