"""Rules of AccessManager and Council, and of pauses: who may do what."""

from __future__ import annotations

from ledger.audit.report import Contradicted
from ledger.audit.rules.common import Handlers, Rules, no_effect
from ledger.proofs.events import Event
from ledger.standard.contract import PAUSE_MAX_S

BOOKS = ("PointsLedger", "ClearingBook")
MODULES = ("Issuance", "Exchange", "Redemption", "Disputes", "Settlement")
PAUSABLE = ("Issuance", "Exchange", "Redemption")
WITHOUT_EFFECT = {
    "AccessManager": (
        "OperationScheduled",
        "OperationExecuted",
        "OperationCanceled",
        "RoleLabel",
        "RoleAdminChanged",
        "RoleGuardianChanged",
        "RoleGrantDelayChanged",
        "TargetClosed",
        "TargetAdminDelayUpdated",
    ),
    "Council": ("Proposed", "Approved", "ApprovalWithdrawn", "Queued", "Executed", "MemberSet", "RulesSet"),
}
"""Steps on the way to a change of roles; the audit looks at the roles where they end."""


class AuthorityRules(Rules):
    """Events of AccessManager and Council, and those that every restricted contract has."""

    def handlers(self) -> Handlers:
        """See `Rules.handlers`."""
        handlers: Handlers = {
            ("AccessManager", "RoleGranted"): self._role_granted,
            ("AccessManager", "RoleRevoked"): self._role_revoked,
            ("AccessManager", "TargetFunctionRoleUpdated"): self._function_role,
        }
        handlers |= {(module, "Paused"): self._paused for module in PAUSABLE}
        handlers |= {(module, "Unpaused"): self._unpaused for module in PAUSABLE}
        handlers |= {(contract, "AuthorityUpdated"): self._authority_updated for contract in (*BOOKS, *MODULES)}
        for contract, names in WITHOUT_EFFECT.items():
            handlers |= {(contract, name): no_effect for name in names}
        return handlers

    def _role_granted(self, event: Event) -> None:
        self.books.roles[event["roleId"]].add(event["account"])

    def _role_revoked(self, event: Event) -> None:
        self.books.roles[event["roleId"]].discard(event["account"])

    def _function_role(self, event: Event) -> None:
        self.books.function_roles[event["target"], event["selector"]] = event["roleId"]

    def _authority_updated(self, event: Event) -> None:
        self.books.authorities[event.contract] = event["authority"]

    def _paused(self, event: Event) -> None:
        if not self.tx.time < event["until"] <= self.tx.time + PAUSE_MAX_S:
            raise Contradicted(f"pause of {event.contract}", event.log.where, "at most 72 hours", event["until"])
        self.books.paused_until[event.contract] = event["until"]

    def _unpaused(self, event: Event) -> None:
        self.books.paused_until[event.contract] = 0
