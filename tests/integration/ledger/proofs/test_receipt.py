"""Receipts of a real chain: they verify without it, and no field of them can be changed unseen."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ledger.chain.rpc import RpcError
from ledger.proofs import document, receipts, seals, transactions
from ledger.proofs.errors import BadReceipt, UnprovableLog
from ledger.proofs.headers import Header, from_rlp
from ledger.proofs.kinds import event as event_kind
from ledger.proofs.receipt import (
    Verification,
    build_grant_receipt,
    build_payment_receipt,
    build_receipt,
    verify_receipt,
)
from ledger.proofs.seal import SealKind
from ledger.standard.evidence import MerkleTree, RedemptionReceipt, payer_of
from ledger.standard.ids import MerchantId, OrderId
from tests.integration.ledger.audit.lab import Lab
from tests.unit.ledger.proofs.qbft import keys, seal_clique, seal_qbft

Json = dict[str, Any]


def logs_of(lab: Lab, contract: str, name: str) -> list[Json]:
    """All logs of an event, of a replaced module too."""
    from ledger.deployment import artifacts

    past = [each.address for each in lab.deployment.replaced if each.name == contract]
    wanted = {
        "address": [lab.deployment.address(contract), *past],
        "topics": ["0x" + artifacts.event_topic(contract, name).hex()],
        "fromBlock": "0x0",
        "toBlock": "latest",
    }
    found: list[Json] = lab.engine.rpc.call("eth_getLogs", [wanted])
    return found


def receipt_of(lab: Lab, contract: str, name: str, at: int = 0) -> Json:
    log = logs_of(lab, contract, name)[at]
    made = build_receipt(lab.engine.rpc, lab.deployment, log["transactionHash"], int(log["logIndex"], 16))
    loaded: Json = json.loads(json.dumps(made))
    return loaded


def grant_of(lab: Lab) -> Json:
    batch = lab.batches[1, 1]
    made = build_grant_receipt(lab.engine.rpc, lab.deployment, batch.signed, batch.leaves[2], batch.tree.proof(2))
    loaded: Json = json.loads(json.dumps(made))
    return loaded


def payment_of(lab: Lab) -> Json:
    """The receipt of the first order of a batch of two, for its shop."""
    batch, paid, tree = paid_batch(lab)
    made = build_payment_receipt(lab.engine.rpc, lab.deployment, batch, paid, tree.proof(0))
    loaded: Json = json.loads(json.dumps(made))
    return loaded


def paid_batch(lab: Lab) -> tuple[int, RedemptionReceipt, MerkleTree]:
    """The first batch of receipts, rebuilt from its events and what the life paid."""
    logs = logs_of(lab, "Redemption", "RedemptionBatch")
    block = lab.engine.rpc.call("eth_getBlockByNumber", [logs[0]["blockNumber"], False])
    redeemed = [
        log for log in logs_of(lab, "Redemption", "Redeemed") if log["transactionHash"] == logs[0]["transactionHash"]
    ]
    holders = (lab.residents[2].address, lab.residents[0].address)
    paid = [
        RedemptionReceipt(
            OrderId(bytes.fromhex(log["topics"][1][2:])),
            holder,
            MerchantId(int(log["topics"][2], 16)),
            bytes.fromhex(log["data"][66:130]),
            int(log["data"][2:66], 16),
            int(block["timestamp"], 16),
        )
        for log, holder in zip(redeemed, holders, strict=True)
    ]
    return int(logs[0]["topics"][1], 16), paid[0], MerkleTree([one.hash() for one in paid], sort_leaves=False)


EVENTS = [
    ("Exchange", "Exchanged"),
    ("Exchange", "Rejected"),
    ("Redemption", "Redeemed"),
    ("Redemption", "Refunded"),
    ("Redemption", "Held"),
    ("Redemption", "Captured"),
    ("Redemption", "Released"),
    ("PointsLedger", "BatchMinted"),
    ("PointsLedger", "Revoked"),
    ("PointsLedger", "Transfer"),
    ("PointsLedger", "LotReborn"),
    ("ClearingBook", "PositionChanged"),
    ("ClearingBook", "PaidOut"),
    ("Succession", "SuccessionExecuted"),
    ("Council", "Executed"),
]


@pytest.mark.parametrize(("contract", "name"), EVENTS, ids=lambda value: value)
def test_a_receipt_verifies_without_a_network(proven_lab: Lab, contract: str, name: str) -> None:
    result = verify_receipt(receipt_of(proven_lab, contract, name), deployment=proven_lab.deployment)
    assert result.ok, result.reason
    assert result.subject == f"{contract}.{name}"
    assert result.seal is not None
    assert result.seal.kind is SealKind.NONE
    assert str(result.seal) == "included, not sealed"
    assert json.loads(json.dumps(result.to_json()))["ok"] is True


def test_an_exchange_receipt_carries_the_signed_order(proven_lab: Lab) -> None:
    receipt = receipt_of(proven_lab, "Exchange", "Exchanged")
    assert receipt["order"]["type"] == "ExchangeOrder"
    assert receipt["order"]["terms"]["holder"] == proven_lab.residents[0].address
    assert receipt["order"]["terms"]["amount"] == "333"
    assert receipt["event"]["args"]["fen"] == "66"
    result = verify_receipt(receipt, deployment=proven_lab.deployment)
    assert result.notes == ()


def test_without_a_deployment_the_verifier_is_told_what_is_only_claimed(proven_lab: Lab) -> None:
    result = verify_receipt(receipt_of(proven_lab, "Exchange", "Exchanged"))
    assert result.ok
    assert any("deployment file" in note for note in result.notes)


def test_a_grant_receipt_verifies_and_is_small(proven_lab: Lab) -> None:
    receipt = grant_of(proven_lab)
    result = verify_receipt(receipt, deployment=proven_lab.deployment)
    assert result.ok, result.reason
    assert result.kind == "grant"
    assert result.subject.startswith("grant of 10002 minor units")
    assert len(json.dumps(receipt)) < 20_000


def test_a_shop_proves_its_payment_without_learning_an_account(proven_lab: Lab) -> None:
    receipt = payment_of(proven_lab)
    result = verify_receipt(receipt, deployment=proven_lab.deployment)
    assert result.ok, result.reason
    assert result.kind == "payment"
    assert result.subject.startswith("payment of 116 fen to merchant 1 at 2026-03-02")
    _, paid, _ = paid_batch(proven_lab)
    assert receipt["payment"]["payer"] == "0x" + payer_of(paid.holder, paid.order_id).hex()
    assert paid.holder.lower()[2:] not in json.dumps(receipt).lower()
    assert len(json.dumps(receipt)) < 20_000


def test_a_payment_that_was_not_made_cannot_be_proven(proven_lab: Lab) -> None:
    batch, paid, tree = paid_batch(proven_lab)
    for number, other in ((batch, replace(paid, fen=paid.fen + 1)), (batch + 1, paid), (9_999, paid)):
        with pytest.raises((UnprovableLog, RpcError)):
            build_payment_receipt(proven_lab.engine.rpc, proven_lab.deployment, number, other, tree.proof(0))


@pytest.mark.parametrize(
    ("contract", "name", "change"),
    [
        ("Exchange", "Exchanged", {"fen": 99_999_999}),
        ("Exchange", "Exchanged", {"holder": bytes(20)}),
        ("Redemption", "Redeemed", {"fen": 99_999_999}),
        ("Redemption", "Redeemed", {"merchant": 8}),
        ("Redemption", "Redeemed", {"lotsHash": bytes(32)}),
        ("Redemption", "Captured", {"kept": 1 << 64 | 3}),
        ("Redemption", "Held", {"captureBy": 5}),
        ("Redemption", "Held", {"cancellable": False}),
        ("Redemption", "Released", {"merchant": 8}),
        ("Redemption", "Rejected", {"holder": bytes(20)}),
    ],
)
def test_an_invented_event_must_have_the_terms_of_the_signed_order(
    proven_lab: Lab, contract: str, name: str, change: Json
) -> None:
    """Anybody can make up a block without seals; the order that it claims to carry out was signed by its holder."""
    receipt = receipt_of(proven_lab, contract, name, -1 if name == "Rejected" else 0)
    assert receipt["order"] is not None
    parsed = document.parse(receipt)
    assert isinstance(parsed, document.EventReceipt)
    header = from_rlp(bytes.fromhex(parsed.proof.header[2:]))
    true = event_kind.check_event(parsed, header)
    forged = replace(true, values={**true.values, **change})
    event_kind.check_order(parsed, true, proven_lab.deployment, [])
    with pytest.raises(BadReceipt, match=rf"event\.args\.({'|'.join(change)}|lotsHash)"):
        event_kind.check_order(parsed, forged, proven_lab.deployment, [])


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of everything in a document that is not a container, and of the containers themselves."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))


def changed(document: Json, path: tuple[str | int, ...]) -> Iterator[Json]:
    """The document with the value at ``path`` altered, in each way that makes sense for it."""
    target: Any = document
    for step in path:
        target = target[step]
    variants: list[Any] = [None if target is not None else {}, [target]]
    if isinstance(target, str):
        digit = "0" if target[-1:] != "0" else "1"
        variants += [target[:-1] + digit, target + "0", target[:-1], target.upper() if target.upper() != target else ""]
    elif isinstance(target, int):
        variants += [target + 1, target - 1, str(target)]
    elif isinstance(target, list):
        variants += [target[:-1] if target else ["0x00"], [*target, *(target[-1:] or ["0x"])], target[::-1] or ["0x01"]]
    elif isinstance(target, dict):
        variants += [{**target, "more": "1"}, dict(list(target.items())[1:])]
    for variant in variants:
        if variant == target:
            continue
        copied = copy.deepcopy(document)
        place: Any = copied
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = variant
        yield copied


@pytest.mark.parametrize("kind", ["Exchanged", "Redeemed", "Refunded", "Captured", "grant", "payment"])
def test_no_field_can_be_changed_unseen(proven_lab: Lab, kind: str) -> None:
    if kind in ("grant", "payment"):
        receipt = grant_of(proven_lab) if kind == "grant" else payment_of(proven_lab)
    else:
        receipt = receipt_of(proven_lab, "Exchange" if kind == "Exchanged" else "Redemption", kind)
    assert verify_receipt(receipt, deployment=proven_lab.deployment).ok
    tried = 0
    for path in leaves(receipt):
        for forged in changed(receipt, path):
            # The order is an addition to an event: leaving it out, or its signature, takes nothing from the proof.
            if path == ("order",) and forged.get("order", forged) is None:
                continue
            result = verify_receipt(forged, deployment=proven_lab.deployment)
            assert not result.ok, (path, forged)
            assert result.reason
            tried += 1
    assert tried > 100


def test_every_byte_of_the_proof_counts(proven_lab: Lab) -> None:
    receipt = receipt_of(proven_lab, "Exchange", "Exchanged")
    texts = [("header", None)] + [("receipt_path", at) for at in range(len(receipt["proof"]["receipt_path"]))]
    for name, at in texts:
        text = receipt["proof"][name] if at is None else receipt["proof"][name][at]
        for place in range(2, len(text), 7):
            forged = copy.deepcopy(receipt)
            other = text[:place] + ("1" if text[place] != "1" else "2") + text[place + 1 :]
            if at is None:
                forged["proof"][name] = other
            else:
                forged["proof"][name][at] = other
            assert not verify_receipt(forged, deployment=proven_lab.deployment).ok, (name, at, place)


def test_an_event_cannot_be_taken_for_another_of_the_same_transaction(proven_lab: Lab) -> None:
    first, second = (receipt_of(proven_lab, "Exchange", "Exchanged", at) for at in (0, 1))
    assert first["proof"]["receipt_path"] == second["proof"]["receipt_path"]
    mixed = copy.deepcopy(first)
    mixed["proof"]["log_position"] = second["proof"]["log_position"]
    result = verify_receipt(mixed, deployment=proven_lab.deployment)
    assert result.reason is not None
    assert "event" in result.reason


def test_a_receipt_of_another_installation_is_refused(proven_lab: Lab) -> None:
    receipt = receipt_of(proven_lab, "PointsLedger", "Transfer")
    other = replace(proven_lab.deployment, salt="0x" + "11" * 32)
    assert verify_receipt(receipt).ok
    assert not verify_receipt(receipt, deployment=other).ok


def test_the_order_ties_an_exchange_to_its_installation_even_without_the_file(proven_lab: Lab) -> None:
    for field, value in (("chain_id", "1"), ("salt", "0x" + "11" * 32), ("ledger", proven_lab.residents[0].address)):
        receipt = receipt_of(proven_lab, "Exchange", "Exchanged")
        receipt["installation"][field] = value
        assert not verify_receipt(receipt).ok


def test_nonsense_is_refused_with_a_reason(proven_lab: Lab) -> None:
    for nonsense in ({}, {"kind": "event"}, {"kind": "other"}, {"format": 1}):
        result = verify_receipt(nonsense)
        assert not result.ok
        assert result.reason


def test_a_log_that_is_not_there_cannot_be_proven(proven_lab: Lab) -> None:
    log = logs_of(proven_lab, "Exchange", "Exchanged")[0]
    with pytest.raises(UnprovableLog):
        build_receipt(proven_lab.engine.rpc, proven_lab.deployment, log["transactionHash"], 10_000)
    with pytest.raises(UnprovableLog):
        build_receipt(proven_lab.engine.rpc, proven_lab.deployment, "0x" + "12" * 32, 0)


def test_a_grant_that_is_not_in_the_batch_cannot_be_proven(proven_lab: Lab) -> None:
    batch = proven_lab.batches[1, 1]
    more = replace(batch.leaves[2], amount=batch.leaves[2].amount + 1)
    with pytest.raises(UnprovableLog):
        build_grant_receipt(proven_lab.engine.rpc, proven_lab.deployment, batch.signed, more, batch.tree.proof(2))
    for other in (proven_lab.batches[1, 2].signed, replace(batch.signed, number=99)):
        proof = (batch.leaves[2], batch.tree.proof(2))
        with pytest.raises((UnprovableLog, RpcError)):
            build_grant_receipt(proven_lab.engine.rpc, proven_lab.deployment, other, *proof)


def test_transactions_and_receipts_of_every_block_give_its_roots(proven_lab: Lab) -> None:
    rpc = proven_lab.engine.rpc
    height = int(rpc.call("eth_blockNumber"), 16)
    for number in range(1, height + 1):
        block = rpc.call("eth_getBlockByNumber", [hex(number), True])
        header, digest = seals.checked_header(block)
        assert "0x" + digest.hex() == block["hash"]
        hashes = [transaction["hash"] for transaction in block["transactions"]]
        assert receipts.trie_of(receipts.read(rpc, number, hashes)).root == header.receipts_root
        assert transactions.trie_of(block["transactions"]).root == header.transactions_root
        for transaction in block["transactions"]:
            assert "0x" + transactions.sender_of(transaction).hex() == transaction["from"]


# ---------------------------------------------------------------------------------------------------- seals


def resealed(receipt: Json, header: Header, following: tuple[Header, ...] = ()) -> Json:
    """The receipt as if its block had been made by another protocol: the roots stay, marks and seals change."""
    made = copy.deepcopy(receipt)
    made["proof"]["header"] = "0x" + header.encode().hex()
    made["proof"]["following"] = ["0x" + block.encode().hex() for block in following]
    made["block"]["hash"] = "0x" + seals.block_hash(header).hex()
    return made


def plain_header(receipt: Json) -> Header:
    header = from_rlp(bytes.fromhex(receipt["proof"]["header"][2:]))
    return Header((*header.fields[:7], b"\1", *header.fields[8:13], bytes(32), *header.fields[14:]))


def verified(receipt: Json, validators: list[str] | None) -> Verification:
    return verify_receipt(receipt, validators)


@pytest.mark.parametrize("kind", ["event", "grant", "payment"])
def test_a_qbft_receipt_needs_a_quorum_of_the_trusted_validators(proven_lab: Lab, kind: str) -> None:
    receipt = grant_of(proven_lab) if kind == "grant" else receipt_of(proven_lab, "Redemption", "Redeemed")
    validators = keys(4)
    names = [key.address for key in validators]
    sealed = resealed(receipt, seal_qbft(plain_header(receipt), validators, validators[:3], round_number=2))
    result = verified(sealed, names)
    assert result.ok, result.reason
    assert str(result.seal) == "sealed by 3 of 4 validators"
    few = verified(resealed(receipt, seal_qbft(plain_header(receipt), validators, validators[:2])), names)
    assert not few.ok
    strangers = keys(8)[4:]
    forged = resealed(receipt, seal_qbft(plain_header(receipt), strangers, strangers))
    assert not verified(forged, names).ok


def test_a_qbft_receipt_without_a_trusted_set_says_that_it_names_its_own(proven_lab: Lab) -> None:
    receipt = receipt_of(proven_lab, "Redemption", "Redeemed")
    validators = keys(4)
    sealed = resealed(receipt, seal_qbft(plain_header(receipt), validators, validators))
    result = verified(sealed, None)
    assert result.ok
    assert result.seal is not None
    assert result.seal.kind is SealKind.SELF_NAMED_QUORUM
    assert "itself names" in result.summary


def test_a_development_chain_is_never_taken_for_a_sealed_one(proven_lab: Lab) -> None:
    receipt = receipt_of(proven_lab, "Redemption", "Redeemed")
    assert not verified(receipt, [key.address for key in keys(4)]).ok


def test_a_clique_receipt_has_a_depth_and_never_a_quorum(proven_lab: Lab) -> None:
    receipt = receipt_of(proven_lab, "Redemption", "Redeemed")
    signers = keys(2)
    block = seal_clique(plain_header(receipt), signers[0])
    chain = [block]
    for number in range(1, 4):
        base = chain[-1].fields
        height = (chain[-1].number + 1).to_bytes(2, "big").lstrip(b"\0")
        following = Header((seals.block_hash(chain[-1]), *base[1:8], height, *base[9:]))
        chain.append(seal_clique(following, signers[number % 2]))
    sealed = resealed(receipt, block, tuple(chain[1:]))
    names = [key.address for key in signers]
    assert str(verified(sealed, names).seal) == "depth 3"
    assert str(verified(resealed(receipt, block), names).seal) == "depth 0"
    assert not verified(resealed(receipt, block, tuple(chain[2:])), names).ok
    assert not verified(sealed, names[:1]).ok
