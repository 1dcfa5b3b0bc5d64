"""A server as a process of its own: ``python -m tests.integration.ledger_api.server STATE`` says where it listens."""

from __future__ import annotations

import sys
from pathlib import Path

from tongdui.serve import serve
from tongdui.settings import Settings


def main() -> None:
    settings = Settings(state_dir=Path(sys.argv[1]), port=0, _env_file=None)
    serve(settings, on_ready=lambda _, url: print(url, flush=True))


if __name__ == "__main__":
    main()
