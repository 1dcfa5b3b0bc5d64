"""``signer …``: an agency's own signer, on the agency's own machine. It needs nothing of the gateway's."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import Annotated

import typer

from ledger.errors import ConfigurationError
from tongdui.cli.console import Output
from tongdui.cli.options import AsJson, readable
from tongdui.clock import clock_of

signer = typer.Typer(help="Run an agency's signer, which derives a batch before it signs it.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The signer's folder: settings, keys, journal.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="P", help="File whose first line is the passphrase [default: ask]."),
]
_SETTINGS = """\
# The agency's signer. Amounts are minor units: 100 are one point. Paths are relative to this file.
programme: {programme}
deployment: deployment.json
rulebooks: [{rulebooks}]
port: {port}
bearer_file: bearer
grant_minor_max: {grant}
batch_minor_max: {batch}
day_minor_max: {day}
requires_records: true
# Only records of the agency's own exports: show them first (tongdui signer learn FOLDER FILE --mapping M).
requires_known_records: true
# A node the agency trusts; without one, grants of a number that was given up get no new number:
# node: https://node.example:8545
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    signer.command("init")(init)
    signer.command("serve")(serve)
    signer.command("learn")(learn)
    signer.command("import")(import_key)
    signer.command("export")(export_key)
    app.add_typer(signer, name="signer")


def init(
    folder: Folder,
    programme: Annotated[int, typer.Option(min=1, help="Number of the programme.")],
    rules: Annotated[list[Path], typer.Option("--rules", help="A rulebook of the programme; may be repeated.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")] = 9000,
    grant_points_max: Annotated[int, typer.Option(min=1, help="Most points of one grant.")] = 1_000,
    batch_points_max: Annotated[int, typer.Option(min=1, help="Most points of one batch.")] = 100_000,
    day_points_max: Annotated[int, typer.Option(min=1, help="Most points a day.")] = 10_000_000,
    as_json: AsJson = False,
) -> None:
    """Generate a key and a token and write settings to begin with; once more in the same folder generates one more key.

    Put the city's deployment.json into the folder before the signer is served. The public key goes to the council,
    which registers its account on chain, and with the token to the gateway (TONGDUI_ISSUER_SIGNERS).
    """
    import shutil

    from issuers.agency.server import open_keystore
    from issuers.agency.settings import FILE_NAME, load_settings
    from ledger.custody.master import write_private

    output = Output(as_json=as_json)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / FILE_NAME).exists():
        for path in rules:
            if readable(path, "the rulebook").parent.resolve() != folder.resolve():
                shutil.copyfile(path, folder / path.name)
        text = _SETTINGS.format(
            programme=programme,
            rulebooks=", ".join(path.name for path in rules),
            port=port,
            grant=grant_points_max * 100,
            batch=batch_points_max * 100,
            day=day_points_max * 100,
        )
        write_private(folder / FILE_NAME, text.encode())
        write_private(folder / "bearer", secrets.token_urlsafe(32).encode() + b"\n", exclusive=True)
    chosen = load_settings(folder)
    if chosen.programme != programme:
        raise ConfigurationError(f"{folder / FILE_NAME} is of programme {chosen.programme}")
    store = open_keystore(folder, chosen)
    drawn = store.get_or_create(f"issuer-{len(store.names()) + 1}")
    public_key = "0x" + drawn.public_key.hex()
    output.say(f"account {drawn.address}, public key {public_key}")
    output.say(f"settings are in {folder / FILE_NAME}, the gateway's token in {folder / 'bearer'}")
    output.result({"ok": True, "address": drawn.address, "public_key": public_key, "programme": programme})


def serve(
    folder: Folder,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port, instead of the settings'.")] = None,
    as_json: AsJson = False,
) -> None:
    """Serve until Ctrl-C: Web3Signer's eth1 API, but only for batches that were shown and derived."""
    import sys

    from issuers.agency.server import SignerServer
    from issuers.agency.settings import load_settings

    output = Output(as_json=as_json)
    with SignerServer(folder, load_settings(folder), clock_of(folder), port=port) as server:
        keys = ["0x" + one for one in sorted(server.desk.keys)]
        output.say(f"the signer of programme {server.desk.policy.programme} serves {server.url}. Stop with Ctrl-C.")
        output.result({"ok": True, "url": server.url, "public_keys": keys})
        sys.stdout.flush()
        threading.Event().wait()


