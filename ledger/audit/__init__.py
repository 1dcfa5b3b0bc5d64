"""The independent auditor: it trusts a node for bytes only, and no database, process or word of ours.

`auditor` reads the chain, `replay` computes from its calldata and events what the books must say, `storage` and `state`
compare that with what the contracts' storage does say, `leaves` holds grants against published evidence.
"""

from __future__ import annotations

from ledger.audit.auditor import audit
from ledger.audit.report import FAIL, INCOMPLETE, PASS, AuditReport, Contradiction, ProgrammeFigures

__all__ = ["FAIL", "INCOMPLETE", "PASS", "AuditReport", "Contradiction", "ProgrammeFigures", "audit"]
