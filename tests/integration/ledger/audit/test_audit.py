"""The auditor against a real chain: PASS on an honest one, FAIL with the right name on a forged one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.audit import AuditReport, audit, auditor
from ledger.audit.cells import locate
from ledger.chain.embedded.proxy import Proxy
from ledger.chain.rpc import RpcError, RpcReason
from ledger.deployment.file import Contract
from ledger.errors import ConfigurationError
from ledger.proofs.layout import Layout
from ledger.standard.ids import token_id
from ledger.standard.keccak import keccak256
from tests.integration.ledger.audit.forger import LyingNode
from tests.integration.ledger.audit.lab import Lab
from tests.integration.ledger.audit.life import CULTURE, ENVIRONMENTAL, RESIDENCE, TRAFFIC, VOLUNTEER

QUARTER = 109
LOT = token_id(VOLUNTEER, QUARTER)


@contextmanager
def written(lab: Lab, contract: str, slot: int, change: Callable[[int], int]) -> Iterator[None]:
    """Write to storage behind everybody's back, and put it right afterwards."""
    rpc, address = lab.engine.rpc, lab.deployment.address(contract)
    key = f"0x{slot:064x}"
    before = rpc.call("eth_getStorageAt", [address, key, "latest"])
    snapshot = rpc.call("evm_snapshot")
    rpc.call("anvil_setStorageAt", [address, key, f"0x{change(int(before, 16)):064x}"])
    try:
        yield
    finally:
        rpc.call("evm_revert", [snapshot])


def lane_slot(holder: bytes, token: int) -> int:
    return Layout.load("PointsLedger").at("_lanes", locate(token)[0], holder)


def failed(report: AuditReport) -> str:
    assert report.verdict == "FAIL"
    assert report.contradiction is not None
    return f"{report.contradiction.what} | {report.contradiction.where} | {report.contradiction.found}"


def test_an_honest_chain_passes_with_its_figures(lab: Lab, leaves: Path) -> None:
    report = audit(lab.url, lab.deployment, leaf_files=[leaves])
    assert report.contradiction is None
    assert report.verdict == "PASS"
    assert report.ok
    assert (report.notes, report.skipped) == ([], [])
    volunteer, environmental = report.programmes["volunteer"], report.programmes["environmental"]
    assert volunteer.minted == sum(10_000 + n for n in range(6)) + 6 * 4_000 + 900 + 20
    assert (environmental.minted, environmental.exchanged_out) == (300_100, 777 + 400 + 600)
    assert (volunteer.exchanged_out, volunteer.exchanged_in) == (333, 190 + 100 + 150)
    assert volunteer.refunded == 550 + 820 + 200
    assert environmental.refunded == 1_111 + 2_000 + 40
    assert volunteer.paid_fen > 0
    assert (environmental.revoked, environmental.revoked_shortfall) == (49_667 + 100, 333 - 100)
    assert (volunteer.revoked, volunteer.revoked_shortfall) == (1_000 + 600 + 890, 0)
    assert volunteer.expired == 2 * 4_000
    assert volunteer.escrowed == 77
    assert report.programmes["residence"].outstanding == 11_000
    for figures in report.programmes.values():
        assert figures.balance() == figures.outstanding
    assert report.positions_sum_fen == 0
    positions = [figures.position_fen for figures in report.programmes.values()]
    assert sum(positions) + sum(report.merchants.values()) + report.pool_fen + report.treasury_fen == 0
    assert report.treasury_fen == 1_600 - 7
    assert report.pool_fen < 0
    assert report.rejected == 14


def test_storage_was_vouched_for_down_to_the_last_word(lab: Lab, leaves: Path) -> None:
    """Without this check the tests of forged unknown accounts below would prove nothing."""
    report = audit(lab.url, lab.deployment, leaf_files=[leaves])
    assert any("no contract holds anything else" in check for check in report.checks)
    assert any("storage words of 8 contracts" in check for check in report.checks)


def test_contract_views_agree_with_the_figures(lab: Lab) -> None:
    """The auditor reads storage by layout; the contracts' own views must say the same."""
    from ledger.deployment.contracts import Contracts, read

    contracts = Contracts.of(lab.engine, lab.deployment)
    report = audit(lab.url, lab.deployment)
    for listed in lab.deployment.programmes:
        figures = report.programmes[listed.slug]
        programme = read(contracts["PointsLedger"].functions.programme(listed.id), "latest")
        assert figures.outstanding == programme.supply
        position = contracts["ClearingBook"].functions.position(1 << 32 | listed.id)
        assert figures.position_fen == read(position, "latest")
    for merchant, fen in report.merchants.items():
        claim = read(contracts["ClearingBook"].functions.claim(merchant), "latest")
        assert fen == claim.maturedFen + claim.youngerFen + claim.youngestFen


