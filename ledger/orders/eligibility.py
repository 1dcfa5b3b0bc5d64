"""Which points may pay whom now: the one rule, as the contracts have it. Pure; ``now`` is Unix time in seconds.

Source: Baskets.sol and Exchange.sol (``_checkTerms``), Holds.sol (``_isInTime``), BatchTotals.sol (``isOpen``),
LotBook.sol (``_isDead``), Pausable.sol. What is checked here is what holds for each amount and holder; amounts, caps,
nonces and signatures are the chain's. The order of checks is the contracts': the module, the merchant, each lot's
programme, the time to capture, then the lots' own state. A test runs the rule beside the real contracts through the
life of a programme.

A resident is promised a lot until its quarter's end. The chain's clock of expiry runs seven days late, so the lot can
be spent for a week more; but no hold lasts beyond the quarter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.standard.contract import GRACE_S, HOLD_MAX_S, ProgrammeFlag, ProgrammeState, Verdict
from ledger.standard.ids import ProgrammeId, TokenId, split_token_id
from ledger.standard.quarters import NEVER, quarter_end_timestamp
from ledger.standard.typed_data import Lot
from ledger.standard.value import basket_debits_down


class Refusal(StrEnum):
    """Why points may not pay: a closed set."""

    PAUSED = "paused"
    """The module takes no orders until its pause ends."""
    UNKNOWN_MERCHANT = "unknown_merchant"
    """Never registered, or retired."""
    UNKNOWN_PROGRAMME = "unknown_programme"
    SAME_PROGRAMME = "same_programme"
    """An exchange needs two."""
    NOT_REDEEMABLE = "not_redeemable"
    NOT_EXCHANGEABLE_OUT = "not_exchangeable_out"
    NOT_EXCHANGEABLE_IN = "not_exchangeable_in"
    NOT_ACTIVE = "not_active"
    """A programme that is closing, or closed, takes no exchanged points."""
    FROZEN = "frozen"
    """The guardian or the council has stopped the programme for a while."""
    SPENDING_OVER = "spending_over"
    """The programme closes, and the time to spend its points is over."""
    OUT_OF_SCOPE = "out_of_scope"
    """The merchant sells in none of the scopes in which the points may be spent."""
    CAPTURE_TOO_LATE = "capture_too_late"
    """The hold would end after the lot's quarter or its programme's time for spending, or in more than 30 days."""
    LOT_DEAD = "lot_dead"
    """The lot's quarter has ended, and the seven days after it."""

    @property
    def verdict(self) -> Verdict | None:
        """With which code the contract rejects such an order; None where its call reverts as a whole."""
        match self:
            case Refusal.PAUSED:
                return None
            case Refusal.UNKNOWN_MERCHANT:
                return Verdict.UNKNOWN_MERCHANT
            case Refusal.UNKNOWN_PROGRAMME:
                return Verdict.UNKNOWN_PROGRAMME
            case Refusal.OUT_OF_SCOPE:
                return Verdict.OUT_OF_SCOPE
            case Refusal.CAPTURE_TOO_LATE:
                return Verdict.BAD_CAPTURE_TIME
            case Refusal.LOT_DEAD:
                return Verdict.LOT_DEAD
            case (
                Refusal.SAME_PROGRAMME
                | Refusal.NOT_REDEEMABLE
                | Refusal.NOT_EXCHANGEABLE_OUT
                | Refusal.NOT_EXCHANGEABLE_IN
                | Refusal.NOT_ACTIVE
                | Refusal.FROZEN
                | Refusal.SPENDING_OVER
            ):
                return Verdict.FORBIDDEN

    @property
    def text(self) -> str:
        """In words for people."""
        return _TEXTS[self]


