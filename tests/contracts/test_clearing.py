"""ClearingBook: who may do what, postings, merchants, terms, and the exact sums."""

from __future__ import annotations

import random
from typing import Any

import pytest
from brownie import ZERO_ADDRESS
from city import DAY, event_values, now, reverts
from clearing_office import POOL, ROLES, TREASURY, WEEK, ClearingOffice, merchant, pack_payouts, positions, programme
from reference import ClaimModel

A, B, M, N = programme(1), programme(2), merchant(1), merchant(2)
ORDER, ROOT = b"\x0a" * 32, b"\x0e" * 32

CALLS: dict[str, tuple[Any, ...]] = {
    "post": ([],),
    "postReceipts": ([], ROOT),
    "postRefund": ([], ORDER, 1, 0, 0, False),
    "lockOrder": (ORDER, 1, 1, ROOT),
    "recordAppropriation": (1, 2030, 1, ROOT),
    "lapse": (1, 2030),
    "reclaim": (1, 1, ROOT),
    "fund": (1, 1, ROOT),
    "payout": (pack_payouts([(1, 1)]), ROOT),
    "payDirectly": (1, 1, 1, ROOT),
    "registerMerchant": (1, ZERO_ADDRESS, ROOT),
    "setWaiver": (1, 0),
    "setArbiterKey": (ZERO_ADDRESS,),
    "setTerms": ((WEEK, 0),),
}


def test_each_role_may_do_its_own_and_nothing_else(office: ClearingOffice) -> None:
    assert set(CALLS) == {function for functions in ROLES.values() for function in functions}
    for role, functions in ROLES.items():
        for function in functions:
            for other in (*(name for name in ROLES if name != role), None):
                sender = office.by[other]["from"] if other else office.stranger
                with reverts("AccessManagedUnauthorized", sender.address):
                    getattr(office.book, function)(*CALLS[function], {"from": sender})


def test_only_the_ledger_posts_what_expired(office: ClearingOffice) -> None:
    for sender in (office.admin, *(by["from"] for by in office.by.values())):
        with reverts("ClearingBookOnlyLedger", sender.address):
            office.book.postBreakage(1, 1, {"from": sender})
        with reverts("ClearingBookOnlyLedger", sender.address):
            office.book.closeCredit(1, {"from": sender})


# Deployment and terms ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maturity", "terms"),
    [
        (DAY - 1, (WEEK, 0)),
        (30 * DAY + 1, (WEEK, 0)),
        (WEEK, (DAY - 1, 0)),
        (WEEK, (90 * DAY + 1, 0)),
    ],
)
def test_terms_have_bounds(office: ClearingOffice, maturity: int, terms: tuple[int, int]) -> None:
    with reverts("ClearingBookBadTerms"):
        office.deploy_book(maturity, terms)
    if maturity == WEEK:
        with reverts("ClearingBookBadTerms"):
            office.book.setTerms(terms, office.by["council"])


def terms_set(tx: Any) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [(tuple(e["previous"]), tuple(e["current"])) for e in event_values(tx, "ClearingTermsSet")]


@pytest.mark.parametrize(("maturity", "term"), [(DAY, DAY), (30 * DAY, 90 * DAY)])
def test_deployment(office: ClearingOffice, maturity: int, term: int) -> None:
    book = office.deploy_book(maturity, (term, 7))
    assert (book.maturity(), tuple(book.terms()), book.ledger()) == (maturity, (term, 7), office.ledger.address)
    assert terms_set(book.tx) == [((0, 0), (term, 7))]
    assert tuple(book.lastCycle()) == (0, 0)
    assert list(book.programmes()) == []


def test_the_council_chooses_other_terms(office: ClearingOffice) -> None:
    tx = office.book.setTerms((3 * DAY, 2**96 - 1), office.by["council"])
    assert terms_set(tx) == [((WEEK, 0), (3 * DAY, 2**96 - 1))]
    assert tuple(office.book.terms()) == (3 * DAY, 2**96 - 1)


def test_the_arbiter_s_key(office: ClearingOffice) -> None:
    previous = ZERO_ADDRESS
    for account in (office.stranger.address, office.admin.address, ZERO_ADDRESS):
        tx = office.book.setArbiterKey(account, office.by["council"])
        assert event_values(tx, "ArbiterKeySet") == [{"previousKey": previous, "key": account}]
        assert office.book.arbiterKey() == account
        previous = account


