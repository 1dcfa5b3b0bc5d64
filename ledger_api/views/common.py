"""What several views share: the block of an answer, and names of programmes that have none. Pure functions."""

from __future__ import annotations

from ledger.standard.ids import ProgrammeId
from ledger_api.ports import ProgrammeName
from ledger_api.schemas.common import AsOf, moment
from ledger_api.views import queries


def as_of(block: queries.Block) -> AsOf:
    """Return the block up to which an answer is true."""
    return AsOf(block_number=str(block.number), time=moment(block.timestamp))


def nameless(number: ProgrammeId) -> ProgrammeName:
    """Return the name of a programme that is on chain and not in the deployment file."""
    return ProgrammeName(number, f"programme-{number}", f"积分项目 {number}", f"Programme {number}")
