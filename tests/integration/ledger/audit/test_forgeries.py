"""What a chain's owner, a node or an agency may forge: each gives FAIL or INCOMPLETE, none gives PASS."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.audit import AuditReport, auditor
from ledger.audit.calls import read_calls
from ledger.chain.rpc import RpcError, RpcReason
from ledger.deployment import artifacts
from ledger.deployment.deploy import EXCHANGE, FINANCE
from ledger.proofs.layout import Layout
from ledger.standard.ids import ProgrammeId
from ledger.standard.keccak import keccak256
from ledger.standard.typed_data import MintBatch
from tests.integration.ledger.audit.forger import (
    LyingNode,
    forged_chain,
    member_slot,
    resign,
    send_as,
    send_plain,
    undone,
    write_word,
)
from tests.integration.ledger.audit.lab import Lab, key
from tests.integration.ledger.audit.life import ENVIRONMENTAL, VOLUNTEER

KEYS = (
    "relayer",
    "council",
    "finance",
    "registrar",
    "guardian",
    "supervisor",
    "desk",
    "other desk",
    "arbiter",
    "deployer",
)
ONE_EXCHANGE = 57 + 2 + 65
"""Bytes of a call with one exchange order."""
STRANGER = key("stranger")


def audit_with(lab: Lab, rpc: Any, leaves: Path, deployment: Any = None) -> AuditReport:
    return auditor.Audit(rpc, deployment or lab.deployment, auditor.silent).run(None, [leaves])


def refused(report: AuditReport) -> str:
    assert report.verdict == "FAIL"
    assert not report.ok
    found = report.contradiction
    assert found is not None
    return f"{found.what} | {found.where} | {found.expected} | {found.found}"


def test_the_truth_passes_through_the_same_doors(lab: Lab, leaves: Path) -> None:
    """Without this the tests below would prove nothing."""
    assert audit_with(lab, lab.engine.rpc, leaves).verdict == "PASS"
    report = audit_with(lab, forged_chain(lab.engine.rpc, lambda _transaction, _receipt: None), leaves)
    assert (report.contradiction, report.verdict) == (None, "PASS")


# ------------------------------------------------------------------------------------------- signed by nobody


def signatures_in(lab: Lab, contract: str, function: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """A change that garbles the last signature in the first successful call of a function; its events stay.

    Of exchanges the first call with one order: the others end with one that is refused.
    """
    names = {lab.address(name): name for name in lab.deployment.contracts}
    names |= {bytes.fromhex(past.address[2:]): past.name for past in lab.deployment.replaced}
    senders = {key(name).address.lower(): key(name) for name in KEYS}
    senders |= {resident.address.lower(): resident for resident in lab.residents}
    done = False

    def change(transaction: dict[str, Any], receipt: dict[str, Any]) -> None:
        nonlocal done
        if done or transaction["to"] is None or receipt["status"] != "0x1" or not receipt["logs"]:
            return
        data = bytes.fromhex(transaction["input"][2:])
        target = bytes.fromhex(transaction["to"][2:])
        call: Any = next(iter(read_calls(names, bytes(20), target, data)), None)
        if call is None or (call.contract, call.function) != (contract, function):
            return
        if contract == "Exchange" and len(call.args["packed"]) != ONE_EXCHANGE:
            return
        done = True
        packed: bytes = call.args.get("packed") or call.args.get("signature") or call.args.get("consent")
        at = data.rindex(packed) + len(packed) - 40
        data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        resign(transaction, senders[transaction["from"]], data)
        receipt["transactionHash"] = transaction["hash"]

    return change


SIGNED = [
    ("PointsLedger", "mint", "signer of batch"),
    ("PointsLedger", "voidBatch", "signer of void"),
    ("PointsLedger", "revoke", "signer of revocation"),
    ("Exchange", "execute", "signature of"),
    ("Redemption", "execute", "signature of"),
    ("Redemption", "hold", "signature of"),
    ("Redemption", "capture", "signature of"),
    ("Redemption", "release", "signature of"),
    ("Redemption", "refund", "signature of"),
    ("Redemption", "arbiterRefund", "signature of"),
    ("Succession", "requestSuccession", "signature of"),
    ("Succession", "objectTo", "signature of"),
]


@pytest.mark.parametrize(("contract", "function", "what"), SIGNED, ids=lambda value: value if "." not in value else "")
def test_what_nobody_signed_is_refused_though_every_root_agrees(
    lab: Lab, leaves: Path, contract: str, function: str, what: str
) -> None:
    """Code that skips the check of signatures may run for one block and be put back: the bytes stay in calldata."""
    rpc = forged_chain(lab.engine.rpc, signatures_in(lab, contract, function))
    assert what in refused(audit_with(lab, rpc, leaves))


def test_a_batch_by_a_stranger_that_the_event_gives_to_the_true_issuer_is_refused(lab: Lab, leaves: Path) -> None:
    """A well-formed mint with a signature that is some key's, and BatchMinted names the issuer."""
    batch = lab.batches[VOLUNTEER, 1]
    signed = MintBatch(ProgrammeId(VOLUNTEER), batch.quarter, 1, batch.tree.root, keccak256(batch.grants))
    forged = STRANGER.sign_digest(signed.digest(lab.deployment.domain()))
    own = lab.data("PointsLedger", "mint", (batch.struct, lab.sign(f"issuer {VOLUNTEER}", signed)))
    other = lab.data("PointsLedger", "mint", (batch.struct, forged))

    def change(transaction: dict[str, Any], receipt: dict[str, Any]) -> None:
        if transaction["input"] == "0x" + own.hex():
            resign(transaction, key("relayer"), other)
            receipt["transactionHash"] = transaction["hash"]

    found = refused(audit_with(lab, forged_chain(lab.engine.rpc, change), leaves))
    assert "signer of batch 1 of programme 1" in found
    assert STRANGER.address in found


