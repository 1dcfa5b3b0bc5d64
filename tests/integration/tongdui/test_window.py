"""The auditors' window on the embedded chain is there for whoever asks for it, and else it is not."""

from __future__ import annotations

from pathlib import Path

from ledger.chain.rpc import RpcClient
from tongdui.bootstrap import open_city
from tongdui.settings import Settings


def test_nobody_reads_the_embedded_chain_unless_a_window_is_asked_for(tmp_path: Path) -> None:
    with open_city(Settings(state_dir=tmp_path / "city", _env_file=None)) as city:
        assert city.chain_url is None
    with open_city(Settings(state_dir=tmp_path / "city", rpc_proxy_port=0, _env_file=None)) as city:
        assert city.chain_url is not None
        with RpcClient(city.chain_url, 10.0) as rpc:
            assert int(rpc.call("eth_chainId"), 16) == city.deployment.chain_id
