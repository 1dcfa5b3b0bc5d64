"""Healing is for Clique; what it does to nodes is tried on a real network (`make test-network`)."""

from __future__ import annotations

import pytest

from tests.unit.tongdui.network.trial import plan
from tongdui.network import forks
from tongdui.network.errors import BadNetwork, NetworkNotUp
from tongdui.network.plan import EngineKind


def test_a_besu_network_has_no_forks_to_heal() -> None:
    with pytest.raises(BadNetwork, match="QBFT"):
        forks.heal(plan(4, EngineKind.BESU))


def test_where_no_node_answers_there_is_nothing_to_heal() -> None:
    with pytest.raises(NetworkNotUp):
        forks.heal(plan(2))
