"""What the public book computes: supplies, worth, funding, ages."""

from __future__ import annotations

import pytest

from ledger.standard.contract import ProgrammeFlag
from ledger.standard.ids import ProgrammeId, Quarter
from ledger_api.pages.public.figures import Age, age, par_text, programme_figures, promised_until, totals
from ledger_api.views.queries import ChainProgramme
from tests.unit.ledger_api.api import NAMES


def chain_programme(number: int = 1, **changes: object) -> ChainProgramme:
    found: dict[str, object] = {
        "programme": ProgrammeId(number),
        "par_microfen": 20_000_000,
        "flags": int(ProgrammeFlag.REDEEMABLE | ProgrammeFlag.EXCHANGEABLE_OUT),
        "state": 1,
        "rulebook_version": 1,
        "rulebook_hash": None,
        "supply_minor": 1_001,
        "escrowed_minor": 0,
        "appropriated_fen": 500,
        "paid_fen": 100,
        "position_fen": -150,
        "frozen_until": 0,
        "mint_ceiling_fen": 0,
        "revoke_ceiling_fen": 0,
        "due_fen": 0,
        "due_older_fen": 0,
        "flows": [("mint", 2_000, 3), ("capture", 600, 1), ("redeem", 399, 1), ("hold", 700, 1), ("transfer", 5, 1)],
    }
    return ChainProgramme(**(found | changes))  # type: ignore[arg-type]


def test_worth_is_rounded_up_as_the_chain_rounds_and_funding_is_what_stands_behind() -> None:
    found = programme_figures(chain_programme(), NAMES, "en", 0)
    assert (found.worth_fen, found.funding_fen) == (201, 250)
    assert found.is_covered
    assert not programme_figures(chain_programme(position_fen=-250), NAMES, "en", 0).is_covered


def test_what_came_less_what_went_is_what_is_outstanding() -> None:
    """Holds and transfers change no supply; a hand-over and a direct payment are both redeemed."""
    found = programme_figures(chain_programme(), NAMES, "en", 0)
    signed = sum(flow.minor if flow.sign == "+" else -flow.minor for flow in found.flows)
    assert signed == found.supply_minor
    assert {flow.kind: flow.minor for flow in found.flows}["redeemed"] == 999


def test_names_are_the_reader_s_and_an_unknown_programme_has_one_too() -> None:
    assert programme_figures(chain_programme(), NAMES, "zh-CN", 0).name == "志愿服务"
    assert programme_figures(chain_programme(), NAMES, "en", 0).name == "Volunteering"
    assert programme_figures(chain_programme(77), NAMES, "en", 0).name == "Programme 77"


def test_eligibility_scores_are_in_no_sum() -> None:
    found = [
        programme_figures(chain_programme(), NAMES, "en", 0),
        programme_figures(chain_programme(5, par_microfen=0), NAMES, "en", 0),
    ]
    assert totals(found).supply_minor == 1_001
    assert totals(found).programmes == 2


def test_a_freeze_ends() -> None:
    assert programme_figures(chain_programme(frozen_until=10), NAMES, "en", 9).is_frozen
    assert not programme_figures(chain_programme(frozen_until=10), NAMES, "en", 10).is_frozen


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, ("seconds", 0)), (59, ("seconds", 59)), (60, ("minutes", 1)), (7_200, ("hours", 2)), (90_000, ("days", 1))],
)
def test_ages(seconds: int, said: tuple[str, int]) -> None:
    assert age(1_000_000, 1_000_000 - seconds) == Age(*said)


def test_pars_and_promised_days() -> None:
    assert [par_text(one) for one in (20_000_000, 100_000_000, 150_000_000, 1)] == ["0.2", "1", "1.5", "0.00000001"]
    assert promised_until(Quarter(0)) is None
    assert promised_until(Quarter(105)) == 1_774_972_799  # 2026-03-31T23:59:59+08:00
