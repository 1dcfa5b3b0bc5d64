"""Exchange: points of one programme become another's, value for value."""

from __future__ import annotations

from city import ADMIN
from reference import (
    ACCEPTED,
    BAD_SIGNATURE,
    BELOW_MINIMUM,
    CAP_EXCEEDED,
    EXPIRED,
    FORBIDDEN,
    INSUFFICIENT,
    LANE_MAX,
    LOT_DEAD,
    MICROFEN_MINOR,
    NO_VALUE,
    NONCE_SPENT,
    UNKNOWN_PROGRAMME,
    ZERO,
    ExchangeOrder,
    programme_of,
    to_fen_down,
    token_id,
)

from .modules import Modules
from .packing import Unpacked, read_exchange
from .programmes import day_of
from .state import ACTIVE, EXCHANGE_IN, EXCHANGE_OUT

FEN_MAX = 2**63 - 1


class Exchange(Modules):
    """Batches of exchange orders, and their caps."""

    def run_exchange(self, caller: str, module: str, packed: bytes, at: int) -> None:
        self.check_running(module, at)
        self.check_exchange(module, caller)
        self.run(packed, read_exchange, lambda _, order, found: self._exchange(module, order, found, at))

    def _exchange(self, module: str, order: ExchangeOrder, found: Unpacked, at: int) -> int:
        order_id, lot = self.id_of(order), order.fromId
        if not self.is_signed(order.holder, order_id, found.signature):
            return BAD_SIGNATURE
        if not self.spend_nonce(order.holder, lot, order.nonce):
            return NONCE_SPENT
        code, fen, out = self._exchange_terms(module, order, at)
        wanted = token_id(order.toProgramme, lot & 0xFFFFFFFF)
        if code == ACCEPTED and self.supplies[wanted] + out > LANE_MAX:
            code = CAP_EXCEEDED
        if code == ACCEPTED and self.is_dead(lot, at):
            code = LOT_DEAD
        if code == ACCEPTED and self.balances[order.holder, lot] < order.amount:
            code = INSUFFICIENT
        if code != ACCEPTED:
            return code
        self.move(lot, order.amount, order.holder, ZERO)
        self.move(wanted, out, ZERO, order.holder)
        self._post(module, order, fen, at)
        self.tell("Exchanged", orderId=order_id, holder=order.holder, fen=fen)
        return ACCEPTED

    def _post(self, module: str, order: ExchangeOrder, fen: int, at: int) -> None:
        source, target, day = programme_of(order.fromId), order.toProgramme, day_of(at)
        self.positions[1 << 32 | source] -= fen
        self.positions[1 << 32 | target] += fen
        if self.resident_caps[module]:
            self.outflow[module, order.holder, day] += fen
        for programme, change in ((target, fen), (source, -fen)):
            if self.inflow_caps[module, programme]:
                self.inflow[module, programme, day] += change

    def _exchange_terms(self, module: str, order: ExchangeOrder, at: int) -> tuple[int, int, int]:
        """Return the verdict on what is neither nonce nor lot, the fen, and what comes out."""
        source, target = programme_of(order.fromId), order.toProgramme
        if at > order.deadline:
            return EXPIRED, 0, 0
        if self.terms[source] is None or self.terms[target] is None:
            return UNKNOWN_PROGRAMME, 0, 0
        goes_out = self.terms[source].flags & EXCHANGE_OUT and self.is_open(source, at)
        comes_in = self.terms[target].flags & EXCHANGE_IN and self.is_open(target, at)
        if source == target or not goes_out or not comes_in or self.state[target] != ACTIVE:
            return FORBIDDEN, 0, 0
        fen = to_fen_down(order.amount, self.terms[source].par)
        out = fen * MICROFEN_MINOR // self.terms[target].par
        if out == 0:
            return NO_VALUE, 0, 0
        if out < order.minOut:
            return BELOW_MINIMUM, 0, 0
        if out > LANE_MAX or fen > FEN_MAX or self._is_capped(module, order.holder, target, fen, at):
            return CAP_EXCEEDED, 0, 0
        return ACCEPTED, fen, out

    def _is_capped(self, module: str, holder: str, target: int, fen: int, at: int) -> bool:
        resident, programme = self.resident_caps[module], self.inflow_caps[module, target]
        out, into = self.outflow[module, holder, day_of(at)], self.inflow[module, target, day_of(at)]
        return bool((resident and out + fen > resident) or (programme and into + fen > programme))

    def set_resident_cap(self, caller: str, module: str, fen: int, at: int) -> None:
        self.check_role(ADMIN, caller)
        self.tell("ResidentCapSet", previousCapFen=self.resident_caps[module], capFen=fen)
        self.resident_caps[module] = fen

    def set_inflow_cap(self, caller: str, module: str, programme: int, fen: int, at: int) -> None:
        self.check_role(ADMIN, caller)
        previous = self.inflow_caps[module, programme]
        self.tell("InflowCapSet", programme=programme, previousCapFen=previous, capFen=fen)
        self.inflow_caps[module, programme] = fen