def learn(
    folder: Folder,
    files: Annotated[list[Path], typer.Argument(help="Exports of the agency's own system.")],
    mapping: Annotated[Path, typer.Option("--mapping", metavar="M", help="The mapping that the gateway uses too.")],
    as_json: AsJson = False,
) -> None:
    """Remember the records of the agency's own exports, by their hash: only for these are grants signed.

    Works while the signer serves. It matters where ``requires_known_records`` is set.
    """
    from issuers.agency.journal import Journal
    from issuers.agency.learning import record_hashes
    from issuers.agency.settings import load_settings
    from issuers.sources.mapping import Mapping

    output = Output(as_json=as_json)
    chosen = load_settings(folder)
    source = Mapping.load(readable(mapping, "the mapping"))
    journal = Journal(folder / chosen.journal)
    now = clock_of(folder).timestamp()
    try:
        new = sum(journal.learn(record_hashes(readable(path, "the file"), source, now)) for path in files)
    finally:
        journal.close()
    output.say(f"{new} records are new")
    output.result({"ok": True, "new": new})


def import_key(
    folder: Folder,
    file: Annotated[Path, typer.Argument(help="A Web3 Secret Storage file of geth, Foundry or another tool.")],
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Keep a key that another tool made under a passphrase; once more with the same file changes nothing.

    The signer uses it from its next start. The original file is left where it is.
    """
    from issuers.agency.server import open_keystore
    from issuers.agency.settings import load_settings
    from ledger.custody.keyfile import open_keyfile

    output = Output(as_json=as_json)
    store = open_keystore(folder, load_settings(folder))
    content = readable(file, "the key file").read_bytes()
    signer = open_keyfile(content, _passphrase(passphrase_file, confirm=False), str(file))
    if signer.address not in {store.address(name) for name in store.names()}:
        store.put(f"issuer-{len(store.names()) + 1}", signer.private_key)
    public_key = "0x" + signer.public_key.hex()
    output.say(f"account {signer.address}, public key {public_key}")
    output.result({"ok": True, "address": signer.address, "public_key": public_key})


def export_key(
    folder: Folder,
    account: Annotated[str, typer.Argument(help="The key's account, as `tongdui signer init` showed it.")],
    file: Annotated[Path, typer.Argument(help="Where to write it; there must be no such file yet.")],
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Write a key under a passphrase into a Web3 Secret Storage file, for another tool or a safe."""
    from issuers.agency.server import open_keys
    from issuers.agency.settings import load_settings
    from ledger.custody.keyfile import SCRYPT_N_STANDARD, seal_keyfile
    from ledger.custody.master import write_private

    output = Output(as_json=as_json)
    held = {key.address.lower(): key for key in open_keys(folder, load_settings(folder)).values()}
    signer = held.get(account.lower())
    if signer is None:
        raise ConfigurationError(f"the signer in {folder} has no key of account {account}")
    if file.exists():
        raise ConfigurationError(f"{file} exists already; it is not replaced")
    passphrase = _passphrase(passphrase_file, confirm=True)
    write_private(file, seal_keyfile(signer.private_key, passphrase, SCRYPT_N_STANDARD), exclusive=True)
    output.say(f"the key of account {signer.address} is in {file}")
    output.result({"ok": True, "address": signer.address})


def _passphrase(file: Path | None, *, confirm: bool) -> str:
    """Return a person's passphrase, from the first line of a file or from the terminal. It is never empty."""
    if file is None:
        typed: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
        return typed
    lines = readable(file, "the passphrase").read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0]:
        raise ConfigurationError(f"the first line of {file} is empty; it should be the passphrase")
    return lines[0]
