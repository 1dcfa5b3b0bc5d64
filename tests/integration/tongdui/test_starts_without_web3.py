"""Importing web3 takes most of a second: real processes show who pays for it, and when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def python(code: str, *args: str) -> list[str]:
    """Run code in a new interpreter; return the lines it printed."""
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


_IMPORTS = """
import importlib, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
    print(module, "web3" in sys.modules)
"""
WITHOUT = (
    "ledger.proofs.receipt",
    "ledger.audit.auditor",
    "ledger.gateway",
    "redemption.orders",
    "issuers.service",
    "issuers.agency.server",
    "tongdui.workers",
    "tongdui.bootstrap",
    "tongdui.cli.main",
    "tongdui.api",
    "tongdui.work",
    "tongdui.serve",
)


def test_workers_audit_and_agencies_are_imported_without_it() -> None:
    assert python(_IMPORTS, *WITHOUT) == [f"{module} False" for module in WITHOUT]


@pytest.mark.parametrize("module", ["ledger.deployment.deploy", "tongdui.chain_view"])
def test_deployment_and_the_apis_reads_stand_on_it(module: str) -> None:
    assert python(_IMPORTS, module) == [f"{module} True"]


_COMMAND = """
import sys
from tongdui.cli.main import main
try:
    main()
except SystemExit as exit:
    print(exit.code or 0)
print("web3" in sys.modules, "eth_account" in sys.modules)
"""


def test_a_receipt_is_judged_without_it(tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.json"
    receipt.write_text('{"version": 1}')
    assert python(_COMMAND, "verify", str(receipt))[-2:] == ["1", "False False"]


_CITY = """
import sys
from pathlib import Path
from tongdui.bootstrap import open_city
from tongdui.settings import Settings

settings = Settings(state_dir=Path(sys.argv[1]), workers=False)
with open_city(settings) as city:
    city.run_until_idle()
    print("started", "web3" in sys.modules)
    assert city.gateway.check_projection().is_equal
    print("checked", "web3" in sys.modules)
"""


def test_an_installation_starts_without_it_and_loads_it_at_its_first_check(tmp_path: Path) -> None:
    assert python(_CITY, str(tmp_path / "state")) == ["started True", "checked True"], "the first start deploys"
    assert python(_CITY, str(tmp_path / "state")) == ["started False", "checked True"]
