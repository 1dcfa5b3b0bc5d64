"""What the commands for refused rows ask the service for, and show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock, create_autospec

import pytest
from typer.testing import CliRunner

from issuers.answers import Refusal, RefusalPage
from issuers.service import IssuerService
from issuers.states import RefusalState
from tongdui.cli.agency import issuers
from tongdui.cli.main import app


def refusal(number: int, state: RefusalState = RefusalState.OPEN, programme: str = "volunteer") -> Refusal:
    return Refusal(number, programme, "a.csv", 7, number, None, "day", "bad_date", "No date.", "日期无效。", state, 0)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    made: MagicMock = create_autospec(IssuerService, instance=True)
    made.counts.return_value = {"volunteer": None}

    @contextmanager
    def opened(*_: Any) -> Iterator[MagicMock]:
        yield made

    monkeypatch.setattr(issuers, "_service", opened)
    return made


def asked(*arguments: str) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["refusals", *arguments, "--json"])
    return done.exit_code, json.loads(done.stdout.splitlines()[-1]) if done.exit_code == 0 else {}


def test_the_refusals_of_one_delivery_are_listed_page_by_page(service: MagicMock) -> None:
    service.refusals_of_delivery.return_value = [
        refusal(1),
        refusal(2, RefusalState.RESUBMITTED),
        refusal(3),
        refusal(4),
    ]
    code, page = asked("volunteer", "--delivery", "7", "--limit", "2")
    assert (code, [one["refusal_id"] for one in page["items"]], page["next_cursor"]) == (0, [1, 3], 3)
    assert [one["refusal_id"] for one in asked("volunteer", "--delivery", "7", "--after", "3")[1]["items"]] == [4]
    assert len(asked("volunteer", "--delivery", "7", "--all")[1]["items"]) == 4
    service.refusals_of_delivery.assert_called_with(7)


def test_another_programmes_delivery_is_not_shown(service: MagicMock) -> None:
    service.refusals_of_delivery.return_value = [refusal(1, programme="culture")]
    code, _ = asked("volunteer", "--delivery", "7")
    assert code != 0


def test_without_a_delivery_all_of_the_programme_are_listed(service: MagicMock) -> None:
    service.refusals.return_value = RefusalPage((refusal(1),), None)
    assert asked("volunteer")[1]["items"][0]["code"] == "bad_date"
    service.refusals_of_delivery.assert_not_called()


def test_reasons_come_with_their_numbers_the_commonest_first() -> None:
    assert issuers._why({"bad_date": 1, "cap_reached": 12}) == "cap_reached 12, bad_date 1"
