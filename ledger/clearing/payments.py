"""The bureau's payments: what debtors paid in, and what merchants are paid, each under a reference that counts once."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from ledger.clearing.office import Act, FinanceOffice
from ledger.standard.ids import MerchantId, ProgrammeId
from ledger.standard.keccak import keccak256
from ledger.standard.packed import pack_payouts

PAYOUTS_MAX = 500
"""Payouts a call: under 10 M gas with room to spare."""

_FUND_GAS = 400_000
_PAYOUT_BASE_GAS, _PAYOUT_GAS = 300_000, 25_000


def reference_hash(reference: str) -> bytes:
    """Return what stands on chain for a payment reference."""
    return keccak256(reference.encode())


def order_funding(
    office: FinanceOffice, session: Session, programme: ProgrammeId, fen: int, reference: str, subject: str
) -> Act:
    """Order that what a programme paid into the treasury account be booked. Raises NoFinanceKey."""
    key = f"fund:{reference_hash(reference).hex()}"
    return office.order(session, key, "fund", [programme, fen, reference_hash(reference)], _FUND_GAS, subject)


def order_payouts(
    office: FinanceOffice, session: Session, payable: Mapping[MerchantId, int], reference: str, subject: str
) -> list[Act]:
    """Order that merchants be paid, some hundreds a call, each under the reference and its number.

    The contract pays each at most what is payable when it lands, so what a bank pays follows the chain's `PaidOut`.
    Raises NoFinanceKey.
    """
    acts = []
    merchants = sorted(merchant for merchant, fen in payable.items() if fen)
    for number, start in enumerate(range(0, len(merchants), PAYOUTS_MAX), 1):
        some = merchants[start : start + PAYOUTS_MAX]
        digest = reference_hash(f"{reference}/{number}")
        packed = pack_payouts([(merchant, payable[merchant]) for merchant in some])
        gas = _PAYOUT_BASE_GAS + _PAYOUT_GAS * len(some)
        acts.append(office.order(session, f"payout:{digest.hex()}", "payout", [packed, digest], gas, subject))
    return acts
