"""The workers alone, in this process: how they end, and what an API process without workers sees."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from ledger.standard.civil_time import CITY_TZ
from ledger.standard.quarters import expiry_quarter
from ledger.standard.signatures import SigningKey
from tests.integration.ledger_api.minting import mint
from tongdui.bootstrap import City, open_city
from tongdui.invariants import REFRESH_S, InvariantWatch
from tongdui.settings import Settings
from tongdui.work import WorkersStopped, work


def test_an_alarm_ends_the_workers_and_signals_are_as_before(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def break_it(city: City) -> None:
        assert city.gateway.health().is_running
        city.invariants.alarm("the books differ")

    with pytest.raises(WorkersStopped, match="the books differ"):
        work(Settings(state_dir=tmp_path, workers=False, _env_file=None), on_ready=break_it)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_without_workers_a_report_is_made_anew_after_a_minute(tmp_path: Path) -> None:
    with open_city(Settings(state_dir=tmp_path, workers=False, _env_file=None)) as city:
        city.run_until_idle()
        now_s = 0.0
        watch = InvariantWatch(city.gateway, lambda: now_s)
        first = watch.current()
        mint(
            city,
            SigningKey(b"\x01" * 32).address,
            1,
            500,
            expiry_quarter(city.clock.now().astimezone(CITY_TZ).date(), 4),
        )
        city.run_until_idle()
        now_s = REFRESH_S - 1
        assert watch.current() is first
        now_s = REFRESH_S
        assert watch.current().block_number > first.block_number
