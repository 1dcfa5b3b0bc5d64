from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from tongdui.serving.plan import Plan, failed_line, failure_in, ready_line, settings_of
from tongdui.settings import Settings


def test_an_api_process_gets_its_parents_settings_but_no_workers() -> None:
    parent = Settings(
        state_dir=Path("state"), database_url=SecretStr("postgresql://a:b@c/d"), rate_per_minute=7, _env_file=None
    )
    plan = Plan(settings_of(parent, "unix:/run/door"), 8080, None, 3, "unix:/run/door")
    again = Plan.read(plan.line())
    assert again == plan
    child = Settings(**again.settings, _env_file=None)
    wanted = {"workers": False, "processes": 1, "rpc_url": "unix:/run/door", "finality": "latest"}
    assert child == parent.model_copy(update=wanted)
    assert child.database_url is not None
    assert child.database_url.get_secret_value() == "postgresql://a:b@c/d"


def test_a_process_says_that_it_is_ready_or_why_not() -> None:
    assert failure_in(ready_line()) is None
    assert failure_in(failed_line(OSError("no disk"))) == "no disk"
    assert failure_in("") == "it said nothing"
