"""Rules of AccessManager, of pauses, and of which manager each contract obeys."""

from __future__ import annotations

from ledger.audit.books import Account, Member, Operation
from ledger.audit.books.access import ADMIN, delay_at, delay_updated
from ledger.audit.calls import Call, read_calls
from ledger.audit.report import Contradicted
from ledger.audit.rules.authority import required_wait
from ledger.audit.rules.common import Handlers, Rules, hex_of, name_of
from ledger.proofs.events import Event
from ledger.standard.civil_time import DAY_S
from ledger.standard.contract import FREEZE_REST_S, PAUSE_MAX_S
from ledger.standard.keccak import keccak256

SETBACK_S = 5 * DAY_S
EXPIRATION_S = 7 * DAY_S
_PAUSABLE = ("Exchange", "Redemption")
_MANAGED = ("PointsLedger", "ClearingBook", "Succession", *_PAUSABLE)


class RoleRules(Rules):
    """Events of AccessManager, and those that every restricted contract has."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        handlers: Handlers = {
            ("AccessManager", "RoleGranted"): self._role_granted,
            ("AccessManager", "RoleRevoked"): self._role_revoked,
            ("AccessManager", "RoleLabel"): self._role_label,
            ("AccessManager", "RoleAdminChanged"): self._role_admin_changed,
            ("AccessManager", "RoleGuardianChanged"): self._role_guardian_changed,
            ("AccessManager", "RoleGrantDelayChanged"): self._grant_delay_changed,
            ("AccessManager", "TargetClosed"): self._target_closed,
            ("AccessManager", "TargetFunctionRoleUpdated"): self._function_role,
            ("AccessManager", "TargetAdminDelayUpdated"): self._target_delay,
            ("AccessManager", "OperationScheduled"): self._scheduled,
            ("AccessManager", "OperationExecuted"): self._executed,
            ("AccessManager", "OperationCanceled"): self._cancelled,
        }
        handlers |= {(module, "Paused"): self._paused for module in _PAUSABLE}
        handlers |= {(module, "Unpaused"): self._unpaused for module in _PAUSABLE}
        handlers |= {(contract, "AuthorityUpdated"): self._authority_updated for contract in _MANAGED}
        return handlers

    # --------------------------------------------------------------------------------------------------- roles

    def _role_granted(self, event: Event) -> None:
        role, account, delay = event["roleId"], event["account"], event["delay"]
        access, time = self.books.access, self.tx.time
        if self.tx.creates == event.log.address:
            self.same(
                "first administrator", event, (ADMIN, self.tx.constructed["initialAdmin"], 0), (role, account, delay)
            )
        else:
            self.act(event, "grantRole", roleId=role, account=account, executionDelay=delay)
        member = access.members.get((role, account))
        if member is None:
            since = time + delay_at(access.grant_delays.get(role, 0), time)
            access.members[role, account] = Member(since, delay)
        else:
            member.delay, since = delay_updated(member.delay, delay, 0, time)
        self.same("grant of a role (since, new)", event, (since, member is None), (event["since"], event["newMember"]))
        access.ever[role].add(account)

    def _role_revoked(self, event: Event) -> None:
        role, account = event["roleId"], event["account"]
        renounced = any(
            call.function == "renounceRole"
            and call.caller == account
            and (call.args["roleId"], call.args["callerConfirmation"]) == (role, account)
            for call in self.tx.acts
        )
        if not renounced:
            self.act(event, "revokeRole", roleId=role, account=account)
        if self.books.access.members.pop((role, account), None) is None:
            raise Contradicted("end of a role", event.log.where, "a role that was there", "none")

    def _role_label(self, event: Event) -> None:
        self.act(event, "labelRole", roleId=event["roleId"], label=event["label"])

    def _role_admin_changed(self, event: Event) -> None:
        self.act(event, "setRoleAdmin", roleId=event["roleId"], admin=event["admin"])
        self.books.access.admins[event["roleId"]] = event["admin"]

    def _role_guardian_changed(self, event: Event) -> None:
        self.act(event, "setRoleGuardian", roleId=event["roleId"], guardian=event["guardian"])
        self.books.access.guardians[event["roleId"]] = event["guardian"]

    def _grant_delay_changed(self, event: Event) -> None:
        role, delay = event["roleId"], event["delay"]
        self.act(event, "setGrantDelay", roleId=role, newDelay=delay)
        delays = self.books.access.grant_delays
        delays[role], effect = delay_updated(delays.get(role, 0), delay, SETBACK_S, self.tx.time)
        self.same("grant delay's effect", event, effect, event["since"])

    def _target_closed(self, event: Event) -> None:
        self.act(event, "setTargetClosed", target=event["target"], closed=event["closed"])
        self.books.access.closed[event["target"]] = event["closed"]

    def _function_role(self, event: Event) -> None:
        target, selector, role = event["target"], event["selector"], event["roleId"]
        wanted = (target, role)
        behind = [call for call in (*self.tx.acts, *self.tx.acted) if call.function == "setTargetFunctionRole"]
        call = next(
            (c for c in behind if (c.args["target"], c.args["roleId"]) == wanted and selector in c.args["selectors"]),
            None,
        )
        if call is None or call in self.tx.acts:
            call = self.act(event, "setTargetFunctionRole", target=target, roleId=role)
        if selector not in call.args["selectors"]:
            raise Contradicted("role of a function", event.log.where, "one that was named", hex_of(selector))
        self.books.access.function_roles[target, selector] = role

    def _target_delay(self, event: Event) -> None:
        target, delay = event["target"], event["delay"]
        self.act(event, "setTargetAdminDelay", target=target, newDelay=delay)
        delays = self.books.access.target_delays
        delays[target], effect = delay_updated(delays.get(target, 0), delay, SETBACK_S, self.tx.time)
        self.same("target delay's effect", event, effect, event["since"])

    # ---------------------------------------------------------------------------------------------- operations

    def _scheduled(self, event: Event) -> None:
        """An announced call: by who may make it and has to wait, for long enough."""
        caller, target, data = event["caller"], event["target"], event["data"]
        digest, where, access = event["operationId"], event.log.where, self.books.access
        scheduled = self._called(caller, "schedule", where, target=target, data=data)
        self.same("id of an operation", event, _operation_id(caller, target, data), digest)
        timepoint, nonce = access.schedules.get(digest, (0, 0))
        if timepoint and self.tx.time < timepoint + EXPIRATION_S:
            raise Contradicted("scheduling", where, "an operation that does not wait already", hex_of(digest))
        call = next(iter(read_calls(self.scene.names, caller, target, data)), None)
        allowed, wait = self._wait(call, caller, target, data)
        if not allowed or not wait or event["schedule"] < self.tx.time + wait:
            raise Contradicted("scheduling", where, f"by who may, at least {wait} s ahead", name_of(caller))
        if scheduled is not None:
            when = max(scheduled.args["when"], self.tx.time + wait)
            self.same("time of an operation", event, when, event["schedule"])
        self.same("nonce of an operation", event, nonce + 1, event["nonce"])
        access.schedules[digest] = (event["schedule"], nonce + 1)
        access.operations[digest] = Operation(caller, target, data)

    def _executed(self, event: Event) -> None:
        """A call whose time has come; the acts behind it are known by their bytes."""
        digest, access = event["operationId"], self.books.access
        timepoint, nonce = access.schedules.get(digest, (0, 0))
        if not timepoint or not timepoint <= self.tx.time < timepoint + EXPIRATION_S or nonce != event["nonce"]:
            what = f"operation {hex_of(digest)}"
            raise Contradicted(what, event.log.where, "scheduled, due, and not expired", f"scheduled for {timepoint}")
        access.schedules[digest] = (0, nonce)
        operation = access.operations[digest]
        calls = read_calls(self.scene.names, operation.caller, operation.target, operation.data, consumed=True)
        self.tx.acts += calls

    def _cancelled(self, event: Event) -> None:
        digest, access, where = event["operationId"], self.books.access, event.log.where
        timepoint, nonce = access.schedules.get(digest, (0, 0))
        self.same("cancelled operation's nonce", event, nonce, event["nonce"])
        operation = access.operations.get(digest)
        if not timepoint or operation is None:
            raise Contradicted("cancelling", where, "an operation that waits", hex_of(digest))
        act = next(
            (
                call
                for call in self.tx.acts
                if (call.contract, call.function) == ("AccessManager", "cancel")
                and _operation_id(call.args["caller"], call.args["target"], call.args["data"]) == digest
            ),
            None,
        )
        if act is None:
            self.books.unseen.setdefault("an operation that a contract cancelled", where)
        elif not self._may_cancel(act.caller, operation):
            raise Contradicted("cancelling", where, "its caller, a guardian or an administrator", name_of(act.caller))
        access.schedules[digest] = (0, nonce)

    def _may_cancel(self, account: Account, operation: Operation) -> bool:
        access, time = self.books.access, self.tx.time
        role = access.function_roles.get((operation.target, operation.data[:4]), ADMIN)
        guardian = access.guardians.get(role, ADMIN)
        is_role = access.role_of(account, guardian, time)[0] or access.role_of(account, ADMIN, time)[0]
        return account == operation.caller or is_role

    def _wait(self, call: Call | None, caller: Account, target: Account, data: bytes) -> tuple[bool, int]:
        if call is not None:
            return required_wait(self.books, self.scene.addresses, call, self.tx.time)
        role = self.books.access.function_roles.get((target, data[:4]), ADMIN)
        return self.books.access.role_of(caller, role, self.tx.time)

    def _called(self, account: Account, function: str, where: str, **args: object) -> Call | None:
        """Return the call of AccessManager that an account made; None if the account is a contract, which hides it."""
        for call in self.tx.acts:
            if (call.contract, call.function, call.caller) == ("AccessManager", function, account) and all(
                call.args[key] == value for key, value in args.items()
            ):
                self.tx.acts.remove(call)
                return call
        self.called_by(account, function, where, **args)
        return None

    # --------------------------------------------------------------------------------- every managed contract

    def _authority_updated(self, event: Event) -> None:
        """Each contract obeys the one manager from its construction on."""
        manager = self.scene.addresses["AccessManager"]
        again = event.log.address in self.books.authorities
        if self.tx.creates != event.log.address or event["authority"] != manager or again:
            what = f"authority of {event.contract}"
            raise Contradicted(what, event.log.where, f"{name_of(manager)}, for ever", name_of(event["authority"]))
        self.books.authorities[event.log.address] = manager

    def _paused(self, event: Event) -> None:
        act = self.act(event, "pause")
        book, time = self.books.module(event.contract, event.log.address), self.tx.time
        duration, where = act.args["durationSeconds"], event.log.where
        if not 0 < duration <= PAUSE_MAX_S or time < book.next_pause_from:
            found = f"{duration} s"
            raise Contradicted(
                f"pause of {event.contract}", where, f"at most 72 hours, after {book.next_pause_from}", found
            )
        self.same(f"pause of {event.contract}", event, time + duration, event["until"])
        book.paused_until, book.next_pause_from = event["until"], event["until"] + FREEZE_REST_S

    def _unpaused(self, event: Event) -> None:
        self.act(event, "unpause")
        self.books.module(event.contract, event.log.address).paused_until = 0


def _operation_id(caller: Account, target: Account, data: bytes) -> bytes:
    """keccak256(abi.encode(caller, target, data))."""
    padded = data + bytes(-len(data) % 32)
    words = caller.rjust(32, b"\0") + target.rjust(32, b"\0") + (96).to_bytes(32, "big")
    return keccak256(words + len(data).to_bytes(32, "big") + padded)
