"""The shared vectors, held against the reference of these tests and against the Solidity libraries."""

from __future__ import annotations

from typing import Any

import pytest
from city import NOW, Payment, rejections, reverts
from clearing_office import pack_payouts
from eth_utils import keccak
from reference import (
    LEAF_TYPES,
    SCHEMAS,
    ZERO,
    Domain,
    ExchangeOrder,
    HoldOrder,
    MerkleTree,
    RedeemOrder,
    address_of,
    basket_fen,
    leaf_hash,
    lots_hash,
    pack_grants,
    pack_lots,
    pack_revocations,
    payer_of,
    prefix_word,
    quarter_end,
    quarter_of,
    receipt_hash,
    sign,
    to_fen_down,
    token_id,
    vectors,
)

TYPED = vectors("typed_data")
MESSAGES = TYPED["messages"]
DOMAIN = Domain(
    int(TYPED["domain"]["chainId"]),
    TYPED["domain"]["verifyingContract"],
    bytes.fromhex(TYPED["domain"]["salt"][2:]),
)


def value_of(value: Any) -> Any:
    """Return a vector's value as Python has it: numbers are written as strings."""
    if isinstance(value, str):
        return bytes.fromhex(value[2:]) if len(value) == 66 else value if value.startswith("0x") else int(value)
    if isinstance(value, list):
        return [value_of(item) for item in value]
    if isinstance(value, dict):
        return (value_of(value["id"]), value_of(value["amount"]))
    return value


def struct_hash(probe: Any, primary: str, fields: dict[str, Any]) -> bytes | None:
    """Return what the Solidity library makes of a message; None where it hashes bytes of what is signed itself."""
    values = list(fields.values())
    if primary == "MintBatch" or primary == "Revocation":
        return None
    if primary == "RedeemOrder":
        values[2] = pack_lots(values[2])
    if primary == "HoldOrder":
        values[2] = lots_hash(values[2])
    if "lastAmount" in fields:
        values = [fields["orderId"], prefix_word((fields["lots"], fields["lastAmount"]))]
    function = getattr(probe, primary[0].lower() + primary[1:])
    return bytes(function(values) if primary in ("ExchangeOrder", "HoldOrder") else function(*values))


@pytest.mark.parametrize("vector", MESSAGES, ids=lambda v: v["primaryType"])
def test_digest_and_signature_of_each_message(probe: Any, vector: dict[str, Any]) -> None:
    """EIP-712: Solidity, the reference and the vectors agree on digest and signature."""
    fields = {name: value_of(value) for name, value in vector["message"].items()}
    digest = bytes.fromhex(vector["digest"][2:])
    assert SCHEMAS[vector["primaryType"]] in vector["schema"]
    assert DOMAIN.digest(vector["primaryType"], **fields) == digest
    separator = probe.domainSeparator(DOMAIN.chain_id, DOMAIN.ledger, DOMAIN.salt)
    assert str(separator) == TYPED["domainSeparator"]
    struct = struct_hash(probe, vector["primaryType"], fields)
    assert struct is None or bytes(probe.digest(separator, struct)) == digest
    key = bytes.fromhex(TYPED["privateKey"][2:])
    assert address_of(key) == TYPED["signer"]
    assert sign(key, digest).hex() == vector["signature"][2:]


def test_a_batch_and_its_revocations_are_hashed_from_their_bytes(probe: Any) -> None:
    """The library is given the grants and the revocations themselves, and signs for their keccak256."""
    grants, revocations = pack_grants([("0x" + "ab" * 20, 7)]), pack_revocations([(0, 7, 2**16 - 1)])
    separator = probe.domainSeparator(DOMAIN.chain_id, DOMAIN.ledger, DOMAIN.salt)
    batch = (2**32 - 1, 121, 2**64 - 1, b"\x0e" * 32, grants)
    fields = {"programme": batch[0], "quarter": 121, "number": batch[2], "evidenceRoot": batch[3]}
    digest = DOMAIN.digest("MintBatch", **fields, grantsHash=keccak(grants))
    assert bytes(probe.digest(separator, probe.mintBatch(batch))) == digest
    digest = DOMAIN.digest("Revocation", programme=3, number=9, revocationsHash=keccak(revocations))
    assert bytes(probe.digest(separator, probe.revocation(3, 9, revocations))) == digest


