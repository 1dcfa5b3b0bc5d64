"""What waits for money: batches that a programme's appropriations do not cover yet, and how much is missing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from issuers.states import BatchState
from ledger.clearing.views import funding
from ledger.standard.amounts import yuan_text
from ledger.standard.ids import ProgrammeId
from ledger.standard.value import MICROFEN_MINOR
from ledger.store.models.issuance import IssuanceBatchRow


@dataclass(frozen=True, slots=True)
class FundingWait:
    """A programme's batches that wait for funding. None is dropped; they go on by themselves once covered."""

    batches: int
    amount_minor: int
    missing_fen: int
    """What has to be appropriated for all of it to be minted; 0 once it is covered and about to go on."""
    available_fen: int
    """appropriated - paid + position: what all points of the programme may be worth."""

    @property
    def reason_en(self) -> str:
        """Why it waits, in English."""
        if not self.missing_fen:
            return "the appropriations cover it by now: it goes on by itself"
        return f"the appropriations do not cover it: {yuan_text(self.missing_fen)} yuan are missing"

    @property
    def reason_zh(self) -> str:
        """Why it waits, in Chinese."""
        if not self.missing_fen:
            return "经费额度现已充足,将自动继续。"
        return f"经费额度不足,尚缺 {yuan_text(self.missing_fen)} 元。"


def funding_waits(session: Session) -> dict[ProgrammeId, FundingWait]:
    """Return what waits for funding, by programme; programmes without waiting batches are left out."""
    waiting = {
        programme: (int(count), int(amount))
        for programme, count, amount in session.execute(
            select(IssuanceBatchRow.programme, func.count(), func.sum(IssuanceBatchRow.amount_minor))
            .where(IssuanceBatchRow.state == BatchState.WAITING)
            .group_by(IssuanceBatchRow.programme)
        )
    }
    if not waiting:
        return {}
    known = {one.programme: one for one in funding(session)}
    found = {}
    for programme, (count, amount) in waiting.items():
        money = known[programme]
        # Rounded up once over all, as the contract compares: supply * par <= available * 1e8.
        needed = -(-(money.supply_minor + amount) * money.par_microfen // MICROFEN_MINOR)
        found[programme] = FundingWait(count, amount, max(0, needed - money.available_fen), money.available_fen)
    return found