# -------------------------------------------------------------------------------- power that nobody was given


def write(lab: Lab, contract: str, slot: int, word: int) -> int:
    """Write a word of a contract's storage; return what was there."""
    return write_word(lab.engine.rpc, lab.deployment.address(contract), slot, word)


def test_an_administrator_written_into_storage_is_found(lab: Lab, leaves: Path) -> None:
    with undone(lab.engine.rpc):
        write(lab, "AccessManager", member_slot(0, STRANGER.address), 1)
        lab.engine.rpc.call("evm_mine")
        assert "storage of AccessManager" in refused(audit_with(lab, lab.engine.rpc, leaves))


def test_what_a_forged_administrator_did_in_ordinary_transactions_is_refused(lab: Lab, leaves: Path) -> None:
    """The word is put back afterwards, so that storage at the end looks clean."""
    slot = member_slot(0, STRANGER.address)
    for function, args in (
        ("AccessManager.grantRole", (EXCHANGE, STRANGER.address, 0)),
        ("PointsLedger.addIssuerKey", (VOLUNTEER, STRANGER.address)),
    ):
        contract, _, name = function.partition(".")
        with undone(lab.engine.rpc):
            before = write(lab, "AccessManager", slot, 1)
            send_plain(lab.engine.rpc, STRANGER, lab.deployment.address(contract), lab.data(contract, name, args))
            write(lab, "AccessManager", slot, before)
            lab.engine.rpc.call("evm_mine")
            found = refused(audit_with(lab, lab.engine.rpc, leaves))
        assert f"who calls {function}" in found
        assert STRANGER.address in found


