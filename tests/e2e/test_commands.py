"""Every command explains itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.runs import CHECKOUT_COMMANDS, tongdui, tongdui_here

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COMMANDS = [
    "demo",
    "serve",
    "work",
    "chain",
    "deploy",
    "status",
    "reindex",
    "token",
    "audit",
    "verify",
    "issuers",
    "signer",
    "refusals",
    "bench",
]


def test_help_names_every_command_and_the_exit_codes() -> None:
    ended = tongdui("--help")
    assert ended.code == 0
    for command in COMMANDS:
        assert (f" {command} " in ended.out) == (command not in CHECKOUT_COMMANDS)
    assert "Exit codes" in ended.out


@pytest.mark.parametrize(
    "command",
    [[one] for one in COMMANDS]
    + [["issuers", one] for one in ("check", "ingest", "void", "batches", "explain")]
    + [["signer", one] for one in ("init", "serve", "learn", "import", "export")]
    + [["chain", one] for one in ("check", "repair")]
    + [["bench", "issue"]],
)
def test_each_command_explains_itself(command: list[str]) -> None:
    run = tongdui if command[0] in CHECKOUT_COMMANDS else tongdui_here
    ended = run(*command, "--help")
    assert ended.code == 0
    assert "Usage" in ended.out
    if command not in (["issuers"], ["bench"], ["signer"], ["chain"]):
        assert "--json" in ended.out


def test_help_shows_defaults() -> None:
    assert "(default: 8080)" in " ".join(tongdui_here("serve", "--help").out.replace("│", " ").split())


def test_a_database_that_does_not_answer_is_a_reason_to_try_again(tmp_path: Path) -> None:
    there = "postgresql://city:secret@127.0.0.1:1/books"
    ended = tongdui("work", "--state-dir", str(tmp_path), "--json", TONGDUI_DATABASE_URL=there)
    assert (ended.code, ended.last["error"]["type"]) == (4, "DatabaseUnavailable")
    assert "secret" not in ended.out + ended.err


def test_an_unknown_option_is_a_wrong_command_line() -> None:
    ended = tongdui("audit", "--bogus")
    assert ended.code == 2
    assert "--bogus" in ended.err