def test_the_ledger_has_the_domain_that_is_signed(city: Any) -> None:
    """The separator of the deployed ledger, and its EIP-5267 description, are the reference's."""
    name, version, chain_id, ledger, salt = city.ledger.eip712Domain()[1:6]
    assert (name, version, chain_id, ledger) == ("Tongdui", "2", city.domain.chain_id, city.ledger.address)
    assert bytes(salt) == city.domain.salt
    assert str(city.ledger.eip712Domain()[0]) == "0x1f"
    assert list(city.ledger.eip712Domain()[6]) == []
    # A digest holds the separator, so an equal digest means an equal separator.
    expected = city.domain.digest("VoidBatch", programme=1, number=7)
    type_hash = keccak(text="VoidBatch(uint32 programme,uint64 number)")
    struct = keccak(type_hash + (1).to_bytes(32, "big") + (7).to_bytes(32, "big"))
    assert keccak(b"\x19\x01" + bytes(city.ledger.domainSeparator()) + struct) == expected


@pytest.mark.parametrize("tree", vectors("evidence")["trees"], ids=lambda t: f"{len(t['leaves'])} leaves")
def test_evidence_trees(probe: Any, tree: dict[str, Any]) -> None:
    """OpenZeppelin's StandardMerkleTree over evidence leaves."""
    hashes = []
    for entry in tree["leaves"]:
        leaf = [value_of(value) for value in entry["leaf"].values()]
        hashes.append(leaf_hash(LEAF_TYPES, leaf))
        assert "0x" + hashes[-1].hex() == entry["hash"] == str(probe.evidenceLeaf(leaf))
    built = MerkleTree(hashes)
    assert "0x" + built.root.hex() == tree["root"]
    for leaf, entry in zip(hashes, tree["leaves"], strict=True):
        assert ["0x" + node.hex() for node in built.proof(leaf)] == entry["proof"]


@pytest.mark.parametrize("tree", vectors("receipts")["trees"], ids=lambda t: f"{len(t['leaves'])} leaves")
def test_receipt_trees(probe: Any, tree: dict[str, Any]) -> None:
    """The same tree over receipts, in the order of execution."""
    hashes = []
    for entry in tree["leaves"]:
        leaf = [value_of(value) for value in entry["leaf"].values()]
        hashes.append(receipt_hash(leaf))
        assert "0x" + payer_of(leaf[1], leaf[0]).hex() == entry["payer"]
        assert "0x" + hashes[-1].hex() == entry["hash"] == str(probe.receiptLeaf(leaf))
    built = MerkleTree(hashes, sort=False)
    assert "0x" + built.root.hex() == tree["root"] == str(probe.receiptsRoot(hashes))
    for leaf, entry in zip(hashes, tree["leaves"], strict=True):
        assert ["0x" + node.hex() for node in built.proof(leaf)] == entry["proof"]


def test_values_round_down(probe: Any) -> None:
    """fen = floor(minor * par / 1e8), for every value of the vectors."""
    for vector in vectors("value")["values"]:
        minor, par, fen = (int(vector[name]) for name in ("minor", "par", "fen"))
        assert to_fen_down(minor, par) == fen == probe.toFenDown(minor, par)
        assert probe.toFenUp(minor, par) == -(-minor * par // 10**8)


def test_exchanges_round_down_twice(probe: Any) -> None:
    """out = floor(floor(in * parIn / 1e8) * 1e8 / parOut), for every exchange of the vectors."""
    for vector in vectors("value")["exchanges"]:
        minor_in, par_in, par_out, fen, out = (
            int(vector[name]) for name in ("minor_in", "par_in", "par_out", "fen", "minor_out")
        )
        assert probe.toFenDown(minor_in, par_in) == fen
        assert probe.toMinorDown(fen, par_out) == out


def test_baskets_are_floored_once() -> None:
    """Each lot's debit is the difference of two floors."""
    for vector in vectors("value")["baskets"]:
        lots = [(i << 32, int(lot["minor"])) for i, lot in enumerate(vector["lots"])]
        pars = {i: int(lot["par"]) for i, lot in enumerate(vector["lots"])}
        assert basket_fen(lots, pars) == [int(fen) for fen in vector["debits_fen"]]


PAYABLE = [
    basket
    for basket in vectors("value")["baskets"]
    if all(0 < int(lot["par"]) <= 10**11 and 0 < int(lot["minor"]) < 2**48 for lot in basket["lots"])
    and sum(int(fen) for fen in basket["debits_fen"]) >= 10
]


@pytest.mark.parametrize("basket", PAYABLE, ids=lambda basket: f"{len(basket['lots'])} lots")
def test_baskets_are_debited_so_on_chain(city: Any, basket: dict[str, Any]) -> None:
    """Each lot's programme owes the vector's debit, the merchant is owed their sum; a hold and its capture do the same,
    and a refund of all takes all back."""
    first, lots = 500, []
    for place, lot in enumerate(basket["lots"]):
        programme = first + place
        city.register(programme, int(lot["par"]), 8)
        city.appropriate(programme, 9 * 10**14)
        lots.append((programme << 32 | 121, int(lot["minor"])))
        city.mint(programme, 121, {city.ana.address: 2 * int(lot["minor"])})
    debits = [int(fen) for fen in basket["debits_fen"]]

    def owed() -> list[int]:
        return [-city.position(programme) for programme in range(first, first + len(lots))]

    tx = city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, lots)))
    assert (owed(), city.merchant_position(1)) == (debits, sum(debits))
    city.run_capture(city.signed_capture(city.place_hold(city.ana, lots)))
    assert (owed(), city.merchant_position(1)) == ([2 * fen for fen in debits], 2 * sum(debits))
    city.refund(Payment(city.receipt_of(tx, lots), (1, []), tuple(lots)))
    assert (owed(), city.merchant_position(1)) == (debits, sum(debits))