@pytest.mark.parametrize(
    ("contract", "function", "args"),
    [
        ("PointsLedger", "addIssuerKey", (ENVIRONMENTAL, STRANGER.address)),
        ("PointsLedger", "setRebirthCap", (1,)),
        ("Exchange", "setResidentCap", (1,)),
        ("ClearingBook", "setArbiterKey", (STRANGER.address,)),
        ("ClearingBook", "setTerms", ((86_400, 0),)),
        ("AccessManager", "grantRole", (FINANCE, STRANGER.address, 0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_council_did_without_a_decision_is_refused(
    lab: Lab, leaves: Path, contract: str, function: str, args: tuple[Any, ...]
) -> None:
    """The call comes from the council's address, and no proposal was carried out."""
    rpc, council = lab.engine.rpc, lab.deployment.address("Council")
    with undone(lab.engine.rpc):
        send_as(rpc, council, lab.deployment.address(contract), lab.data(contract, function, args))
        found = refused(audit_with(lab, rpc, leaves))
    assert "transaction" in found or f"who calls {contract}.{function}" in found


@pytest.mark.parametrize(
    ("contract", "label", "word"),
    [
        ("Exchange", "_authority", 7),
        ("Exchange", "_residentCapFen", 1),
        ("Redemption", "pausedUntil", 1 << 168),
        ("Succession", "_authority", 7),
        ("Council", "threshold", 0),
        ("Council", "_lastJoining", 9),
        ("ClearingBook", "arbiterKey", 7),
        ("AccessManager", "_executionId", 7),
        ("PointsLedger", "_exchangeBegun", 7),
    ],
)
def test_storage_of_every_contract_is_held_to_the_replay(
    lab: Lab, leaves: Path, contract: str, label: str, word: int
) -> None:
    with undone(lab.engine.rpc):
        write(lab, contract, Layout.load(contract).at(label), word)
        lab.engine.rpc.call("evm_mine")
        assert contract in refused(audit_with(lab, lab.engine.rpc, leaves))


def test_nonces_that_no_call_spent_are_found(lab: Lab, leaves: Path) -> None:
    """A retired account's too, though they harm nobody: no contract can spend them out of sight."""
    key_of_word = VOLUNTEER << 32 | 40
    slot = Layout.load("PointsLedger").at("_lanes", key_of_word, bytes.fromhex(lab.residents[0].address[2:]))
    with undone(lab.engine.rpc):
        assert write(lab, "PointsLedger", slot, (2**64 - 1) << 192) == 0
        lab.engine.rpc.call("evm_mine")
        assert "storage of PointsLedger" in refused(audit_with(lab, lab.engine.rpc, leaves))


# ------------------------------------------------------------------------------------------------ lying nodes


@pytest.mark.parametrize("field", ["to", "from", "input", "nonce", "value"])
def test_another_member_of_a_transaction_is_refused(lab: Lab, leaves: Path, field: str) -> None:
    """Who hides that a call goes to a module would hide every signature in it."""
    redemption = lab.deployment.address("Redemption").lower()

    def lie(method: str, params: Any, answer: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[1]:
            for transaction in answer["transactions"]:
                if transaction["to"] == redemption:
                    transaction[field] = {
                        "to": "0x" + "11" * 20,
                        "from": "0x" + "11" * 20,
                        "input": transaction["input"] + "00",
                        "nonce": "0xffff",
                        "value": "0x1",
                    }[field]
        return answer

    found = refused(audit_with(lab, LyingNode(lab.engine.rpc, lie), leaves))
    assert ("sender of a transaction" if field == "from" else "transactions of block") in found


def test_a_node_without_proofs_leaves_the_audit_incomplete(lab: Lab, leaves: Path) -> None:
    def lie(method: str, _params: Any, answer: Any) -> Any:
        if method == "eth_getProof":
            raise RpcError(RpcReason.METHOD_NOT_FOUND, "no such method", method=method)
        return answer

    report = audit_with(lab, LyingNode(lab.engine.rpc, lie), leaves)
    assert (report.verdict, report.contradiction, report.ok) == ("INCOMPLETE", None, False)
    [skipped] = report.skipped
    assert "eth_getProof" in skipped
    assert "PointsLedger" in skipped


def test_hidden_newest_blocks_fail_who_knows_one_of_them(lab: Lab, leaves: Path) -> None:
    rpc = lab.engine.rpc
    height = int(rpc.call("eth_blockNumber"), 16)
    newest = rpc.call("eth_getBlockByNumber", [hex(height), False])["hash"]

    def lie(method: str, _params: Any, answer: Any) -> Any:
        return hex(height - 3) if method == "eth_blockNumber" else answer

    def audited(node: Any) -> AuditReport:
        return auditor.Audit(node, lab.deployment, auditor.silent).run(None, [leaves], newest)

    assert audited(rpc).verdict == "PASS"
    assert "block that is known" in refused(audited(LyingNode(rpc, lie)))


# ---------------------------------------------------------------------------------- evidence and the city's file


def test_a_leaf_file_that_is_not_there_leaves_the_audit_incomplete(lab: Lab, tmp_path: Path) -> None:
    batch = lab.batches[VOLUNTEER, 1]
    (tmp_path / "one.json").write_text(json.dumps(batch.to_json()), encoding="utf-8")
    report = audit_with(lab, lab.engine.rpc, tmp_path)
    assert report.verdict == "INCOMPLETE"
    assert report.skipped == [f"evidence of {len(lab.batches) - 1} batches: no leaf file has them"]


def test_no_leaf_files_at_all_leave_the_audit_incomplete(lab: Lab) -> None:
    report = auditor.Audit(lab.engine.rpc, lab.deployment, auditor.silent).run(None, None)
    assert report.verdict == "INCOMPLETE"
    assert report.skipped == [f"evidence of {len(lab.batches)} batches: no leaf files were given"]


def test_a_leaf_file_with_another_root_is_refused(lab: Lab, tmp_path: Path) -> None:
    document = lab.batches[VOLUNTEER, 1].to_json() | {"root": "0x" + "11" * 32}
    (tmp_path / "one.json").write_text(json.dumps(document), encoding="utf-8")
    assert "root of batch 1 of programme 1" in refused(audit_with(lab, lab.engine.rpc, tmp_path))


def test_a_malformed_leaf_file_is_refused_in_words(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text("{}", encoding="utf-8")
    found = refused(audit_with(lab, lab.engine.rpc, tmp_path))
    assert "a member 'programme'" in found


def test_a_deployment_file_with_another_merchant_s_key_is_refused(lab: Lab, leaves: Path) -> None:
    first = replace(lab.deployment.merchants[0], key=STRANGER.address)
    deployment = replace(lab.deployment, merchants=(first, *lab.deployment.merchants[1:]))
    assert f"key of merchant {first.slug}" in refused(audit_with(lab, lab.engine.rpc, leaves, deployment))


def test_a_deployment_file_without_a_programme_is_refused(lab: Lab, leaves: Path) -> None:
    deployment = replace(lab.deployment, programmes=lab.deployment.programmes[1:])
    assert "programme 1 | deployment file" in refused(audit_with(lab, lab.engine.rpc, leaves, deployment))


def test_a_deployment_file_that_forgets_a_replaced_module_is_refused(lab: Lab, leaves: Path) -> None:
    deployment = replace(lab.deployment, replaced=())
    refused(audit_with(lab, lab.engine.rpc, leaves, deployment))


def test_the_artifacts_of_the_lab_are_those_that_are_audited() -> None:
    assert set(auditor._NEEDED) <= {path.stem for path in artifacts.folder().glob("*.json")}
