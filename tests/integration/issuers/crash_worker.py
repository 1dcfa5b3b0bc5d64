"""A desk that kills itself with SIGKILL at a named moment: ``crash_worker FOLDER URL MOMENT WHICH``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from issuers.batches import packing
from issuers.batches.batcher import Batcher
from issuers.intake import chunks as pipeline
from issuers.intake import deliveries as intake
from tests.integration.issuers.lab import Desk, open_desk

FILES = ("volunteer", "environmental", "residence")


def live(desk: Desk) -> None:
    """Everything that one command does: the same in every life."""
    small = intake.Intake(
        desk.database,
        desk.clock,
        desk.service._pipeline,
        desk.service._keys,
        desk.service._vault,
        chunk_rows=60,
    )
    desk.service._intake = small
    for slug in FILES:
        for path in sorted((desk.folder / "samples" / slug).iterdir()):
            desk.service.ingest_file(slug, path)
    desk.service.ingest_drop_folder("traffic", desk.folder / "samples" / "traffic")
    desk.service.make_batches()


def kill_at(owner: Any, name: str, which: int, *, before: bool) -> None:
    """Replace a function by one that ends this process, before or after its work, at its ``which``-th call."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if before and calls == which:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if not before and calls == which:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, wrapped)


def arm(moment: str, which: int) -> None:
    """Choose where to die."""
    match moment:
        case "chunk written":  # all rows are in the transaction, which is not committed
            kill_at(pipeline.Pipeline, "take", which, before=False)
        case "chunk committed":
            kill_at(intake.Intake, "_commit", which, before=False)
        case "file picked up":
            kill_at(intake.Intake, "file", which, before=True)
        case "file done":  # taken in, and still in the folder of taken files
            kill_at(intake.Intake, "file", which, before=False)
        case "batch prepared":  # numbers and grants are fixed, nothing is signed
            kill_at(Batcher, "_sign_and_queue", which, before=True)
        case "batch signed":  # the signature is in the transaction with the outbox message, not committed
            kill_at(Batcher, "_store_signature", which, before=False)
        case "batch queued":
            kill_at(Batcher, "_sign_and_queue", which, before=False)
        case "never":
            pass
        case _:
            raise SystemExit(f"no such moment: {moment}")


def main() -> None:
    """Live until the moment comes."""
    folder, url, moment, which = sys.argv[1:]
    packing.GRANTS_MAX = 50
    desk = open_desk(Path(folder), url)
    arm(moment, int(which))
    live(desk)
    desk.database.close()


if __name__ == "__main__":
    main()