def with_value(vector: dict[str, Any]) -> bool:
    """Whether the basket can be paid with: 10 fen at least."""
    fen = sum(int(lot["par"]) * int(lot["minor"]) for lot in vector["lots"]) // 10**8
    return fen >= 10


REFUNDS = [vector for vector in vectors("clearing")["refunds"] if with_value(vector)]


def test_most_refunds_of_the_vectors_can_be_made_on_chain() -> None:
    assert len(REFUNDS) >= len(vectors("clearing")["refunds"]) - 2


@pytest.mark.parametrize("vector", REFUNDS, ids=lambda vector: str(vector["merchant_fen"]))
def test_refunds_give_back_as_in_the_vector(city: Any, vector: dict[str, Any]) -> None:
    """Down to the longer prefix first, then to the shorter: that step credits each programme what the vector says."""
    first, lots = 500, []
    for place, lot in enumerate(vector["lots"]):
        city.register(first + place, int(lot["par"]), 8)
        city.appropriate(first + place, 10**9)
        lots.append(((first + place) << 32 | 121, int(lot["minor"])))
        city.mint(first + place, 121, {city.ana.address: int(lot["minor"])})
    tx = city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, lots)))
    payment = Payment(city.receipt_of(tx, lots), (1, []), tuple(lots))

    def positions() -> list[int]:
        return [city.position(first + place) for place in range(len(lots))]

    longer, shorter = ((vector[name]["lots"], int(vector[name]["lastAmount"])) for name in ("kept_before", "kept"))
    if longer != (len(lots), lots[-1][1]):
        city.refund(payment, longer)
    before, earned = positions(), city.merchant_position(payment.receipt[2])
    city.refund(payment, shorter)
    given_back = [after - earlier for after, earlier in zip(positions(), before, strict=True)]
    assert given_back == [int(fen) for fen in vector["credits_fen"]]
    assert city.merchant_position(payment.receipt[2]) - earned == int(vector["merchant_fen"])


