"""A Clique network of real geth processes, for tests. `make engine` builds geth; without it these tests are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tongdui.network import geth, processes
from tongdui.network.errors import NodeProgramMissing
from tongdui.network.folder import NetworkChoices, make_trial
from tongdui.network.plan import NetworkPlan


def has_geth() -> bool:
    """Whether geth was built."""
    try:
        geth.find_binary()
    except NodeProgramMissing:
        return False
    return True


needs_geth = pytest.mark.skipif(not has_geth(), reason="geth is not built: make engine")


@contextmanager
def network(folder: Path, validators: int) -> Iterator[NetworkPlan]:
    """A running network; its nodes are stopped at the end, whatever happens."""
    plan = make_trial(folder, validators, NetworkChoices())
    try:
        processes.up(folder, plan)
        yield plan
    finally:
        processes.down(folder, plan)