def test_merchants(office: ClearingOffice) -> None:
    """Each change names what was before; key 0 retires."""
    with reverts("ClearingBookBadMerchant"):
        office.book.registerMerchant(0, office.stranger, b"\1" * 32, office.by["registrar"])
    previous = (ZERO_ADDRESS, "0x" + "00" * 32)
    for key, scope in ((office.stranger.address, "01"), (office.admin.address, "02"), (ZERO_ADDRESS, "00")):
        tx = office.book.registerMerchant(9, key, bytes.fromhex(scope * 32), office.by["registrar"])
        assert event_values(tx, "MerchantRegistered") == [
            {
                "id": 9,
                "previousKey": previous[0],
                "previousScope": previous[1],
                "key": key,
                "scope": "0x" + scope * 32,
            }
        ]
        previous = (key, "0x" + scope * 32)
        assert tuple(office.book.merchant(9)) == previous


# Postings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("deltas", "total"), [([1], 1), ([-5, 3], -2), ([0, 7], 7)])
def test_unbalanced_postings_revert(office: ClearingOffice, deltas: list[int], total: int) -> None:
    with reverts("ClearingBookUnbalanced", total):
        office.book.post([(A + i, delta) for i, delta in enumerate(deltas)], office.by["exchange"])
    signed = [(A if delta < 0 else M, delta) for delta in deltas]
    with reverts("ClearingBookUnbalanced", total):
        office.book.postReceipts(signed, ROOT, office.by["redemption"])
    signed = [(A if delta > 0 else M, delta) for delta in deltas]
    with reverts("ClearingBookUnbalanced", total):
        office.book.postRefund(signed, ORDER, 1, 0, now(), False, office.by["redemption"])


STRANGE = [0, 5, 1 << 32, 2 << 32, POOL, TREASURY, 5 << 32 | 1, 1 << 63 | 1, A | 1 << 40, M | 1 << 40]


@pytest.mark.parametrize("participant", STRANGE)
@pytest.mark.parametrize("delta", [-1, 0, 1])
def test_nothing_is_posted_to_who_is_neither_programme_nor_merchant(
    office: ClearingOffice, participant: int, delta: int
) -> None:
    """Not to programme 0 or merchant 0 either, nor to pool and treasury, which move with the book's own acts."""
    postings = [(participant, delta)]
    with reverts("ClearingBookBadPosting", participant, delta):
        office.book.post(postings, office.by["exchange"])
    with reverts("ClearingBookBadPosting", participant, delta):
        office.book.postReceipts(postings, ROOT, office.by["redemption"])
    for merchant_number in (1, 0):
        with reverts("ClearingBookBadPosting", participant, delta):
            office.book.postRefund(postings, ORDER, merchant_number, 0, now(), False, office.by["redemption"])


def test_exchange_posts_to_programmes_only(office: ClearingOffice) -> None:
    for delta in (-1, 0, 1):
        with reverts("ClearingBookBadPosting", M, delta):
            office.book.post([(M, delta)], office.by["exchange"])
    tx = office.book.post([(A, -7), (B, 0), (programme(3), 5), (B, 2)], office.by["exchange"])
    assert positions(tx) == [(A, -7, -7), (programme(3), 5, 5), (B, 2, 2)]
    office.assert_zero_sum([1, 2, 3], [1])


def test_receipts_debit_programmes_and_credit_merchants(office: ClearingOffice) -> None:
    for participant, delta in ((A, 1), (M, -1)):
        with reverts("ClearingBookBadPosting", participant, delta):
            office.book.postReceipts([(participant, delta)], ROOT, office.by["redemption"])
    postings = [(A, -7), (B, 0), (M, 5), (N, 2), (merchant(3), 0)]
    tx = office.book.postReceipts(postings, ROOT, office.by["redemption"])
    assert positions(tx) == [(A, -7, -7), (M, 5, 5), (N, 2, 2)]
    assert tx.return_value == 1
    tx = office.book.postReceipts([(A, -1), (M, 1)], b"\x0f" * 32, office.by["redemption"])
    assert positions(tx) == [(A, -1, -8), (M, 1, 6)]
    assert tx.return_value == 2
    assert [bytes(office.book.receiptsRoot(batch)) for batch in (1, 2, 3)] == [ROOT, b"\x0f" * 32, b"\0" * 32]
    assert office.book.lastReceiptsBatch() == 2
    office.assert_zero_sum([1, 2], [1, 2, 3])


