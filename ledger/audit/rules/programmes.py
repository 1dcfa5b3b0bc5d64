"""Rules of programmes: opening, keys, rulebooks, states, freezes, ceilings."""

from __future__ import annotations

from ledger.audit.books import ProgrammeBook
from ledger.audit.report import Contradicted
from ledger.audit.rules.authority import may_call
from ledger.audit.rules.common import Handlers, Rules
from ledger.proofs.events import Event
from ledger.standard.contract import (
    CLOSED_AFTER_SPENDING_S,
    FREEZE_REST_S,
    FREEZE_S,
    KEY_WAIT_S,
    LONG_FREEZE_MAX_S,
    PAR_MAX,
    SPENDING_AFTER_CLOSING_S,
    ProgrammeFlag,
    ProgrammeState,
)
from ledger.standard.ids import TREASURY, ProgrammeId, programme_participant


class ProgrammeRules(Rules):
    """Events of PointsLedger about programmes."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        return {
            ("PointsLedger", "ProgrammeRegistered"): self._registered,
            ("PointsLedger", "IssuerKeySet"): self._issuer_key_set,
            ("PointsLedger", "RulebookSet"): self._rulebook_set,
            ("PointsLedger", "ProgrammeStateSet"): self._state_set,
            ("PointsLedger", "FrozenUntilSet"): self._frozen_until_set,
            ("PointsLedger", "CeilingsSet"): self._ceilings_set,
            ("PointsLedger", "RebirthCapSet"): self._rebirth_cap_set,
        }

    def check_freezes(self) -> None:
        """The guardian's freeze moves the time of the next, also where the council froze for longer: no event tells."""
        for call in (*self.tx.acts, *self.tx.acted):
            freezes = (call.contract, call.function) == ("PointsLedger", "freeze")
            if freezes and may_call(self.books, self.scene.addresses, call, self.tx.time):
                programme = self.programme(call.args["programmeId"], self.tx.where)
                if self.tx.time < programme.freezable_from:
                    raise Contradicted("freeze", self.tx.where, f"not before {programme.freezable_from}", self.tx.time)
                programme.freezable_from = self.tx.time + FREEZE_S + FREEZE_REST_S

    def _registered(self, event: Event) -> None:
        identifier, par, flags = event["programme"], event["par"], event["flags"]
        scope = event["spendScope"]
        terms = {"programmeId": identifier, "par": par, "flags": flags, "spendScope": scope}
        act = self.act(event, "registerProgramme", **terms)
        allowed = ProgrammeFlag.TRANSFERABLE if par == 0 else sum(ProgrammeFlag)
        if identifier in self.books.programmes or identifier == 0 or par > PAR_MAX or flags & ~allowed:
            raise Contradicted(f"programme {identifier}", event.log.where, "a new one of allowed terms", (par, flags))
        name, symbol = act.args["programmeName"], act.args["programmeSymbol"]
        programme = ProgrammeBook(par, flags, int.from_bytes(scope, "big"), name, symbol, state=ProgrammeState.UNKNOWN)
        programme.by_council = act.caller == self.scene.addresses.get("Council")
        self.books.programmes[identifier] = programme

    def _issuer_key_set(self, event: Event) -> None:
        identifier, key = event["programme"], event["key"]
        self.programme(identifier, event.log.where)
        before = self.books.issuer_keys.get((identifier, key), 0)
        self.same("issuer key's former time", event, before, event["previousActiveFrom"])
        if event["activeFrom"] == 0:
            self.act(event, "removeIssuerKey", programmeId=identifier, key=key)
            if before == 0:
                raise Contradicted("removal of an issuer key", event.log.where, "a key that is there", "none")
        else:
            first = self._first_key(identifier, key)
            if not first:
                self.act(event, "addIssuerKey", programmeId=identifier, key=key)
            wanted = self.tx.time + (0 if first else KEY_WAIT_S)
            self.same("time from which an issuer key may sign", event, wanted, event["activeFrom"])
            if before:
                raise Contradicted("adding of an issuer key", event.log.where, "a key that is not there", before)
        self.books.issuer_keys[identifier, key] = event["activeFrom"]

    def _first_key(self, identifier: ProgrammeId, key: bytes) -> bool:
        """The first key comes with the registration, once."""
        if any(programme == identifier for programme, _ in self.books.issuer_keys):
            return False
        return any(
            call.function == "registerProgramme"
            and (call.args["programmeId"], call.args["issuerKey"]) == (identifier, key)
            for call in self.tx.acted
        )

    def _rulebook_set(self, event: Event) -> None:
        identifier, version, digest = event["programme"], event["version"], event["rulebookHash"]
        self.act(event, "setRulebook", programmeId=identifier, version=version, rulebookHash=digest)
        programme = self.programme(identifier, event.log.where)
        before = (programme.rulebook_version, programme.rulebook_hash)
        self.same("former rulebook", event, before, (event["previousVersion"], event["previousHash"]))
        if version <= programme.rulebook_version:
            raise Contradicted(
                f"rulebook of programme {identifier}", event.log.where, f"version > {before[0]}", version
            )
        programme.rulebook_version, programme.rulebook_hash = version, digest

    def _state_set(self, event: Event) -> None:
        identifier, state = event["programme"], event["state"]
        programme = self.programme(identifier, event.log.where)
        self.same(f"former state of programme {identifier}", event, programme.state, event["previousState"])
        self.same(f"state of programme {identifier}", event, programme.state + 1, state)
        if state != ProgrammeState.ACTIVE:
            self.act(event, "setState", programmeId=identifier, state=state)
        if state == ProgrammeState.CLOSING:
            programme.spendable_until = self.tx.time + SPENDING_AFTER_CLOSING_S
        elif state == ProgrammeState.CLOSED:
            earliest = programme.spendable_until + CLOSED_AFTER_SPENDING_S
            if self.tx.time < earliest:
                raise Contradicted("closing time", event.log.where, f"not before {earliest}", self.tx.time)
            self._close_credit(identifier)
        elif state > ProgrammeState.CLOSED:
            raise Contradicted(f"state of programme {identifier}", event.log.where, "a known one", state)
        programme.state = state

    def _close_credit(self, identifier: ProgrammeId) -> None:
        """What a closed programme is owed goes to the treasury; the posting has come before this event."""
        participant = programme_participant(identifier)
        before = self.books.clearing.positions[participant] - self.tx.posted[participant]
        before += self.tx.due[participant]
        if before > 0:
            self.tx.due[participant] -= before
            self.tx.due[TREASURY] += before

    def _frozen_until_set(self, event: Event) -> None:
        identifier, until = event["programme"], event["until"]
        programme = self.programme(identifier, event.log.where)
        self.same(f"former freeze of programme {identifier}", event, programme.frozen_until, event["previousUntil"])
        frozen = next((call for call in self.tx.acts if call.function == "freeze"), None)
        if frozen is not None and until == self.tx.time + FREEZE_S and until > programme.frozen_until:
            self.act(event, "freeze", programmeId=identifier)
        else:
            self.act(event, "setFrozenUntil", programmeId=identifier, until=until)
            if until > self.tx.time + LONG_FREEZE_MAX_S:
                raise Contradicted(f"freeze of programme {identifier}", event.log.where, "at most 90 days", until)
        programme.frozen_until = until

    def _ceilings_set(self, event: Event) -> None:
        identifier, mint, revoke = event["programme"], event["mintFen"], event["revokeFen"]
        self.act(event, "setCeilings", programmeId=identifier, mintFen=mint, revokeFen=revoke)
        programme = self.programme(identifier, event.log.where)
        before = (programme.mint_ceiling_fen, programme.revoke_ceiling_fen)
        self.same("former ceilings", event, before, (event["previousMintFen"], event["previousRevokeFen"]))
        programme.mint_ceiling_fen, programme.revoke_ceiling_fen = mint, revoke

    def _rebirth_cap_set(self, event: Event) -> None:
        self.act(event, "setRebirthCap", capFen=event["capFen"])
        self.same("former rebirth cap", event, self.books.rebirth_cap, event["previousCapFen"])
        self.books.rebirth_cap = event["capFen"]