_TEXTS: Mapping[Refusal, str] = {
    Refusal.PAUSED: "orders are paused",
    Refusal.UNKNOWN_MERCHANT: "the merchant is unknown or retired",
    Refusal.UNKNOWN_PROGRAMME: "the programme is unknown",
    Refusal.SAME_PROGRAMME: "source and target are the same",
    Refusal.NOT_REDEEMABLE: "its points cannot be redeemed",
    Refusal.NOT_EXCHANGEABLE_OUT: "its points cannot be exchanged",
    Refusal.NOT_EXCHANGEABLE_IN: "it takes no exchanged points",
    Refusal.NOT_ACTIVE: "it is closing and takes no exchanged points",
    Refusal.FROZEN: "it is stopped for a while",
    Refusal.SPENDING_OVER: "it has closed and the time to spend its points is over",
    Refusal.OUT_OF_SCOPE: "its points cannot be spent at this merchant",
    Refusal.CAPTURE_TOO_LATE: "the points expire before the merchant's time to capture ends",
    Refusal.LOT_DEAD: "the points have expired",
}


@dataclass(frozen=True, slots=True)
class ProgrammeTerms:
    """What the chain says of a programme. ``spend_scope`` are bits of merchant scopes, 0 for anywhere."""

    programme: ProgrammeId
    par_microfen: int
    flags: ProgrammeFlag
    state: ProgrammeState
    spend_scope: int
    spendable_until: int
    """Unix time from which no lot of it can be spent; 0 until it starts closing."""
    frozen_until: int = 0
    """Unix time until which it is frozen; in the past, or 0, where it is not."""

    def is_frozen(self, now: int) -> bool:
        """Whether no new order may take its points for now."""
        return now < self.frozen_until

    def is_spending_over(self, now: int) -> bool:
        """Whether a closing programme's points can no longer be spent."""
        return self.spendable_until != 0 and now >= self.spendable_until

    def can_spend(self, now: int) -> bool:
        """Whether its points can buy or be exchanged at all; those of par 0 are a score."""
        spending = ProgrammeFlag.REDEEMABLE | ProgrammeFlag.EXCHANGEABLE_OUT
        return bool(self.flags & spending) and self.par_microfen > 0 and not self.is_spending_over(now)


@dataclass(frozen=True, slots=True)
class MerchantTerms:
    """What the chain says of a merchant that is registered and has not retired. ``scope`` are bits."""

    scope: int


def promised_until(token_id: int, spendable_until: int) -> int | None:
    """Return the first Unix time after what the resident is promised: the end of the lot's quarter, or its programme's
    ``spendable_until``. It is also the time before which a hold of the lot must end.

    None where neither is known: the lot never expires, and its programme (``spendable_until`` 0) is not closing.
    """
    return _end(token_id, spendable_until, 0)


def dies_at(token_id: int, spendable_until: int) -> int | None:
    """Return the Unix time from which a lot cannot be spent: as `promised_until`, but seven days after the quarter."""
    return _end(token_id, spendable_until, GRACE_S)


def _end(token_id: int, spendable_until: int, grace_s: int) -> int | None:
    _, quarter = split_token_id(token_id)
    ends = [] if quarter == NEVER else [quarter_end_timestamp(quarter) + grace_s]
    if spendable_until != 0:
        ends.append(spendable_until)
    return min(ends, default=None)


def payment_refusal(programme: ProgrammeTerms | None, merchant: MerchantTerms | None, now: int) -> Refusal | None:
    """Return why a programme's points may not pay a merchant now, or None. `Terms.is_dead` says whether a lot lives."""
    if merchant is None:
        return Refusal.UNKNOWN_MERCHANT
    if programme is None or programme.state is ProgrammeState.UNKNOWN:
        return Refusal.UNKNOWN_PROGRAMME
    if not programme.flags & ProgrammeFlag.REDEEMABLE or programme.par_microfen == 0:
        return Refusal.NOT_REDEEMABLE
    if programme.is_frozen(now):
        return Refusal.FROZEN
    if programme.is_spending_over(now):
        return Refusal.SPENDING_OVER
    if programme.spend_scope and not programme.spend_scope & merchant.scope:
        return Refusal.OUT_OF_SCOPE
    return None


