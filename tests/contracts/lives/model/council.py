"""The council: members approve a call, wait, and anyone carries it out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .state import DAY, Reverts


@dataclass
class Proposal:
    """Whose approvals count: those of members, as the members they were when they gave them."""

    approved: dict[str, int] = field(default_factory=dict)
    """member: the joining in which it approved"""
    needed: int = 0
    executable_from: int = 0
    executed: bool = False


@dataclass
class Council:
    members: dict[str, int]
    """member: number of its joining"""
    threshold: int
    delay: int
    proposals: dict[bytes, Proposal] = field(default_factory=dict)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    joinings: int = 0

    def tell(self, event: str, **values: Any) -> None:
        self.told.append((event, values))

    def approvals(self, proposal: Proposal) -> int:
        return sum(self.members.get(member) == joining for member, joining in proposal.approved.items())

    def has_approved(self, proposal: Proposal, member: str) -> bool:
        return member in self.members and proposal.approved.get(member) == self.members[member]

    def _check_member(self, caller: str) -> None:
        if caller not in self.members:
            raise Reverts("CouncilNotMember", caller)

    def _open(self, proposal_id: bytes) -> Proposal:
        proposal = self.proposals.get(proposal_id)
        if proposal is None or proposal.executed:
            raise Reverts("CouncilNoProposal", proposal_id)
        return proposal

    def propose(self, caller: str, proposal_id: bytes, target: str, data: bytes, salt: bytes, at: int) -> None:
        self._check_member(caller)
        if proposal_id in self.proposals:
            raise Reverts("CouncilProposalExists", proposal_id)
        self.proposals[proposal_id] = Proposal()
        self.tell("Proposed", id=proposal_id, member=caller, target=target, data=data, salt=salt)
        self._approve(caller, proposal_id, at)

    def approve(self, caller: str, proposal_id: bytes, at: int) -> None:
        self._check_member(caller)
        if self.has_approved(self._open(proposal_id), caller):
            raise Reverts("CouncilApprovalIs", proposal_id, caller, True)
        self._approve(caller, proposal_id, at)

    def _approve(self, caller: str, proposal_id: bytes, at: int) -> None:
        proposal = self.proposals[proposal_id]
        if self.approvals(proposal) < proposal.needed:
            proposal.executable_from = 0
        proposal.approved[caller] = self.members[caller]
        self.tell("Approved", id=proposal_id, member=caller)
        if proposal.executable_from == 0 and self.approvals(proposal) >= self.threshold:
            proposal.needed = self.threshold
            proposal.executable_from = at + self.delay
            self.tell("Queued", **{"id": proposal_id, "from": proposal.executable_from})

    def withdraw(self, caller: str, proposal_id: bytes, at: int) -> None:
        self._check_member(caller)
        proposal = self._open(proposal_id)
        if not self.has_approved(proposal, caller):
            raise Reverts("CouncilApprovalIs", proposal_id, caller, False)
        del proposal.approved[caller]
        if not self._is_enough(proposal):
            proposal.executable_from = 0
        self.tell("ApprovalWithdrawn", id=proposal_id, member=caller)

    def _is_enough(self, proposal: Proposal) -> bool:
        return self.approvals(proposal) >= max(self.threshold, proposal.needed)

    def check_executable(self, proposal_id: bytes, at: int) -> Proposal:
        proposal = self._open(proposal_id)
        if proposal.executable_from == 0 or not self._is_enough(proposal):
            raise Reverts("CouncilNotApproved", proposal_id, self.approvals(proposal), self.threshold)
        if at < proposal.executable_from:
            raise Reverts("CouncilTooEarly", proposal_id, proposal.executable_from)
        lapsed_at = proposal.executable_from + 30 * DAY
        if at >= lapsed_at:
            raise Reverts("CouncilLapsed", proposal_id, lapsed_at)
        return proposal

    def set_member(self, account: str, member: bool, at: int) -> None:
        if member == (account in self.members):
            raise Reverts("CouncilBadMember", account)
        count = len(self.members) + (1 if member else -1)
        if self.threshold > count:
            raise Reverts("CouncilBadRules", self.threshold, count, self.delay)
        if member:
            self.joinings += 1
            self.members[account] = self.joinings
        else:
            del self.members[account]
        self.tell("MemberSet", account=account, member=member)

    def set_rules(self, threshold: int, delay: int, at: int) -> None:
        if not 1 <= threshold <= len(self.members) or not 3600 <= delay <= 30 * DAY:
            raise Reverts("CouncilBadRules", threshold, len(self.members), delay)
        self.threshold, self.delay = threshold, delay
        self.tell("RulesSet", threshold=threshold, delaySeconds=delay)
