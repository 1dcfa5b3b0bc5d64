"""Every contract of the direction of imports is broken by an import that it forbids."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINTER = Path(sys.executable).parent / "lint-imports"

BREACHES = {
    "Imports point one way: scripts, tongdui, ledger_api, issuers | redemption, ledger": (
        "redemption/states.py",
        "import issuers.answers",
    ),
    "The points standard is pure: no input or output, nothing of the system around it": (
        "ledger/standard/value.py",
        "import httpx",
    ),
    "The auditor needs no database of ours": ("ledger/audit/shares.py", "import sqlalchemy"),
    "An agency's signer knows nothing of the gateway's database": ("issuers/agency/learning.py", "import psycopg"),
    "Below the API and the command line nothing knows of them": ("issuers/answers.py", "import starlette"),
    "Workers run without the web framework": ("tongdui/logs.py", "import fastapi"),
    "Only provider, contracts, deployment, the API's reads, gas and bench import web3 themselves": (
        "redemption/lots.py",
        "import web3",
    ),
    "Workers, verification, audit and the command line start without web3, which takes most of a second to import": (
        "tongdui/receipts.py",
        "import ledger.deployment.contracts",
    ),
    "Layers of ledger": ("ledger/chain/answers.py", "import ledger.deployment.file"),
    "Layers of ledger.chain: being a chain above talking to one": (
        "ledger/chain/remote.py",
        "import ledger.chain.embedded.journal",
    ),
    "Layers of issuers": ("issuers/rules/units.py", "import issuers.sources.rest"),
    "Layers of redemption": ("redemption/offers.py", "import redemption.orders"),
    "Layers of ledger_api": ("ledger_api/schemas/wallet.py", "import ledger_api.views.queries"),
    "Layers of tongdui": ("tongdui/settings.py", "import tongdui.offline"),
    "No cycles between the parts of a package": ("issuers/batches/packing.py", "import issuers.batches.batcher"),
}
"""A module and an import to add to it, by the contract that must notice."""


def test_every_contract_fails_on_a_planted_breach(tmp_path: Path) -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert {contract["name"] for contract in configuration["contracts"]} == BREACHES.keys()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in configuration["root_packages"]:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=_not_python)
    for path, line in BREACHES.values():
        with (tmp_path / path).open("a") as file:
            file.write(f"{line}\n")
    done = subprocess.run(
        [str(LINTER), "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "400", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    report = done.stdout.partition("Broken contracts")[2]
    headings = [f"\n{name}\n---" for name in BREACHES]
    for name, (path, line) in BREACHES.items():
        _, heading, details = report.partition(f"\n{name}\n---")
        assert heading, f"{name}: not broken"
        details = details[: min((details.find(other) for other in headings if other in details), default=None)]
        module, imported = path.removesuffix(".py").replace("/", "."), line.removeprefix("import ")
        # Cycles are reported by the names of siblings.
        siblings = f".{module.rpartition('.')[2]} -> .{imported.rpartition('.')[2]}"
        assert f"{module} -> {imported}" in details or siblings in details, f"{name}: broken, but not by {module}"


def _not_python(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".py") and not (Path(folder) / name).is_dir()]
