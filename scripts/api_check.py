"""Ask the API what its own description says can be asked, and call it by a client that is generated from that.

``python -m scripts.api_check``: serves a new city, lets schemathesis send generated requests as each kind of person,
and has a generated client register a resident and read the wallet. What sends them lives in an environment of its own
(``.venv-api``). The last line is JSON; the exit code is 1 where an answer was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.clock import SystemClock
from tongdui.api import open_token_issuer
from tongdui.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv-api" / "bin"
ROLES: Mapping[str, tuple[str, ...]] = {
    "nobody": (),
    "resident": ("resident:self", "resident:register"),
    "shop": ("merchant:1",),
    "desk": ("desk:shuangnan",),
    "agency": ("issuer:1",),
    "finance": ("finance",),
    "auditor": ("auditor",),
    "operator": ("operator",),
}
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection"
)
LEFT_OUT = ("endSessions", "withdrawToken")
"""What ends the caller, after which nothing else would be asked."""
_ENDS_WITHIN_S = 240.0
_TAIL = 8_000

_CLIENT = """
import secrets, sys
from tongdui_client import AuthenticatedClient
from tongdui_client.api.programmes import list_programmes
from tongdui_client.api.residents import register_resident
from tongdui_client.api.wallet import get_wallet
from tongdui_client.models import ResidentIn

url, token = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)
with client:
    made = register_resident.sync(
        client=client,
        body=ResidentIn(document_number="510107195403071234"),
        idempotency_key=secrets.token_hex(8),
    )
    wallet = get_wallet.sync(client=client)
    programmes = list_programmes.sync(client=client)
assert wallet.account == made.account, (wallet, made)
assert len(programmes.items) == len(wallet.programmes) > 0
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run all of it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.api_check", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--seconds", type=int, default=12, help="how long each kind of person asks")
    parser.add_argument("--seed", type=int, default=7, help="of the generated requests")
    parser.add_argument("--only", action="append", choices=[*ROLES, "client"], help="one of them; may be repeated")
    options = parser.parse_args(argv)
    wanted = options.only or [*ROLES, "client"]
    failed: list[str] = []
    asked: dict[str, int] = {}
    with TemporaryDirectory(prefix="tongdui-api-") as name, _serving(Path(name)) as url:
        folder = Path(name)
        for role in [one for one in ROLES if one in wanted]:
            token = _token(folder / "state", role, *ROLES[role]) if ROLES[role] else None
            is_right, asked[role] = _ask(url, token, options.seconds, options.seed, folder)
            failed += [] if is_right else [role]
        if "client" in wanted and not _call(url, _token(folder / "state", "generated", *ROLES["resident"]), folder):
            failed.append("client")
    print(json.dumps({"ok": not failed, "failed": failed, "requests": asked, "seed": options.seed}))
    return int(bool(failed))


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """Serve a new city until the block ends; gives its address."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")}
    env |= {"TONGDUI_RATE_PER_MINUTE": "100000000", "TONGDUI_PORT": "0"}
    command = [sys.executable, "-m", "tongdui", "serve", "--port", "0", "--state-dir", str(folder / "state"), "--json"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said.startswith('{"ok":true'):
                raise SystemExit(f"the server did not start:\n{(folder / 'server.log').read_text()[-_TAIL:]}")
            yield str(json.loads(said)["url"])
        finally:
            process.terminate()
            process.wait(60)


def _token(state: Path, name: str, *scopes: str) -> str:
    return open_token_issuer(Settings(state_dir=state, _env_file=None), SystemClock()).issue(name, scopes)


def _ask(url: str, token: str | None, seconds: int, seed: int, folder: Path) -> tuple[bool, int]:
    """Send generated requests as one kind of person; return whether all answers were right, and how many there were."""
    command = [str(TOOLS / "schemathesis"), "run", f"{url}/openapi.json", "--seed", str(seed), "--no-color"]
    command += ["--max-time", str(seconds), "--checks", CHECKS, "--continue-on-failure"]
    command += [] if token is None else ["-H", f"Authorization: Bearer {token}"]
    for name in LEFT_OUT:
        command += ["--exclude-operation-id", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_ENDS_WITHIN_S, check=False)
    if done.returncode:
        print(done.stdout[-_TAIL:], done.stderr[-_TAIL:], file=sys.stderr)
    found = re.search(r"(\d[\d,]*) generated", done.stdout)
    return done.returncode == 0, int(found[1].replace(",", "")) if found else 0


def _call(url: str, token: str, folder: Path) -> bool:
    """Return whether a client that was generated from the description registers and reads."""
    config = folder / "client.yaml"
    names = "project_name_override: tongdui-client\npackage_name_override: tongdui_client\n"
    config.write_text(names, encoding="ascii")
    generate = [str(TOOLS / "openapi-python-client"), "generate", "--meta", "none", "--config", str(config)]
    generate += ["--path", str(ROOT / "docs" / "openapi.json"), "--output-path", str(folder / "tongdui_client")]
    for command in (generate, [str(TOOLS / "python"), "-c", _CLIENT, url, token]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_ENDS_WITHIN_S, check=False)
        if done.returncode:
            print((done.stdout + done.stderr)[-_TAIL:], file=sys.stderr)
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
