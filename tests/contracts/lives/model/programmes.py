"""Programmes: their life, their keys, and what bounds them."""

from __future__ import annotations

from city import ADMIN, GUARDIAN
from reference import ZERO, to_fen_up

from .lots import Lots
from .state import ACTIVE, CLOSED, CLOSING, DAY, TRANSFERABLE, TREASURY, Reverts, Terms

PAR_MAX = 10**11
CEILING_MAX = 2**64 - 1


def day_of(at: int) -> int:
    """Return the civil day in UTC+8."""
    return (at + 8 * 3600) // DAY


class Programmes(Lots):
    """What council and guardian decide about a programme."""

    def known(self, programme: int) -> Terms:
        if self.terms[programme] is None:
            raise Reverts("PointsLedgerUnknownProgramme", programme)
        found: Terms = self.terms[programme]
        return found

    def check_thawed(self, programme: int, at: int) -> Terms:
        terms = self.known(programme)
        if at < self.frozen_until[programme]:
            raise Reverts("PointsLedgerFrozen", programme, self.frozen_until[programme])
        return terms

    def is_open(self, programme: int, at: int) -> bool:
        """Whether new orders may take its points now."""
        return at >= self.frozen_until[programme] and not self.spending_over(programme, at)

    def liability(self, programme: int) -> int:
        return to_fen_up(self.supply(programme), self.terms[programme].par) if self.terms[programme] else 0

    def register_programme(
        self, caller: str, programme: int, par: int, flags: int, scope: int, key: str, at: int
    ) -> None:
        self.check_role(ADMIN, caller)
        if programme == 0 or self.terms[programme]:
            raise Reverts("PointsLedgerProgrammeExists", programme)
        if par > PAR_MAX:
            raise Reverts("PointsLedgerParTooHigh", par)
        if flags > 15 or (par == 0 and flags > TRANSFERABLE):
            raise Reverts("PointsLedgerBadFlags", flags)
        self.terms[programme] = Terms(par, flags, scope)
        self.state[programme] = ACTIVE
        spend_scope = scope.to_bytes(32, "big")
        self.tell("ProgrammeRegistered", programme=programme, par=par, flags=flags, spendScope=spend_scope)
        self.tell("ProgrammeStateSet", programme=programme, previousState=0, state=ACTIVE)
        self._add_key(programme, key, at)

    def add_key(self, caller: str, programme: int, key: str, at: int) -> None:
        """It may sign a week later."""
        self.check_role(ADMIN, caller)
        self.known(programme)
        self._add_key(programme, key, at + 7 * DAY)

    def _add_key(self, programme: int, key: str, active_from: int) -> None:
        if key == ZERO or self.keys[programme, key]:
            raise Reverts("PointsLedgerBadKey", key)
        self.keys[programme, key] = active_from
        self.tell("IssuerKeySet", programme=programme, key=key, previousActiveFrom=0, activeFrom=active_from)

    def remove_key(self, caller: str, programme: int, key: str, at: int) -> None:
        """It signs nothing more from this moment."""
        self.check_role(ADMIN, caller)
        before = self.keys[programme, key]
        if not before:
            raise Reverts("PointsLedgerBadKey", key)
        self.keys[programme, key] = 0
        self.tell("IssuerKeySet", programme=programme, key=key, previousActiveFrom=before, activeFrom=0)

    def set_rulebook(self, caller: str, programme: int, version: int, rules: bytes, at: int) -> None:
        self.check_role(ADMIN, caller)
        self.known(programme)
        before, rules_before = self.rulebook[programme]
        if version <= before:
            raise Reverts("PointsLedgerBadRulebook", version, before)
        previous = {"previousVersion": before, "previousHash": rules_before or bytes(32)}
        self.tell("RulebookSet", programme=programme, **previous, version=version, rulebookHash=rules)
        self.rulebook[programme] = (version, rules)

    def set_state(self, caller: str, programme: int, state: int, at: int) -> None:
        """Forward only: closing leaves a year to spend, and it closes 150 days after that."""
        self.check_role(ADMIN, caller)
        self.known(programme)
        current = self.state[programme]
        if (current, state) == (ACTIVE, CLOSING):
            self.spendable_until[programme] = at + 365 * DAY
        elif (current, state) == (CLOSING, CLOSED):
            ready = self.spendable_until[programme] + 150 * DAY
            if at < ready:
                raise Reverts("PointsLedgerTooEarly", ready)
            credit = max(0, self.positions[1 << 32 | programme])
            self.positions[1 << 32 | programme] -= credit
            self.positions[TREASURY] += credit
            self.word["value_in"] += credit * 10**8
        else:
            raise Reverts("PointsLedgerBadState", programme, current, state)
        self.state[programme] = state
        self.tell("ProgrammeStateSet", programme=programme, previousState=current, state=state)

    # ------------------------------------------------------------------------------------------------------- bounds

    def freeze(self, caller: str, programme: int, at: int) -> None:
        """The guardian's: 72 hours, and again a week after that at the earliest."""
        self.check_role(GUARDIAN, caller)
        self.known(programme)
        if at < self.freezable_from[programme]:
            raise Reverts("PointsLedgerTooEarly", self.freezable_from[programme])
        until = at + 72 * 3600
        self.freezable_from[programme] = until + 7 * DAY
        if until > self.frozen_until[programme]:
            self._set_frozen(programme, until)

    def set_frozen_until(self, caller: str, programme: int, until: int, at: int) -> None:
        """The council's: up to 90 days, or an end to any freeze."""
        self.check_role(ADMIN, caller)
        if until > at + 90 * DAY:
            raise Reverts("PointsLedgerTooLong", until)
        self.known(programme)
        self._set_frozen(programme, until)

    def _set_frozen(self, programme: int, until: int) -> None:
        previous = self.frozen_until[programme]
        self.tell("FrozenUntilSet", programme=programme, previousUntil=previous, until=until)
        self.frozen_until[programme] = until

    def set_ceilings(self, caller: str, programme: int, mint_fen: int, revoke_fen: int, at: int) -> None:
        self.check_role(ADMIN, caller)
        self.known(programme)
        before = self.ceilings[programme]
        previous = {"previousMintFen": before[0], "previousRevokeFen": before[1]}
        self.tell("CeilingsSet", programme=programme, **previous, mintFen=mint_fen, revokeFen=revoke_fen)
        self.ceilings[programme] = (mint_fen, revoke_fen)

    def count_minted(self, programme: int, fen: int, appropriated: int, at: int) -> None:
        most = min(self.ceilings[programme][0] or appropriated // 10, CEILING_MAX)
        self.minted_fen[programme, day_of(at)] += fen
        self._check_ceiling(programme, self.minted_fen[programme, day_of(at)], most)

    def count_revoked(self, programme: int, fen: int, appropriated: int, at: int) -> None:
        most = min(self.ceilings[programme][1] or appropriated // 100, CEILING_MAX)
        self.revoked_fen[programme, day_of(at)] += fen
        self._check_ceiling(programme, self.revoked_fen[programme, day_of(at)], most)

    def _check_ceiling(self, programme: int, fen: int, most: int) -> None:
        if fen > most:
            raise Reverts("PointsLedgerCeilingExceeded", programme, fen, most)
