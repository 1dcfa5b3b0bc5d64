"""Accounts that give way to others: the one path of succession."""

from __future__ import annotations

from collections.abc import Sequence

from city import ADMIN, DESK
from reference import ZERO

from .programmes import Programmes
from .state import DAY, Request, Reverts

REQUESTED, CONFIRMED, OBJECTED, ALLOWED = 1, 2, 3, 4
LAPSE = 30 * DAY
OBJECTION = 7 * DAY


class Accounts(Programmes):
    """Successors, and how an account comes to have one."""

    def current(self, holder: str) -> str:
        """Return the end of the line that begins at the holder."""
        while self.successor[holder] != ZERO:
            holder = self.successor[holder]
        return holder

    def _line_before(self, account: str) -> int:
        """Return how many accounts stand before this one in its longest line."""
        return max((1 + self._line_before(old) for old, new in self.successor.items() if new == account), default=0)

    def _give_way(self, holder: str, new: str, lots: Sequence[int], at: int) -> None:
        if self.successor[holder] != ZERO:
            raise Reverts("PointsLedgerRetired", holder)
        if new in (ZERO, self.ledger, holder) or holder == self.ledger or self.successor[new] != ZERO:
            raise Reverts("PointsLedgerBadSuccessor", new)
        if self._line_before(holder) + 2 > 16:
            raise Reverts("PointsLedgerLineTooLong", new)
        self.successor[holder] = new
        self.tell("SuccessorSet", holder=holder, successor=new)
        (quarter, fen), (other, used) = self.reborn[holder], self.reborn[new]
        if quarter >= other:
            self.reborn[new] = (quarter, fen + (used if quarter == other else 0))
        self.forward_lots(holder, new, lots, at)

    def forward(self, caller: str, old: str, lots: Sequence[int], at: int) -> None:
        self.check_plain(caller)
        if self.successor[old] == ZERO:
            raise Reverts("PointsLedgerNotRetired", old)
        self.forward_lots(old, self.current(old), lots, at)

    # --------------------------------------------------------------------------------------------------- the path

    def _lapses_at(self, asked: Request) -> int:
        return int(asked.since + LAPSE + (OBJECTION if asked.state == CONFIRMED else 0))

    def request(self, caller: str, holder: str, new: str, deadline: int, consent: bytes, at: int) -> None:
        self.check_role(DESK, caller)
        asked = self.requests[holder]
        if asked.state == OBJECTED or (asked.state and at < self._lapses_at(asked)):
            raise Reverts("SuccessionBadState", holder, asked.state)
        digest = self.digest("Succession", oldAccount=holder, newAccount=new, deadline=deadline)
        if at > deadline or not self.is_signed(new, digest, consent):
            raise Reverts("SuccessionBadSignature", new)
        self.requests[holder] = Request(new, REQUESTED, at, caller)
        self.tell("SuccessionRequested", holder=holder, newAccount=new, desk=caller)

    def _asked(self, holder: str, new: str, *states: int) -> Request:
        asked: Request = self.requests[holder]
        if asked.state not in states or asked.new != new:
            raise Reverts("SuccessionBadState", holder, asked.state)
        return asked

    def confirm(self, caller: str, holder: str, new: str, at: int) -> None:
        self.check_role(DESK, caller)
        asked = self._asked(holder, new, REQUESTED)
        if at >= self._lapses_at(asked):
            raise Reverts("SuccessionLapsed", self._lapses_at(asked))
        if asked.desk == caller:
            raise Reverts("SuccessionSameDesk", caller)
        self.requests[holder] = asked._replace(state=CONFIRMED, since=at)
        self.tell("SuccessionConfirmed", holder=holder, desk=caller, executableFrom=at + OBJECTION)

    def object_to(self, caller: str, holder: str, signature: bytes, at: int) -> None:
        asked = self._asked(holder, self.requests[holder].new, REQUESTED, CONFIRMED)
        digest = self.digest("Objection", oldAccount=holder, newAccount=asked.new)
        if caller != holder:
            self.check_plain(caller)
        if caller != holder and not self.is_signed(holder, digest, signature):
            raise Reverts("SuccessionBadSignature", holder)
        self.requests[holder] = asked._replace(state=OBJECTED, since=at)
        self.tell("SuccessionObjected", holder=holder)

    def decide(self, caller: str, holder: str, new: str, allowed: bool, at: int) -> None:
        self.check_role(ADMIN, caller)
        asked = self._asked(holder, new, OBJECTED)
        self.tell("SuccessionDecided", holder=holder, allowed=allowed)
        self.requests[holder] = asked._replace(state=ALLOWED, since=at) if allowed else Request()

    def execute(self, caller: str, holder: str, lots: Sequence[int], at: int) -> None:
        self.check_plain(caller)
        asked = self._asked(holder, self.requests[holder].new, CONFIRMED, ALLOWED)
        ready = asked.since + (OBJECTION if asked.state == CONFIRMED else 0)
        if at < ready:
            raise Reverts("SuccessionTooEarly", ready)
        if at >= ready + LAPSE:
            raise Reverts("SuccessionLapsed", ready + LAPSE)
        self.requests[holder] = Request()
        self.tell("SuccessionExecuted", holder=holder, newAccount=asked.new)
        self._give_way(holder, asked.new, lots, at)
