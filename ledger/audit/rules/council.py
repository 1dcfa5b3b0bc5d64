"""Rules of Council: who proposes, who approves, when it may be carried out."""

from __future__ import annotations

from ledger.audit.books import Account, CouncilBook, Proposal
from ledger.audit.calls import read_calls
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, hex_of, name_of
from ledger.proofs.events import Event
from ledger.standard.civil_time import DAY_S, HOUR_S
from ledger.standard.keccak import keccak256

_LAPSES_S = 30 * DAY_S
_DELAY_S = range(HOUR_S, 30 * DAY_S + 1)
_MEMBERS_MAX = 32


class CouncilRules(Rules):
    """Events of Council."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("Council", "Proposed"): self._proposed,
            ("Council", "Approved"): self._approved,
            ("Council", "ApprovalWithdrawn"): self._withdrawn,
            ("Council", "Queued"): self._queued,
            ("Council", "Executed"): self._executed,
            ("Council", "MemberSet"): self._member_set,
            ("Council", "RulesSet"): self._rules_set,
        }

    @property
    def _council(self) -> CouncilBook:
        return self.books.council

    def check_rules(self) -> None:
        """What a council may not come to be."""
        council = self._council
        if not council.last_joining or not self.tx.council_changed:
            return
        if not 0 < council.threshold <= len(council.members) <= _MEMBERS_MAX or council.delay not in _DELAY_S:
            found = f"{council.threshold} of {len(council.members)}, {council.delay} s"
            raise Contradicted("rules of the council", self.tx.where, "a threshold and a delay within bounds", found)

    def _proposed(self, event: Event) -> None:
        digest, member = event["id"], event["member"]
        target, data, salt = event["target"], event["data"], event["salt"]
        self.called_by(member, "propose", event.log.where, target=target, data=data, salt=salt)
        words = target.rjust(32, b"\0") + (96).to_bytes(32, "big") + salt + len(data).to_bytes(32, "big")
        self.same("id of a proposal", event, keccak256(words + data + bytes(-len(data) % 32)), digest)
        if digest in self._council.proposals:
            raise Contradicted(f"proposal {hex_of(digest)}", event.log.where, "made once", "made again")
        self._council.proposals[digest] = Proposal(target, data)

    def _approved(self, event: Event) -> None:
        digest, member, where = event["id"], event["member"], event.log.where
        council, proposal = self._council, self._open(event)
        call = self.tx.call
        if call is None or call.function != "propose":
            self.called_by(member, "approve", where, id=digest)
        else:
            self.called_by(member, "propose", where)
        self._check_member(member, event)
        if proposal.approvals.get(member) == council.joinings[member]:
            raise Contradicted(f"approval of {hex_of(digest)}", where, "once a member", name_of(member))
        if council.approvals(proposal) < proposal.needed:
            proposal.executable_from = 0
        proposal.approvals[member] = council.joinings[member]
        if not proposal.executable_from and council.approvals(proposal) >= council.threshold:
            proposal.needed = council.threshold
            proposal.executable_from = self.tx.time + council.delay
            self.tx.queued.append((digest, proposal.executable_from))

    def _withdrawn(self, event: Event) -> None:
        digest, member, where = event["id"], event["member"], event.log.where
        council, proposal = self._council, self._open(event)
        self.called_by(member, "withdrawApproval", where, id=digest)
        self._check_member(member, event)
        if proposal.approvals.get(member) != council.joinings[member]:
            raise Contradicted(f"withdrawal from {hex_of(digest)}", where, "of an approval", name_of(member))
        proposal.approvals[member] = 0
        count = council.approvals(proposal)
        if count < council.threshold or count < proposal.needed:
            proposal.executable_from = 0

    def _queued(self, event: Event) -> None:
        expected = self.tx.queued.popleft() if self.tx.queued else None
        self.same("queued proposal", event, expected, (event["id"], event["from"]))

    def _executed(self, event: Event) -> None:
        """A decision is carried out: enough members still approve and the delay is over. What it calls is known now."""
        council, proposal, where = self._council, self._open(event), event.log.where
        count = council.approvals(proposal)
        what = f"execution of proposal {hex_of(event['id'])}"
        if not proposal.executable_from or count < council.threshold or count < proposal.needed:
            raise Contradicted(what, where, f"{council.threshold} approvals", count)
        if not proposal.executable_from <= self.tx.time < proposal.executable_from + _LAPSES_S:
            raise Contradicted(what, where, f"from {proposal.executable_from} on for 30 days", self.tx.time)
        proposal.executed = True
        self.tx.acts += read_calls(self.scene.names, event.log.address, proposal.target, proposal.data)

    def _member_set(self, event: Event) -> None:
        account, joins, council = event["account"], event["member"], self._council
        if self.tx.creates == event.log.address:
            listed = self.tx.constructed["members_"]
            place = len(council.members)
            first = listed[place] if isinstance(listed, tuple) and place < len(listed) else None
            self.same("first member of the council", event, (first, True), (account, joins))
        else:
            self.act(event, "setMember", account=account, member=joins)
        is_member = account in council.members
        if joins == is_member:
            raise Contradicted("member of the council", event.log.where, "a change", name_of(account))
        if joins:
            council.last_joining += 1
            council.members.append(account)
            council.joinings[account] = council.last_joining
        else:
            # As Solidity removes: the last one takes the place.
            council.members[council.members.index(account)] = council.members[-1]
            council.members.pop()
            council.joinings[account] = 0
        self.tx.council_changed = True

    def _rules_set(self, event: Event) -> None:
        rules = (event["threshold"], event["delaySeconds"])
        if self.tx.creates == event.log.address:
            given = (self.tx.constructed["newThreshold"], self.tx.constructed["newDelaySeconds"])
            self.same("first rules of the council", event, given, rules)
        else:
            self.act(event, "setRules", newThreshold=rules[0], newDelaySeconds=rules[1])
        self._council.threshold, self._council.delay = rules
        self.tx.council_changed = True

    def _open(self, event: Event) -> Proposal:
        proposal = self._council.proposals.get(event["id"])
        if proposal is None or proposal.executed:
            raise Contradicted(f"proposal {hex_of(event['id'])}", event.log.where, "an open one", "none")
        return proposal

    def _check_member(self, account: Account, event: Event) -> None:
        if account not in self._council.members:
            raise Contradicted(f"{event.name} of the council", event.log.where, "by a member", name_of(account))
