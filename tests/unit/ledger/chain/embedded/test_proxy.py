"""What the window on the chain lets through: reading up to the final height, and raw transactions. Nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.embedded.proxy import LOG_RANGE_MAX, Answer, Forward, Refused, Submit, plan, visible
from ledger.chain.embedded.window import CALL_GAS_MAX

FINAL = 100


@pytest.mark.parametrize(
    "method",
    ["anvil_setStorageAt", "evm_mine", "hardhat_setBalance", "eth_sendTransaction", "eth_sign", "debug_traceBlock",
     "personal_sign", "txpool_content", "eth_newFilter", "eth_sendUnsignedTransaction", "", "eth_getlogs"],
)  # fmt: skip
def test_a_method_that_is_not_listed_does_not_exist(method: str) -> None:
    with pytest.raises(Refused) as caught:
        plan(method, [], FINAL)
    assert caught.value.code == -32601


@pytest.mark.parametrize("tag", ["latest", "finalized", "safe", "pending", None])
def test_every_tag_means_the_final_block(tag: str | None) -> None:
    bounded = {"to": "0x", "gas": hex(CALL_GAS_MAX)}
    assert plan("eth_call", [{"to": "0x"}, tag], FINAL) == Forward("eth_call", [bounded, "0x64"])
    assert plan("eth_getBlockByNumber", [tag, True], FINAL) == Forward("eth_getBlockByNumber", ["0x64", True])


@pytest.mark.parametrize(
    "params",
    [
        [{"to": "0x"}, "latest", {"0x" + "00" * 20: {"balance": "0x1"}}],
        [{"to": "0x", "gas": 5}, "latest"],
        [{"to": "0x", "gas": "-0x1"}, "latest"],
        ["0x", "latest"],
    ],
)
@pytest.mark.parametrize("method", ["eth_call", "eth_estimateGas"])
def test_a_call_that_overrides_state_or_has_no_sound_gas_is_refused(method: str, params: list[Any]) -> None:
    with pytest.raises(Refused) as caught:
        plan(method, params, FINAL)
    assert caught.value.code == -32602


def test_a_call_gets_no_more_gas_than_a_transaction_of_ours() -> None:
    step = plan("eth_call", [{"to": "0x", "gas": "0xffffffffff"}, "latest"], FINAL)
    assert step == Forward("eth_call", [{"to": "0x", "gas": hex(CALL_GAS_MAX)}, "0x64"])


def test_a_block_left_out_is_the_final_one() -> None:
    assert plan("eth_getBalance", ["0xaa"], FINAL) == Forward("eth_getBalance", ["0xaa", "0x64"])
    assert plan("eth_blockNumber", [], FINAL) == Answer("0x64")


def test_numbers_up_to_the_final_height_pass_and_no_others() -> None:
    assert plan("eth_getStorageAt", ["0xaa", "0x0", "0x064"], FINAL) == Forward(
        "eth_getStorageAt", ["0xaa", "0x0", "0x64"]
    )
    assert plan("eth_getProof", ["0xaa", [], {"blockNumber": "0x1"}], FINAL) == Forward(
        "eth_getProof", ["0xaa", [], "0x1"]
    )
    assert plan("eth_getBlockByNumber", ["earliest", False], FINAL) == Forward("eth_getBlockByNumber", ["0x0", False])
    for above in ("0x65", "0xffffffffffffffff"):
        with pytest.raises(Refused, match="final height is 100"):
            plan("eth_getBlockByNumber", [above, False], FINAL)


@pytest.mark.parametrize("block", ["101", "0xzz", 5, {"blockHash": "0x00"}, {"blockNumber": "0x1", "x": 1}, [], True])
def test_a_strange_block_is_refused(block: Any) -> None:
    with pytest.raises(Refused):
        plan("eth_getBalance", ["0xaa", block], FINAL)


def test_missing_parameters_are_refused() -> None:
    with pytest.raises(Refused, match="missing"):
        plan("eth_getStorageAt", ["0xaa"], FINAL)


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ({"fromBlock": "0x0", "toBlock": "latest"}, ("0x0", "0x64")),
        ({"fromBlock": "0x5", "toBlock": "0xffff"}, ("0x5", "0x64")),
        ({"fromBlock": "earliest"}, ("0x0", "0x64")),
        ({}, ("0x64", "0x64")),
        ({"fromBlock": "0x5", "toBlock": "0x6", "address": "0xaa", "topics": [], "x": 1}, ("0x5", "0x6")),
    ],
)
def test_log_ranges_end_at_the_final_height(wanted: dict[str, Any], asked: tuple[str, str]) -> None:
    kept = {key: wanted[key] for key in ("address", "topics") if key in wanted}
    assert plan("eth_getLogs", [wanted], FINAL) == Forward(
        "eth_getLogs", [{**kept, "fromBlock": asked[0], "toBlock": asked[1]}]
    )


@pytest.mark.parametrize(
    "params",
    [[], ["0x"], [{"blockHash": "0x00"}], [{"fromBlock": "0x65"}], [{"fromBlock": 1}], [{"toBlock": "0xzz"}], [{}, {}]],
)
def test_strange_log_filters_are_refused(params: list[Any]) -> None:
    with pytest.raises(Refused):
        plan("eth_getLogs", params, FINAL)


def test_a_log_range_is_bounded() -> None:
    with pytest.raises(Refused) as caught:
        plan("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest"}], LOG_RANGE_MAX)
    assert caught.value.code == -32005


@pytest.mark.parametrize(
    ("method", "field"),
    [
        ("eth_getTransactionReceipt", "blockNumber"),
        ("eth_getTransactionByHash", "blockNumber"),
        ("eth_getBlockByHash", "number"),
    ],
)
def test_what_is_not_final_is_not_there(method: str, field: str) -> None:
    step = plan(method, ["0xaa"], FINAL)
    assert isinstance(step, Forward)
    assert visible({field: "0x64"}, step, FINAL) == {field: "0x64"}
    assert visible({field: "0x65"}, step, FINAL) is None
    assert visible({field: None}, step, FINAL) is None
    assert visible(None, step, FINAL) is None


def test_raw_transactions_go_to_the_engine() -> None:
    assert plan("eth_sendRawTransaction", ["0x0102"], FINAL) == Submit(b"\x01\x02")
    for params in ([], ["0102"], ["0x1"], [5], ["0x", "0x"]):
        with pytest.raises(Refused):
            plan("eth_sendRawTransaction", params, FINAL)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["0x0", "0x64", "0x65", "latest"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["fromBlock", "toBlock", "blockNumber", "blockHash", "address", "x"]), inner)
    ),
    max_leaves=12,
)
METHODS = st.sampled_from(
    ["eth_call", "eth_getBlockByNumber", "eth_getProof", "eth_getLogs", "eth_sendRawTransaction", "eth_chainId",
     "eth_getTransactionReceipt", "eth_blockNumber", "eth_getStorageAt", "anvil_mine"]
)  # fmt: skip


@given(method=METHODS, params=st.lists(JSON, max_size=4))
def test_whatever_is_asked_is_planned_or_refused_and_never_beyond_the_final_height(
    method: str, params: list[Any]
) -> None:
    try:
        step = plan(method, params, FINAL)
    except Refused:
        return
    assert method != "anvil_mine"
    if isinstance(step, Forward) and step.method == "eth_getLogs":
        assert 0 <= int(step.params[0]["fromBlock"], 16) <= FINAL
        assert int(step.params[0]["toBlock"], 16) <= FINAL
    elif isinstance(step, Forward) and step.height_field is None and step.method != "eth_chainId":
        position = {"eth_getBlockByNumber": 0, "eth_call": 1}.get(step.method, 2)
        assert 0 <= int(step.params[position], 16) <= FINAL
