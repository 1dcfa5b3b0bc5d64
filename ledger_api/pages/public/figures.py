"""The public book's figures: what a page shows of the projections, computed and not yet in words. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.standard.civil_time import DAY_S, HOUR_S
from ledger.standard.contract import ProgrammeFlag, ProgrammeState
from ledger.standard.ids import ProgrammeId, Quarter
from ledger.standard.quarters import NEVER, quarter_end_timestamp
from ledger.standard.value import MICROFEN_MINOR
from ledger_api.pages.shell.words import Language
from ledger_api.ports import ProgrammeName
from ledger_api.views.common import nameless
from ledger_api.views.queries import ChainProgramme

CAME = {"granted": ("mint",), "exchanged_in": ("exchange_in",), "refunded": ("refund",)}
WENT = {
    "exchanged_out": ("exchange_out",),
    "redeemed": ("redeem", "capture"),
    "revoked": ("revoke", "collect"),
    "expired": ("sweep", "burn"),
}
"""The projection's kinds of movement that change a supply, as people would call them. Holds, releases, transfers and
successions leave it as it was."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One kind of movement of a programme's points, in minor units; ``sign`` says whether it added or took."""

    kind: str
    sign: str
    minor: int


@dataclass(frozen=True, slots=True)
class ProgrammeFigures:
    """A programme for everybody. ``worth_fen`` is what the outstanding points are worth, rounded up as the chain does;
    ``funding_fen`` what stands behind them."""

    programme: ProgrammeId
    name: str
    par_microfen: int
    supply_minor: int
    escrowed_minor: int
    worth_fen: int
    funding_fen: int
    state: str
    is_frozen: bool
    rights: Sequence[str]
    flows: Sequence[Flow]
    rulebook_version: int

    @property
    def is_covered(self) -> bool:
        """Whether the funding is at least what the points are worth."""
        return self.worth_fen <= self.funding_fen

    @property
    def has_value(self) -> bool:
        """Whether its points are worth anything: those of par 0 only show that somebody qualifies."""
        return self.par_microfen > 0


@dataclass(frozen=True, slots=True)
class Totals:
    """All programmes together."""

    programmes: int
    supply_minor: int
    worth_fen: int
    funding_fen: int


def programme_figures(
    found: ChainProgramme, names: Mapping[ProgrammeId, ProgrammeName], language: Language, now: int
) -> ProgrammeFigures:
    """Return a programme's figures at Unix time ``now``."""
    name = names.get(found.programme) or nameless(found.programme)
    by_kind = {kind: minor for kind, minor, _ in found.flows}
    flows = [
        Flow(name, sign, sum(by_kind.get(kind, 0) for kind in kinds))
        for sign, group in (("+", CAME), ("−", WENT))
        for name, kinds in group.items()
    ]
    return ProgrammeFigures(
        programme=found.programme,
        name=name.name_zh if language == "zh-CN" else name.name_en,
        par_microfen=found.par_microfen,
        supply_minor=found.supply_minor,
        escrowed_minor=found.escrowed_minor,
        worth_fen=-(-found.supply_minor * found.par_microfen // MICROFEN_MINOR),
        funding_fen=found.appropriated_fen - found.paid_fen + found.position_fen,
        state=ProgrammeState(found.state).word,
        is_frozen=found.frozen_until > now,
        rights=[flag.name.lower() for flag in ProgrammeFlag if found.flags & flag and flag.name],
        flows=flows,
        rulebook_version=found.rulebook_version,
    )


def totals(found: Sequence[ProgrammeFigures]) -> Totals:
    """Return the sums over the programmes whose points are worth something."""
    valued = [one for one in found if one.has_value]
    return Totals(
        programmes=len(found),
        supply_minor=sum(one.supply_minor for one in valued),
        worth_fen=sum(one.worth_fen for one in valued),
        funding_fen=sum(one.funding_fen for one in valued),
    )


def par_text(par_microfen: int) -> str:
    """Return a par as yuan a point without needless zeros: ``0.2``."""
    text = f"{par_microfen // 100_000_000}.{par_microfen % 100_000_000:08d}"
    return text.rstrip("0").rstrip(".")


def promised_until(quarter: Quarter) -> int | None:
    """Return a moment on the last promised day of a lot, or None where it never expires."""
    return None if quarter == NEVER else quarter_end_timestamp(quarter) - 1


@dataclass(frozen=True, slots=True)
class Age:
    """How long ago something was, in the unit that people would use: ``seconds minutes hours days``."""

    unit: str
    count: int


def age(now: int, then: int) -> Age:
    """Return how long before ``now`` a Unix time was; nothing is younger than now."""
    seconds = max(0, now - then)
    for unit, size in (("days", DAY_S), ("hours", HOUR_S), ("minutes", 60)):
        if seconds >= size:
            return Age(unit, seconds // size)
    return Age("seconds", seconds)
