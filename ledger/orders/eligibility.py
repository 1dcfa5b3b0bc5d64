"""Which points may pay whom now: the one rule, as the contracts have it. Pure; ``now`` is Unix time in seconds.

Source: Redemption.sol and Exchange.sol (``_checkTerms``), Tabs.sol (``isSpendable``), PointsLedger.sol (``_isDead``),
Pausable.sol. What is checked here is what holds for each amount and holder; amounts, caps, nonces and signatures are
the chain's. The order of checks is the contracts': the module, the merchant, each lot's programme, then the lots' own
state. A test runs the rule beside the real contracts through the life of a programme.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.standard.contract import ProgrammeFlag, ProgrammeState, Verdict
from ledger.standard.ids import ProgrammeId, TokenId, split_token_id
from ledger.standard.quarters import NEVER, quarter_end_timestamp


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
    SPENDING_OVER = "spending_over"
    """The programme closes, and the time to spend its points is over."""
    OUT_OF_SCOPE = "out_of_scope"
    """The merchant sells in none of the scopes in which the points may be spent."""
    LOT_DEAD = "lot_dead"
    """The lot's quarter has ended."""

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
            case Refusal.LOT_DEAD:
                return Verdict.LOT_DEAD
            case (
                Refusal.SAME_PROGRAMME
                | Refusal.NOT_REDEEMABLE
                | Refusal.NOT_EXCHANGEABLE_OUT
                | Refusal.NOT_EXCHANGEABLE_IN
                | Refusal.NOT_ACTIVE
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
    Refusal.SPENDING_OVER: "it has closed and the time to spend its points is over",
    Refusal.OUT_OF_SCOPE: "its points cannot be spent at this merchant",
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


def dies_at(token_id: int, spendable_until: int) -> int | None:
    """Return the Unix time from which a lot cannot be spent: its quarter's end, or its programme's ``spendable_until``.

    None where neither is known: the lot never expires, and its programme (``spendable_until`` 0) is not closing.
    """
    _, quarter = split_token_id(token_id)
    ends = [] if quarter == NEVER else [quarter_end_timestamp(quarter)]
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

    def is_dead(self, token_id: int, now: int) -> bool:
        """Return whether a lot can no longer be spent: ``PointsLedger.isDead``."""
        end = self.dies_at(token_id)
        return end is not None and now >= end

    def refuses_payment(self, token_ids: Iterable[int], merchant: MerchantTerms | None, now: int) -> RefusedLot | None:
        """Return the first reason why an order of these lots, in their order, may not pay a merchant; None if it may.

        Redemptions and holds follow the same rule.
        """
        tokens = [TokenId(token_id) for token_id in token_ids]
        if now < self.redemption_paused_until:
            return RefusedLot(tokens[0], Refusal.PAUSED)
        for token in tokens:
            refusal = payment_refusal(self.of_lot(token), merchant, now)
            if refusal is not None:
                return RefusedLot(token, refusal)
        dead = next((token for token in tokens if self.is_dead(token, now)), None)
        return None if dead is None else RefusedLot(dead, Refusal.LOT_DEAD)

    def refuses_exchange(self, source: int, target: int, now: int, *, token_id: int | None = None) -> Refusal | None:
        """Return why points of ``source``, or one lot of it, may not become points of ``target``; None if they may."""
        if now < self.exchange_paused_until:
            return Refusal.PAUSED
        known = self.programmes
        refusal = exchange_refusal(known.get(ProgrammeId(source)), known.get(ProgrammeId(target)), now)
        if refusal is None and token_id is not None and self.is_dead(token_id, now):
            return Refusal.LOT_DEAD
        return refusal
