"""Another implementation of Web3 Secret Storage opens our key files, and we open its: npm @ethereumjs/wallet."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from ledger.custody.keyfile import SCRYPT_N_STANDARD, open_keyfile, seal_keyfile
from ledger.custody.keystore import Keystore

HERE = Path(__file__).parent
MASTER = bytes(range(32))
SECRET = b"\x1c" * 32


def ethereumjs(**work: Any) -> dict[str, list[str]]:
    request = json.dumps({"open": [], "make": []} | work)
    command = ["node", str(HERE / "keyfile.mjs")]
    ended = subprocess.run(command, input=request, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, list[str]] = json.loads(ended.stdout)
    return found


def test_it_opens_ours_given_the_master_key_and_the_name(tmp_path: Path) -> None:
    store = Keystore(tmp_path, MASTER)
    secrets = [store.get_or_create(name).private_key for name in ("deployer", "issuers/volunteer")]
    entries = [
        {"file": (tmp_path / f"{name}.key").read_text(), "master": MASTER.hex(), "name": name}
        for name in ("deployer", "issuers/volunteer")
    ]
    assert ethereumjs(open=entries)["opened"] == ["0x" + secret.hex() for secret in secrets]


def test_it_opens_ours_given_a_passphrase() -> None:
    passphrase = "通兑 correct horse"
    sealed = seal_keyfile(SECRET, passphrase, SCRYPT_N_STANDARD).decode()
    assert ethereumjs(open=[{"file": sealed, "password": passphrase}])["opened"] == ["0x" + SECRET.hex()]


def test_we_open_what_it_makes_with_geths_light_and_standard_scrypt() -> None:
    passphrase = "通兑 correct horse"
    settings = [{"n": 4_096, "p": 6}, {"n": 262_144, "p": 1}]
    wanted = [{"secret": SECRET.hex(), "password": passphrase, **setting} for setting in settings]
    made = ethereumjs(make=wanted)["made"]
    parameters = [json.loads(file)["crypto"]["kdfparams"] for file in made]
    assert [{name: found[name] for name in ("n", "p")} for found in parameters] == settings
    for file in made:
        assert open_keyfile(file.encode(), passphrase, "theirs").private_key == SECRET
