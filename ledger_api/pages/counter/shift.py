"""A shift at the counter: opened, closed, and added up from what was done in it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.responses import Response

from ledger_api.pages.counter.access import Staff, StaffForm, require_till, shop_of, shop_page
from ledger_api.pages.shell.route import PageRoute
from ledger_api.schemas.common import MerchantNumber
from redemption.till.shifts import Shift, Shifts, ShiftTotals

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/counter")

SHIFTS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ShownShift:
    """A shift with its totals; ``is_own``: of who looks."""

    shift: Shift
    totals: ShiftTotals
    is_own: bool


@router.get("/{merchant_id}/shift")
def shift_page(merchant_id: MerchantNumber, caller: Staff) -> Response:
    """Return the open shift with its totals so far, and the last ones: one's own, for a manager everybody's."""
    require_till(caller, merchant_id)
    services, subject = caller.services, caller.principal.subject
    shifts = Shifts(services.clock)
    whose = None if shop_of(caller, merchant_id).manages else subject
    with services.database.read() as session:
        now = shifts.current(session, merchant_id, subject)
        return shop_page(
            caller,
            merchant_id,
            "counter_shift.html",
            "shift",
            open=None if now is None else _shown(session, shifts, now, subject),
            closed=[
                _shown(session, shifts, one, subject)
                for one in shifts.closed(session, merchant_id, whose, SHIFTS_SHOWN)
            ],
        )


@router.post("/{merchant_id}/shift/open")
def open_shift(merchant_id: MerchantNumber, posted: StaffForm) -> Response:
    """Open a shift; where one is open it stays."""
    require_till(posted, merchant_id)
    services = posted.services
    try:
        with services.database.transaction() as session:
            Shifts(services.clock).open(session, merchant_id, posted.principal.subject)
    except IntegrityError:
        pass  # a second tap that came at the same moment
    return posted.see(f"/counter/{merchant_id}/shift")


@router.post("/{merchant_id}/shift/close")
def close_shift(merchant_id: MerchantNumber, posted: StaffForm) -> Response:
    """Close the open shift."""
    require_till(posted, merchant_id)
    with posted.services.database.transaction() as session:
        Shifts(posted.services.clock).close(session, merchant_id, posted.principal.subject)
    return posted.see(f"/counter/{merchant_id}/shift")


def _shown(session: Session, shifts: Shifts, shift: Shift, subject: str) -> ShownShift:
    return ShownShift(shift, shifts.totals(session, shift), shift.subject == subject)
