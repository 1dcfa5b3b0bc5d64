from __future__ import annotations

from ledger.standard.contract import BatchState
from ledger.standard.evidence import EvidenceLeaf, MerkleTree
from ledger_api.ports import OrderOnChain
from tests.unit.ledger_api.api import Api, problem

ORDER = b"\x11" * 32


def leaf(amount: int) -> EvidenceLeaf:
    return EvidenceLeaf(
        grant_id=amount.to_bytes(32, "big"),
        account="0x" + "Aa" * 20,
        token_id=(1 << 32) | 108,
        amount=amount,
        activity_code=b"VOL.HOUR".ljust(32, b"\0"),
        rulebook_version=1,
        commitment=b"\x02" * 32,
    )


def test_an_order_is_what_the_chain_says(api: Api) -> None:
    path = f"/v1/verify/orders/0x{ORDER.hex()}"
    assert api.get(path).json()["outcome"] == "unknown"
    api.chain.orders[ORDER] = OrderOnChain("redeem", 0, 2800, 5, b"\x03" * 32, b"\x04" * 32)
    found = api.get(path).json()
    assert (found["outcome"], found["kind"], found["fen"], found["final_block"]) == ("landed", "redeem", "2800", "7")
    api.chain.orders[ORDER] = OrderOnChain("rejected", 8, None, 5, b"\x03" * 32, b"\x04" * 32)
    rejected = api.get(path).json()
    assert (rejected["outcome"], rejected["reject_code"], rejected["fen"]) == ("rejected", 8, None)
    assert problem(api.get("/v1/verify/orders/0x12")) == (400, "/problems/malformed-id")


def test_a_batch_is_what_the_chain_says(api: Api) -> None:
    api.chain.batches[1, 5] = (BatchState.LANDED, b"\x05" * 32)
    api.chain.batches[1, 6] = (BatchState.VOID, bytes(32))
    assert api.get("/v1/verify/batches/1/4").json()["state"] == "unused"
    landed = api.get("/v1/verify/batches/1/5").json()
    assert (landed["state"], landed["evidence_root"]) == ("landed", "0x" + "05" * 32)
    assert api.get("/v1/verify/batches/1/6").json()["evidence_root"] is None


def test_a_grant_is_checked_by_its_path_to_the_batchs_root(api: Api) -> None:
    leaves = [leaf(amount) for amount in (100, 200, 300)]
    tree = MerkleTree([one.hash() for one in leaves])
    api.chain.batches[1, 5] = (BatchState.LANDED, tree.root)
    body = {
        "batch": "5",
        "leaf": {
            "grant_id": "0x" + leaves[1].grant_id.hex(),
            "account": leaves[1].account,
            "token_id": str(leaves[1].token_id),
            "amount": "200",
            "activity_code": "0x" + leaves[1].activity_code.hex(),
            "rulebook_version": 1,
            "commitment": "0x" + leaves[1].commitment.hex(),
        },
        "proof": ["0x" + node.hex() for node in tree.proof(1)],
    }
    assert api.client.post("/v1/verify/grants", json=body).json()["verdict"] == "PASS"
    forged = {**body, "leaf": {**body["leaf"], "amount": "201"}}  # type: ignore[dict-item]
    answer = api.client.post("/v1/verify/grants", json=forged).json()
    assert (answer["verdict"], "root" in answer["reason"]) == ("FAIL", True)
    elsewhere = api.client.post("/v1/verify/grants", json={**body, "batch": "6"}).json()
    assert elsewhere["verdict"] == "FAIL"


def test_a_receipt_passes_or_fails_with_its_reason(api: Api) -> None:
    good = api.client.post("/v1/verify/receipts", json={"order": "11"}).json()
    assert (good["verdict"], good["statement"]) == ("PASS", "what it says")
    bad = api.client.post("/v1/verify/receipts", json={}).json()
    assert (bad["verdict"], bad["reason"], bad["statement"]) == ("FAIL", "what it says", None)
