"""Rules of Exchange."""

from __future__ import annotations

from ledger.audit.books import NOBODY
from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, hex_of, no_effect
from ledger.proofs.events import Event
from ledger.standard.contract import ProgrammeFlag, ProgrammeState
from ledger.standard.errors import NoValue
from ledger.standard.ids import programme_participant
from ledger.standard.typed_data import ExchangeOrder
from ledger.standard.value import exchange_down


class ExchangeRules(Rules):
    """Events of Exchange."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("Exchange", "Exchanged"): self._exchanged,
            ("Exchange", "Rejected"): self.rejected,
            ("Exchange", "InflowCapSet"): no_effect,
            ("Exchange", "ResidentCapSet"): no_effect,
        }

    def _exchanged(self, event: Event) -> None:
        order, holder = event["orderId"], event["holder"]
        source, target, amount, out = event["fromId"], event["toId"], event["amountIn"], event["amountOut"]
        self.once(order, event)
        self.take(event, [(holder, NOBODY, source, amount), (NOBODY, holder, target, out)])
        giving, taking = self.programme(source >> 32, event), self.programme(target >> 32, event)
        try:
            expected = exchange_down(amount, giving.par, taking.par)
        except NoValue as error:
            raise Contradicted(f"exchange {hex_of(order)}", event.log.where, "programmes with a par", error) from error
        if (event["fen"], out) != expected or out == 0:
            found = f"{event['fen']} fen, {out} out"
            raise Contradicted(
                f"exchange {hex_of(order)}", event.log.where, f"{expected[0]} fen, {expected[1]} out", found
            )
        allowed = (
            giving.flags & ProgrammeFlag.EXCHANGEABLE_OUT
            and taking.flags & ProgrammeFlag.EXCHANGEABLE_IN
            and taking.state == ProgrammeState.ACTIVE
        )
        if not allowed or source >> 32 == target >> 32 or (source ^ target) & 0xFFFFFFFF:
            what = f"exchange {hex_of(order)}"
            raise Contradicted(what, event.log.where, "allowed programmes, same quarter", f"{source} to {target}")
        self.check_alive(source, event)
        signed = self.carry_out(event)
        if signed is not None and isinstance(signed.order, ExchangeOrder):
            order_terms = signed.order
            expected_terms = (order_terms.from_id, order_terms.amount, order_terms.to_programme)
            self.check_terms(event, (signed.holder, *expected_terms), (holder, source, amount, target >> 32))
            if out < order_terms.min_out:
                raise Contradicted(f"exchange {hex_of(order)}", event.log.where, f">= {order_terms.min_out}", out)
        self.tx.due[programme_participant(source >> 32)] -= event["fen"]
        self.tx.due[programme_participant(target >> 32)] += event["fen"]
        giving.figures.exchanged_out += amount
        taking.figures.exchanged_in += out
        self.books.exchanged_fen += event["fen"]
