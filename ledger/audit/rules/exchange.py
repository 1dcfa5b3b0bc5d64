"""Rules of Exchange."""

from __future__ import annotations

from ledger.audit.books import NOBODY, ExchangeBook
from ledger.audit.books.modules import Flow
from ledger.audit.orders import SignedOrder
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers
from ledger.audit.rules.outcomes import OutcomeRules
from ledger.audit.transaction import Move
from ledger.proofs.events import Event
from ledger.standard.civil_time import civil_day
from ledger.standard.contract import LANE_MAX, ProgrammeFlag, ProgrammeState, Verdict
from ledger.standard.ids import ProgrammeId, programme_of, programme_participant
from ledger.standard.packed import OrderCall
from ledger.standard.typed_data import ExchangeOrder
from ledger.standard.value import exchange_down

_FLOW_MAX = 2**63 - 1


class ExchangeRules(OutcomeRules):
    """Events of Exchange."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("Exchange", "Exchanged"): self._exchanged,
            ("Exchange", "Rejected"): self._rejected,
            ("Exchange", "InflowCapSet"): self._inflow_cap_set,
            ("Exchange", "ResidentCapSet"): self._resident_cap_set,
        }

    def _exchanged(self, event: Event) -> None:
        self.check_running(event)
        signed = self.next_order(event, OrderCall.EXCHANGE)
        self.check_accepted(signed, self._verdict(signed, event), event)
        order = signed.order
        if not isinstance(order, ExchangeOrder):
            raise Contradicted("exchange", event.log.where, "an exchange order", "another")
        source, module = order.from_id, event.log.address
        giving, taking = self.books.programmes[programme_of(source)], self.books.programmes[order.to_programme]
        fen, out = exchange_down(order.amount, giving.par, taking.par)
        target = order.to_programme << 32 | source & 0xFFFFFFFF
        where = event.log.where
        moves = [
            self.apply(Move(module, signed.holder, NOBODY, source, order.amount), where),
            self.apply(Move(module, NOBODY, signed.holder, target, out), where),
        ]
        self.explain(event, moves)
        self.same("exchange (holder, fen)", event, (signed.holder, fen), (event["holder"], event["fen"]))
        self._count(self.books.exchanges[module], signed, order, fen)
        self.tx.due[programme_participant(programme_of(source))] -= fen
        self.tx.due[programme_participant(order.to_programme)] += fen
        giving.figures.exchanged_out += order.amount
        taking.figures.exchanged_in += out
        self.books.exchanged_fen += fen

    def _rejected(self, event: Event) -> None:
        self.check_running(event)
        signed = self.next_order(event)
        self.check_rejected(signed, self._verdict(signed, event), event)

    def _verdict(self, signed: SignedOrder, event: Event) -> Verdict:
        """The first check that an order fails, of those after the signature's."""
        order = signed.order
        if not isinstance(order, ExchangeOrder):
            return Verdict.MALFORMED
        if not self.is_nonce_free(signed):
            return Verdict.NONCE_SPENT
        verdict, target, out = self._terms(signed, order, self.books.exchanges[event.log.address])
        if verdict is Verdict.ACCEPTED and self.books.supply.get(target, 0) + out > LANE_MAX:
            verdict = Verdict.CAP_EXCEEDED
        return self.funds(signed, ((order.from_id, order.amount),)) if verdict is Verdict.ACCEPTED else verdict

    def _terms(self, signed: SignedOrder, order: ExchangeOrder, book: ExchangeBook) -> tuple[Verdict, int, int]:
        """Return (verdict, lot that is wanted, amount of it)."""
        time = self.tx.time
        if time > order.deadline:
            return Verdict.EXPIRED, 0, 0
        source = programme_of(order.from_id)
        giving, taking = self.books.programmes.get(source), self.books.programmes.get(order.to_programme)
        if giving is None or taking is None:
            return Verdict.UNKNOWN_PROGRAMME, 0, 0
        allowed = (
            source != order.to_programme
            and giving.flags & ProgrammeFlag.EXCHANGEABLE_OUT
            and giving.is_open(time)
            and taking.flags & ProgrammeFlag.EXCHANGEABLE_IN
            and taking.state == ProgrammeState.ACTIVE
            and taking.is_open(time)
        )
        if not allowed:
            return Verdict.FORBIDDEN, 0, 0
        fen, out = exchange_down(order.amount, giving.par, taking.par)
        if out == 0:
            return Verdict.NO_VALUE, 0, 0
        if out < order.min_out:
            return Verdict.BELOW_MINIMUM, 0, 0
        if out > LANE_MAX or fen > _FLOW_MAX or not self._is_within_caps(book, signed, order.to_programme, fen):
            return Verdict.CAP_EXCEEDED, 0, 0
        return Verdict.ACCEPTED, order.to_programme << 32 | order.from_id & 0xFFFFFFFF, out

    def _is_within_caps(self, book: ExchangeBook, signed: SignedOrder, programme: ProgrammeId, fen: int) -> bool:
        if book.resident_cap and self._today(book.outflows.get(signed.holder)) + fen > book.resident_cap:
            return False
        cap = book.inflow_caps.get(programme, 0)
        return not cap or self._today(book.inflows.get(programme)) + fen <= cap

    def _count(self, book: ExchangeBook, signed: SignedOrder, order: ExchangeOrder, fen: int) -> None:
        """Nothing is counted where there is no cap."""
        if book.resident_cap:
            book.outflows[signed.holder] = self._added(book.outflows.get(signed.holder), fen)
        source = programme_of(order.from_id)
        for programme, change in ((order.to_programme, fen), (source, -fen)):
            if book.inflow_caps.get(programme, 0):
                book.inflows[programme] = self._added(book.inflows.get(programme), change)

    def _today(self, flow: Flow | None) -> int:
        return flow[1] if flow is not None and flow[0] == civil_day(self.tx.time) else 0

    def _added(self, flow: Flow | None, fen: int) -> Flow:
        return civil_day(self.tx.time), max(-_FLOW_MAX - 1, min(_FLOW_MAX, self._today(flow) + fen))

    def _inflow_cap_set(self, event: Event) -> None:
        programme, cap = event["programme"], event["capFen"]
        self.act(event, "setInflowCap", programme=programme, capFen=cap)
        book = self.books.exchanges[event.log.address]
        self.same("former inflow cap", event, book.inflow_caps.get(programme, 0), event["previousCapFen"])
        book.inflow_caps[programme] = cap

    def _resident_cap_set(self, event: Event) -> None:
        self.act(event, "setResidentCap", capFen=event["capFen"])
        book = self.books.exchanges[event.log.address]
        self.same("former resident cap", event, book.resident_cap, event["previousCapFen"])
        book.resident_cap = event["capFen"]
