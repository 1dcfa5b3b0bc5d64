"""The collector runs rarely, but it runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from ledger.python_gc import collect_rarely, collector_paused


@pytest.fixture
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("_as_before")
def test_it_looks_rarely_and_stays_on() -> None:
    young = gc.get_threshold()[0]
    collect_rarely()
    assert gc.isenabled()
    assert gc.get_threshold()[0] > 50 * young


def test_pauses_overlap_and_end() -> None:
    assert gc.isenabled()
    with collector_paused():
        with pytest.raises(RuntimeError), collector_paused():
            raise RuntimeError
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
