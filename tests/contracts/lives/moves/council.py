"""The council: members propose, agree, and after the delay anyone carries it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_abi import encode
from eth_utils import keccak
from reference import ZERO

from lives.life import move
from lives.wire import Call

from .council_ideas import CouncilIdeas


class CouncilMoves(CouncilIdeas):
    """How what the council wants comes about."""

    def _id_of(self, target: Any, data: bytes, salt: bytes) -> bytes:
        return keccak(encode(["address", "bytes", "bytes32"], [target.address, data, salt]))

    def _member(self) -> str:
        members = sorted(self.rules_of_council.members)
        return str(self.random.choice(members if not self.chance(12) else self.setting.members))

    @move(4)
    def the_council_proposes(self) -> None:
        """A member proposes; most often others approve at once."""
        random = self.random
        target, function, args, then = random.choice(self.ideas())
        data = bytes.fromhex(Call(ZERO, target, function, args).data[2:])
        salt = random.randbytes(32)
        if self.past.proposals and self.chance(20):
            target, data, salt, then = random.choice(self.past.proposals)
        proposal = self._id_of(target, data, salt)
        by = self._member()
        decide = lambda at: self.rules_of_council.propose(by, proposal, target.address, data, salt, at)  # noqa: E731
        known = proposal in self.rules_of_council.proposals
        self.perform(self.act(by, self.council, "propose", (target, data, salt), decide))
        if proposal in self.rules_of_council.proposals and not known:
            self.past.proposals.append((target, data, salt, then))
            if function == "multicall":
                self.replacing |= {name for name, module in self.modules.items() if _names(data, module)}
            for _ in range(random.choice((0, 1, 1, 1, 1, 2))):
                self._approve(proposal)

    def _approve(self, proposal: bytes) -> None:
        """Most often by a member who has not."""
        council = self.rules_of_council
        given = council.proposals[proposal]
        others = [member for member in sorted(council.members) if not council.has_approved(given, member)]
        by = self.random.choice(others) if others and not self.chance(8) else self._member()
        decide = lambda at: self.rules_of_council.approve(by, proposal, at)  # noqa: E731
        self.perform(self.act(by, self.council, "approve", (proposal,), decide))

    def _some_proposal(self) -> tuple[Any, bytes, bytes, Callable[[int], None]]:
        council, past = self.rules_of_council, self.past.proposals
        known = [(entry, council.proposals[self._id_of(*entry[:3])]) for entry in past]
        pending = [entry for entry, proposal in known if not proposal.executed]
        ready = [entry for entry, proposal in known if not proposal.executed and proposal.executable_from]
        pending = ready if ready and not self.chance(4) else pending
        return self.random.choice(pending[-6:] if pending and not self.chance(10) else past)

    @move()
    def a_member_approves_or_withdraws(self) -> None:
        if not self.past.proposals:
            return
        proposal = self._id_of(*self._some_proposal()[:3])
        if self.chance(2):
            self._approve(proposal)
            return
        by = self._member()
        decide = lambda at: self.rules_of_council.withdraw(by, proposal, at)  # noqa: E731
        self.perform(self.act(by, self.council, "withdrawApproval", (proposal,), decide))

    @move(5)
    def the_council_acts(self) -> None:
        """Anyone carries a proposal out: too early, unapproved, lapsed, or in time."""
        random = self.random
        if not self.past.proposals:
            return
        target, data, salt, then = self._some_proposal()
        proposal = self._id_of(target, data, salt)
        ready = self.rules_of_council.proposals[proposal].executable_from
        if ready and not self.chance(5):
            self.to_time(ready - random.choice((0, 0, 0, 1, 2)))
        elif ready and self.chance(30):
            self.to_time(ready + self.days(30) - random.choice((1, 2)))

        def decide(at: int) -> Callable[[], None]:
            found = self.rules_of_council.check_executable(proposal, at)
            self.rules_of_council.tell("Executed", id=proposal)
            done = then(at)
            found.executed = True
            return done or (lambda: None)

        act = self.act(self.anyone(), self.council, "execute", (target, data, salt), decide)
        done = self.perform(act)[0]
        if done is not None:
            done()


def _names(data: bytes, contract: Any) -> bool:
    """Whether a call's data holds the address of a contract."""
    return bytes.fromhex(contract.address[2:]) in data