def test_the_report_is_json_with_amounts_as_strings(lab: Lab) -> None:
    report = json.loads(json.dumps(audit(lab.url, lab.deployment).to_json()))
    assert report["verdict"] == "INCOMPLETE"
    assert report["skipped"] == [f"evidence of {len(lab.batches)} batches: no leaf files were given"]
    assert report["positions_sum_fen"] == 0
    assert report["programmes"]["volunteer"]["minted"] == "84935"
    assert report["merchants"]["1"].isdigit()


def test_it_works_through_the_public_window_and_tells_of_progress(lab: Lab, leaves: Path) -> None:
    stages: list[tuple[str, int, int]] = []
    with Proxy(lab.engine) as proxy:
        report = audit(proxy.url, lab.deployment, None, lambda *step: stages.append(step), [leaves])
    assert report.verdict == "PASS"
    assert ("blocks", report.blocks, report.blocks) in stages
    assert any(stage == "storage of PointsLedger" and done == total for stage, done, total in stages)


def test_an_earlier_block_can_be_audited(lab: Lab) -> None:
    full = audit(lab.url, lab.deployment)
    earlier = audit(lab.url, lab.deployment, block=full.block - 1)
    assert (earlier.verdict, earlier.contradiction) == ("INCOMPLETE", None)
    assert earlier.events < full.events


def test_a_block_before_the_deployment_is_a_mistake_of_the_caller(lab: Lab) -> None:
    with pytest.raises(ConfigurationError):
        audit(lab.url, lab.deployment, block=lab.deployment.block - 1)


# --------------------------------------------------------------------------------------------- forged storage


def test_a_forged_balance_of_a_holder_is_caught(lab: Lab) -> None:
    holder = bytes.fromhex(lab.residents[1].address[2:])
    shift = locate(LOT)[1]
    with written(lab, "PointsLedger", lane_slot(holder, LOT), lambda word: word + (1 << shift)):
        found = failed(audit(lab.url, lab.deployment))
    assert "balance in lots of programme 1, year 2027" in found
    assert lab.residents[1].address in found


def test_a_nonce_set_free_again_is_caught(lab: Lab) -> None:
    """Whoever clears a nonce's bit could land the resident's order a second time."""
    holder = bytes.fromhex(lab.residents[0].address[2:])
    with written(lab, "PointsLedger", lane_slot(holder, LOT), lambda word: word & (2**192 - 1)):
        lab.engine.rpc.call("evm_mine")
        assert "nonces beside lots of programme 1, year 2027" in failed(audit(lab.url, lab.deployment))


def test_a_forged_balance_of_an_account_no_event_names_is_caught(lab: Lab) -> None:
    stranger = keccak256(b"stranger")[12:]
    with written(lab, "PointsLedger", lane_slot(stranger, LOT), lambda word: word + 500):
        assert "what the state root" in str(audit(lab.url, lab.deployment).contradiction)


def test_a_forgery_that_later_blocks_have_sealed_is_caught(lab: Lab) -> None:
    """Once a block is made over it, the state root covers the forgery, and only the storage trie tells."""
    stranger = keccak256(b"stranger")[12:]
    with written(lab, "PointsLedger", lane_slot(stranger, LOT), lambda word: word + 500):
        lab.engine.rpc.call("evm_mine")
        found = failed(audit(lab.url, lab.deployment))
    assert "storage of PointsLedger" in found
    assert "500 under key" in found


@pytest.mark.parametrize(
    ("label", "keys", "what"),
    [
        ("_lots", (LOT,), f"supply of lot {LOT}"),
        ("_programmes", (VOLUNTEER,), "par, flags and state of programme 1"),
        ("batchWord", (VOLUNTEER, 1), "word of batch 1 of programme 1"),
        ("batchWord", (CULTURE, 99), "void batch 99 of programme 4"),
        ("revokedTotal", (VOLUNTEER, 1, 5), "revoked total of grant 5 of batch 1 of programme 1"),
        ("rebirthCapFen", (), "rebirth cap"),
    ],
)
def test_every_other_forged_word_of_the_ledger_is_named(lab: Lab, label: str, keys: tuple[int, ...], what: str) -> None:
    slot = Layout.load("PointsLedger").at(label, *keys)
    with written(lab, "PointsLedger", slot, lambda word: word ^ 1 << 3):
        assert what in failed(audit(lab.url, lab.deployment))


