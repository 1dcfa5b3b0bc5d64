"""``python -m scripts.fuzz``: fuzz every parser for so many seconds in all, with Atheris, by the coverage of our code.

Each parser runs in a process of its own. What is found is written to ``build/fuzz/NAME/``, told on the last line, and
ends with exit code 1. Atheris is an optional part (``pip install 'tongdui[fuzz]'``); without it bytes are mutated
blindly, which finds less and says so.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path("build/fuzz")
_SOURCE = Path(__file__).resolve().parents[2]
_CHUNKS = (b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"\xed\xa0\x80", b"9" * 40, b"[", b"{", b"1e999", b"-0",
           b"\r", b"null", b"\\ud800", b"&a;", b"<!DOCTYPE", b"NaN", b"\x1a", b"=1+1",
           "９".encode(), b"PK\x05\x06")  # fmt: skip


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of the good inputs with a few changes."""
    content = bytearray(rng.choice(seeds)) or bytearray(b"\n")
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(content) + 1)
        match rng.randrange(5):
            case 0:
                content[at : at + 1] = rng.randbytes(1)
            case 1:
                del content[at : at + rng.randint(1, 20)]
            case 2:
                content[at:at] = content[at : at + rng.randint(1, 60)] * rng.randint(1, 3)
            case 3:
                content[at:at] = rng.choice(_CHUNKS)
            case _:
                content[at:at] = rng.choice(seeds)[:200]
    return bytes(content)


def _blindly(name: str, seconds: int, seed: int) -> int:
    from scripts.fuzz.targets import TARGETS

    target = TARGETS[name]
    seeds = target.seeds()
    rng = random.Random(seed)
    until = time.monotonic() + seconds
    tried = 0
    while time.monotonic() < until:
        content = mutated(rng, seeds)
        tried += 1
        try:
            target.run(content)
        except Exception:  # noqa: BLE001  (whatever it is, it is a finding)
            traceback.print_exc()
            (FOLDER / name / f"crash-{tried}").write_bytes(content)
            return 1
    print(f"{name}: {tried} inputs", file=sys.stderr)
    return 0


def _guided(name: str, seconds: int, seed: int) -> None:
    # By name: there are no types of it, and it is an optional part.
    atheris = importlib.import_module("atheris")

    with atheris.instrument_imports(include=["issuers", "ledger", "scripts.fuzz"]):
        from scripts.fuzz.targets import TARGETS

    target = TARGETS[name]
    corpus = FOLDER / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(content)
    flags = [f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=1024"]
    atheris.Setup([sys.argv[0], str(corpus), f"-artifact_prefix={FOLDER / name}/", *flags], target.run)
    atheris.Fuzz()


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz all targets, or one in this process."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together [60]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="one target, in this process")
    parser.add_argument("--blind", action="store_true", help="without Atheris")
    options = parser.parse_args(arguments)
    is_blind = options.blind or importlib.util.find_spec("atheris") is None
    if options.only:
        (FOLDER / options.only).mkdir(parents=True, exist_ok=True)
        if is_blind:
            return _blindly(options.only, options.seconds, options.seed)
        _guided(options.only, options.seconds, options.seed)
        return 0
    return _all(options.seconds, options.seed, is_blind=is_blind)


def _all(seconds: int, seed: int, *, is_blind: bool) -> int:
    from scripts.fuzz.targets import TARGETS

    each = max(1, seconds // len(TARGETS))
    print(f"seed {seed}, {each} s for each of {len(TARGETS)} parsers,"
          f" {'blindly: Atheris is not installed' if is_blind else 'guided by Atheris'}", file=sys.stderr)  # fmt: skip
    found = []
    for number, name in enumerate(TARGETS, 1):
        print(f"[{number}/{len(TARGETS)}] {name}", file=sys.stderr, flush=True)
        line = [sys.executable, "-m", "scripts.fuzz", "--only", name, "--seconds", str(each), "--seed", str(seed)]
        line += ["--blind"] if is_blind else []
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
        with (FOLDER / name / "log").open("wb") as log:
            ended = subprocess.run(line, cwd=Path.cwd(), stdout=log, stderr=log, check=False)
        if ended.returncode != 0:
            found.append(name)
            print((FOLDER / name / "log").read_text(errors="replace")[-3_000:], file=sys.stderr)
    print(json.dumps({"parsers": len(TARGETS), "seconds": each * len(TARGETS), "guided": not is_blind, "found": found}))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
