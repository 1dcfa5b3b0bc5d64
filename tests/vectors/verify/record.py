"""Record receipts of a real chain, of every kind and seal, and changes of them that must be refused.

    python -m tests.vectors.verify.record       write vectors.json and deployment.json beside this file

``receipts`` are recorded; each of ``vectors`` names one, a change of it (a path and what to set there, or that the
list there loses its last item), the validators that the verifier trusts (null: none) and whether the verifier has the
deployment file. What must come out is ``ok``, the seal in words, or where the refusal begins. They hold without a
chain, for any implementation; they are recorded anew when the contracts' events or storage change.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ledger.proofs.receipt import verify_receipt
from tests.integration.ledger.audit.lab import Lab
from tests.integration.ledger.audit.life import live
from tests.integration.ledger.proofs.test_receipt import grant_of, payment_of, plain_header, receipt_of, resealed
from tests.unit.ledger.proofs.changes import Change, Json, changed
from tests.unit.ledger.proofs.qbft import keys, seal_clique, seal_qbft

HERE = Path(__file__).resolve().parent
VALIDATORS = [key.address for key in keys(4)]


def main() -> int:
    """Write the files; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab.open(Path(folder))
        try:
            live(lab)
            receipts = _receipts(lab)
            vectors = [_judged(vector, receipts, lab) for vector in _vectors(receipts)]
            lab.deployment.write(HERE / "deployment.json")
        finally:
            lab.close()
    wrong = [vector["name"] for vector in vectors if vector["ok"] != vector.pop("meant")]
    text = json.dumps({"receipts": receipts, "vectors": vectors}, ensure_ascii=False, indent=1) + "\n"
    (HERE / "vectors.json").write_text(text, encoding="utf-8")
    if wrong:
        print(f"not what they were meant to show: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


def _receipts(lab: Lab) -> dict[str, Json]:
    receipts = {
        "exchange": receipt_of(lab, "Exchange", "Exchanged"),
        "redemption": receipt_of(lab, "Redemption", "Redeemed"),
        "capture": receipt_of(lab, "Redemption", "Captured"),
        "refund": receipt_of(lab, "Redemption", "Refunded"),
        "grant": grant_of(lab),
        "payment": payment_of(lab),
    }
    payment, validators, strangers = receipts["payment"], keys(4), keys(8)[4:]
    header = plain_header(payment)
    return receipts | {
        "payment, QBFT, 3 of 4": resealed(payment, seal_qbft(header, validators, validators[:3], round_number=2)),
        "payment, QBFT, 2 of 4": resealed(payment, seal_qbft(header, validators, validators[:2])),
        "payment, QBFT, strangers": resealed(payment, seal_qbft(header, strangers, strangers)),
        "payment, Clique": resealed(payment, seal_clique(header, validators[0])),
    }


def _vectors(receipts: Mapping[str, Json]) -> Iterator[Json]:
    for name, changes in _CHANGES.items():
        yield _vector(name, "a development chain", meant=True)
        yield _vector(name, "without the deployment file", meant=True, has_file=False)
        upper = "0x" + receipts[name]["block"]["hash"][2:].upper()
        for what, change in (*_ANY, *changes, ("upper-case digits", _set("block", "hash", to=upper))):
            yield _vector(name, what, change=change, meant=False)
    strangers = [key.address for key in keys(8)[4:]]
    yield _vector("payment, QBFT, 3 of 4", "a quorum", VALIDATORS, meant=True)
    yield _vector("payment, QBFT, 3 of 4", "nobody is trusted", meant=True)
    yield _vector("payment, QBFT, 2 of 4", "too few", VALIDATORS, meant=False)
    yield _vector("payment, QBFT, strangers", "other validators", VALIDATORS, meant=False)
    yield _vector("payment", "no seals where validators are trusted", VALIDATORS, meant=False)
    yield _vector("payment, Clique", "nothing follows", VALIDATORS, meant=True)
    yield _vector("payment, Clique", "by a stranger", strangers, meant=False)


def _vector(
    receipt: str,
    what: str,
    validators: list[str] | None = None,
    *,
    meant: bool,
    has_file: bool = True,
    change: Change = None,
) -> Json:
    return {
        "name": f"{receipt}: {what}",
        "receipt": receipt,
        "change": change,
        "validators": validators,
        "has_deployment": has_file,
        "meant": meant,
    }


def _judged(vector: Json, receipts: Mapping[str, Json], lab: Lab) -> Json:
    deployment = lab.deployment if vector["has_deployment"] else None
    receipt = changed(receipts[vector["receipt"]], vector["change"])
    found = verify_receipt(receipt, vector["validators"], deployment)
    where = None if found.reason is None else found.reason.partition(":")[0]
    return vector | {"ok": found.ok, "seal": None if found.seal is None else str(found.seal), "refused_at": where}


def _set(*path: str, to: Any) -> Change:
    return {"path": list(path), "set": to}


def _cut(*path: str) -> Change:
    return {"path": list(path), "drop_last": True}


_ANY: tuple[tuple[str, Change], ...] = (
    ("another format", _set("format", to="tongdui-receipt-1")),
    ("a number that is no text", _set("block", "number", to=7)),
    ("a member that nobody knows", _set("more", to="1")),
    ("another salt", _set("installation", "salt", to="0x" + "11" * 32)),
    ("a time that the header does not have", _set("block", "timestamp", to="1")),
)
_EVENT: tuple[tuple[str, Change], ...] = (
    ("another value", _set("event", "args", "fen", to="99999999")),
    ("another place in the block", _set("proof", "transaction_index", to="9")),
    ("another log", _set("proof", "log_position", to="0")),
    ("a path without its end", _cut("proof", "receipt_path")),
)
_CHANGES: dict[str, tuple[tuple[str, Change], ...]] = {
    "exchange": (*_EVENT, ("an order of another nonce", _set("order", "terms", "nonce", to="77"))),
    "redemption": (*_EVENT, ("a signature of nobody", _set("order", "signature", to="0x" + "11" * 65))),
    "capture": _EVENT,
    "refund": _EVENT,
    "grant": (
        ("another amount", _set("grant", "leaf", "amount", to="999999")),
        ("another batch", _set("grant", "batch", "number", to="2")),
        ("other grants under the signature", _set("grant", "batch", "grants_hash", to="0x" + "11" * 32)),
        ("a Merkle path without its end", _cut("proof", "merkle_path")),
        ("a storage path without its end", _cut("proof", "storage_path")),
    ),
    "payment": (
        ("another value", _set("payment", "fen", to="99999999")),
        ("another merchant", _set("payment", "merchant", to="8")),
        ("another payer", _set("payment", "payer", to="0x" + "11" * 32)),
        ("another batch", _set("payment", "batch", to="2")),
        ("a Merkle path without its end", _cut("proof", "merkle_path")),
        ("another book", _set("installation", "book", to="0x" + "0" * 40)),
    ),
}


if __name__ == "__main__":
    sys.exit(main())