def exchange_refusal(source: ProgrammeTerms | None, target: ProgrammeTerms | None, now: int) -> Refusal | None:
    """Return why points of one programme may not become another's now, or None."""
    if source is None or target is None or ProgrammeState.UNKNOWN in (source.state, target.state):
        return Refusal.UNKNOWN_PROGRAMME
    if source.programme == target.programme:
        return Refusal.SAME_PROGRAMME
    if not source.flags & ProgrammeFlag.EXCHANGEABLE_OUT or source.par_microfen == 0:
        return Refusal.NOT_EXCHANGEABLE_OUT
    if source.is_spending_over(now):
        return Refusal.SPENDING_OVER
    if not target.flags & ProgrammeFlag.EXCHANGEABLE_IN or target.par_microfen == 0:
        return Refusal.NOT_EXCHANGEABLE_IN
    if target.state is not ProgrammeState.ACTIVE:
        return Refusal.NOT_ACTIVE
    if source.is_frozen(now) or target.is_frozen(now):
        return Refusal.FROZEN
    return None


@dataclass(frozen=True, slots=True)
class RefusedLot:
    """The lot for which an order would be refused, and why."""

    token_id: TokenId
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Terms:
    """What the chain says of all programmes, and until when each module is paused (Unix time, 0 where it is not)."""

    programmes: Mapping[ProgrammeId, ProgrammeTerms]
    exchange_paused_until: int = 0
    redemption_paused_until: int = 0

    def of_lot(self, token_id: int) -> ProgrammeTerms | None:
        """Return the terms of a lot's programme, or None for one that is not registered."""
        return self.programmes.get(split_token_id(token_id)[0])

    def dies_at(self, token_id: int) -> int | None:
        """Return the Unix time from which a lot cannot be spent, or None: see `dies_at`."""
        programme = self.of_lot(token_id)
        return dies_at(token_id, 0 if programme is None else programme.spendable_until)

    def promised_until(self, token_id: int) -> int | None:
        """Return the first Unix time after what the resident is promised of a lot: see `promised_until`."""
        programme = self.of_lot(token_id)
        return promised_until(token_id, 0 if programme is None else programme.spendable_until)

    def latest_capture(self, token_ids: Iterable[int], now: int) -> int:
        """Return the last Unix second until which a hold of these lots may be open if it lands now."""
        ends = [end - 1 for end in map(self.promised_until, token_ids) if end is not None]
        return min([now + HOLD_MAX_S, *ends])

    def is_dead(self, token_id: int, now: int) -> bool:
        """Return whether a lot can no longer be spent: ``PointsLedger.isDead``."""
        end = self.dies_at(token_id)
        return end is not None and now >= end

    def refuses_payment(
        self, token_ids: Iterable[int], merchant: MerchantTerms | None, now: int, capture_by: int | None = None
    ) -> RefusedLot | None:
        """Return the first reason why an order of these lots, in their order, may not pay a merchant; None if it may.

        ``capture_by``: of a hold, the last Unix second at which the merchant may capture.
        """
        tokens = [TokenId(token_id) for token_id in token_ids]
        if now < self.redemption_paused_until:
            return RefusedLot(tokens[0], Refusal.PAUSED)
        for token in tokens:
            refusal = payment_refusal(self.of_lot(token), merchant, now)
            if refusal is not None:
                return RefusedLot(token, refusal)
        if capture_by is not None:
            late = next((token for token in tokens if not now <= capture_by <= self.latest_capture([token], now)), None)
            if late is not None:
                return RefusedLot(late, Refusal.CAPTURE_TOO_LATE)
        dead = next((token for token in tokens if self.is_dead(token, now)), None)
        return None if dead is None else RefusedLot(dead, Refusal.LOT_DEAD)

    def value_down(self, lots: Iterable[Lot]) -> int:
        """Return what lots are worth together, in fen, floored once; those of unknown programmes are worth nothing."""
        priced = [(self.of_lot(lot.id), lot.amount) for lot in lots]
        return sum(basket_debits_down([(0 if one is None else one.par_microfen, amount) for one, amount in priced]))

    def refuses_exchange(self, source: int, target: int, now: int, *, token_id: int | None = None) -> Refusal | None:
        """Return why points of ``source``, or one lot of it, may not become points of ``target``; None if they may."""
        if now < self.exchange_paused_until:
            return Refusal.PAUSED
        known = self.programmes
        refusal = exchange_refusal(known.get(ProgrammeId(source)), known.get(ProgrammeId(target)), now)
        if refusal is None and token_id is not None and self.is_dead(token_id, now):
            return Refusal.LOT_DEAD
        return refusal