@pytest.mark.parametrize(
    ("label", "keys", "what"),
    [
        ("_positions", (1 << 32 | VOLUNTEER,), "position of participant 1:1"),
        ("_positions", (3 << 32,), "position of participant 3:0"),
        ("_accounts", (1,), "claim of merchant 1"),
        ("_totalLockedFen", (), "all merchants' locked fen"),
        ("_budgets", (ENVIRONMENTAL,), "budget of programme 2"),
        ("_dues", (ENVIRONMENTAL,), "dues of programme 2"),
        ("_cycle", (), "last cycle"),
        ("_merchants", (1,), "key of merchant 1"),
        ("receiptsRoot", (1,), "receipts of batch 1"),
        ("lastReceiptsBatch", (), "last receipts batch"),
    ],
)
def test_every_forged_word_of_the_clearing_book_is_named(
    lab: Lab, label: str, keys: tuple[int, ...], what: str
) -> None:
    slot = Layout.load("ClearingBook").at(label, *keys)
    with written(lab, "ClearingBook", slot, lambda word: word ^ 1):
        assert what in failed(audit(lab.url, lab.deployment))


def test_changed_code_is_caught(lab: Lab) -> None:
    rpc, address = lab.engine.rpc, lab.deployment.address("Exchange")
    code = rpc.call("eth_getCode", [address, "latest"])
    rpc.call("anvil_setCode", [address, code[:-2] + "00"])
    try:
        assert "code hash | Exchange" in failed(audit(lab.url, lab.deployment))
    finally:
        rpc.call("anvil_setCode", [address, code])


def test_code_that_is_not_the_published_one_is_caught_even_if_the_file_vouches_for_it(lab: Lab) -> None:
    rpc, address = lab.engine.rpc, lab.deployment.address("Exchange")
    code = rpc.call("eth_getCode", [address, "latest"])
    forged = code[:-2] + "00"
    digest = "0x" + keccak256(bytes.fromhex(forged[2:])).hex()
    contracts = dict(lab.deployment.contracts) | {"Exchange": Contract(lab.deployment.address("Exchange"), digest)}
    rpc.call("anvil_setCode", [address, forged])
    try:
        assert "code | Exchange" in failed(audit(lab.url, replace(lab.deployment, contracts=contracts)))
    finally:
        rpc.call("anvil_setCode", [address, code])


def test_another_chain_is_caught(lab: Lab) -> None:
    assert "chain id" in failed(audit(lab.url, replace(lab.deployment, chain_id=1)))


def test_a_programme_unlike_the_deployment_file_is_caught(lab: Lab) -> None:
    first = replace(lab.deployment.programmes[0], par_microfen=1)
    deployment = replace(lab.deployment, programmes=(first, *lab.deployment.programmes[1:]))
    assert "programme volunteer" in failed(audit(lab.url, deployment))


def test_a_council_that_does_not_govern_is_caught(lab: Lab) -> None:
    """The file names a council that is not the one with the power: as if the deployer had kept it."""
    impostor = Contract(lab.deployment.address("Redemption"), lab.deployment.contracts["Redemption"].code_hash)
    contracts = dict(lab.deployment.contracts) | {"Council": impostor}
    failed(audit(lab.url, replace(lab.deployment, contracts=contracts)))


def test_a_contract_left_out_of_the_deployment_is_asked_for(lab: Lab) -> None:
    """A hidden module cannot move points unseen: without it in the file there is nothing to audit by."""
    contracts = {name: contract for name, contract in lab.deployment.contracts.items() if name != "Redemption"}
    with pytest.raises(ConfigurationError):
        audit(lab.url, replace(lab.deployment, contracts=contracts))


# ------------------------------------------------------------------------------------------------ lying nodes


def audit_through(lab: Lab, lie: Callable[[str, Any], Any], leaves: Path | None = None) -> AuditReport:
    rpc: Any = LyingNode(lab.engine.rpc, lambda method, _params, answer: lie(method, answer))
    return auditor.Audit(rpc, lab.deployment, auditor.silent).run(None, None if leaves is None else [leaves])


def test_a_node_that_tells_the_truth_passes_through_the_same_door(lab: Lab, leaves: Path) -> None:
    assert audit_through(lab, lambda _method, answer: answer, leaves).verdict == "PASS"


def test_a_log_kept_back_is_caught(lab: Lab) -> None:
    def lie(method: str, answer: Any) -> Any:
        if method == "eth_getBlockReceipts" and answer and len(answer[0]["logs"]) > 2:
            del answer[0]["logs"][1]
        return answer

    assert "receipts of block" in failed(audit_through(lab, lie))


def test_all_transactions_of_a_block_kept_back_are_caught(lab: Lab) -> None:
    def lie(method: str, answer: Any) -> Any:
        if method == "eth_getBlockByNumber" and int(answer["number"], 16) == 9:
            answer["transactions"] = []
        return answer

    assert "transactions of block 9" in failed(audit_through(lab, lie))


