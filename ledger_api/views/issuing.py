"""An award, as the API shows it. Pure functions."""

from __future__ import annotations

from issuers.answers import Explanation
from issuers.states import BatchState
from ledger_api.schemas.common import points
from ledger_api.schemas.issuing import GrantOut


def grant_out(found: Explanation) -> GrantOut:
    """Return an award with its explanation."""
    return GrantOut(
        grant_id=found.grant_id,
        programme=found.programme,
        amount=points(found.amount_minor),
        revoked=points(found.revoked_minor),
        activity=found.activity,
        deed_day=found.deed_day,
        rulebook_version=found.rulebook_version,
        rulebook_hash=found.rulebook_hash,
        steps_en=list(found.steps_en),
        steps_zh=list(found.steps_zh),
        state=found.state,
        batch=None if found.batch_number is None else str(found.batch_number),
        token_id=None if found.token_id is None else str(found.token_id),
        receipt=f"/v1/wallet/grants/{found.grant_id}/receipt" if found.batch_state is BatchState.LANDED else None,
    )
