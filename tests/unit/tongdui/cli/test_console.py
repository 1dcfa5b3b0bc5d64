"""What commands say, and with which exit code they leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.chain.errors import EngineBusy, JournalUnavailable, NodeStartFailed
from ledger.chain.rpc import RpcError, RpcReason
from ledger.errors import ConfigurationError, InvariantViolation, TongduiError
from ledger.gateway import GatewayStuck
from ledger.store.database import DatabaseUnavailable
from ledger_api.auth.tokens import KeysUnavailable
from tongdui.cli.console import ExitCode, Output, UsageError, exit_code, failure


class Odd(TongduiError):
    """An expected failure that nobody classed."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("no file"), ExitCode.CONFIGURATION),
        (UsageError("say what"), ExitCode.USAGE),
        (InvariantViolation("books differ"), ExitCode.BROKEN),
        (Odd("odd"), ExitCode.CONFIGURATION),
        (RpcError(RpcReason.UNREACHABLE, "no node"), ExitCode.UNAVAILABLE),
        (EngineBusy(Path("engine.lock")), ExitCode.UNAVAILABLE),
        (NodeStartFailed("it ended", ""), ExitCode.UNAVAILABLE),
        (JournalUnavailable(Path("journal"), "no room"), ExitCode.UNAVAILABLE),
        (GatewayStuck(1, 1.0, []), ExitCode.UNAVAILABLE),
        (KeysUnavailable("no answer"), ExitCode.UNAVAILABLE),
        (DatabaseUnavailable("postgresql://nowhere/x", "no answer"), ExitCode.UNAVAILABLE),
    ],
)
def test_exit_codes(error: TongduiError, code: ExitCode) -> None:
    assert exit_code(error) is code


def test_a_failure_is_one_line_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    failure(ConfigurationError("the file\n  [x] is missing"), as_json=False)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: the file [x] is missing\n"


def test_a_failure_is_one_object_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert failure(InvariantViolation("books differ"), as_json=True) is ExitCode.BROKEN
    assert json.loads(capsys.readouterr().out) == {
        "ok": False,
        "error": {"type": "InvariantViolation", "message": "books differ", "exit_code": 5},
    }


def test_with_json_standard_output_is_the_result_alone(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.say("hello [bold]there")
    output.table("figures", ["what", "how many"], [["lots", 3]])
    with output.bars() as bars:
        bars.set("reading", 1, 2)
        bars.done("reading", "2 files")
    output.result({"ok": True, "what": "积分"})
    captured = capsys.readouterr()
    assert captured.out == '{"ok":true,"what":"积分"}\n'
    assert "hello [bold]there" in captured.err
    assert "reading: 2 files" in captured.err


def test_without_json_people_have_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.say("hello")
    output.result({"ok": True})
    assert capsys.readouterr().out == "hello\n"