def test_a_node_without_receipts_of_blocks_is_asked_for_each(lab: Lab, leaves: Path) -> None:
    def lie(method: str, answer: Any) -> Any:
        if method == "eth_getBlockReceipts":
            raise RpcError(RpcReason.METHOD_NOT_FOUND, "no such method", method=method)
        return answer

    assert audit_through(lab, lie, leaves).verdict == "PASS"


def test_a_receipt_kept_back_is_caught(lab: Lab) -> None:
    def lie(method: str, answer: Any) -> Any:
        return answer[:-1] if method == "eth_getBlockReceipts" and len(answer) > 1 else answer

    assert "receipts of block" in failed(audit_through(lab, lie))


def test_a_changed_receipt_is_caught(lab: Lab) -> None:
    def lie(method: str, answer: Any) -> Any:
        if method == "eth_getBlockReceipts" and answer:
            answer[0]["cumulativeGasUsed"] = hex(int(answer[0]["cumulativeGasUsed"], 16) + 1)
        return answer

    assert "receipts of block" in failed(audit_through(lab, lie))


@pytest.mark.parametrize(
    ("field", "what"), [("timestamp", "block hash"), ("receiptsRoot", "block hash"), ("parentHash", "block hash")]
)
def test_a_changed_header_is_caught(lab: Lab, field: str, what: str) -> None:
    def lie(method: str, answer: Any) -> Any:
        if method == "eth_getBlockByNumber" and int(answer["number"], 16) == 4:
            answer[field] = answer[field][:-1] + ("0" if answer[field][-1] != "0" else "1")
        return answer

    assert what in failed(audit_through(lab, lie))


def test_a_header_of_another_chain_breaks_the_link(lab: Lab) -> None:
    """A whole block of somewhere else hashes correctly, but the next one does not point to it."""
    other = lab.engine.rpc.call("eth_getBlockByNumber", ["0x3", False])

    def lie(method: str, answer: Any) -> Any:
        if method == "eth_getBlockByNumber" and int(answer["number"], 16) == 5:
            return copy.deepcopy(other)
        return answer

    assert "block number" in failed(audit_through(lab, lie))


# ----------------------------------------------------------------------------------------------- leaf files


def leaf_file(lab: Lab, folder: Path, change: Callable[[list[dict[str, Any]]], None] | None = None) -> Path:
    batches = [batch.to_json() for batch in lab.batches.values()]
    if change:
        change(batches)
    path = folder / "leaves.jsonl"
    path.write_text("\n".join(json.dumps(batch) for batch in batches), encoding="utf-8")
    return path


def test_leaves_match_the_transfers(lab: Lab, tmp_path: Path) -> None:
    report = audit(lab.url, lab.deployment, leaf_files=[leaf_file(lab, tmp_path).parent])
    assert report.verdict == "PASS"
    assert report.leaves == sum(len(batch.leaves) for batch in lab.batches.values())
    assert report.batches_without_leaves == 0


def test_batches_without_leaves_are_counted(lab: Lab, tmp_path: Path) -> None:
    report = audit(lab.url, lab.deployment, leaf_files=[leaf_file(lab, tmp_path, lambda batches: batches.pop())])
    assert report.verdict == "INCOMPLETE"
    assert report.batches_without_leaves == 1


def _other_amount(batches: list[dict[str, Any]]) -> None:
    batches[0]["leaves"][0]["amount"] = "1"


def _same_grant(batches: list[dict[str, Any]]) -> None:
    batches.append(copy.deepcopy(batches[0]))


def _unknown_batch(batches: list[dict[str, Any]]) -> None:
    batches[0]["number"] = "77"


def _no_leaf(batches: list[dict[str, Any]]) -> None:
    batches[0]["leaves"].pop()


def _no_field(batches: list[dict[str, Any]]) -> None:
    del batches[0]["leaves"][0]["commitment"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_other_amount, "evidence root of batch 1 of programme 1"),
        (_same_grant, "twice"),
        (_unknown_batch, "leaves of batch 77 of programme 1"),
        (_no_leaf, "evidence root"),
        (_no_field, "leaf file"),
    ],
)
def test_leaves_that_do_not_fit_are_caught(
    lab: Lab, tmp_path: Path, change: Callable[[list[dict[str, Any]]], None], what: str
) -> None:
    assert what in failed(audit(lab.url, lab.deployment, leaf_files=[leaf_file(lab, tmp_path, change)]))


def test_the_lots_used_here_exist(lab: Lab) -> None:
    """The parametrised slots above must be real, or their tests would write to nothing."""
    report = audit(lab.url, lab.deployment)
    assert lab.batches[VOLUNTEER, 1].quarter == QUARTER
    assert report.programmes["volunteer"].batches == 3
    assert {TRAFFIC, RESIDENCE} <= {listed.id for listed in lab.deployment.programmes}