def test_refunds_credit_programmes_from_the_merchant_named(office: ClearingOffice) -> None:
    office.earn({1: 60, 2: 40}, {1: 70, 2: 30})
    for participant, delta in ((A, -1), (M, 1), (N, -1), (N, 0)):
        with reverts("ClearingBookBadPosting", participant, delta):
            office.book.postRefund([(participant, delta)], ORDER, 1, 0, now(), False, office.by["redemption"])
    assert tuple(office.book.keptPrefix(ORDER)) == (False, 0)
    kept = 2 << 64 | 11
    postings = [(A, 20), (B, 0), (programme(3), 5), (M, -25)]
    tx = office.book.postRefund(postings, ORDER, 1, kept, now(), False, office.by["redemption"])
    assert sorted(positions(tx)) == [(A, 20, -40), (programme(3), 5, 5), (M, -25, 45)]
    assert tuple(office.book.keptPrefix(ORDER)) == (True, kept)
    office.assert_zero_sum([1, 2, 3], [1, 2])


def test_a_refund_of_nothing_keeps_its_prefix(office: ClearingOffice) -> None:
    tx = office.book.postRefund([(A, 0), (M, 0)], ORDER, 1, 7, now(), False, office.by["redemption"])
    assert positions(tx) == []
    assert tuple(office.book.keptPrefix(ORDER)) == (True, 7)


@pytest.mark.parametrize("fen", [2**64, 2**88, 2**255 - 1])
def test_a_claim_that_does_not_fit_its_word_reverts(office: ClearingOffice, fen: int) -> None:
    with reverts("SafeCastOverflowedUintDowncast", 64, fen):
        office.earn({1: fen}, {1: fen})
    half = 2**63
    office.earn({1: half}, {1: half})
    with reverts("SafeCastOverflowedUintDowncast", 64, 2**64):
        office.earn({1: half}, {1: half})
    with reverts("SafeCastOverflowedUintDowncast", 64, 2**64):
        office.earn({1: half}, {2: half})
    office.earn({1: half - 1}, {2: half - 1})
    office.assert_zero_sum([1], [1, 2])


def test_what_expires_is_owed_to_the_treasury(office: ClearingOffice) -> None:
    tx = office.ledger.postBreakage(office.book, 1, 30)
    assert positions(tx) == [(A, -30, -30), (TREASURY, 30, 30)]
    assert positions(office.ledger.postBreakage(office.book, 2, 0)) == []
    with reverts("SafeCastOverflowedUintToInt", 2**255):
        office.ledger.postBreakage(office.book, 1, 2**255)
    office.assert_zero_sum([1, 2], [1])


def test_a_closed_programme_s_credit_goes_to_the_treasury(office: ClearingOffice) -> None:
    office.book.post([(A, 30), (B, -30)], office.by["exchange"])
    assert positions(office.ledger.closeCredit(office.book, 2)) == []
    tx = office.ledger.closeCredit(office.book, 1)
    assert positions(tx) == [(A, -30, 0), (TREASURY, 30, 30)]
    assert positions(office.ledger.closeCredit(office.book, 1)) == []
    office.assert_zero_sum([1, 2], [1])


# Claims and their sums --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_claims_and_their_sums_follow_the_model(office: ClearingOffice, seed: int) -> None:
    """Merchants earn, refund and are paid at random times; the book's three ages are those of a model that remembers
    each period, and the sums over all merchants are exact."""
    rng = random.Random(seed)
    models = {number: ClaimModel() for number in (1, 2, 3)}
    moment = office.start
    debt = 0
    for step in range(40):
        moment += rng.choice((1, DAY, WEEK - 1, WEEK, 2 * WEEK)) if rng.random() < 0.5 else 1
        moment = max(moment, now() + 1)
        office.at_period(0, moment - office.start)
        period = moment // WEEK
        number = rng.choice(list(models))
        model, act = models[number], rng.random()
        earned_in = period - rng.randrange(4)
        if act < 0.5:
            fen = rng.randrange(1, 10**6)
            office.earn({1: fen}, {number: fen})
            model.earn(fen, period)
            debt += fen
        elif act < 0.75 and (most := model.drawable(earned_in, period)):
            fen = rng.choice((1, most, rng.randrange(1, most + 1)))
            office.refund(1, number, fen, earned_in * WEEK + rng.randrange(WEEK), step.to_bytes(32, "big"))
            model.draw(fen, earned_in, period)
            debt -= fen
        elif most := model.ages(period)[0]:
            fen = rng.randrange(1, most + 1)
            office.book.payDirectly(1, number, fen, office.reference(), office.by["finance"])
            model.draw(fen, 0, period)
            debt -= fen
        period = now() // WEEK
        for each, expected in models.items():
            assert office.claim(each)[:3] == expected.ages(period), (seed, step)
            assert office.book.position(merchant(each)) == sum(expected.ages(period))
        assert office.book.position(A) == -debt
        office.assert_zero_sum([1], models)
