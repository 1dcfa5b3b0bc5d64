"""Rules of succession: who asks, who confirms, who objects, and what moves."""

from __future__ import annotations

from ledger.audit.books import NOBODY, Account, SuccessionBook
from ledger.audit.orders import signer_of
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, Scene, name_of
from ledger.audit.rules.lots import LotRules
from ledger.proofs.events import Event
from ledger.standard.contract import LINE_MAX, OBJECTION_S, SUCCESSION_LAPSES_S, SuccessionState
from ledger.standard.ids import to_address
from ledger.standard.typed_data import Objection, Succession


class SuccessionRules(Rules):
    """Events of Succession, and SuccessorSet of PointsLedger."""

    def __init__(self, scene: Scene, lots: LotRules) -> None:
        """``lots`` forwards."""
        super().__init__(scene)
        self._lots = lots

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("Succession", "SuccessionRequested"): self._requested,
            ("Succession", "SuccessionConfirmed"): self._confirmed,
            ("Succession", "SuccessionObjected"): self._objected,
            ("Succession", "SuccessionDecided"): self._decided,
            ("Succession", "SuccessionExecuted"): self._executed,
            ("PointsLedger", "SuccessorSet"): self._successor_set,
        }

    def end_forwarding(self) -> None:
        """What is forwarded follows from the call, which only plain accounts can make."""
        call, where = self.tx.call, self.tx.where
        if call is not None and (call.contract, call.function) == ("PointsLedger", "forward"):
            old = call.args["oldAccount"]
            if not self.books.is_retired(old):
                raise Contradicted("forwarding", where, "a retired account", name_of(old))
            expected = self._lots.forward(old, self.books.current_account(old), call.args["ids"], call.caller, where)
        elif self.tx.succeeded is not None:
            holder, new = self.tx.succeeded
            caller = self.scene.addresses["Succession"]
            if call is None or (call.contract, call.function) != ("Succession", "execute"):
                asked = "a transaction that calls Succession.execute"
                raise Contradicted(f"succession of {name_of(holder)}", where, asked, "another call")
            expected = self._lots.forward(holder, new, call.args["ids"], caller, where)
        else:
            return
        if self.tx.trace != expected:
            raise Contradicted("forwarded lots", where, f"{len(expected)} moves", self.tx.trace[:4])
        self.tx.trace.clear()

    def _requested(self, event: Event) -> None:
        holder, new, desk = event["holder"], event["newAccount"], event["desk"]
        act = self.act(event, "requestSuccession", holder=holder, newAccount=new)
        where, what = event.log.where, f"succession of {name_of(holder)}"
        if act.caller != desk and not act.consumed:
            raise Contradicted(what, where, name_of(act.caller), name_of(desk))
        standing = self.books.successions.get(holder)
        if standing is not None and self._stands(standing):
            raise Contradicted(what, where, "no other request", standing.state.name)
        deadline = act.args["deadline"]
        if self.tx.time > deadline:
            raise Contradicted(f"consent to the {what}", where, f"by {deadline}", self.tx.time)
        digest = Succession(to_address(holder), to_address(new), deadline).digest(self.scene.domain)
        self.check_signed(new, digest, act.args["consent"], f"the consent to the {what}", where)
        self.books.successions[holder] = SuccessionBook(new, SuccessionState.REQUESTED, self.tx.time, desk)

    def _confirmed(self, event: Event) -> None:
        holder, desk = event["holder"], event["desk"]
        request = self._request(event, SuccessionState.REQUESTED)
        self.act(event, "confirm", holder=holder, newAccount=request.new_account)
        where, what = event.log.where, f"confirmation for {name_of(holder)}"
        if desk == request.desk or self.tx.time >= request.since + SUCCESSION_LAPSES_S:
            raise Contradicted(what, where, "another desk's, within 30 days", name_of(desk))
        self.same(what, event, self.tx.time + OBJECTION_S, event["executableFrom"])
        request.state, request.since = SuccessionState.CONFIRMED, self.tx.time

    def _objected(self, event: Event) -> None:
        holder = event["holder"]
        request = self._request(event, SuccessionState.REQUESTED, SuccessionState.CONFIRMED)
        call, where = self.tx.call, event.log.where
        if call is None or (call.contract, call.function) != ("Succession", "objectTo"):
            # Nobody else's contract relays: only an old account that is one objects by a call of its own.
            self.is_contract(where, holder)
        elif call.caller != holder:
            digest = Objection(to_address(holder), to_address(request.new_account)).digest(self.scene.domain)
            if signer_of(digest, call.args["signature"]) != holder:
                self.is_contract(where, holder)
        request.state, request.since = SuccessionState.OBJECTED, self.tx.time

    def _decided(self, event: Event) -> None:
        holder, allowed = event["holder"], event["allowed"]
        request = self._request(event, SuccessionState.OBJECTED)
        self.act(event, "decide", holder=holder, newAccount=request.new_account, allowed=allowed)
        if allowed:
            request.state, request.since = SuccessionState.ALLOWED, self.tx.time
        else:
            self.books.successions[holder] = SuccessionBook()

    def _executed(self, event: Event) -> None:
        holder, new = event["holder"], event["newAccount"]
        request = self._request(event, SuccessionState.CONFIRMED, SuccessionState.ALLOWED)
        earliest = request.since + (OBJECTION_S if request.state is SuccessionState.CONFIRMED else 0)
        what = f"succession of {name_of(holder)}"
        if not earliest <= self.tx.time < earliest + SUCCESSION_LAPSES_S:
            raise Contradicted(what, event.log.where, f"from {earliest} on for 30 days", self.tx.time)
        self.same(what, event, request.new_account, new)
        self.books.successions[holder] = SuccessionBook()
        self.tx.succession = (holder, new)

    def _successor_set(self, event: Event) -> None:
        holder, new = event["holder"], event["successor"]
        where, what, books = event.log.where, f"successor of {name_of(event['holder'])}", self.books
        self.same(what, event, self.tx.succession, (holder, new))
        self.tx.succession = None
        self._lots.settle(len(self.tx.trace), where)
        if books.is_retired(holder) or books.is_retired(new) or new in (NOBODY, holder, books.ledger):
            raise Contradicted(what, where, "a first, fresh one", name_of(new))
        before = books.predecessors[holder] + 1
        if holder == books.ledger or before >= LINE_MAX:
            raise Contradicted(what, where, f"a line of at most {LINE_MAX}", before + 1)
        books.predecessors[new] = max(books.predecessors[new], before)
        books.successors[holder] = new
        self._carry_rebirths(holder, new)
        self.tx.succeeded = (holder, new)

    def _carry_rebirths(self, holder: Account, new: Account) -> None:
        old, own = self.books.rebirths.get(holder, (0, 0)), self.books.rebirths.get(new, (0, 0))
        if old[0] > own[0]:
            self.books.rebirths[new] = old
        elif old[0] == own[0] and old[0]:
            self.books.rebirths[new] = (own[0], own[1] + old[1])

    def _request(self, event: Event, *states: SuccessionState) -> SuccessionBook:
        holder = event["holder"]
        request = self.books.successions.get(holder)
        if request is None or request.state not in states:
            wanted = " or ".join(state.name for state in states)
            found = "none" if request is None else request.state.name
            raise Contradicted(
                f"succession of {name_of(holder)}", event.log.where, f"a request that is {wanted}", found
            )
        return request

    def _stands(self, request: SuccessionBook) -> bool:
        if request.state is SuccessionState.NONE:
            return False
        if request.state is SuccessionState.OBJECTED:
            return True
        wait = OBJECTION_S if request.state is SuccessionState.CONFIRMED else 0
        return self.tx.time < request.since + wait + SUCCESSION_LAPSES_S