@pytest.mark.parametrize("place", range(3))
def test_exchanges_round_so_on_chain(city: Any, place: int) -> None:
    """Value and amount out of the vectors' exchanges between pars that the ledger takes."""
    rows = [
        {name: int(number) for name, number in row.items()}
        for row in vectors("value")["exchanges"]
        if 0 < int(row["minor_in"]) < 2**48 and 0 < int(row["minor_out"]) < 2**48
    ]
    payable = [row for row in rows if max(row["par_in"], row["par_out"]) <= 10**11 and row["par_in"] != row["par_out"]]
    row = payable[place * (len(payable) // 3)]
    for programme, par in ((500, row["par_in"]), (501, row["par_out"])):
        city.register(programme, par, 6)
        city.appropriate(programme, 9 * 10**14)
    city.mint(500, 121, {city.ana.address: row["minor_in"]})
    order = city.exchange_order(city.ana, 500 << 32 | 121, row["minor_in"], 501)
    city.run_exchange(city.signed(city.ana, order))
    assert city.balances(501 << 32 | 121, city.ana) == [row["minor_out"]]
    assert (city.position(500), city.position(501)) == (-row["fen"], row["fen"])


def test_quarters_end_at_midnight_in_utc_8(probe: Any) -> None:
    """Quarter ends and their inverse, leap years and centuries included."""
    for vector in vectors("quarters"):
        quarter, start, end = vector["quarter"], vector["start"], vector["end"]
        assert [probe.quarterOf(time) for time in (start, end - 1, end)] == [quarter, quarter, quarter + 1]
        assert quarter_of(start) == quarter
        late = [probe.expiryQuarter(time + 7 * 86_400) for time in (start, end - 1, end)]
        assert late == [quarter, quarter, quarter + 1]
        if quarter < 31_996:  # datetime ends with the year 9999
            assert quarter_end(quarter) == end


def test_packed_orders() -> None:
    """The packed encodings, byte by byte."""
    packed = vectors("packed")
    grants = [(grant["account"], int(grant["amount"])) for grant in packed["grants"]["grants"]]
    assert "0x" + pack_grants(grants).hex() == packed["grants"]["packed"]
    assert "0x" + keccak(pack_grants(grants)).hex() == packed["grants"]["hash"]
    revocations = [
        (entry["index"], int(entry["revokedTotal"]), entry["reason"]) for entry in packed["revocations"]["revocations"]
    ]
    assert "0x" + pack_revocations(revocations).hex() == packed["revocations"]["packed"]
    payouts = [(entry["merchant"], int(entry["fen"])) for entry in packed["payouts"]["payouts"]]
    assert "0x" + pack_payouts(payouts).hex() == packed["payouts"]["packed"]
    for kind, build in (("exchange", ExchangeOrder), ("redeem", RedeemOrder), ("hold", HoldOrder)):
        joined = b""
        for vector in packed[kind]["orders"]:
            signature = bytes.fromhex(vector["signature"][2:])
            fields = {name: value_of(value) for name, value in vector.items() if name != "signature"}
            joined += build(**fields).packed(signature)
        assert "0x" + joined.hex() == packed[kind]["packed"], kind
    fields = {n: value_of(v) for n, v in packed["hold"]["orders"][0].items() if n != "signature"}
    hold = HoldOrder(**fields)
    capture = packed["capture"]
    prefix = (capture["lots"], int(capture["lastAmount"]))
    signature = bytes.fromhex(capture["signature"][2:])
    assert "0x" + hold.packed_capture(prefix, signature).hex() == capture["packed"]
    assert "0x" + hold.packed(b"").hex() == packed["release"]["packed"]


REFUSALS = vectors("refusals")


@pytest.mark.parametrize("row", REFUSALS["malformed"], ids=lambda row: f"{row['kind']}: {row['why']}")
def test_what_is_malformed_is_refused_under_its_hash(city: Any, row: dict[str, Any]) -> None:
    """Alone, and at the end of a batch in which another was good."""
    function = {
        "exchange": city.exchange.execute,
        "redeem": city.redemption.execute,
        "hold": city.redemption.hold,
        "capture": city.redemption.capture,
        "release": city.redemption.release,
    }[row["kind"]]
    tx = function(row["packed"], city.by_operator)
    assert rejections(tx) == [(bytes.fromhex(row["id"][2:]), ZERO, row["code"])]
    lot = token_id(1, NOW)
    city.give(city.ana, lot, 1_000)
    packed = bytes.fromhex(row["packed"][2:])
    if row["kind"] == "exchange":
        tx = city.run_exchange(city.signed(city.ana, city.exchange_order(city.ana, lot, 500, 2)), packed)
    elif row["kind"] == "redeem":
        tx = city.run_redeem(city.signed(city.ana, city.redeem_order(city.ana, [(lot, 500)])), packed)
    else:
        return
    assert [code for _, _, code in rejections(tx)] == [row["code"]]


def test_what_is_no_signature_is_refused(city: Any) -> None:
    """The ledger recovers the good one's signer and none of the bad ones'."""
    found = REFUSALS["signatures"]
    digest, signer = found["digest"], found["signer"]
    assert city.probe.recover(digest, found["good"]) == signer
    for row in found["bad"]:
        assert city.probe.recover(digest, row["signature"]) != signer, row["why"]


@pytest.mark.parametrize("row", REFUSALS["nonces"], ids=lambda row: str([step["nonce"] for step in row["steps"]]))
def test_nonces_are_accepted_so_on_chain(city: Any, probe: Any, row: dict[str, Any]) -> None:
    """By the library, and by the ledger's own word of a holder."""
    word, lot, ana = 0, token_id(1, NOW), {"from": city.ana.account}
    for step in row["steps"]:
        accepted, word = probe.spendNonce(word, step["nonce"])
        assert (accepted, word >> 192 & 0xFFFFFFFF, word >> 224) == (step["accepted"], step["base"], step["window"])
        if step["accepted"]:
            city.ledger.cancelNonce(lot, step["nonce"], ana)
        else:
            with reverts("PointsLedgerNonceSpent", city.ana.address, step["nonce"]):
                city.ledger.cancelNonce(lot, step["nonce"], ana)
        assert tuple(city.ledger.nonceState(city.ana.address, lot)) == (step["base"], step["window"])


def test_hash_of_a_prefix_is_the_hash_of_its_lots(probe: Any) -> None:
    """A captured prefix hashes as the array of what was kept."""
    lots = [(1 << 32 | 121, 5), (2 << 32 | 121, 7), (1 << 32 | 122, 2**48 - 1)]
    assert bytes(probe.lotsHash(pack_lots(lots))) == lots_hash(lots)
    assert bytes(probe.lotsHash(b"")) == lots_hash([])
    assert bytes(probe.prefixHash(pack_lots(lots), prefix_word((2, 3)))) == lots_hash([lots[0], (lots[1][0], 3)])
    assert bytes(probe.prefixHash(pack_lots(lots), 0)) == lots_hash([])
